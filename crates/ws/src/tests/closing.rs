//! RFC 6455 §5.5.1, §7: how connections end.

use std::time::Duration;

use crate::testing::{Pair, Split, frame, frames, in_every_split};
use crate::{
    CloseCode, Closed, ClosedBy, Error, Event, Kind, Limits, Misuse, PeerMisbehaved, Role,
};

fn code(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

#[test]
fn either_side_closes() {
    for from in [Role::Client, Role::Server] {
        in_every_split(|split| {
            let mut pair = Pair::new(split);
            pair.close(from, CloseCode::GOING_AWAY, "안녕히");
            assert!(!pair.connection(from).is_open() && !pair.connection(from).is_closed());
            pair.settle();
            let code = CloseCode::GOING_AWAY;
            let peer = pair.assert_ended(from.peer());
            assert_eq!(peer, Closed { code, reason: "안녕히".into(), by: ClosedBy::Peer });
            let us = pair.assert_ended(from);
            assert_eq!(us, Closed { code, reason: String::new(), by: ClosedBy::Us });
            assert_eq!(pair.connection(from).poll_timeout(), None);
        });
    }
}

#[test]
fn close_without_a_code_is_echoed_so() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject_frames(Role::Server, &[(0x88, b"")]);
        pair.deliver(Role::Server);
        pair.assert_closed(Role::Server, CloseCode::NO_STATUS);
        assert_eq!(pair.take_sent(Role::Server), [0x88, 0]);
    });
}

#[test]
fn codes_that_may_be_received() {
    for allowed in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999] {
        in_every_split(|split| {
            let mut pair = Pair::new(split);
            pair.inject_frames(Role::Server, &[(0x88, &code(allowed, "why"))]);
            pair.deliver(Role::Server);
            pair.assert_closed(Role::Server, CloseCode::new(allowed));
            pair.assert_closing(Role::Server, CloseCode::new(allowed));
        });
    }
}

#[test]
fn codes_that_may_not() {
    for refused in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        in_every_split(|split| {
            let mut pair = Pair::new(split);
            pair.inject_frames(Role::Server, &[(0x88, &code(refused, ""))]);
            pair.deliver(Role::Server);
            let error = PeerMisbehaved::BadCloseCode(CloseCode::new(refused));
            pair.assert_failed(Role::Server, error.into());

            let mut pair = Pair::new(split);
            let now = pair.now();
            let code = CloseCode::new(refused);
            if code != CloseCode::NO_STATUS {
                let error = pair.connection(Role::Client).close(code, "", now);
                assert_eq!(error, Err(Error::Misuse(Misuse::ReservedCloseCode(code))));
                assert!(pair.connection(Role::Client).is_open());
            }
        });
    }
}

#[test]
fn malformed_close_payloads() {
    let not_utf8 = [&1000_u16.to_be_bytes()[..], b"\xCE\xBA\xED\xA0\x80"].concat();
    for (payload, error) in
        [(&[3][..], PeerMisbehaved::ShortClose), (&not_utf8, PeerMisbehaved::InvalidUtf8)]
    {
        in_every_split(|split| {
            let mut pair = Pair::new(split);
            pair.inject_frames(Role::Server, &[(0x88, payload)]);
            pair.deliver(Role::Server);
            pair.assert_failed(Role::Server, error.into());
        });
    }
}

#[test]
fn close_inside_a_fragmented_message() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject_frames(Role::Server, &[(0x01, b"half"), (0x88, &code(1000, ""))]);
        pair.deliver(Role::Server);
        pair.assert_closed(Role::Server, CloseCode::NORMAL);
        assert_eq!(pair.connection(Role::Server).held(), 0);
    });
}

#[test]
fn what_follows_the_close_frame_is_not_read() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject_frames(
            Role::Server,
            &[(0x88, &code(1000, "")), (0x81, b"late"), (0x89, b"late"), (0x83, b"bad")],
        );
        pair.deliver(Role::Server);
        pair.assert_closed(Role::Server, CloseCode::NORMAL);
        assert_eq!(pair.take_sent(Role::Server), frame(Role::Server, 0x88, &code(1000, "")));
    });
}

