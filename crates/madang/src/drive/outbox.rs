//! What one client has yet to be sent, and what happens when it reads too slowly.
//!
//! While its socket takes everything, a client's outbox is one pointer: the run of frames that the
//! turn made for its whole topic, or one buffer of the client's own frames. Only what a short write
//! leaves behind becomes a queue, the *backlog*, counted in bytes and messages and aged by the time
//! without progress. Whole deliveries are dropped from it, never a part of one.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::backlog::{Backlog, MAX_SLICES, attempt};

/// What becomes of a client that does not read what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SlowConsumer {
    /// Its connection is closed with 1008 `M503 slow consumer`; it may come back and resume.
    #[default]
    Disconnect,
    /// The oldest deliveries that wait are dropped.
    DropOldest,
    /// Of the deliveries that wait, only the newest of each topic and event is kept; where that is
    /// still too much, the oldest are dropped.
    Latest,
}

/// The bounds of an outbox.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLimits {
    /// Bytes that may wait. One delivery may go over; the next is refused.
    pub max_bytes: usize,
    /// Messages that may wait.
    pub max_messages: usize,
    /// How long a client may go without reading anything.
    pub max_stall: Duration,
    /// Bytes of history that may wait for all clients of a worker together. Only what is on its way
    /// counts; who asks for history beyond it is told to come back (default 256 MiB).
    pub max_replay: usize,
    /// What happens at the bound.
    pub policy: SlowConsumer,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self {
            max_bytes: 1024 * 1024,
            max_messages: 16_384,
            max_stall: Duration::from_secs(10),
            max_replay: 256 * 1024 * 1024,
            policy: SlowConsumer::default(),
        }
    }
}

/// Frames that were made once for every member that takes exactly these.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) bytes: Bytes,
    pub(super) parts: Box<[Part]>,
}

/// One delivery of a run: where it ends, and which topic and event it is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) end: usize,
    pub(super) key: u64,
}

impl Run {
    /// `parts` lie end to end from the start of `bytes` to its end.
    pub(super) fn new(bytes: Bytes, parts: impl Into<Box<[Part]>>) -> Arc<Self> {
        Arc::new(Self { bytes, parts: parts.into() })
    }
}

/// The client reads too slowly for [`SlowConsumer::Disconnect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overflow;

/// What a flush came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Everything is with the kernel.
    Done,
    /// The socket takes no more now.
    Blocked,
}

/// One client's outbox.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pending: Pending,
}

#[derive(Debug, Default)]
enum Pending {
    #[default]
    Empty,
    Run(Arc<Run>),
    Own(Vec<u8>),
    Several(Vec<Piece>),
    Backlog(Box<Backlog>),
}

/// What one turn queued, before anything was written.
#[derive(Debug)]
pub(super) enum Piece {
    Run(Arc<Run>),
    Replay(Bytes),
    Own(Vec<u8>),
}

