//! Attacks with frames.

use super::{
    peer::{Peer, frame, frame_head},
    yard::Yard,
};

/// A compressed message of zeros (RFC 1951 §3.2.6): one literal, and then matches of 258 bytes in
/// 13 bits each.
fn bomb(compressed: usize) -> Vec<u8> {
    let mut bits = vec![false, true, false];
    let code = |code: u16, length: u32| (0..length).rev().map(move |at| code >> at & 1 == 1);
    bits.extend(code(0b0011_0000, 8));
    while bits.len() < compressed * 8 {
        bits.extend(code(0b1100_0101, 8));
        bits.extend(code(0, 5));
    }
    bits.extend(code(0, 7));
    // The empty stored block whose last four bytes RFC 7692 §7.2.1 takes away.
    bits.extend([false; 3]);
    bits.chunks(8)
        .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << at))
        .collect()
}

const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

#[test]
fn a_bomb_is_stopped_at_the_limit_whole_or_in_fragments() {
    let yard = Yard::start(&[]);
    let bomb = bomb(1_000_000);
    let mut fragments = Vec::new();
    for (at, piece) in bomb.chunks(1_000).enumerate() {
        fragments.extend(frame(if at == 0 { 0x42 } else { 0 }, piece));
    }
    for bytes in [frame(0xc2, &bomb), fragments] {
        let mut peers: Vec<Peer> =
            (0..8).map(|_| Peer::upgraded(yard.address, "/ws/bombs", DEFLATE)).collect();
        for peer in &mut peers {
            peer.send(&bytes);
            // It closes while most is unread, so what it said may be lost to a reset.
            assert!(matches!(peer.code(), Some(1009) | None));
        }
    }
    // A small one is read whole, so its code arrives.
    let mut peer = Peer::upgraded(yard.address, "/ws/bombs", DEFLATE);
    peer.send(&frame(0xc2, &self::bomb(8_000)));
    assert_eq!(peer.code(), Some(1009));
    drop(peer);
    yard.empties();
    yard.held("16 bombs of 1 MB to 158 MB", 24);
}

#[test]
fn messages_that_inflate_to_just_the_limit_are_heard_a_few_at_a_time() {
    let yard = Yard::start(&["--history-bytes", "16MiB"]);
    // Just under 1 MiB of zeros in 6,600 bytes: a read of the server's holds eighty of them.
    let some = frame(0xc2, &bomb(6_600)).repeat(480);
    for _ in 0..4 {
        let mut peer = Peer::upgraded(yard.address, "/ws/balloons", DEFLATE);
        // It reads nothing of what comes back, and is cut for that.
        peer.send(&some);
        drop(peer);
    }
    yard.empties();
    yard.held("1,920 messages of just 1 MiB, inflated", 96);
}

#[test]
fn parts_of_compressed_messages_cost_what_was_sent() {
    let yard = Yard::start(&[]);
    let part = bomb(6_600);
    let mut peers: Vec<Peer> =
        (0..200).map(|_| Peer::upgraded(yard.address, "/ws/parts", DEFLATE)).collect();
    for peer in &mut peers {
        peer.send(&frame(0x42, &part));
    }
    // Those behind it are answered, so the parts were read.
    for peer in &mut peers {
        peer.send(&frame(0x89, b"read?"));
        assert_eq!(peer.frame(), Some((0x8a, b"read?".to_vec())));
    }
    drop(peers);
    yard.empties();
    yard.held("200 unfinished messages of 1 MiB, inflated", 16);
}

#[test]
fn one_byte_fragments_without_end_are_counted() {
    let yard = Yard::start(&[]);
    let mut peer = Peer::upgraded(yard.address, "/ws/bits", "");
    peer.send(&frame(0x02, b"x"));
    let some = frame(0x00, b"x").repeat(1_000);
    // What follows the close is thrown away until its time is over, so the code arrives.
    for _ in 0..1_000 {
        peer.send(&some);
    }
    assert_eq!(peer.code(), Some(1008));
    drop(peer);
    yard.empties();
    let mut peer = Peer::upgraded(yard.address, "/ws/bits", "");
    peer.send(&frame(0x02, b""));
    peer.send(&frame(0x00, b"x").repeat(65_536));
    assert_eq!(peer.code(), Some(1008));
    drop(peer);
    yard.held("fragments of one byte", 16);
}

