//! One reading of the clock for a publication's age and its time of day.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::sync::{AtomicU64, Ordering};

/// Counts milliseconds since the hub began, and knows what time of day that was.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    /// The time of day at `start`, in milliseconds since 1970; corrected when the system's is set.
    wall: AtomicU64,
    /// Tests let time pass by this.
    #[cfg(test)]
    skew: AtomicU64,
}

impl Clock {
    pub(super) fn new() -> Self {
        let clock = Self {
            start: Instant::now(),
            wall: AtomicU64::new(0),
            #[cfg(test)]
            skew: AtomicU64::new(0),
        };
        clock.adjust();
        clock
    }

    pub(super) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// An instant on this clock.
    pub(super) fn at(&self, instant: Instant) -> u64 {
        let since = millis(instant.saturating_duration_since(self.start));
        #[cfg(test)]
        let since = since + self.skew.load(Ordering::Relaxed);
        since
    }

    /// The time of day, in milliseconds since 1970.
    pub(super) fn wall(&self, now: u64) -> u64 {
        self.wall.load(Ordering::Relaxed) + now
    }

    /// Follows the system's time of day.
    pub(super) fn adjust(&self) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        self.wall.store(wall.saturating_sub(self.now()), Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn advance(&self, by: Duration) {
        self.skew.fetch_add(millis(by), Ordering::Relaxed);
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
