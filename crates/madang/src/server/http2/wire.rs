//! The bytes below HTTP/2: counts frames that cost and carry nothing, and says goodbye.

use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Sleep, sleep},
};

use super::{super::http::HttpLimits, PREFACE};

/// How long a peer may take to read why its connection ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection whose frames are counted as they are read.
pub(super) struct Wire<S> {
    stream: S,
    frames: Frames,
    budget: Budget,
    calm: Calm,
    farewell: Option<Pin<Box<Sleep>>>,
}

/// Tells when a peer has used up its budget.
#[derive(Clone, Default)]
pub(super) struct Calm(Arc<Lost>);

#[derive(Default)]
struct Lost {
    is_lost: AtomicBool,
    news: Notify,
}

impl Calm {
    /// Returns when the peer floods.
    pub(super) async fn lost(&self) {
        while !self.0.is_lost.load(Ordering::Relaxed) {
            self.0.news.notified().await;
        }
    }
}

impl<S> Wire<S> {
    /// A connection that is at its preface. Who may have many streams may also end many at once.
    pub(super) fn new(stream: S, limits: &HttpLimits) -> (Self, Calm) {
        let calm = Calm::default();
        let wire = Self {
            stream,
            frames: Frames { skip: PREFACE.len(), head: [0; HEAD], have: 0 },
            budget: Budget::new(limits, Instant::now()),
            calm: calm.clone(),
            farewell: None,
        };
        (wire, calm)
    }
}

/// A bucket that fills at [`HttpLimits::max_idle_frames`].
#[derive(Debug)]
struct Budget {
    left: u32,
    most: u32,
    /// A second.
    rate: u32,
    filled: Instant,
}

impl Budget {
    fn new(limits: &HttpLimits, now: Instant) -> Self {
        let most = limits.max_streams.saturating_mul(2).max(256);
        Self { left: most, most, rate: limits.max_idle_frames, filled: now }
    }

    /// Takes out `count`; false when it is not there.
    fn spend(&mut self, count: u32, now: Instant) -> bool {
        let millis = now.saturating_duration_since(self.filled).as_millis();
        let gained = u32::try_from(millis * u128::from(self.rate) / 1_000).unwrap_or(u32::MAX);
        if gained > 0 {
            self.filled = now;
            self.left = self.left.saturating_add(gained).min(self.most);
        }
        let left = self.left.checked_sub(count);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

/// RFC 9113 §4.1: the length in three bytes, type, flags, and the stream in four.
const HEAD: usize = 9;

/// Where one frame ends and the next begins.
struct Frames {
    /// Bytes until the next head.
    skip: usize,
    head: [u8; HEAD],
    /// So many bytes of the head are here.
    have: usize,
}

impl Frames {
    /// How many of the frames whose heads end in `bytes` cost and carry nothing.
    fn count(&mut self, mut bytes: &[u8]) -> u32 {
        let mut costly = 0;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let (part, rest) = bytes.split_at(bytes.len().min(HEAD - self.have));
            self.head[self.have..self.have + part.len()].copy_from_slice(part);
            self.have += part.len();
            bytes = rest;
            if self.have == HEAD {
                let [a, b, c, kind, flags, ..] = self.head;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                self.have = 0;
                costly += u32::from(costs(kind, flags, self.skip));
            }
        }
        costly
    }
}

/// Frames with which a peer makes work at little cost: a stream that is given up, what must be
/// answered, what is ignored, and pieces of nothing. (RFC 9113 §10.5 names most of them.)
fn costs(kind: u8, flags: u8, length: usize) -> bool {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GOAWAY: u8 = 7;
    const WINDOW_UPDATE: u8 = 8;
    const ACK: u8 = 1;
    const END_STREAM: u8 = 1;
    match kind {
        DATA => length == 0 && flags & END_STREAM == 0,
        SETTINGS | PING => flags & ACK == 0,
        HEADERS | GOAWAY | WINDOW_UPDATE => false,
        // RST_STREAM, CONTINUATION, PRIORITY, and what nobody knows.
        _ => true,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.calm.0.is_lost.load(Ordering::Relaxed) {
            // Nothing more is listened to; whoever heard of it ends the connection.
            return Poll::Pending;
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, into))?;
        let costly = this.frames.count(&into.filled()[before..]);
        if costly > 0 && !this.budget.spend(costly, Instant::now()) {
            this.calm.0.is_lost.store(true, Ordering::Relaxed);
            this.calm.0.news.notify_one();
            into.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closing on unread bytes would reset the connection before the peer has read why; so our end
    /// is shut, and what still comes is dropped, for a moment.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        const MOST_AT_ONCE: usize = 16;
        let this = &mut *self;
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let farewell = this.farewell.get_or_insert_with(|| Box::pin(sleep(FAREWELL)));
        if farewell.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..MOST_AT_ONCE {
            let mut waste = [0; 4096];
            let mut waste = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut waste))?;
            if waste.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![0, (payload >> 8) as u8, payload as u8, kind, flags, 0, 0, 0, 1];
        frame.resize(HEAD + payload, 0xff);
        frame
    }

    #[test]
    fn frames_are_counted_however_the_bytes_are_cut() {
        let bytes = [
            PREFACE.to_vec(),
            frame(4, 0, 36),  // SETTINGS
            frame(4, 1, 0),   // its answer
            frame(1, 5, 300), // HEADERS
            frame(0, 0, 0),   // DATA: nothing
            frame(0, 0, 1),
            frame(0, 1, 0), // the end of a stream
            frame(3, 0, 4), // RST_STREAM
            frame(6, 0, 8), // PING
            frame(6, 1, 8), // its answer
            frame(8, 0, 4), // WINDOW_UPDATE
            frame(9, 0, 9), // CONTINUATION
            frame(2, 0, 5), // PRIORITY
            frame(0xbe, 0, 0),
        ]
        .concat();
        for size in 1..bytes.len() {
            let mut frames = Frames { skip: PREFACE.len(), head: [0; HEAD], have: 0 };
            let counted: u32 = bytes.chunks(size).map(|part| frames.count(part)).sum();
            assert_eq!(counted, 7, "in pieces of {size}");
            assert_eq!((frames.skip, frames.have), (0, 0));
        }
    }

    #[test]
    fn a_budget_is_spent_and_fills_again() {
        let start = Instant::now();
        let mut budget = Budget::new(&HttpLimits::default(), start);
        assert!(budget.spend(256, start));
        assert!(!budget.spend(1, start));
        assert!(!budget.spend(1, start + Duration::from_millis(9)));
        assert!(budget.spend(1, start + Duration::from_millis(10)));
        let later = start + Duration::from_hours(1);
        assert!(budget.spend(256, later) && !budget.spend(1, later));
    }

    #[test]
    fn a_steady_peer_within_the_rate_never_runs_out() {
        let start = Instant::now();
        let mut budget = Budget::new(&HttpLimits::default(), start);
        for step in 0..10_000 {
            assert!(budget.spend(1, start + Duration::from_millis(step * 10)), "{step}");
        }
    }
}
