//! Masking (RFC 6455 §5.3): XOR with a 4-byte key that repeats.

use std::cell::RefCell;

use crate::error::Error;

/// A masking key as it stands in the header.
pub(crate) type Key = [u8; 4];

/// Masks or unmasks `bytes`, whose first byte meets `key[0]`.
// RFC 6455 §5.3: octet i of the result is octet i of the data XOR octet (i modulo 4) of the key.
#[inline]
pub(crate) fn apply(bytes: &mut [u8], key: Key) {
    let word = u32::from_ne_bytes(key);
    let wide = u64::from(word) | (u64::from(word) << 32);
    let (blocks, rest) = bytes.as_chunks_mut::<8>();
    for block in blocks {
        *block = (u64::from_ne_bytes(*block) ^ wide).to_ne_bytes();
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
const POOL: usize = 64;

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