impl Outbox {
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        matches!(self.pending, Pending::Empty)
    }

    /// The last flush left something behind.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(self.pending, Pending::Backlog(_))
    }

    /// Bytes that wait behind a blocked socket.
    pub(super) fn backlog_bytes(&self) -> usize {
        match &self.pending {
            Pending::Backlog(backlog) => backlog.bytes + backlog.tail.len(),
            _ => 0,
        }
    }

    /// Bytes of history that wait, for whatever reason.
    pub(super) fn replay_bytes(&self) -> usize {
        match &self.pending {
            Pending::Backlog(backlog) => backlog.replay_bytes(),
            Pending::Several(pieces) => pieces
                .iter()
                .map(|piece| if let Piece::Replay(bytes) = piece { bytes.len() } else { 0 })
                .sum(),
            _ => 0,
        }
    }

    /// Since when a blocked socket has taken nothing.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        match &self.pending {
            Pending::Backlog(backlog) => Some(backlog.progress),
            _ => None,
        }
    }

    /// As much waits behind a blocked socket as may.
    pub(super) fn is_over(&self, limits: &OutboxLimits) -> bool {
        match &self.pending {
            Pending::Backlog(backlog) => backlog.is_over(limits),
            _ => false,
        }
    }

    /// The buffer for frames of the client's own: answers, pongs, the close frame. They count
    /// towards the limit and are never dropped.
    pub(super) fn own(&mut self, pool: &mut Pool) -> &mut Vec<u8> {
        if !matches!(self.pending, Pending::Own(_) | Pending::Backlog(_)) {
            self.make_room_for_own(pool);
        }
        match &mut self.pending {
            Pending::Own(bytes) => bytes,
            Pending::Backlog(backlog) => &mut backlog.tail,
            Pending::Several(pieces) => {
                if !matches!(pieces.last(), Some(Piece::Own(_))) {
                    pieces.push(Piece::Own(pool.take()));
                }
                match pieces.last_mut() {
                    Some(Piece::Own(bytes)) => bytes,
                    _ => unreachable!("an own piece was pushed"),
                }
            }
            Pending::Empty | Pending::Run(_) => unreachable!("room was made"),
        }
    }

    /// Queues a frame of the client's own before all that waits behind a blocked socket, if anything
    /// does; `write` appends it to the buffer it is given.
    pub(super) fn ahead<E>(
        &mut self,
        pool: &mut Pool,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Pending::Backlog(backlog) = &mut self.pending else { return write(self.own(pool)) };
        let mut frame = Vec::new();
        write(&mut frame)?;
        backlog.push_ahead(frame.into());
        Ok(())
    }

    fn make_room_for_own(&mut self, pool: &mut Pool) {
        self.pending = match std::mem::take(&mut self.pending) {
            Pending::Empty => Pending::Own(pool.take()),
            Pending::Run(run) => Pending::Several(vec![Piece::Run(run)]),
            other => other,
        };
    }

    /// Queues a run of deliveries. `Ok` tells how many were dropped for it.
    #[inline]
    pub(super) fn push_run(
        &mut self,
        run: &Arc<Run>,
        limits: &OutboxLimits,
    ) -> Result<usize, Overflow> {
        match &mut self.pending {
            Pending::Empty => self.pending = Pending::Run(Arc::clone(run)),
            Pending::Several(pieces) => pieces.push(Piece::Run(Arc::clone(run))),
            Pending::Backlog(backlog) => return backlog.push_run(run, limits),
            _ => self.push_piece(Piece::Run(Arc::clone(run))),
        }
        Ok(0)
    }

    /// Queues a delivery out of history. It does not count towards the client's limit, as a newcomer
    /// must not be cut for what it asked for, but towards [`OutboxLimits::max_replay`]: the history
    /// may let go of it long before the client has read it.
    pub(super) fn push_replay(&mut self, frame: Bytes) {
        match &mut self.pending {
            Pending::Backlog(backlog) => {
                backlog.settle();
                backlog.push(frame, None, false);
            }
            _ => self.push_piece(Piece::Replay(frame)),
        }
    }

    fn push_piece(&mut self, piece: Piece) {
        let mut pieces = match std::mem::take(&mut self.pending) {
            Pending::Empty => Vec::new(),
            Pending::Run(run) => vec![Piece::Run(run)],
            Pending::Own(bytes) => vec![Piece::Own(bytes)],
            Pending::Several(pieces) => pieces,
            backlog @ Pending::Backlog(_) => {
                self.pending = backlog;
                return;
            }
        };
        pieces.push(piece);
        self.pending = Pending::Several(pieces);
    }

    /// Hands what waits to `write` (a `send` or `sendmsg`), in as few calls as can be.
    pub(super) fn flush(
        &mut self,
        pool: &mut Pool,
        now: Instant,
        write: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        if let Pending::Backlog(backlog) = &mut self.pending {
            let flushed = backlog.flush(now, write)?;
            if flushed == Flushed::Done {
                self.pending = Pending::Empty;
            }
            return Ok(flushed);
        }
        let (written, all) = match &self.pending {
            Pending::Own(bytes) if bytes.is_empty() => (0, 0),
            Pending::Run(run) => (attempt(write, &[IoSlice::new(&run.bytes)])?, run.bytes.len()),
            Pending::Own(bytes) => (attempt(write, &[IoSlice::new(bytes)])?, bytes.len()),
            Pending::Several(pieces) => write_pieces(pieces, pool, write)?,
            Pending::Empty | Pending::Backlog(_) => return Ok(Flushed::Done),
        };
        let pending = std::mem::take(&mut self.pending);
        if written == all {
            if let Pending::Own(bytes) = pending {
                pool.give(bytes);
            }
            return Ok(Flushed::Done);
        }
        let mut backlog = Box::new(Backlog::new(now));
        let pieces = match pending {
            Pending::Run(run) => vec![Piece::Run(run)],
            Pending::Own(bytes) => vec![Piece::Own(bytes)],
            Pending::Several(pieces) => pieces,
            Pending::Empty | Pending::Backlog(_) => Vec::new(),
        };
        let were_too_many = pieces.len() > MAX_SLICES;
        for piece in pieces {
            backlog.add(piece);
        }
        backlog.advance(written);
        // Of more pieces than one call takes, the rest may still fit.
        if were_too_many && backlog.flush(now, write)? == Flushed::Done {
            return Ok(Flushed::Done);
        }
        self.pending = Pending::Backlog(backlog);
        Ok(Flushed::Blocked)
    }

    /// Drops whatever can be dropped without tearing a frame that the client has begun to read;
    /// a close frame may follow.
    pub(super) fn abandon(&mut self) {
        match &mut self.pending {
            Pending::Backlog(backlog) => backlog.abandon(),
            _ => self.pending = Pending::Empty,
        }
    }
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Run(run) => &run.bytes,
            Self::Replay(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }
}

/// Pieces that come to no more than this are copied together and leave as one.
const COPY_UP_TO: usize = 16 * 1024;

/// Writes pieces in one call where they fit one; what is left becomes the backlog.
fn write_pieces(
    pieces: &[Piece],
    pool: &mut Pool,
    write: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
) -> io::Result<(usize, usize)> {
    let all: usize = pieces.iter().map(|piece| piece.bytes().len()).sum();
    if all <= COPY_UP_TO {
        let mut joined = pool.take();
        for piece in pieces {
            joined.extend_from_slice(piece.bytes());
        }
        let written = attempt(write, &[IoSlice::new(&joined)]);
        pool.give(joined);
        return Ok((written?, all));
    }
    let slices: Vec<_> =
        pieces.iter().take(MAX_SLICES).map(|piece| IoSlice::new(piece.bytes())).collect();
    Ok((attempt(write, &slices)?, all))
}

/// A worker's spare buffers for own frames, so that an idle client holds none.
#[derive(Debug, Default)]
pub(super) struct Pool {
    spare: Vec<Vec<u8>>,
}

impl Pool {
    /// No more than a turn can use at once.
    const MOST: usize = 256;
    /// A buffer that grew over this is given back to the allocator.
    const KEEP_UP_TO: usize = 64 * 1024;

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    pub(super) fn give(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < Self::MOST && bytes.capacity() <= Self::KEEP_UP_TO {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
