//! The body of a response that refuses an upgrade (RFC 9112 §6, §7.1).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Most bytes that are kept of a body.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// Longest time for a body to come.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Reads the body of `response`, of which `early` came with the head: up to its end, an error,
/// [`MAX_BODY`] or [`MAX_TIME`]. What a server says about a refusal is worth having even in part.
pub(super) async fn read<S: AsyncRead + Unpin>(
    io: &mut S,
    response: &Response<()>,
    mut early: BytesMut,
) -> Bytes {
    let mut body = Body { framing: Framing::of(response), bytes: Vec::new() };
    let all = async {
        while !body.push(&early) {
            early.clear();
            early.reserve(4096);
            match io.read_buf(&mut early).await {
                Ok(n) if n > 0 => {}
                _ => break,
            }
        }
    };
    // In time or not, what came is kept.
    let _ = timeout(MAX_TIME, all).await;
    body.bytes.into()
}

struct Body {
    framing: Framing,
    bytes: Vec<u8>,
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// After this many more bytes.
    Length(u64),
    /// With the last chunk.
    Chunked(Chunk),
    /// With the stream.
    Eof,
}

/// What comes next of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// Digits of a size.
    Size(u64),
    /// The rest of a size's line.
    Extension(u64),
    Data(u64),
    /// The line end after data.
    DataEnd,
}

impl Framing {
    // RFC 9112 §6.3: no body with 204 and 304; then |Transfer-Encoding| before |Content-Length|;
    // with neither, the body ends with the connection.
    fn of(response: &Response<()>) -> Self {
        if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Self::Length(0);
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if let Some(coding) = header(TRANSFER_ENCODING) {
            let chunked = coding
                .rsplit(',')
                .next()
                .is_some_and(|last| last.trim_matches([' ', '\t']).eq_ignore_ascii_case("chunked"));
            return if chunked { Self::Chunked(Chunk::Size(0)) } else { Self::Eof };
        }
        header(CONTENT_LENGTH).and_then(|len| len.parse().ok()).map_or(Self::Eof, Self::Length)
    }
}

impl Body {
    /// Takes the next bytes; whether the body is whole, or as much as is kept.
    fn push(&mut self, mut bytes: &[u8]) -> bool {
        match &mut self.framing {
            Framing::Eof => keep(&mut self.bytes, bytes),
            Framing::Length(left) => {
                let piece = take(&mut bytes, left);
                keep(&mut self.bytes, piece);
                if *left == 0 {
                    return true;
                }
            }
            Framing::Chunked(chunk) => {
                if push_chunked(chunk, bytes, &mut self.bytes) {
                    return true;
                }
            }
        }
        self.bytes.len() >= MAX_BODY
    }
}

/// Whether the last chunk has come, or what is no chunk.
fn push_chunked(chunk: &mut Chunk, mut bytes: &[u8], body: &mut Vec<u8>) -> bool {
    while let Some((&first, rest)) = bytes.split_first() {
        if let Chunk::Data(mut left) = *chunk {
            let piece = take(&mut bytes, &mut left);
            keep(body, piece);
            *chunk = if left == 0 { Chunk::DataEnd } else { Chunk::Data(left) };
            continue;
        }
        let digit = char::from(first).to_digit(16);
        *chunk = match (*chunk, first, digit) {
            // RFC 9112 §7.1: the chunk of size 0 is the last. Trailers are not waited for.
            (Chunk::Size(0) | Chunk::Extension(0), b'\n', _) => return true,
            (Chunk::Size(size) | Chunk::Extension(size), b'\n', _) => Chunk::Data(size),
            (Chunk::Size(size), _, Some(digit)) => match size.checked_mul(16) {
                Some(size) => Chunk::Size(size + u64::from(digit)),
                None => return true,
            },
            (Chunk::Size(size), _, None) => Chunk::Extension(size),
            (Chunk::DataEnd, b'\n', _) => Chunk::Size(0),
            (same, _, _) => same,
        };
        bytes = rest;
    }
    false
}

/// Takes at most `left` bytes from the front, and counts them.
fn take<'b>(bytes: &mut &'b [u8], left: &mut u64) -> &'b [u8] {
    let n = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    let (piece, rest) = bytes.split_at(n);
    *bytes = rest;
    *left -= n as u64;
    piece
}

fn keep(body: &mut Vec<u8>, piece: &[u8]) {
    let room = MAX_BODY - body.len().min(MAX_BODY);
    body.extend_from_slice(&piece[..piece.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, and whether it ended before the stream, for every cut into two pieces.
    fn body(headers: &[(&str, &str)], bytes: &[u8]) -> (String, bool) {
        let mut response = Response::builder();
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let framing = Framing::of(&response.body(()).unwrap());
        let of = |cut: usize| {
            let mut body = Body { framing, bytes: Vec::new() };
            let ended = body.push(&bytes[..cut]) || body.push(&bytes[cut..]);
            (String::from_utf8(body.bytes).unwrap(), ended)
        };
        let whole = of(bytes.len());
        for cut in 0..bytes.len() {
            assert_eq!(of(cut), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn length() {
        assert_eq!(body(&[("content-length", "5")], b"hello, more"), ("hello".into(), true));
        assert_eq!(body(&[("content-length", "5")], b"hell"), ("hell".into(), false));
    }

    #[test]
    fn end_of_stream() {
        assert_eq!(body(&[], b"hello"), ("hello".into(), false));
        assert_eq!(body(&[("content-length", "-1")], b"hello"), ("hello".into(), false));
    }

    #[test]
    fn chunks() {
        let chunked = [("transfer-encoding", "gzip, Chunked"), ("content-length", "1")];
        let bytes = b"5;a=b\r\nhello\r\n00A\r\n, world!!!\r\n0\r\nmore: no\r\n";
        assert_eq!(body(&chunked, bytes), ("hello, world!!!".into(), true));
        assert_eq!(body(&chunked, b"ffffffffffffffffff\r\nx"), (String::new(), true));
    }

    #[test]
    fn too_much() {
        let mut body = Body { framing: Framing::Eof, bytes: Vec::new() };
        assert!(!body.push(&[b'x'; 1024]));
        assert!(body.push(&vec![b'x'; MAX_BODY]));
        assert_eq!(body.bytes.len(), MAX_BODY);
    }
}
