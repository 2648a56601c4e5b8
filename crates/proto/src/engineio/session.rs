//! A session: its transports, its heartbeat, its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderValue;
use serde::Serialize;

use super::{
    packet::{Data, Frame, Kind, Packet, Revision},
    polling::{Asked, Polling, acknowledge},
    reception::{Refusal, Settings},
};
use crate::{Input, Link, Out, Request, session};

/// What rides on a session: Socket.IO, or an application's own messages.
pub trait Upper: Send {
    /// The session has begun.
    fn opened(&mut self, engine: &mut Engine<'_>);

    /// The client has sent a message. An error ends the session as a parse error does.
    fn message(&mut self, data: Data<'_>, engine: &mut Engine<'_>) -> Result<(), Malformed>;

    /// What else a session is told: how its intents went, and what its topics bring.
    fn input(&mut self, input: Input<'_>, engine: &mut Engine<'_>) {
        let _ = (input, engine);
    }

    /// The instant of [`Upper::poll_timeout`] has come.
    fn timeout(&mut self, engine: &mut Engine<'_>) {
        let _ = engine;
    }

    /// When [`Upper::timeout`] is due.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The session is over, and nothing can be sent any more.
    fn closed(&mut self, why: Reason, engine: &mut Engine<'_>) {
        let _ = (why, engine);
    }
}

/// A message that the layer above cannot make sense of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to it")]
pub struct Malformed;

/// Why a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client closed its transport, or it was cut.
    TransportClose,
    /// The client broke the rules of its transport.
    TransportError,
    /// The client did not answer in time.
    PingTimeout,
    /// The client sent what is no packet.
    ParseError,
    /// The server has closed it.
    ForcedClose,
}

impl Reason {
    /// Its usual name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
        }
    }
}

/// A ping that is late takes at most so much of the time for its answer.
const LATE: Duration = Duration::from_millis(20);

/// One client.
#[derive(Debug)]
pub(super) struct Session<U> {
    core: Core,
    upper: U,
}

#[derive(Debug)]
struct Core {
    settings: Arc<Settings>,
    revision: Revision,
    name: Box<str>,
    transport: Transport,
    /// When the client is asked next, or has to have asked or answered.
    beat: Beat,
    ended: Option<Reason>,
}

#[derive(Debug)]
enum Transport {
    Polling(Box<Polling>),
    WebSocket,
}

#[derive(Debug, Clone, Copy)]
enum Beat {
    /// The server pings then.
    Ask(Instant),
    /// The client has to have answered, or in revision 3 pinged, by then.
    Due(Instant),
    Never,
}

/// A session in the hands of what rides on it.
pub struct Engine<'a> {
    core: &'a mut Core,
    out: &'a mut Out,
    now: Instant,
}

impl Engine<'_> {
    /// Where wishes for the hub go.
    pub fn out(&mut self) -> &mut Out {
        self.out
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The client's revision of Engine.IO.
    pub fn revision(&self) -> Revision {
        self.core.revision
    }

    /// The name of the session: whoever knows it can speak for the client.
    pub fn session_name(&self) -> &str {
        &self.core.name
    }

    /// The name of the transport that the client is on.
    pub fn transport(&self) -> &'static str {
        match self.core.transport {
            Transport::Polling(_) => "polling",
            Transport::WebSocket => "websocket",
        }
    }

    /// What is sent now leaves now: there is a WebSocket, or a poll waits.
    pub fn is_writable(&self) -> bool {
        match &self.core.transport {
            Transport::Polling(polling) => polling.is_writable(),
            Transport::WebSocket => true,
        }
    }

    /// Sends a message of text that `write` appends to the buffer it is given. After the end nothing
    /// is sent any more: it would wait for a client who may never come for it.
    pub fn send_text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.core.ended.is_some() {
            return;
        }
        match &mut self.core.transport {
            Transport::WebSocket => self.out.send_with(crate::Kind::Text, |bytes| {
                bytes.push(b'0' + Kind::Message.number());
                write(bytes);
            }),
            Transport::Polling(polling) => {
                let mut text = Vec::new();
                write(&mut text);
                polling.queue(Kind::Message, false, text);
            }
        }
    }

    /// Sends a message of bytes.
    pub fn send_binary(&mut self, bytes: &[u8]) {
        if self.core.ended.is_some() {
            return;
        }
        match &mut self.core.transport {
            Transport::WebSocket => self.core.send_packet(&Packet::binary(bytes), self.out),
            Transport::Polling(polling) => polling.queue(Kind::Message, true, bytes.to_vec()),
        }
    }

    /// Ends the session.
    pub fn close(&mut self) {
        self.core.end(Reason::ForcedClose, self.now, self.out);
    }

    /// Ends the session of a client for whom more would wait than may.
    pub fn give_up(&mut self) {
        self.core.give_up(self.now, self.out);
    }
}

