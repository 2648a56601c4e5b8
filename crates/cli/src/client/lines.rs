//! Lines out of chunks.

use bytes::{Buf as _, Bytes, BytesMut};

use super::HttpError;

/// The longest line that is taken, where nothing else is said.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// Cuts what comes in chunks into lines.
#[derive(Debug)]
pub(crate) struct Lines {
    bytes: BytesMut,
    /// So many are known to have no line end.
    looked: usize,
    /// The longest line that is taken.
    most: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self::at_most(MAX_LINE)
    }
}

impl Lines {
    /// Takes lines of so many bytes.
    pub(crate) fn at_most(most: usize) -> Self {
        Self { bytes: BytesMut::new(), looked: 0, most }
    }

    /// Takes what came.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }

    /// The next whole line, without its end.
    pub(crate) fn next_line(&mut self) -> Result<Option<Bytes>, HttpError> {
        let new = self.bytes.iter().skip(self.looked);
        let Some(at) = new.clone().position(|&byte| byte == b'\n') else {
            self.looked = self.bytes.len();
            // Asked for after each chunk, so that no more than a line and a chunk are held.
            return if self.looked > self.most { Err(HttpError::LongLine) } else { Ok(None) };
        };
        let line = self.bytes.split_to(self.looked + at).freeze();
        self.bytes.advance(1);
        self.looked = 0;
        if line.len() > self.most { Err(HttpError::LongLine) } else { Ok(Some(line)) }
    }

    /// What is left when nothing more comes.
    pub(crate) fn rest(self) -> Bytes {
        self.bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_it_is_cut_the_lines_are_the_same() {
        let text = "one\n\ntwo\r\n마당\nrest";
        for size in 1..=text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for chunk in text.as_bytes().chunks(size) {
                lines.push(chunk);
                while let Some(line) = lines.next_line().unwrap() {
                    found.push(String::from_utf8(line.to_vec()).unwrap());
                }
            }
            assert_eq!(found, ["one", "", "two\r", "마당"], "{size}");
            assert_eq!(lines.rest(), "rest");
        }
    }

    #[test]
    fn a_line_without_an_end_is_an_error() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; MAX_LINE]);
        assert!(matches!(lines.next_line(), Ok(None)));
        lines.push(b"x");
        assert!(matches!(lines.next_line(), Err(HttpError::LongLine)));
        let mut lines = Lines::at_most(3);
        lines.push(b"abc\nabcd\n");
        assert!(matches!(lines.next_line(), Ok(Some(line)) if line == "abc"));
        assert!(matches!(lines.next_line(), Err(HttpError::LongLine)));
    }
}