#[test]
fn a_message_that_drips_ends_at_its_time() {
    let yard = Yard::start(&["--message-timeout", "1"]);
    let mut peer = Peer::upgraded(yard.address, "/ws/drip", "");
    peer.send(&frame(0x01, b"a"));
    peer.send(&frame(0x00, b"b"));
    assert_eq!(peer.code(), Some(1008));
    drop(peer);
    yard.held("a message that is never finished", 8);
}

#[test]
fn a_declared_length_reserves_nothing() {
    let yard = Yard::start(&[]);
    let mut waiting: Vec<Peer> =
        (0..200).map(|_| Peer::upgraded(yard.address, "/ws/lengths", "")).collect();
    for peer in &mut waiting {
        peer.send(&frame_head(0x82, 1 << 20));
        peer.send(b"x");
    }
    for (length, code) in [
        ((1 << 20) + 1, 1009),
        ((1 << 32) - 1, 1009),
        (1 << 32, 1009),
        ((1 << 32) + 1, 1009),
        ((1 << 63) - 1, 1009),
        (1 << 63, 1002),
        (u64::MAX, 1002),
    ] {
        let mut peer = Peer::upgraded(yard.address, "/ws/lengths", "");
        peer.send(&frame_head(0x82, length));
        assert_eq!(peer.code(), Some(code), "{length}");
    }
    drop(waiting);
    yard.empties();
    yard.held("200 that declare 1 MiB and send a byte", 24);
}

#[test]
fn bad_frames_close_with_their_code() {
    let yard = Yard::start(&[]);
    let table: [(&str, Vec<u8>, u16); 16] = [
        ("RSV1", frame(0xc1, b"x"), 1002),
        ("RSV2", frame(0xa1, b"x"), 1002),
        ("RSV3", frame(0x91, b"x"), 1002),
        ("unmasked", vec![0x81, 1, b'x'], 1002),
        ("opcode 3", frame(0x83, b"x"), 1002),
        ("opcode 11", frame(0x8b, b""), 1002),
        ("a long ping", frame(0x89, &[0; 126]), 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        ("a message in a message", [frame(0x01, b"x"), frame(0x81, b"x")].concat(), 1002),
        ("close with one byte", frame(0x88, &[3]), 1002),
        ("close with 1005", frame(0x88, &1005_u16.to_be_bytes()), 1002),
        ("close with 999", frame(0x88, &999_u16.to_be_bytes()), 1002),
        ("close with no text", frame(0x88, &[3, 0xe8, 0xff]), 1007),
        ("no text", frame(0x81, &[0xff]), 1007),
        ("a surrogate", frame(0x81, &[0xed, 0xa0, 0x80]), 1007),
    ];
    for (offence, bytes, code) in table {
        let mut peer = Peer::upgraded(yard.address, "/ws/rules", "");
        peer.send(&bytes);
        assert_eq!(peer.code(), Some(code), "{offence}");
    }
    yard.empties();
    yard.held("bad frames", 8);
}

#[test]
fn a_flood_of_control_frames_is_ended() {
    let yard = Yard::start(&[]);
    for first in [0x89, 0x8a] {
        let mut peer = Peer::upgraded(yard.address, "/ws/pings", "");
        peer.send(&frame(first, b"now").repeat(101));
        assert_eq!(peer.code(), Some(1008));
        let mut peer = Peer::upgraded(yard.address, "/ws/pings", "");
        let some = frame(first, &[0; 125]).repeat(1_000);
        for _ in 0..100 {
            peer.send(&some);
        }
        assert_eq!(peer.code(), Some(1008));
    }
    yard.empties();
    yard.held("a flood of pings and of pongs", 8);
}
