//! What is in the chunks of a body (RFC 9112 §7.1), as it comes.

use std::io;

/// Where in a body the bytes that come next are.
pub enum Framing {
    /// It ends with its connection.
    Bare,
    Size(usize),
    /// Past the number of a chunk's line: an extension, or its end.
    SizeEnd(usize),
    Data(usize),
    /// The line end after a chunk.
    DataEnd,
    /// The last chunk was there.
    Over,
}

impl Framing {
    pub fn of(chunked: bool) -> Self {
        if chunked { Self::Size(0) } else { Self::Bare }
    }

    pub fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Hands on what of `bytes` is the body's own, and returns what comes after its end.
    pub fn unwrap<'b>(
        &mut self,
        mut bytes: &'b [u8],
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<&'b [u8]> {
        while let Some((&first, rest)) = bytes.split_first() {
            match *self {
                Self::Bare => {
                    each(bytes);
                    return Ok(&[]);
                }
                Self::Size(size) => {
                    bytes = rest;
                    *self = match (first, char::from(first).to_digit(16)) {
                        (_, Some(digit)) => Self::Size(size << 4 | digit as usize),
                        (b'\r' | b';' | b' ', _) => Self::SizeEnd(size),
                        _ => return Err(io::Error::other("a chunk's size is no number")),
                    };
                }
                Self::SizeEnd(size) => {
                    bytes = rest;
                    if first == b'\n' {
                        *self = if size == 0 { Self::Over } else { Self::Data(size) };
                    }
                }
                Self::Data(size) => {
                    let (data, rest) = bytes.split_at(size.min(bytes.len()));
                    each(data);
                    bytes = rest;
                    let left = size - data.len();
                    *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                }
                Self::DataEnd => {
                    bytes = rest;
                    if first == b'\n' {
                        *self = Self::Size(0);
                    }
                }
                Self::Over => return Ok(bytes),
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut framing = Framing::of(true);
        let mut body = Vec::new();
        for piece in pieces {
            let rest = framing.unwrap(piece, |data| body.extend_from_slice(data)).unwrap();
            assert!(rest.is_empty() || framing.is_over());
        }
        (body, framing.is_over())
    }

    #[test]
    fn chunks_are_unwrapped_however_they_are_cut() {
        let wire = b"3\r\nabc\r\n10;ext=1\r\n0123456789abcdef\r\n0\r\n";
        let whole = b"abc0123456789abcdef".to_vec();
        for at in 0..wire.len() {
            let (front, back) = wire.split_at(at);
            assert_eq!(body(&[front, back]), (whole.clone(), true));
        }
        assert_eq!(body(&[b"3\r\nabc\r\n"]), (b"abc".to_vec(), false));
        assert!(Framing::of(true).unwrap(b"HTTP", |_| ()).is_err());
    }

    #[test]
    fn a_bare_body_is_all_that_comes() {
        let mut body = Vec::new();
        Framing::of(false).unwrap(b"5\r\n", |data| body.extend_from_slice(data)).unwrap();
        assert_eq!(body, b"5\r\n");
    }
}
