//! Saying things to the log only now and then.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Keeps what peers can cause at any rate from filling the log: one line in ten seconds.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    const PAUSE: Duration = Duration::from_secs(10);

    /// Whether it may be said at `now`.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock();
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= Self::PAUSE);
        if due {
            *last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_again_only_after_a_pause() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert!(seldom.is_due(start));
        assert!(!seldom.is_due(start + Duration::from_secs(9)));
        assert!(seldom.is_due(start + Duration::from_secs(10)));
        assert!(!seldom.is_due(start + Duration::from_secs(19)));
    }
}
