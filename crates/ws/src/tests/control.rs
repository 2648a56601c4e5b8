//! RFC 6455 §5.5.2–5.5.3: pings and pongs.

use std::time::Duration;

use crate::frame::OpCode;
use crate::testing::{Pair, Split, frames, in_every_split};
use crate::{Error, Event, Limits, Misuse, Payload, Role};

fn pongs(pair: &mut Pair, from: Role) -> Vec<Vec<u8>> {
    let sent = pair.take_sent(from);
    let pong = |(header, payload): (crate::frame::Header, Vec<u8>)| {
        assert_eq!(header.opcode, OpCode::Pong);
        payload
    };
    frames(from, &sent).into_iter().map(pong).collect()
}

#[test]
fn every_ping_that_is_read_is_answered_in_order() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        let long = [b'x'; 125];
        for payload in [&b""[..], b"1", b"two", &long] {
            pair.ping(Role::Client, payload);
        }
        pair.deliver(Role::Server);
        assert_eq!(pongs(&mut pair, Role::Server), [&b""[..], b"1", b"two", &long]);
        let pings = [&b""[..], b"1", b"two", &long];
        assert_eq!(
            pair.events(Role::Server),
            pings.map(|payload| Event::Ping(Payload::Binary(payload.into())))
        );
    });
}

#[test]
fn client_masks_its_pongs() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.ping(Role::Server, b"are you there");
        pair.deliver(Role::Client);
        assert_eq!(pongs(&mut pair, Role::Client), [b"are you there"]);
    });
}

#[test]
fn pongs_behind_a_blocked_socket_collapse_to_the_newest() {
    let mut pair = Pair::new(Split::Whole);
    pair.set_blocked(Role::Server, true);
    for payload in [&b"1"[..], b"2", b"3"] {
        pair.ping(Role::Client, payload);
        pair.deliver(Role::Server);
    }
    pair.ping(Role::Client, b"4");
    pair.ping(Role::Client, b"5");
    pair.deliver(Role::Server);
    pair.set_blocked(Role::Server, false);
    // 4 and 5 came in one read, after 3.
    assert_eq!(pongs(&mut pair, Role::Server), [b"4", b"5"]);
    pair.ping(Role::Client, b"6");
    pair.deliver(Role::Server);
    assert_eq!(pongs(&mut pair, Role::Server), [b"6"]);
}

#[test]
fn waiting_pong_survives_input_without_a_ping() {
    let mut pair = Pair::new(Split::Whole);
    pair.set_blocked(Role::Server, true);
    pair.ping(Role::Client, b"1");
    pair.deliver(Role::Server);
    pair.inject_frames(Role::Server, &[(0x82, b"data")]);
    pair.deliver(Role::Server);
    pair.set_blocked(Role::Server, false);
    assert_eq!(pongs(&mut pair, Role::Server), [b"1"]);
}

#[test]
fn pong_is_an_event_and_has_no_answer() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject_frames(Role::Server, &[(0x8A, b"unasked")]);
        pair.settle();
        let pong = Event::Pong(Payload::Binary(b"unasked".into()));
        assert_eq!(pair.events(Role::Server), [pong]);
        assert_eq!(pair.take_sent(Role::Server), []);
    });
}

#[test]
fn long_ping_is_not_sent() {
    let mut pair = Pair::new(Split::Whole);
    let mut out = Vec::new();
    let error = pair.connection(Role::Client).ping(&[0; 126], &mut out);
    assert_eq!(error, Err(Error::Misuse(Misuse::LongControl)));
    assert_eq!(out, []);
}

#[test]
fn too_many_control_frames_in_a_second() {
    in_every_split(|split| {
        let limits = Limits { max_control_per_second: 10, ..Limits::default() };
        let mut pair = Pair::with(split, &limits, None);
        for _ in 0..3 {
            for _ in 0..10 {
                pair.ping(Role::Client, b"");
            }
            pair.deliver(Role::Server);
            pair.advance(Duration::from_secs(1));
        }
        assert_eq!(pair.events(Role::Server).len(), 30);
        pair.take_sent(Role::Server);
        for i in 0..11 {
            pair.inject_frames(Role::Server, &[(0x89 + i % 2, b"flood")]);
        }
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, Error::TooManyControlFrames);
    });
}

#[test]
fn zero_is_no_limit_of_control_frames() {
    let limits = Limits { max_control_per_second: 0, ..Limits::default() };
    let mut pair = Pair::with(Split::Whole, &limits, None);
    for _ in 0..5_000 {
        pair.ping(Role::Client, b"");
    }
    pair.settle();
    assert_eq!(pair.events(Role::Server).len(), 5_000);
    assert_eq!(pair.events(Role::Client).len(), 5_000);
}
