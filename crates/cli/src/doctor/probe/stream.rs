//! A stream of Server-Sent Events, watched as it comes.

use std::time::Duration;

use tokio::{
    io::AsyncReadExt as _,
    time::{Instant, timeout_at},
};

use super::http::Open;
use crate::doctor::evidence::Stream;

/// Most arrivals that are kept.
const MAX_ARRIVALS: usize = 2_000;

/// Watches for a while: when something came, and how many events it ended.
pub(in crate::doctor) async fn watch(mut open: Open, length: Duration) -> Stream {
    let began = Instant::now();
    let until = began + length;
    let mut stream = Stream::default();
    let mut chunks = Chunks::default();
    let mut last_line_empty = true;
    let mut arrived = std::mem::take(&mut open.early);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if !arrived.is_empty() {
            let bytes =
                if open.chunked { chunks.push(&arrived) } else { std::mem::take(&mut arrived) };
            // Of a compressed stream only pieces can be counted.
            let events = if open.is_coded {
                usize::from(!bytes.is_empty())
            } else {
                count(&bytes, &mut last_line_empty)
            };
            let at = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            stream.bytes += bytes.len();
            if stream.arrivals.len() < MAX_ARRIVALS {
                stream.arrivals.push((at, events));
            }
            arrived.clear();
        }
        // Its last chunk is the end of a body, whatever becomes of the connection.
        if chunks.is_over {
            stream.ended = true;
            break;
        }
        match timeout_at(until, open.io.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => {
                arrived.extend_from_slice(buffer.get(..length).unwrap_or_default());
            }
            Ok(_) => {
                stream.ended = true;
                stream.broken = open.chunked && !chunks.is_over;
                break;
            }
            Err(_) => break,
        }
    }
    stream.watched_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    stream
}

/// Empty lines that end something.
fn count(bytes: &[u8], line_is_empty: &mut bool) -> usize {
    let mut events = 0;
    for &byte in bytes {
        match byte {
            b'\n' if *line_is_empty => events += 1,
            b'\n' => *line_is_empty = true,
            b'\r' => {}
            _ => *line_is_empty = false,
        }
    }
    events
}

/// Takes the chunks' frames away (RFC 9112 §7.1).
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Bytes that are left of the chunk.
    left: u64,
    /// A line that is not whole.
    line: Vec<u8>,
    in_data: bool,
    /// The last chunk has come.
    is_over: bool,
}

impl Chunks {
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((&first, rest)) = bytes.split_first() {
            if self.in_data && self.left > 0 {
                let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                out.extend_from_slice(bytes.get(..take).unwrap_or_default());
                self.left -= take as u64;
                bytes = bytes.get(take..).unwrap_or_default();
                continue;
            }
            self.in_data = false;
            bytes = rest;
            if first != b'\n' {
                // A size with its extension is a short line.
                if self.line.len() < 256 {
                    self.line.push(first);
                }
                continue;
            }
            let text = String::from_utf8_lossy(&self.line);
            let digits = text.trim().split(';').next().unwrap_or_default().trim().to_owned();
            self.line.clear();
            if let Ok(length) = u64::from_str_radix(&digits, 16) {
                self.left = length;
                self.in_data = length > 0;
                self.is_over |= length == 0;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_at_any_cut() {
        let wire = b"5\r\nhello\r\nb;x=y\r\n\r\n world...\r\n0\r\n\r\n";
        for size in 1..=wire.len() {
            let mut chunks = Chunks::default();
            let out: Vec<u8> = wire.chunks(size).flat_map(|piece| chunks.push(piece)).collect();
            assert_eq!(out, b"hello\r\n world...\r\n"[..16].to_vec(), "{size}");
            assert!(chunks.is_over);
        }
    }

    #[test]
    fn events_are_ended_by_empty_lines() {
        let mut empty = true;
        assert_eq!(count(b"data: 1\n\ndata: 2\r\n", &mut empty), 1);
        assert_eq!(count(b"\r\n:\n\n", &mut empty), 2);
    }
}
