//! Behaviour of a connection, as its peer and its driver see it. Each test runs with the bytes whole,
//! one at a time, and cut at random.

mod closing;
mod control;
mod deflate;
mod framing;
mod limits;
mod messages;
mod properties;
mod sending;

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}
