//! Bodies of the fuzz targets in `fuzz/`: plain functions that panic when a law is broken. Stable
//! tests run them on the committed corpus.

use std::time::{Duration, Instant};

use crate::close::{Closed, ClosedBy};
use crate::config::{Limits, Role};
use crate::conn::Connection;
use crate::message::Event;
use crate::recv::Input;

/// Any bytes from a peer. The first byte chooses the setting, the rest is what the peer sends.
///
/// Laws: no panic; the same events however the bytes are cut; one end at most, and nothing after
/// it; what is sent in answer is what the peer may read.
pub fn frame(data: &[u8]) {
    let Some((&setting, bytes)) = data.split_first() else { return };
    let whole = run(setting, bytes, |left| left);
    let bytewise = run(setting, bytes, |_| 1);
    let mut turn = usize::from(setting);
    let ragged = run(setting, bytes, |_| {
        turn = turn.wrapping_mul(31).wrapping_add(7);
        1 + turn % 11
    });
    assert_eq!(whole, bytewise, "whole and one byte at a time");
    assert_eq!(whole, ragged, "whole and in pieces");
}

/// Feeds `bytes` in pieces; the events, checked against the laws.
fn run(setting: u8, bytes: &[u8], mut size: impl FnMut(usize) -> usize) -> Vec<Event<'static>> {
    let role = if setting & 1 == 0 { Role::Server } else { Role::Client };
    let limits = Limits {
        max_message: if setting & 2 == 0 { 300 } else { 70_000 },
        max_fragments: if setting & 4 == 0 { 5 } else { u32::MAX },
        max_control_per_second: if setting & 8 == 0 { 0 } else { 3 },
        ..Limits::default()
    };
    let now = Instant::now();
    let mut connection = Connection::new(role, &limits, None);
    let mut events = Vec::new();
    let mut sent = Vec::new();
    if setting & 16 != 0 {
        connection.close(crate::CloseCode::NORMAL, "", now).expect("1000 may be sent");
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
    connection.handle_timeout(now + Duration::from_secs(3600));
    connection.handle_eof();
    events.extend(std::iter::from_fn(|| connection.poll_event()));
    let _ = connection.poll_transmit(&mut sent);
    assert!(connection.is_closed() && connection.poll_timeout().is_none());
    check_end(&events);
    check_sent(role, sent, now);
    events
}

fn check_end(events: &[Event<'_>]) {
    let ends = events.iter().filter(|e| matches!(e, Event::Closed(_))).count();
    assert_eq!(ends, 1, "one end");
    assert!(matches!(events.last(), Some(Event::Closed(_))), "nothing after the end");
}

/// A strict peer finds nothing wrong in what was sent.
fn check_sent(role: Role, mut sent: Vec<u8>, now: Instant) {
    let limits = Limits { max_control_per_second: 0, ..Limits::default() };
    let mut peer = Connection::new(role.peer(), &limits, None);
    let mut input = Input::new(&mut sent);
    while let Some(event) = peer.handle_input(&mut input, now) {
        if let Event::Closed(Closed { by: ClosedBy::Failure(error), .. }) = event {
            panic!("what was sent breaks the protocol: {error}");
        }
    }
}
