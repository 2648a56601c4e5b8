//! Buffers that a thread lends to the socket it is turning, so that an idle one holds none.

use std::cell::RefCell;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::{future::Future, io};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes of one read.
const CHUNK: usize = 64 * 1024;
/// A chunk with less room than this is replaced.
const MIN_ROOM: usize = 16 * 1024;
/// A read of at least this much keeps its part of the chunk; less is copied out of it, so that a few
/// bytes that wait do not hold 64 KiB.
const KEEP: usize = 4 * 1024;
/// Largest buffer that goes back for reuse.
const MAX_POOLED: usize = 64 * 1024;
/// Most buffers that wait for reuse in one thread.
const MAX_BUFFERS: usize = 16;

thread_local! {
    static CHUNKS: RefCell<BytesMut> = RefCell::default();
    static OUTPUTS: RefCell<Vec<Vec<u8>>> = RefCell::default();
}

/// Reads once. Empty at the end of the stream.
pub(super) fn poll_read<S: AsyncRead + Unpin>(
    io: &mut S,
    cx: &mut Context<'_>,
) -> Poll<io::Result<BytesMut>> {
    // Taken out rather than borrowed: reading may run any code, another WebSocket's too.
    let mut chunk = CHUNKS.take();
    if chunk.capacity() < MIN_ROOM {
        chunk = BytesMut::with_capacity(CHUNK);
    }
    let read = pin!(io.read_buf(&mut chunk)).poll(cx);
    let bytes = match &read {
        Poll::Ready(Ok(n)) if *n < KEEP => {
            let bytes = BytesMut::from(&*chunk);
            chunk.clear();
            bytes
        }
        Poll::Ready(Ok(_)) => chunk.split(),
        _ => BytesMut::new(),
    };
    CHUNKS.set(chunk);
    ready!(read)?;
    Poll::Ready(Ok(bytes))
}

/// Bytes that are to be written, from the front.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    written: usize,
}

impl Output {
    /// Bytes that are not written yet.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Bytes of memory that it holds.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The same bytes.
    pub(super) fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// `n` of them are written.
    pub(super) fn advance(&mut self, n: usize) {
        self.written += n;
        if self.len() == 0 {
            self.clear();
        } else if self.written > self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }

    /// Lets `append` add to the end.
    pub(super) fn append<T>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.bytes.capacity() == 0 {
            self.bytes = OUTPUTS.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        let result = append(&mut self.bytes);
        if self.bytes.is_empty() {
            self.clear();
        }
        result
    }

    /// Drops what is not written, and gives the buffer back.
    pub(super) fn clear(&mut self) {
        self.written = 0;
        let mut bytes = mem::take(&mut self.bytes);
        if (1..=MAX_POOLED).contains(&bytes.capacity()) {
            bytes.clear();
            OUTPUTS.with_borrow_mut(|outputs| {
                if outputs.len() < MAX_BUFFERS {
                    outputs.push(bytes);
                }
            });
        }
    }
}
