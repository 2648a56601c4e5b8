//! Floods over HTTP/2, written by hand: a library would keep to the rules.

use std::{thread, time::Instant};

use super::{
    peer::{PATIENCE, Peer},
    yard::Yard,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// RFC 9113 §7.
const ENHANCE_YOUR_CALM: u32 = 11;

/// RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// `GET /` from `http://x`: three entries of the static table (RFC 7541, appendix A), and a name from it.
fn get(flags: u8, stream: u32) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &[0x82, 0x84, 0x86, 0x41, 1, b'x'])
}

/// The error code of the GOAWAY that the server ends with.
fn goodbye(answer: &[u8]) -> Option<u32> {
    let mut rest = answer;
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        if head[3] == GOAWAY {
            return behind.get(4..8).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
        }
        rest = behind.get(length..)?;
    }
    None
}

/// Twenty connections at once that send `burst(n)` for n = 0, 1, … until they are ended.
fn flood(name: &str, most: usize, burst: impl Fn(u32) -> Vec<u8> + Sync) {
    let yard = Yard::start(&[]);
    let one = || {
        let mut peer = Peer::connect(yard.address);
        peer.send(PREFACE);
        peer.send(&frame(SETTINGS, 0, 0, &[]));
        let start = Instant::now();
        let is_flooding = |peer: &mut Peer, number| {
            assert!(start.elapsed() < PATIENCE, "{name}: nobody ended it");
            peer.send(&burst(number))
        };
        let sent = (0..u32::MAX / 2).take_while(|&number| is_flooding(&mut peer, number)).count();
        // What the server said may be lost with the bytes that it no longer read.
        if let Some(code) = goodbye(&peer.rest()) {
            assert_eq!(code, ENHANCE_YOUR_CALM, "{name}, after {sent}");
        }
    };
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(one);
        }
    });
    yard.empties();
    yard.held(name, most);
}

#[test]
fn streams_that_are_reset_at_once_end_their_connection() {
    flood("20 rapid resets over HTTP/2", 8, |number| {
        let stream = 2 * number + 1;
        let cancel = 8_u32.to_be_bytes();
        [get(END_STREAM, stream), frame(RST_STREAM, 0, stream, &cancel)].concat()
    });
}

#[test]
fn pings_settings_and_empty_frames_end_their_connection() {
    flood("20 floods of idle frames over HTTP/2", 8, |number| match number {
        0 => get(0, 1),
        _ if number % 3 == 0 => frame(DATA, 0, 1, &[]),
        _ if number % 3 == 1 => frame(PING, 0, 0, &[7; 8]),
        _ => frame(SETTINGS, 0, 0, &[]),
    });
}

#[test]
fn streams_without_end_are_refused_one_by_one() {
    // Each is answered or refused; what is not read of the answers is what ends it.
    flood("20 floods of streams over HTTP/2", 24, |number| get(0, 2 * number + 1));
}
