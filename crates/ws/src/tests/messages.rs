//! RFC 6455 §5.4, §5.6, §8.1: messages, fragments and text.

use crate::testing::{KEY, Pair, Split, frame, in_every_split};
use crate::{Connection, Error, Event, Input, Kind, Limits, Payload, PeerMisbehaved, Role};
use std::borrow::Cow;
use std::time::Instant;

const KOREAN: &str = "반갑습니다, 여러분! 👋";

#[test]
fn messages_of_every_length_class_pass_both_ways() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        for len in [0, 1, 3, 4, 125, 126, 127, 1000, 0xFFFF, 0x1_0000, 70_000] {
            let payload: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
            for from in [Role::Client, Role::Server] {
                pair.send(from, Kind::Binary, &payload);
                pair.settle();
                pair.assert_messages(from.peer(), &[(Kind::Binary, &payload)]);
            }
        }
    });
}

#[test]
fn several_messages_in_one_read_keep_their_order() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        let texts: Vec<String> = (0..50).map(|i| format!("{i} {KOREAN}")).collect();
        for text in &texts {
            pair.send(Role::Client, Kind::Text, text.as_bytes());
        }
        pair.settle();
        let expected: Vec<_> = texts.iter().map(|t| (Kind::Text, t.as_bytes())).collect();
        pair.assert_messages(Role::Server, &expected);
    });
}

#[test]
fn examples_of_the_rfc() {
    // RFC 6455 §5.7.
    let unmasked = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    let masked = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    let fragmented = [0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F];
    assert_eq!(frame(Role::Client, 0x81, b"Hello"), masked);
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject(Role::Client, &unmasked);
        pair.inject(Role::Client, &fragmented);
        pair.inject(Role::Server, &masked);
        pair.settle();
        pair.assert_messages(Role::Client, &[(Kind::Text, b"Hello"), (Kind::Text, b"Hello")]);
        pair.assert_messages(Role::Server, &[(Kind::Text, b"Hello")]);
    });
    let mut out = Vec::new();
    let mut server = Connection::new(Role::Server, &Limits::default(), None);
    server.send(Kind::Text, b"Hello", &mut out).unwrap();
    assert_eq!(out, unmasked);
}

#[test]
fn whole_message_is_borrowed_from_the_input() {
    let mut bytes = frame(Role::Client, 0x81, KOREAN.as_bytes());
    let mut server = Connection::new(Role::Server, &Limits::default(), None);
    let event = server.handle_input(&mut Input::new(&mut bytes), Instant::now());
    let Some(Event::Message { kind: Kind::Text, payload }) = event else { panic!("{event:?}") };
    assert!(matches!(payload, Payload::Text(Cow::Borrowed(text)) if text == KOREAN));
    assert_eq!(payload.as_str(), Some(KOREAN));
}

#[test]
fn payload_after_a_cut_header_is_borrowed_too() {
    let bytes = frame(Role::Client, 0x82, &[7; 300]);
    for cut in 1..8 {
        let (mut front, mut back) = (bytes[..cut].to_vec(), bytes[cut..].to_vec());
        let mut server = Connection::new(Role::Server, &Limits::default(), None);
        assert_eq!(server.handle_input(&mut Input::new(&mut front), Instant::now()), None);
        let mut input = Input::new(&mut back);
        let event = server.handle_input(&mut input, Instant::now());
        assert!(
            matches!(event, Some(Event::Message { payload: Payload::Binary(Cow::Borrowed(b)), .. }) if b == [7; 300]),
        );
    }
}

#[test]
fn cut_message_takes_memory_for_what_has_arrived() {
    let mut bytes = frame(Role::Client, 0x82, &vec![1; 1_000_000]);
    bytes.truncate(1_008);
    let mut server = Connection::new(Role::Server, &Limits::default(), None);
    assert_eq!(server.handle_input(&mut Input::new(&mut bytes), Instant::now()), None);
    assert!(server.held() <= 2_100, "{}", server.held());
}

#[test]
fn fragments_with_control_frames_between() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        let (a, b) = KOREAN.as_bytes().split_at(4);
        pair.inject_frames(
            Role::Server,
            &[(0x01, a), (0x89, b"p"), (0x00, b""), (0x8A, b"q"), (0x80, b), (0x82, b"next")],
        );
        pair.deliver(Role::Server);
        let message = |kind, payload: Payload<'static>| Event::Message { kind, payload };
        assert_eq!(
            pair.events(Role::Server),
            [
                Event::Ping(Payload::Binary(b"p".into())),
                Event::Pong(Payload::Binary(b"q".into())),
                message(Kind::Text, Payload::Text(KOREAN.into())),
                message(Kind::Binary, Payload::Binary(b"next".into())),
            ]
        );
    });
}