#[test]
fn messages_that_were_under_way_are_dropped_after_our_close() {
    in_every_split(|split| {
        let limits = Limits { max_message: 1_000, ..Limits::default() };
        let mut pair = Pair::with(split, &limits, None);
        // The client is in the middle of things when the server closes.
        pair.inject_frames(Role::Server, &[(0x01, "앞".as_bytes())]);
        let cut = frame(Role::Client, 0x00, &[b'b'; 200]);
        pair.inject(Role::Server, &cut[..50]);
        pair.deliver(Role::Server);
        pair.close(Role::Server, CloseCode::GOING_AWAY, "");
        assert_eq!(pair.connection(Role::Server).held(), 0);
        pair.inject(Role::Server, &cut[50..]);
        pair.inject_frames(
            Role::Server,
            &[(0x80, b"\xFF"), (0x82, b"whole"), (0x89, b"ping"), (0x02, b"x"), (0x8A, b"pong")],
        );
        pair.inject_frames(Role::Server, &[(0x82, &vec![0; 70_000])]);
        pair.deliver(Role::Server);
        assert_eq!(pair.events(Role::Server), []);
        assert_eq!(pair.connection(Role::Server).held(), 0);
        pair.inject_frames(Role::Server, &[(0x88, &code(1001, ""))]);
        pair.deliver(Role::Server);
        pair.assert_closed(Role::Server, CloseCode::GOING_AWAY);
        let sent = pair.take_sent(Role::Server);
        assert_eq!(frames(Role::Server, &sent).len(), 1, "one close frame and nothing after it");
    });
}

#[test]
fn both_sides_close_at_once() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.close(Role::Client, CloseCode::NORMAL, "");
        pair.close(Role::Server, CloseCode::GOING_AWAY, "");
        pair.settle();
        let server = pair.assert_ended(Role::Server);
        assert_eq!((server.code, server.by), (CloseCode::NORMAL, ClosedBy::Us));
        let client = pair.assert_ended(Role::Client);
        assert_eq!((client.code, client.by), (CloseCode::GOING_AWAY, ClosedBy::Us));
    });
}

#[test]
fn bad_frame_while_closing_fails_without_a_second_close_frame() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.close(Role::Server, CloseCode::NORMAL, "");
        pair.take_sent(Role::Server);
        pair.inject_frames(Role::Server, &[(0x83, b"")]);
        pair.deliver(Role::Server);
        let error = PeerMisbehaved::ReservedOpCode(3).into();
        assert_eq!(pair.assert_ended(Role::Server).by, ClosedBy::Failure(error));
        assert_eq!(pair.take_sent(Role::Server), []);
    });
}

#[test]
fn peer_that_does_not_answer_the_close_is_given_up() {
    assert_eq!(Limits::default().close_timeout, Duration::from_secs(5));
    let mut pair = Pair::new(Split::Whole);
    pair.close(Role::Server, CloseCode::NORMAL, "");
    pair.advance(Duration::from_millis(4_999));
    assert!(!pair.connection(Role::Server).is_closed());
    pair.advance(Duration::from_millis(1));
    let closed = pair.assert_ended(Role::Server);
    assert_eq!((closed.code, closed.by), (CloseCode::ABNORMAL, ClosedBy::Cut));
}

#[test]
fn cut_without_a_close_frame() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject(Role::Server, &frame(Role::Client, 0x81, b"half a message")[..9]);
        pair.deliver(Role::Server);
        pair.cut(Role::Server);
        let closed = pair.assert_ended(Role::Server);
        assert_eq!((closed.code, closed.by), (CloseCode::ABNORMAL, ClosedBy::Cut));
        assert_eq!(pair.take_sent(Role::Server), []);
        pair.cut(Role::Server);
        assert_eq!(pair.events(Role::Server), []);
    });
}

#[test]
fn end_of_stream_after_the_handshake_is_no_event() {
    let mut pair = Pair::new(Split::Whole);
    pair.close(Role::Client, CloseCode::NORMAL, "");
    pair.settle();
    pair.assert_closed(Role::Client, CloseCode::NORMAL);
    pair.cut(Role::Client);
    assert_eq!(pair.events(Role::Client), []);
}

#[test]
fn nothing_is_sent_after_a_close_frame() {
    let mut pair = Pair::new(Split::Whole);
    pair.close(Role::Client, CloseCode::NORMAL, "");
    let now = pair.now();
    let client = pair.connection(Role::Client);
    let mut out = Vec::new();
    let closing = Err(Error::Misuse(Misuse::Closing));
    assert!(!client.can_send());
    assert_eq!(client.send(Kind::Text, b"late", &mut out), closing);
    assert_eq!(client.ping(b"late", &mut out), closing);
    assert_eq!(client.close(CloseCode::GOING_AWAY, "again", now), Ok(()));
    assert!(!client.poll_transmit(&mut out));
    assert_eq!(out, []);
}

#[test]
fn pong_leaves_before_the_close_frame() {
    let mut pair = Pair::new(Split::Whole);
    pair.set_blocked(Role::Server, true);
    pair.inject_frames(Role::Server, &[(0x89, b"p"), (0x88, &code(1000, ""))]);
    pair.deliver(Role::Server);
    pair.set_blocked(Role::Server, false);
    let mut expected = frame(Role::Server, 0x8A, b"p");
    expected.extend(frame(Role::Server, 0x88, &code(1000, "")));
    assert_eq!(pair.take_sent(Role::Server), expected);
    let events = pair.events(Role::Server);
    assert!(matches!(events[..], [Event::Ping(_), Event::Closed(_)]), "{events:?}");
}
