//! UTF-8 that arrives in pieces (RFC 6455 §8.1).
//!
//! A text message is checked as its bytes arrive, across fragments and reads, and refused at the
//! first byte that cannot be part of UTF-8. At most three bytes, a character cut in two, wait for
//! the next piece.

use crate::error::PeerMisbehaved;

/// The beginning of a character whose end has not arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carry {
    bytes: [u8; 3],
    len: u8,
}

impl Carry {
    /// Appends what of `piece` is whole characters to `text`, and keeps the rest.
    pub(crate) fn push(&mut self, piece: &[u8], text: &mut String) -> Result<(), PeerMisbehaved> {
        let piece = self.complete(piece, text)?;
        let (whole, begun) = split_begun(piece);
        text.push_str(check(whole)?);
        if !begun.is_empty() {
            self.keep(begun)?;
        }
        Ok(())
    }

    /// Bytes that wait.
    pub(crate) fn len(self) -> usize {
        usize::from(self.len)
    }

    /// The text is over: no character may be left half.
    pub(crate) fn finish(self) -> Result<(), PeerMisbehaved> {
        if self.len == 0 { Ok(()) } else { Err(PeerMisbehaved::InvalidUtf8) }
    }

    /// Ends the character that was begun, if `piece` has its end; returns what follows.
    fn complete<'p>(
        &mut self,
        mut piece: &'p [u8],
        text: &mut String,
    ) -> Result<&'p [u8], PeerMisbehaved> {
        while self.len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { break };
            piece = rest;
            let mut bytes = [0; 4];
            let len = usize::from(self.len);
            bytes[..3].copy_from_slice(&self.bytes);
            bytes[len] = byte;
            let begun = &bytes[..=len];
            if let Ok(character) = std::str::from_utf8(begun) {
                text.push_str(character);
                self.len = 0;
            } else {
                self.keep(begun)?;
            }
        }
        Ok(piece)
    }

    /// Keeps one to three bytes that must be able to begin a character.
    fn keep(&mut self, begun: &[u8]) -> Result<(), PeerMisbehaved> {
        // `std` tells an unexpected end (no length) from bytes that can never be right.
        match std::str::from_utf8(begun) {
            Err(e) if e.error_len().is_none() && e.valid_up_to() == 0 && begun.len() <= 3 => {
                self.bytes[..begun.len()].copy_from_slice(begun);
                self.len = begun.len() as u8;
                Ok(())
            }
            _ => Err(PeerMisbehaved::InvalidUtf8),
        }
    }
}

/// `bytes` as text, when they are valid as a whole.
#[inline]
pub(crate) fn check(bytes: &[u8]) -> Result<&str, PeerMisbehaved> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| PeerMisbehaved::InvalidUtf8)
}

/// Splits off a character at the end that lacks bytes, judged by its first byte alone.
fn split_begun(piece: &[u8]) -> (&[u8], &[u8]) {
    for back in 1..=piece.len().min(3) {
        let at = piece.len() - back;
        let needs = match piece[at] {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            0x00..=0x7F => 1,
        };
        if needs > back {
            return piece.split_at(at);
        }
        break;
    }
    (piece, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `bytes` in pieces of the given sizes (the last one repeats); the text, or the number of
    /// bytes after which it was refused.
    fn feed(bytes: &[u8], sizes: &[usize]) -> Result<String, usize> {
        let (mut carry, mut text, mut at) = (Carry::default(), String::new(), 0);
        let mut sizes = sizes.iter().copied().chain(std::iter::repeat(1));
        while at < bytes.len() {
            let n = sizes.next().unwrap().clamp(1, bytes.len() - at);
            if carry.push(&bytes[at..at + n], &mut text).is_err() {
                return Err(at + n);
            }
            at += n;
        }
        carry.finish().map(|()| text).map_err(|_| at)
    }

    /// Where `std` says that the text went wrong: the bytes up to and with the first impossible one.
    fn refused_at(bytes: &[u8]) -> Option<usize> {
        (1..=bytes.len())
            .find(|&n| std::str::from_utf8(&bytes[..n]).is_err_and(|e| e.error_len().is_some()))
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
            2 => "[a-z가-힣]{0,40}".prop_map(String::into_bytes),
            1 => prop::sample::select(&[0x80_u8, 0xBF, 0xC0, 0xC1, 0xE0, 0xED, 0xF0, 0xF4, 0xF5, 0xFF])
                .prop_map(|b| vec![b]),
            1 => any::<u8>().prop_map(|b| vec![b]),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|p| p.concat())
    }

    proptest! {
        #[test]
        fn agrees_with_std_in_any_split(bytes in bytes(), sizes in prop::collection::vec(1_usize..20, 0..20)) {
            let ours = feed(&bytes, &sizes);
            match std::str::from_utf8(&bytes) {
                Ok(text) => prop_assert_eq!(ours, Ok(text.to_owned())),
                Err(_) => prop_assert!(ours.is_err()),
            }
        }

        #[test]
        fn refuses_at_the_first_impossible_byte(bytes in bytes()) {
            let ours = feed(&bytes, &[1]).err();
            match refused_at(&bytes) {
                Some(at) => prop_assert_eq!(ours, Some(at)),
                None => prop_assert!(ours.is_none_or(|at| at == bytes.len())),
            }
        }
    }

    #[test]
    fn every_split_of_every_short_pattern() {
        let edges = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF];
        let leads = [0xE0, 0xE1, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF];
        let all: Vec<u8> = edges.into_iter().chain(leads).collect();
        for &a in &all {
            for &b in &all {
                for &c in &edges {
                    for &d in &edges {
                        let bytes = [a, b, c, d];
                        let valid = std::str::from_utf8(&bytes).is_ok();
                        for sizes in [&[4][..], &[1, 3], &[2, 2], &[3, 1], &[1, 1, 2], &[1]] {
                            assert_eq!(feed(&bytes, sizes).is_ok(), valid, "{bytes:x?} {sizes:?}");
                        }
                    }
                }
            }
        }
    }
}
