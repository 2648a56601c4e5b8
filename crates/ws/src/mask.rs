//! Masking (RFC 6455 §5.3): XOR with a 4-byte key that repeats.
//!
//! The loop is safe code that the compiler turns into vector instructions. With AVX2, which it may
//! not assume, the same loop is half again as fast on payloads of a kilobyte and more; calling it is
//! the one `unsafe` expression. Below that the two do not differ. A build that may assume AVX2 has only
//! the plain loop: with AVX-512 allowed, the one in blocks came out at a tenth of its speed.
#![cfg_attr(
    all(target_arch = "x86_64", not(target_feature = "avx2")),
    expect(unsafe_code, reason = "calls a function compiled for AVX2 after asking the processor")
)]

use std::cell::RefCell;

use crate::error::Error;

/// A masking key as it stands in the header.
pub(crate) type Key = [u8; 4];

/// Masks or unmasks `bytes`, whose first byte meets `key[0]`.
// RFC 6455 §5.3: octet i of the result is octet i of the data XOR octet (i modulo 4) of the key.
#[inline]
pub(crate) fn apply(bytes: &mut [u8], key: Key) {
    #[cfg(all(target_arch = "x86_64", not(target_feature = "avx2")))]
    if bytes.len() >= WORTH_AVX2 && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that `apply_avx2` asks for.
        return unsafe { apply_avx2(bytes, key) };
    }
    apply_words(bytes, key);
}

/// From this length on the wider registers pay for the question.
#[cfg(all(target_arch = "x86_64", not(target_feature = "avx2")))]
const WORTH_AVX2: usize = 512;

#[cfg(all(target_arch = "x86_64", not(target_feature = "avx2")))]
#[target_feature(enable = "avx2")]
fn apply_avx2(bytes: &mut [u8], key: Key) {
    let (blocks, rest) = bytes.as_chunks_mut::<128>();
    for block in blocks {
        apply_words(block, key);
    }
    apply_words(rest, key);
}

#[expect(clippy::inline_always, reason = "`apply_avx2` must compile it anew, for its registers")]
#[inline(always)]
fn apply_words(bytes: &mut [u8], key: Key) {
    let word = u32::from_ne_bytes(key);
    let wide = u64::from(word) | (u64::from(word) << 32);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// The key for the bytes that follow the first `n`.
#[inline]
pub(crate) fn advance(mut key: Key, n: usize) -> Key {
    key.rotate_left(n % 4);
    key
}

/// Keys that one call to the operating system yields.
const POOL: usize = 256;

thread_local! {
    /// Random keys and the number of them that are left.
    static KEYS: RefCell<([Key; POOL], usize)> = const { RefCell::new(([[0; 4]; POOL], 0)) };
}

/// A fresh key.
// RFC 6455 §5.3: the key "MUST be derived from a strong source of entropy", new for each frame.
pub(crate) fn random_key() -> Result<Key, Error> {
    KEYS.with_borrow_mut(|(keys, left)| {
        if *left == 0 {
            getrandom::fill(keys.as_flattened_mut()).map_err(|_| Error::NoEntropy)?;
            *left = POOL;
        }
        *left -= 1;
        Ok(keys[*left])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule of §5.3, byte by byte.
    fn scalar(bytes: &mut [u8], key: Key) {
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte ^= key[i % 4];
        }
    }

    #[test]
    fn every_length_alignment_and_phase_agrees_with_the_rule() {
        let data: Vec<u8> = (0..=u8::MAX).cycle().take(1200).collect();
        for len in (0..=300).chain([511, 512, 513, 640, 1023, 1100]) {
            for at in 0..16 {
                for phase in 0..4 {
                    let key = advance([0x37, 0xFA, 0x21, 0x3D], phase);
                    let (mut fast, mut slow) = (data.clone(), data.clone());
                    apply(&mut fast[at..at + len], key);
                    scalar(&mut slow[at..at + len], key);
                    assert_eq!(fast, slow, "length {len} at {at} in phase {phase}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_make_the_whole(data in prop::collection::vec(any::<u8>(), 0..300), key: Key, cuts in prop::collection::vec(0_usize..70, 0..20)) {
            let (mut whole, mut pieces) = (data.clone(), data);
            apply(&mut whole, key);
            let (mut at, mut turned) = (0, key);
            for n in cuts.into_iter().chain([usize::MAX]) {
                let n = n.min(pieces.len() - at);
                apply(&mut pieces[at..at + n], turned);
                turned = advance(turned, n);
                at += n;
            }
            prop_assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn keys_differ() {
        let keys: std::collections::HashSet<Key> =
            (0..1000).map(|_| random_key().unwrap()).collect();
        // Two of a thousand are equal about once in nine thousand runs; five never are.
        assert!(keys.len() > 995);
    }
}
