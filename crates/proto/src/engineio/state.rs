//! What a session is of itself: its transport, its heartbeat, its end; and the hand in which what rides
//! on it holds it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    packet::{Data, Frame, Kind, Packet, Revision},
    polling::Polling,
    reception::Settings,
    upper::Reason,
};
use crate::Out;

#[derive(Debug)]
pub(super) struct Core {
    pub(super) settings: Arc<Settings>,
    pub(super) revision: Revision,
    pub(super) name: Box<str>,
    pub(super) transport: Transport,
    /// When the client is asked next, or has to have asked or answered.
    pub(super) beat: Beat,
    pub(super) ended: Option<Reason>,
}

#[derive(Debug)]
pub(super) enum Transport {
    Polling(Box<Polling>),
    WebSocket,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Beat {
    /// The server pings then.
    Ask(Instant),
    /// The client has to have answered, or in revision 3 pinged, by then.
    Due(Instant),
    Never,
}

/// A session in the hands of what rides on it.
pub struct Engine<'a> {
    pub(super) core: &'a mut Core,
    pub(super) out: &'a mut Out,
    pub(super) now: Instant,
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
    pub(super) fn open(&mut self, now: Instant, out: &mut Out) {
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

    pub(super) fn send_packet(&mut self, packet: &Packet<'_>, out: &mut Out) {
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

    /// Asks whether the client is there. Where it has yet to read much, it should not find the question
    /// behind all that, when the time for an answer is over.
    pub(super) fn ping(&mut self, out: &mut Out) {
        match &mut self.transport {
            Transport::WebSocket => {
                out.send_ahead(crate::Kind::Text, &[b'0' + Kind::Ping.number()]);
            }
            Transport::Polling(polling) => polling.queue(Kind::Ping, false, Vec::new()),
        }
    }

    /// What was queued leaves if a poll waits for it. At the end of every input.
    pub(super) fn flush(&mut self, now: Instant, out: &mut Out) {
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
    pub(super) fn end(&mut self, why: Reason, now: Instant, out: &mut Out) {
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

pub(super) fn send_frame(packet: &Packet<'_>, revision: Revision, out: &mut Out) {
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
