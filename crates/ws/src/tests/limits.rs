//! Bounds on bytes, count and age.

use std::time::Duration;

use crate::testing::{Pair, Split, frame, in_every_split};
use crate::{CloseCode, ClosedBy, Connection, Error, Kind, Limits, Role};

fn small() -> Limits {
    Limits { max_message: 1000, max_fragments: 4, ..Limits::default() }
}

#[test]
fn message_at_the_limit_passes_and_one_more_byte_does_not() {
    in_every_split(|split| {
        let mut pair = Pair::with(split, &small(), None);
        pair.send(Role::Client, Kind::Binary, &[1; 1000]);
        pair.inject_frames(Role::Server, &[(0x02, &[1; 500]), (0x80, &[1; 500])]);
        pair.deliver(Role::Server);
        pair.assert_messages(
            Role::Server,
            &[(Kind::Binary, &[1; 1000]), (Kind::Binary, &[1; 1000])],
        );
        pair.send(Role::Client, Kind::Binary, &[1; 1001]);
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, Error::TooBig);

        let mut pair = Pair::with(split, &small(), None);
        pair.inject_frames(Role::Server, &[(0x01, &[b'a'; 500]), (0x80, &[b'a'; 501])]);
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, Error::TooBig);
    });
}

#[test]
fn declared_length_is_refused_before_any_payload() {
    for len in [1001_u64, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, (1 << 63) - 1] {
        in_every_split(|split| {
            let mut pair = Pair::with(split, &small(), None);
            let mut header = Vec::new();
            let opcode = crate::frame::OpCode::Binary;
            crate::frame::encode_header(&mut header, true, false, opcode, len, Some([0; 4]));
            pair.inject(Role::Server, &header);
            pair.deliver(Role::Server);
            assert_eq!(pair.connection(Role::Server).held(), 0);
            pair.assert_failed(Role::Server, Error::TooBig);
        });
    }
}

#[test]
fn declared_lengths_of_fragments_do_not_overflow() {
    in_every_split(|split| {
        let limits = Limits { max_message: usize::MAX, ..Limits::default() };
        let mut pair = Pair::with(split, &limits, None);
        pair.inject_frames(Role::Server, &[(0x02, b"abc")]);
        let header = [0x80, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
        pair.inject(Role::Server, &header);
        pair.inject(Role::Server, &[0; 100]);
        pair.deliver(Role::Server);
        assert_eq!(pair.events(Role::Server), []);
        assert!(pair.connection(Role::Server).held() < 600);
    });
}

#[test]
fn too_many_fragments() {
    in_every_split(|split| {
        let mut pair = Pair::with(split, &small(), None);
        pair.inject_frames(Role::Server, &[(0x02, b"a"), (0, b""), (0, b"b"), (0x80, b"c")]);
        pair.deliver(Role::Server);
        pair.assert_messages(Role::Server, &[(Kind::Binary, b"abc")]);
        pair.inject_frames(
            Role::Server,
            &[(0x02, b"a"), (0, b""), (0, b"b"), (0, b""), (0x80, b"")],
        );
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, Error::TooManyFragments);
    });
}

#[test]
fn message_that_does_not_end_is_given_up() {
    let cut = frame(Role::Client, 0x82, &[0; 100]);
    let fragment = frame(Role::Client, 0x02, b"first");
    let ping = frame(Role::Client, 0x89, b"cut");
    for beginning in [&cut[..20], &fragment[..], &ping[..7]] {
        in_every_split(|split| {
            let mut pair = Pair::with(split, &small(), None);
            pair.inject(Role::Server, beginning);
            pair.deliver(Role::Server);
            let due = pair.now() + small().message_timeout;
            assert_eq!(pair.connection(Role::Server).poll_timeout(), Some(due));
            pair.advance(small().message_timeout);
            pair.assert_failed(Role::Server, Error::TooSlow);
        });
    }
}

