//! A session: what its driver tells it goes to its transport, or to what rides on it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderValue;

use super::{
    packet::{Data, Kind, Packet, Revision},
    polling::{Asked, Polling, acknowledge},
    reception::{Refusal, Settings},
    state::{Beat, Core, Engine, Transport, send_frame},
    upper::{Reason, Upper},
};
use crate::{Input, Link, Out, Request, session};

/// A ping that is late takes at most so much of the time for its answer.
const LATE: Duration = Duration::from_millis(20);

/// One client.
#[derive(Debug)]
pub(super) struct Session<U> {
    core: Core,
    upper: U,
}

impl<U: Upper> Session<U> {
    pub(super) fn new(
        settings: Arc<Settings>,
        revision: Revision,
        name: &str,
        is_websocket: bool,
        upper: U,
    ) -> Self {
        let transport = if is_websocket {
            Transport::WebSocket
        } else {
            let cookie = settings.cookie.as_deref().and_then(|cookie| {
                let line = format!("{cookie}={name}; Path=/; HttpOnly; SameSite=Lax");
                HeaderValue::try_from(line).ok()
            });
            Transport::Polling(Box::new(Polling::new(revision, cookie)))
        };
        let (name, beat) = (name.into(), Beat::Never);
        let core = Core { settings, revision, name, transport, beat, ended: None };
        Self { core, upper }
    }

    fn engine<'a>(&'a mut self, now: Instant, out: &'a mut Out) -> (&'a mut U, Engine<'a>) {
        (&mut self.upper, Engine { core: &mut self.core, out, now })
    }

    /// Takes a packet that came on the session's transport.
    fn packet(&mut self, packet: Option<Packet<'_>>, now: Instant, out: &mut Out) {
        if self.core.ended.is_some() {
            return;
        }
        let Some(packet) = packet else { return self.core.end(Reason::ParseError, now, out) };
        let settings = &self.core.settings;
        match (packet.kind, self.core.revision) {
            (Kind::Message, _) => {
                let (upper, mut engine) = self.engine(now, out);
                if upper.message(packet.data, &mut engine).is_err() {
                    self.core.end(Reason::ParseError, now, out);
                }
            }
            (Kind::Pong, Revision::V4) => {
                if let Beat::Due(at) = self.core.beat {
                    // From when the client was asked: what the answer took moves no later ping.
                    let asked = at.checked_sub(settings.ping_timeout).unwrap_or(now);
                    self.core.beat = Beat::Ask(now.max(asked + settings.ping_interval));
                }
            }
            (Kind::Ping, Revision::V3) => {
                self.core.beat = Beat::Due(now + settings.ping_interval + settings.ping_timeout);
                self.core.send_packet(&Packet { kind: Kind::Pong, ..packet }, out);
            }
            // Whoever pings in the wrong direction would never be asked whether he is there.
            (Kind::Ping, Revision::V4) => self.core.end(Reason::TransportError, now, out),
            (Kind::Close, _) => self.core.end(Reason::TransportClose, now, out),
            _ => {}
        }
    }

    fn request(&mut self, link: Link, request: &Request, now: Instant, out: &mut Out) {
        let Transport::Polling(polling) = &mut self.core.transport else {
            return out.respond(link, Refusal::BadRequest.response());
        };
        let settings = Arc::clone(&self.core.settings);
        match polling.ask(link, request, out) {
            Asked::Done => {}
            Asked::Overlap => self.core.end(Reason::TransportError, now, out),
            Asked::Post(body) => {
                let mut is_whole = true;
                for packet in body.packets(settings.max_packets) {
                    is_whole &= packet.is_ok();
                    self.packet(packet.ok(), now, out);
                }
                acknowledge(link, is_whole, out);
            }
            Asked::Malformed => {
                out.respond(link, Refusal::BadRequest.response());
                self.core.end(Reason::ParseError, now, out);
            }
        }
    }

    /// A message on a WebSocket that asks to take over.
    fn said(&mut self, link: Link, text: Option<&str>, out: &mut Out) {
        let revision = self.core.revision;
        let Transport::Polling(polling) = &mut self.core.transport else {
            return out.close_link(link, 1000, "");
        };
        match text.map(|text| Packet::from_text(revision, text)) {
            Some(Ok(Packet { kind: Kind::Ping, data: Data::Text("probe") })) => {
                polling.probe(link, out);
            }
            Some(Ok(Packet { kind: Kind::Upgrade, .. })) if polling.is_probed(link) => {
                polling.release(Kind::Noop, out);
                out.intents.push(session::Intent::Switch(link));
                let polling = std::mem::replace(&mut self.core.transport, Transport::WebSocket);
                if let Transport::Polling(polling) = polling {
                    polling.move_over(|packet| send_frame(packet, revision, out));
                }
                if self.core.ended.is_some() {
                    out.close(1000, "");
                }
            }
            _ => polling.refuse_upgrade(link, out),
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Out) {
        if let Transport::Polling(polling) = &mut self.core.transport {
            polling.tick(now, out);
            if polling.is_late(now) {
                return out.close(1000, "");
            }
        }
        self.ask(now, out);
        if let Beat::Due(at) = self.core.beat
            && now >= at
        {
            self.core.end(Reason::PingTimeout, now, out);
        }
        if self.upper.poll_timeout().is_some_and(|at| now >= at) {
            let (upper, mut engine) = self.engine(now, out);
            upper.timeout(&mut engine);
        }
    }

    /// Pings the client if it is time to.
    fn ask(&mut self, now: Instant, out: &mut Out) {
        if let Beat::Ask(at) = self.core.beat
            && now >= at
        {
            // From when it was due: the client counts from there, too.
            let asked = at.max(now.checked_sub(LATE).unwrap_or(now));
            self.core.beat = Beat::Due(asked + self.core.settings.ping_timeout);
            self.core.ping(out);
        }
    }

    /// A message of so many bytes on the carrier.
    fn carried(&mut self, size: usize, packet: Option<Packet<'_>>, now: Instant, out: &mut Out) {
        if size > self.core.settings.max_payload && self.core.ended.is_none() {
            self.core.ended = Some(Reason::TransportError);
            self.core.beat = Beat::Never;
            return out.close(1009, "message too big");
        }
        self.packet(packet, now, out);
    }
}

