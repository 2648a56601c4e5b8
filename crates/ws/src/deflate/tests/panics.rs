//! Lengths and levels at which zlib-rs once panicked.

use crate::{
    Role,
    deflate::{Settings, State, answer, compress_fresh, offer, parse_offers},
};

/// Bytes that hardly compress, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(length)
    .collect()
}

/// A compressor that was given too little room once kept a part of it and panicked later.
#[test]
fn what_does_not_compress_leaves_nothing_behind_in_the_pool() {
    for level in 0..=9 {
        for length in [64 * 1024, 1024 * 1024 - 1, 1024 * 1024] {
            let mut out = Vec::new();
            assert!(!compress_fresh(&noise(length), level, 15, &mut out), "{level} {length}");
            assert!(out.is_empty());
        }
        let text = "over and over ".repeat(5_000);
        let mut out = Vec::new();
        assert!(compress_fresh(text.as_bytes(), level.max(1), 15, &mut out));
        assert_eq!(inflate(&out), text.as_bytes());
    }
}

/// At level 1 a block that ended on an all but full internal buffer panicked. Each of these bytes
/// takes 8 bits, so that some length here ends a block at each place of the buffer's end.
#[test]
fn a_block_may_end_at_any_place_of_the_buffer() {
    let bytes: Vec<u8> = noise(132_000).iter().map(|byte| byte % 144).collect();
    for length in (65_400..65_600).chain(130_900..131_100) {
        let mut out = Vec::new();
        if compress_fresh(&bytes[..length], 1, 15, &mut out) {
            assert_eq!(inflate(&out), &bytes[..length], "{length}");
        }
    }
}

fn inflate(packed: &[u8]) -> Vec<u8> {
    let settings = Settings { enabled: true, min_size: 0, ..Settings::default() };
    let offers = parse_offers([&offer(&settings).unwrap()]).unwrap();
    let (agreement, _) = answer(&offers, &settings).unwrap();
    let mut out = Vec::new();
    State::new(Role::Client, &agreement)
        .decompress(packed, true, 8 * 1024 * 1024, &mut out)
        .unwrap();
    out
}
