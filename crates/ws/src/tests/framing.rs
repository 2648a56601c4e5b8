//! RFC 6455 §5.1–5.2: what is not a frame.

use crate::testing::{Pair, Split, frame, in_every_split};
use crate::{Error, PeerMisbehaved, Role};

/// The server gets `bytes` from its client and fails with `error`.
#[track_caller]
fn server_refuses(bytes: &[u8], error: PeerMisbehaved) {
    refuses(Role::Server, bytes, error);
}

#[track_caller]
fn refuses(role: Role, bytes: &[u8], error: PeerMisbehaved) {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject(role, bytes);
        pair.deliver(role);
        pair.assert_failed(role, Error::PeerMisbehaved(error));
    });
}

#[test]
fn reserved_bits() {
    for first in [0x91, 0xA1, 0xC1, 0xF1, 0xC9, 0x99, 0xA8] {
        server_refuses(&frame(Role::Client, first, b"x"), PeerMisbehaved::ReservedBits);
    }
}

#[test]
fn reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let error = PeerMisbehaved::ReservedOpCode(opcode);
        server_refuses(&frame(Role::Client, 0x80 | opcode, b""), error);
        refuses(Role::Client, &frame(Role::Server, 0x80 | opcode, b"abc"), error);
    }
}

#[test]
fn client_must_mask() {
    server_refuses(&frame(Role::Server, 0x81, b"hello"), PeerMisbehaved::Unmasked);
    server_refuses(&frame(Role::Server, 0x89, b""), PeerMisbehaved::Unmasked);
}

#[test]
fn server_must_not_mask() {
    refuses(Role::Client, &frame(Role::Client, 0x81, b"hello"), PeerMisbehaved::Masked);
    refuses(Role::Client, &frame(Role::Client, 0x88, b""), PeerMisbehaved::Masked);
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [8, 9, 10] {
        let long = frame(Role::Client, 0x80 | opcode, &[b'a'; 126]);
        server_refuses(&long, PeerMisbehaved::LongControl);
        let cut = frame(Role::Client, opcode, b"a");
        server_refuses(&cut, PeerMisbehaved::FragmentedControl);
    }
}

#[test]
fn lengths_are_minimal() {
    for len in [0_u16, 1, 125] {
        let [a, b] = len.to_be_bytes();
        server_refuses(&[0x82, 0xFE, a, b], PeerMisbehaved::NonMinimalLength);
    }
    for len in [0_u64, 125, 126, 0xFFFF] {
        let bytes = [&[0x82, 0xFF][..], &len.to_be_bytes()].concat();
        server_refuses(&bytes, PeerMisbehaved::NonMinimalLength);
    }
}

#[test]
fn top_bit_of_the_length_is_clear() {
    for len in [1_u64 << 63, u64::MAX] {
        let bytes = [&[0x82, 0xFF][..], &len.to_be_bytes()].concat();
        server_refuses(&bytes, PeerMisbehaved::LengthTopBit);
    }
}

#[test]
fn bad_header_is_refused_before_it_is_complete() {
    let mut pair = Pair::new(Split::Whole);
    pair.inject(Role::Server, &[0x83, 0x80]);
    pair.deliver(Role::Server);
    pair.assert_failed(Role::Server, PeerMisbehaved::ReservedOpCode(3).into());
}

#[test]
fn nothing_after_a_failure_is_read() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject_frames(Role::Server, &[(0x83, b""), (0x81, b"late"), (0x89, b""), (0x83, b"")]);
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, PeerMisbehaved::ReservedOpCode(3).into());
        pair.inject_frames(Role::Server, &[(0x81, b"later"), (0x88, b"")]);
        pair.deliver(Role::Server);
        pair.cut(Role::Server);
        assert_eq!(pair.events(Role::Server), []);
        assert_eq!(pair.take_sent(Role::Server), []);
    });
}