#[test]
fn dripping_does_not_move_the_deadline() {
    in_every_split(|split| {
        let mut pair = Pair::with(split, &Limits::default(), None);
        pair.inject_frames(Role::Server, &[(0x02, b"x")]);
        pair.deliver(Role::Server);
        for _ in 0..59 {
            pair.advance(Duration::from_secs(1));
            pair.inject_frames(Role::Server, &[(0x00, b"x"), (0x8A, b"")]);
            pair.deliver(Role::Server);
            assert!(!pair.connection(Role::Server).is_closed());
        }
        pair.events(Role::Server);
        pair.advance(Duration::from_secs(1));
        pair.assert_failed(Role::Server, Error::TooSlow);
    });
}

#[test]
fn next_message_has_a_deadline_of_its_own() {
    in_every_split(|split| {
        let mut pair = Pair::with(split, &small(), None);
        pair.inject_frames(Role::Server, &[(0x02, b"a")]);
        pair.deliver(Role::Server);
        pair.advance(Duration::from_secs(50));
        pair.inject_frames(Role::Server, &[(0x80, b"b"), (0x02, b"c")]);
        pair.deliver(Role::Server);
        let due = pair.now() + small().message_timeout;
        assert_eq!(pair.connection(Role::Server).poll_timeout(), Some(due));
        pair.inject_frames(Role::Server, &[(0x80, b"d")]);
        pair.deliver(Role::Server);
        assert_eq!(pair.connection(Role::Server).poll_timeout(), None);
        pair.assert_messages(Role::Server, &[(Kind::Binary, b"ab"), (Kind::Binary, b"cd")]);
    });
}

#[test]
fn message_after_a_cut_ping_has_a_deadline_of_its_own() {
    let mut pair = Pair::with(Split::Whole, &small(), None);
    let ping = frame(Role::Client, 0x89, b"cut");
    pair.inject(Role::Server, &ping[..7]);
    pair.deliver(Role::Server);
    pair.advance(Duration::from_secs(50));
    pair.inject(Role::Server, &ping[7..]);
    pair.inject_frames(Role::Server, &[(0x81, b"whole"), (0x02, b"begun")]);
    pair.deliver(Role::Server);
    let due = pair.now() + small().message_timeout;
    assert_eq!(pair.connection(Role::Server).poll_timeout(), Some(due));
}

#[test]
fn endless_timeouts_are_none() {
    let limits = Limits {
        message_timeout: Duration::MAX,
        close_timeout: Duration::MAX,
        ..Limits::default()
    };
    let mut pair = Pair::with(Split::Whole, &limits, None);
    pair.inject_frames(Role::Server, &[(0x02, b"a")]);
    pair.deliver(Role::Server);
    pair.close(Role::Client, CloseCode::NORMAL, "");
    assert_eq!(pair.connection(Role::Server).poll_timeout(), None);
    assert_eq!(pair.connection(Role::Client).poll_timeout(), None);
}

#[test]
fn idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 160, "{}", size_of::<Connection>());
    let mut pair = Pair::new(Split::Random(1));
    pair.ping(Role::Client, b"p");
    pair.inject_frames(Role::Server, &[(0x01, b"a"), (0x89, b"b"), (0x80, b"c")]);
    pair.settle();
    assert_eq!(pair.connection(Role::Server).held(), 0);
}

#[test]
fn the_reason_of_a_failure_can_be_put_in_other_words() {
    in_every_split(|split| {
        let mut pair = Pair::with(split, &small(), None);
        pair.send(Role::Client, Kind::Binary, &[1; 1001]);
        pair.set_blocked(Role::Server, true);
        pair.deliver(Role::Server);
        assert_eq!(pair.assert_ended(Role::Server).by, ClosedBy::Failure(Error::TooBig));
        let words = "M506 ".to_owned() + &"가".repeat(60);
        pair.connection(Role::Server).reword_close(CloseCode::TOO_BIG, &words);
        pair.set_blocked(Role::Server, false);
        pair.settle();
        let closed = pair.assert_ended(Role::Client);
        assert_eq!(closed.code, CloseCode::TOO_BIG);
        // 123 bytes, less what of the last character does not fit.
        assert_eq!(closed.reason, "M506 ".to_owned() + &"가".repeat(39));
        // There is nothing to put in other words any more.
        pair.connection(Role::Server).reword_close(CloseCode::TOO_BIG, "twice");
        assert!(pair.take_sent(Role::Server).is_empty());
    });
}