impl<U: Upper> crate::Session for Session<U> {
    fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut Out) {
        match input {
            Input::Opened => {
                self.core.open(now, out);
                let (upper, mut engine) = self.engine(now, out);
                upper.opened(&mut engine);
            }
            Input::Text(text) => {
                let packet = Packet::from_text(self.core.revision, text).ok();
                self.carried(text.len(), packet, now, out);
            }
            Input::Binary(bytes) => {
                let packet = Packet::from_binary(self.core.revision, bytes).ok();
                self.carried(bytes.len(), packet, now, out);
            }
            Input::Announced(link) => {
                if let Transport::Polling(polling) = &mut self.core.transport
                    && !polling.announce(link)
                {
                    out.respond(link, Refusal::BadRequest.response());
                    self.core.end(Reason::TransportError, now, out);
                }
            }
            Input::Request(link, request) => self.request(link, request, now, out),
            Input::Attached(link) => match &mut self.core.transport {
                Transport::Polling(polling) if self.core.ended.is_none() => {
                    polling.attach(link, now + self.core.settings.upgrade_timeout, out);
                }
                _ => out.close_link(link, 1000, ""),
            },
            Input::Said(link, kind, bytes) => {
                let text = std::str::from_utf8(bytes).ok().filter(|_| kind == crate::Kind::Text);
                self.said(link, text, out);
            }
            Input::Gone(link, _) => {
                if let Transport::Polling(polling) = &mut self.core.transport
                    && polling.forget(link)
                {
                    self.core.end(Reason::TransportClose, now, out);
                }
            }
            Input::Timeout => self.tick(now, out),
            Input::Unread => self.ask(now, out),
            Input::Closed(_) => {
                self.core.beat = Beat::Never;
                let why = *self.core.ended.get_or_insert(Reason::TransportClose);
                if let Transport::Polling(polling) = &mut self.core.transport {
                    polling.release(Kind::Close, out);
                    polling.flush(out);
                    polling.turn_away(out);
                }
                let (upper, mut engine) = self.engine(now, out);
                return upper.closed(why, &mut engine);
            }
            other => {
                let (upper, mut engine) = self.engine(now, out);
                upper.input(other, &mut engine);
            }
        }
        self.core.flush(now, out);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let beat = match self.core.beat {
            Beat::Ask(at) | Beat::Due(at) => Some(at),
            Beat::Never => None,
        };
        let polling = match &self.core.transport {
            Transport::Polling(polling) => polling.poll_timeout(),
            Transport::WebSocket => None,
        };
        let upper = self.upper.poll_timeout().filter(|_| self.core.ended.is_none());
        [beat, polling, upper].into_iter().flatten().min()
    }
}
