//! What a short write left behind: a queue of whole deliveries, bounded.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    time::Instant,
};

use bytes::Bytes;

use super::outbox::{Flushed, OutboxLimits, Overflow, Piece, Run, SlowConsumer};

/// What a short write left behind.
#[derive(Debug)]
pub(super) struct Backlog {
    entries: VecDeque<Entry>,
    /// Bytes of the front entry that are with the kernel.
    written: usize,
    /// Bytes of all entries, less `written`.
    pub(super) bytes: usize,
    /// The part of `bytes` that counts towards the limit.
    counted: usize,
    /// The client's own frames that came after the last entry.
    pub(super) tail: Vec<u8>,
    /// When the socket last took something.
    pub(super) progress: Instant,
}

#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    /// Topic and event of a delivery; own frames and history have none and are not dropped.
    key: Option<u64>,
    counted: bool,
    /// It did not wait for those before it.
    is_ahead: bool,
}

impl Backlog {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            entries: VecDeque::new(),
            written: 0,
            bytes: 0,
            counted: 0,
            tail: Vec::new(),
            progress: now,
        }
    }

    pub(super) fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Run(run) => self.split(&run, |backlog, bytes, key| {
                backlog.push(bytes, Some(key), true);
            }),
            Piece::Replay(bytes) => self.push(bytes, None, false),
            Piece::Own(bytes) => self.push(bytes.into(), None, true),
        }
    }

    fn split(&mut self, run: &Run, mut each: impl FnMut(&mut Self, Bytes, u64)) {
        let mut start = 0;
        for part in &run.parts {
            each(self, run.bytes.slice(start..part.end), part.key);
            start = part.end;
        }
    }

    pub(super) fn push(&mut self, bytes: Bytes, key: Option<u64>, counted: bool) {
        if bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        self.counted += if counted { bytes.len() } else { 0 };
        self.entries.push_back(Entry { bytes, key, counted, is_ahead: false });
    }

    /// Puts frames of the client's own behind the first entry, which may have left in part or may be
    /// what has to come first of all, and behind others that went ahead. Wherever one entry ends and
    /// another begins, a message does.
    pub(super) fn push_ahead(&mut self, bytes: Bytes) {
        self.settle();
        if bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        self.counted += bytes.len();
        let others = self.entries.iter().skip(1).take_while(|entry| entry.is_ahead).count();
        let at = self.entries.len().min(1 + others);
        self.entries.insert(at, Entry { bytes, key: None, counted: true, is_ahead: true });
    }

    /// Makes an entry of the own frames, so that others may come behind them.
    pub(super) fn settle(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.push(tail.into(), None, true);
        }
    }

    pub(super) fn push_run(&mut self, run: &Run, limits: &OutboxLimits) -> Result<usize, Overflow> {
        self.settle();
        let mut dropped = 0;
        let mut overflow = false;
        self.split(run, |backlog, bytes, key| {
            if limits.policy == SlowConsumer::Latest {
                dropped += backlog.drop_where(|entry| entry.key == Some(key), usize::MAX);
            }
            while backlog.is_over(limits) {
                if limits.policy == SlowConsumer::Disconnect {
                    overflow = true;
                    return;
                }
                if backlog.drop_where(|entry| entry.key.is_some(), 1) == 0 {
                    // Nothing that may be dropped is left: this delivery is the one to go.
                    dropped += 1;
                    return;
                }
                dropped += 1;
            }
            backlog.push(bytes, Some(key), true);
        });
        if overflow { Err(Overflow) } else { Ok(dropped) }
    }

    /// Bytes of history.
    pub(super) fn replay_bytes(&self) -> usize {
        self.bytes - self.counted
    }

    pub(super) fn is_over(&self, limits: &OutboxLimits) -> bool {
        self.counted + self.tail.len() >= limits.max_bytes
            || self.entries.len() >= limits.max_messages
    }

    /// Drops up to `most` of the oldest entries that `which` names. An entry that the client has
    /// begun to read stays.
    fn drop_where(&mut self, which: impl Fn(&Entry) -> bool, most: usize) -> usize {
        let mut dropped = 0;
        let mut at = usize::from(self.written > 0);
        while dropped < most && at < self.entries.len() {
            if !which(&self.entries[at]) {
                at += 1;
                continue;
            }
            if let Some(entry) = self.entries.remove(at) {
                self.forget(&entry, entry.bytes.len());
                dropped += 1;
            }
        }
        dropped
    }

    fn forget(&mut self, entry: &Entry, bytes: usize) {
        self.bytes -= bytes;
        self.counted -= if entry.counted { bytes } else { 0 };
    }

    pub(super) fn abandon(&mut self) {
        self.tail = Vec::new();
        self.drop_where(|_| true, usize::MAX);
    }

    /// Notes that the socket took `taken` bytes.
    pub(super) fn advance(&mut self, mut taken: usize) {
        while taken > 0 {
            let Some(entry) = self.entries.pop_front() else { break };
            let left = entry.bytes.len() - self.written;
            let step = left.min(taken);
            self.forget(&entry, step);
            taken -= step;
            if step == left {
                self.written = 0;
            } else {
                self.written += step;
                self.entries.push_front(entry);
            }
        }
    }

    pub(super) fn flush(
        &mut self,
        now: Instant,
        write: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        self.settle();
        while !self.entries.is_empty() {
            let slices: Vec<_> = self
                .entries
                .iter()
                .take(MAX_SLICES)
                .enumerate()
                .map(|(at, entry)| {
                    IoSlice::new(&entry.bytes[if at == 0 { self.written } else { 0 }..])
                })
                .collect();
            let offered: usize = slices.iter().map(|slice| slice.len()).sum();
            let taken = attempt(write, &slices)?;
            if taken > 0 {
                self.progress = now;
                self.advance(taken);
            }
            if taken < offered {
                return Ok(Flushed::Blocked);
            }
        }
        Ok(Flushed::Done)
    }
}

/// One write; a socket that takes nothing now took no bytes.
pub(super) fn attempt(
    write: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    slices: &[IoSlice<'_>],
) -> io::Result<usize> {
    match write(slices) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

/// The kernel takes at most 1,024 pieces a call; past some dozens, one more call costs less than
/// the list.
pub(super) const MAX_SLICES: usize = 64;