#[test]
fn empty_fragments_make_an_empty_message() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject_frames(Role::Server, &[(0x01, b""), (0x00, b""), (0x80, b"")]);
        pair.deliver(Role::Server);
        pair.assert_messages(Role::Server, &[(Kind::Text, b"")]);
    });
}

#[test]
fn continuation_needs_a_beginning() {
    for frames in [&[(0x80, &b"x"[..])][..], &[(0x00, b"")], &[(0x82, b"ok"), (0x80, b"x")]] {
        in_every_split(|split| {
            let mut pair = Pair::new(split);
            pair.inject_frames(Role::Server, frames);
            pair.deliver(Role::Server);
            pair.assert_failed(Role::Server, PeerMisbehaved::UnexpectedContinuation.into());
        });
    }
}

#[test]
fn fragmented_message_is_not_interrupted_by_another() {
    for second in [0x81, 0x82, 0x01, 0x02] {
        in_every_split(|split| {
            let mut pair = Pair::new(split);
            pair.inject_frames(Role::Server, &[(0x01, b"a"), (second, b"b")]);
            pair.deliver(Role::Server);
            pair.assert_failed(Role::Server, PeerMisbehaved::ExpectedContinuation.into());
        });
    }
}

/// Not UTF-8, by the byte from which this can be known.
const INVALID: [(&[u8], usize); 7] = [
    (b"a\xFF", 2),
    (b"\xC0\x80", 1),
    (b"ab\xED\xA0\x80", 4),
    (b"\xF4\x90\x80\x80", 2),
    (b"\xE0\x80", 2),
    (b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited", 13),
    (b"\x80", 1),
];

#[test]
fn text_must_be_utf8() {
    for (bytes, _) in INVALID.into_iter().chain([(&b"cut \xEC\x95"[..], 6)]) {
        in_every_split(|split| {
            let mut pair = Pair::new(split);
            pair.inject_frames(Role::Server, &[(0x81, bytes)]);
            pair.deliver(Role::Server);
            pair.assert_failed(Role::Server, PeerMisbehaved::InvalidUtf8.into());

            let mut pair = Pair::new(split);
            let (a, b) = bytes.split_at(bytes.len() / 2);
            pair.inject_frames(Role::Server, &[(0x01, a), (0x80, b)]);
            pair.deliver(Role::Server);
            pair.assert_failed(Role::Server, PeerMisbehaved::InvalidUtf8.into());
        });
    }
}

#[test]
fn binary_need_not_be_utf8() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        for (bytes, _) in INVALID {
            pair.send(Role::Server, Kind::Binary, bytes);
        }
        pair.settle();
        pair.assert_messages(Role::Client, &INVALID.map(|(bytes, _)| (Kind::Binary, bytes)));
    });
}

#[test]
fn invalid_text_is_refused_as_soon_as_it_can_be_known() {
    for (bytes, at) in INVALID {
        // Inside a frame of which more is to come, and at the end of an unfinished fragment.
        let long = [bytes, b"and more"].concat();
        let within = &frame(Role::Client, 0x81, &long)[..6 + at];
        let fragment = &frame(Role::Client, 0x01, &bytes[..at])[..];
        for wire in [within, fragment] {
            let (early, last) = wire.split_at(wire.len() - 1);
            let mut pair = Pair::new(Split::Whole);
            pair.inject(Role::Server, early);
            pair.deliver(Role::Server);
            assert_eq!(pair.events(Role::Server), [], "{bytes:x?} before byte {at}");
            pair.inject(Role::Server, last);
            pair.deliver(Role::Server);
            pair.assert_failed(Role::Server, Error::PeerMisbehaved(PeerMisbehaved::InvalidUtf8));
        }
    }
}

#[test]
fn masked_payload_keeps_its_phase_over_reads() {
    let payload: Vec<u8> = (0..40).collect();
    let wire = frame(Role::Client, 0x82, &payload);
    assert_eq!(wire[2..6], KEY);
    for first in 1..wire.len() {
        let mut pair = Pair::new(Split::Whole);
        pair.inject(Role::Server, &wire[..first]);
        pair.deliver(Role::Server);
        pair.inject(Role::Server, &wire[first..]);
        pair.deliver(Role::Server);
        pair.assert_messages(Role::Server, &[(Kind::Binary, &payload)]);
    }
}
