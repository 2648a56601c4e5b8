//! Bodies of the fuzz targets in `fuzz/`: plain functions that panic when a law is broken. Stable
//! tests run them on the committed corpus.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "panics are how a law says that it is broken"
)]

use std::time::{Duration, Instant};

use crate::close::{CloseCode, ClosedBy};
use crate::config::{Limits, Role};
use crate::conn::Connection;
use crate::deflate::{self, Agreement};
use crate::message::Event;
use crate::recv::Input;

pub use crate::deflate::fuzzing::deflate;
pub use crate::handshake::fuzzing::handshake;

/// Any bytes from a peer. The first byte chooses the setting, the rest is what the peer sends.
///
/// Laws: no panic; the same events however the bytes are cut; one end, and nothing after it; what is
/// sent in answer is what the peer may read.
pub fn frame(data: &[u8]) {
    let Some((&bits, bytes)) = data.split_first() else { return };
    let setting = Setting(bits);
    let whole = run(setting, bytes, |left| left);
    let bytewise = run(setting, bytes, |_| 1);
    let mut turn = usize::from(bits);
    let ragged = run(setting, bytes, |_| {
        turn = turn.wrapping_mul(31).wrapping_add(7);
        1 + turn % 11
    });
    assert_eq!(whole, bytewise, "whole and one byte at a time");
    assert_eq!(whole, ragged, "whole and in pieces");
}

/// What the first byte chooses.
#[derive(Clone, Copy)]
struct Setting(u8);

impl Setting {
    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    fn role(self) -> Role {
        if self.has(1) { Role::Client } else { Role::Server }
    }

    fn limits(self) -> Limits {
        Limits {
            max_message: if self.has(2) { 70_000 } else { 300 },
            max_fragments: if self.has(4) { u32::MAX } else { 5 },
            max_control_per_second: if self.has(8) { 3 } else { 0 },
            ..Limits::default()
        }
    }

    /// We have sent a close frame already.
    fn closing(self) -> bool {
        self.has(16)
    }

    fn deflate(self) -> Option<Agreement> {
        self.has(32).then(|| agreement(self.has(64)))
    }
}

/// What a server agrees to, with or without windows that are kept.
fn agreement(kept: bool) -> Agreement {
    let settings = deflate::Settings {
        server_no_context_takeover: !kept,
        client_no_context_takeover: !kept,
        ..deflate::Settings::default()
    };
    let offer = deflate::offer(&settings).expect("compression is on");
    let offers = deflate::parse_offers([&offer]).expect("our offer can be read");
    deflate::answer(&offers, &settings).expect("our offer can be taken").0
}

/// Feeds `bytes` in pieces; what happened, in words, checked against the laws.
fn run(setting: Setting, bytes: &[u8], mut size: impl FnMut(usize) -> usize) -> Vec<String> {
    let now = Instant::now();
    let mut connection = Connection::new(setting.role(), &setting.limits(), setting.deflate());
    let mut events = Vec::new();
    let mut sent = Vec::new();
    if setting.closing() {
        connection.close(CloseCode::NORMAL, "", now).expect("1000 may be sent");
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(size(rest.len()).clamp(1, rest.len()));
        let mut piece = piece.to_vec();
        let mut input = Input::new(&mut piece);
        while let Some(event) = connection.handle_input(&mut input, now) {
            events.push(event.into_owned());
        }
        assert_eq!(input.remaining(), 0, "input is consumed");
        let _ = connection.poll_transmit(&mut sent);
        rest = after;
    }
    connection.handle_timeout(now + Duration::from_hours(1));
    connection.handle_eof();
    events.extend(std::iter::from_fn(|| connection.poll_event()));
    let _ = connection.poll_transmit(&mut sent);
    assert!(connection.is_closed() && connection.poll_timeout().is_none(), "it has ended");
    check_end(&events);
    check_sent(setting, sent, now);
    events.iter().map(|event| describe(setting, event)).collect()
}

/// An inflater that sees more at once may find another of several faults first, so that with
/// compression the kind of a failure is left open.
fn describe(setting: Setting, event: &Event<'_>) -> String {
    match event {
        Event::Closed(closed)
            if matches!(closed.by, ClosedBy::Failure(_)) && setting.deflate().is_some() =>
        {
            "failure".to_owned()
        }
        event => format!("{event:?}"),
    }
}

fn check_end(events: &[Event<'_>]) {
    let ends = events.iter().filter(|e| matches!(e, Event::Closed(_))).count();
    assert_eq!(ends, 1, "one end");
    assert!(matches!(events.last(), Some(Event::Closed(_))), "nothing after the end");
}

/// A strict peer finds nothing wrong in what was sent.
fn check_sent(setting: Setting, mut sent: Vec<u8>, now: Instant) {
    let limits = Limits { max_control_per_second: 0, ..Limits::default() };
    let mut peer = Connection::new(setting.role().peer(), &limits, setting.deflate());
    let mut input = Input::new(&mut sent);
    while let Some(event) = peer.handle_input(&mut input, now) {
        if let Event::Closed(closed) = event {
            assert!(
                !matches!(closed.by, ClosedBy::Failure(_)),
                "we broke the protocol: {closed:?}"
            );
        }
    }
}
