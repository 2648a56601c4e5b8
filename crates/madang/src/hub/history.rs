//! What a topic holds for those who come later, and what all histories together may take.

use std::{collections::VecDeque, sync::Arc};

use super::{Limits, Published};
use crate::sync::{AtomicU64, Ordering};

/// What a topic takes while it exists only for its history, besides its publications.
const TOPIC_WEIGHT: u64 = 600;

/// The bytes of all histories of a hub.
#[derive(Debug)]
pub(super) struct Budget {
    max: u64,
    held: AtomicU64,
    taken: AtomicU64,
}

impl Budget {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max as u64, held: AtomicU64::new(0), taken: AtomicU64::new(0) }
    }

    /// The next publication's number.
    pub(super) fn stamp(&self) -> u64 {
        self.taken.fetch_add(1, Ordering::Relaxed)
    }

    /// How many numbers were given.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn held(&self) -> u64 {
        // A form may be paid back an instant before it is paid; that must not look like 2^64 bytes.
        let held = self.held.load(Ordering::Relaxed);
        if held > u64::MAX / 2 { 0 } else { held }
    }

    /// More is held than may be.
    pub(super) fn is_over(&self) -> bool {
        self.held() > self.max
    }

    /// So much more that whoever publishes has to clear up.
    pub(super) fn is_far_over(&self) -> bool {
        self.held() > self.max + self.max / 8
    }

    /// An eviction stops here, so that the next is some publications away.
    pub(super) fn is_relaxed(&self) -> bool {
        self.held() <= self.max - self.max / 64
    }
}

/// The newest publications of one topic. Their numbers have no holes.
#[derive(Debug)]
pub(super) struct Ring {
    held: VecDeque<Arc<Published>>,
    limits: Limits,
    /// So many at the front have lost their rendered forms.
    cooled: usize,
}

impl Ring {
    pub(super) fn new(limits: Limits) -> Self {
        Self { held: VecDeque::new(), limits, cooled: 0 }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The number of the oldest that is held.
    pub(super) fn first(&self) -> Option<u64> {
        self.held.front().map(|published| published.publication().id.seq)
    }

    /// The age of the oldest that is held, among all of the hub: less is older.
    pub(super) fn oldest_stamp(&self) -> Option<u64> {
        self.held.front().map(|published| published.stamp)
    }

    pub(super) fn push(&mut self, published: &Arc<Published>, budget: &Budget) {
        if self.limits.count == 0 {
            return;
        }
        if self.held.len() >= self.limits.count {
            self.evict(budget);
        }
        if self.held.is_empty() {
            budget.add(TOPIC_WEIGHT);
        }
        published.hold();
        self.held.push_back(Arc::clone(published));
    }

    /// Lets the oldest go.
    pub(super) fn evict(&mut self, budget: &Budget) {
        let Some(published) = self.held.pop_front() else { return };
        published.release();
        self.cooled = self.cooled.saturating_sub(1);
        if self.held.is_empty() {
            budget.sub(TOPIC_WEIGHT);
            self.held = VecDeque::new();
        }
    }

    /// Lets all go that are older than the limit.
    pub(super) fn expire(&mut self, now: u64, budget: &Budget) {
        let age = u64::try_from(self.limits.age.as_millis()).unwrap_or(u64::MAX);
        while self.held.front().is_some_and(|p| p.born.saturating_add(age) < now) {
            self.evict(budget);
        }
    }

    pub(super) fn clear(&mut self, budget: &Budget) {
        while !self.is_empty() {
            self.evict(budget);
        }
    }

    /// Drops the rendered forms of what was published before `then`: whoever was there has it.
    pub(super) fn cool(&mut self, then: u64) {
        while let Some(published) = self.held.get(self.cooled)
            && published.born < then
        {
            published.cool();
            self.cooled += 1;
        }
    }

    /// What is held after number `seq`, oldest first, at most `limit`.
    pub(super) fn after(&self, seq: u64, limit: usize) -> Vec<Arc<Published>> {
        let Some(first) = self.first() else { return Vec::new() };
        let skip = usize::try_from((seq + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.held.iter().skip(skip).take(limit).cloned().collect()
    }
}
