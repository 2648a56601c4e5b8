//! What a topic held, and what all histories together may take.

use super::sync::{AtomicU64, Ordering};

/// The bytes of all histories of a hub.
#[derive(Debug, Default)]
pub(super) struct Budget {
    held: AtomicU64,
    taken: AtomicU64,
}

impl Budget {
    /// The next publication's number.
    pub(super) fn stamp(&self) -> u64 {
        self.taken.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}