/// What the client is told first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'a [&'a str],
    ping_interval: u64,
    ping_timeout: u64,
    max_payload: usize,
}

impl Core {
    fn open(&mut self, now: Instant, out: &mut Out) {
        let settings = &self.settings;
        let may_upgrade = settings.websocket && matches!(self.transport, Transport::Polling(_));
        let open = Open {
            sid: &self.name,
            upgrades: if may_upgrade { &["websocket"] } else { &[] },
            ping_interval: millis(settings.ping_interval),
            ping_timeout: millis(settings.ping_timeout),
            max_payload: settings.max_payload,
        };
        self.beat = match self.revision {
            Revision::V4 => Beat::Ask(now + settings.ping_interval),
            Revision::V3 => Beat::Due(now + settings.ping_interval + settings.ping_timeout),
        };
        // Strings and numbers always have a form in JSON.
        let text = serde_json::to_string(&open).unwrap_or_default();
        self.send_packet(&Packet::text(Kind::Open, &text), out);
    }

    fn send_packet(&mut self, packet: &Packet<'_>, out: &mut Out) {
        match &mut self.transport {
            Transport::WebSocket => send_frame(packet, self.revision, out),
            Transport::Polling(polling) => {
                let (is_binary, bytes) = match &packet.data {
                    Data::Text(text) => (false, text.as_bytes()),
                    Data::Binary(bytes) => (true, &**bytes),
                };
                polling.queue(packet.kind, is_binary, bytes.to_vec());
            }
        }
    }

    /// What was queued leaves if a poll waits for it. At the end of every input.
    fn flush(&mut self, now: Instant, out: &mut Out) {
        let Transport::Polling(polling) = &mut self.transport else { return };
        polling.flush(out);
        if self.ended.is_some() {
            // The client learns from the next poll that there is no session any more.
            if polling.is_empty() {
                out.close(1000, "");
            }
        } else if polling.is_over(&self.settings) {
            self.give_up(now, out);
        }
    }

    fn give_up(&mut self, now: Instant, out: &mut Out) {
        if self.ended.is_none() {
            // First, so that this is why.
            out.close(1008, "M503 slow consumer");
            self.end(Reason::TransportError, now, out);
        }
    }

    /// Ends the session, at once over a WebSocket; a client that polls is told by its next poll.
    fn end(&mut self, why: Reason, now: Instant, out: &mut Out) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(why);
        self.beat = Beat::Never;
        match &mut self.transport {
            Transport::WebSocket => {
                let code = match why {
                    Reason::ParseError | Reason::TransportError => 1002,
                    _ => 1000,
                };
                out.close(code, why.as_str());
            }
            Transport::Polling(polling) => {
                polling.give_up_upgrade(out);
                match why {
                    // What was said before is still to reach the client, if it comes for it.
                    Reason::ForcedClose => polling.queue(Kind::Close, false, Vec::new()),
                    Reason::TransportClose => polling.release(Kind::Noop, out),
                    _ => polling.release(Kind::Close, out),
                }
                if why != Reason::ForcedClose || polling.is_writable() {
                    polling.flush(out);
                    out.close(1000, why.as_str());
                } else {
                    polling.close_by(now + self.settings.ping_timeout);
                }
            }
        }
    }
}

fn send_frame(packet: &Packet<'_>, revision: Revision, out: &mut Out) {
    let kind = match packet.data {
        Data::Text(_) => crate::Kind::Text,
        Data::Binary(_) => crate::Kind::Binary,
    };
    out.send_with(kind, |bytes| {
        let frame = packet.encode(revision, bytes);
        debug_assert_eq!(frame == Frame::Text, kind == crate::Kind::Text);
    });
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
                if let Beat::Due(_) = self.core.beat {
                    self.core.beat = Beat::Ask(now + settings.ping_interval);
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
        match self.core.beat {
            Beat::Ask(at) if now >= at => {
                // From when it was due: the client counts from there, too.
                self.core.beat = Beat::Due(
                    at.max(now.checked_sub(LATE).unwrap_or(now)) + self.core.settings.ping_timeout,
                );
                self.core.send_packet(&Packet::bare(Kind::Ping), out);
            }
            Beat::Due(at) if now >= at => self.core.end(Reason::PingTimeout, now, out),
            _ => {}
        }
        if self.upper.poll_timeout().is_some_and(|at| now >= at) {
            let (upper, mut engine) = self.engine(now, out);
            upper.timeout(&mut engine);
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
            Input::Closed(_) => {
                self.core.beat = Beat::Never;
                let why = *self.core.ended.get_or_insert(Reason::TransportClose);
                if let Transport::Polling(polling) = &mut self.core.transport {
                    polling.release(Kind::Close, out);
                    polling.flush(out);
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
