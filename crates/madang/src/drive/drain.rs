//! A worker's end: its clients are told one after the other, so that they do not all come back at
//! the same moment, to the same other server.

use std::{
    task::Context,
    time::{Duration, Instant},
};

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::worker::Worker;

/// How far a worker is with its goodbyes.
pub(super) struct Drain {
    /// Until then its clients may answer.
    pub(super) until: Instant,
    begun: Instant,
    /// Over how long the goodbyes are spread.
    spread: Duration,
    /// How many clients there were.
    all: usize,
    /// How many were told.
    told: usize,
    /// The clients at places below this one were told.
    next: usize,
    /// While there are clients to be told.
    tick: Option<Interval>,
}

/// A few clients need not wait for the whole of it.
const EACH: Duration = Duration::from_millis(10);
const STEP: Duration = Duration::from_millis(20);

impl Drain {
    fn new(now: Instant, until: Instant, all: usize) -> Self {
        // The last are to have time for an answer, too.
        let most = until.saturating_duration_since(now) / 5 * 4;
        let spread = EACH.saturating_mul(u32::try_from(all).unwrap_or(u32::MAX)).min(most);
        let mut tick = interval(STEP);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { until, begun: now, spread, all, told: 0, next: 0, tick: Some(tick) }
    }

    /// How many are to be told by `now`.
    fn due(&self, now: Instant) -> usize {
        let elapsed = now.saturating_duration_since(self.begun);
        if elapsed >= self.spread {
            return usize::MAX;
        }
        let share = elapsed.as_nanos() * self.all as u128 / self.spread.as_nanos().max(1);
        share as usize
    }
}

impl Worker {
    /// It was told to go away.
    pub(super) fn go_away(&mut self, until: Instant) {
        if self.leaving.is_some() {
            return;
        }
        self.clear_doorstep();
        self.leaving = Some(Drain::new(self.now, until, self.clients.len()));
    }

    /// Says the goodbyes that are due.
    pub(super) fn drain(&mut self, cx: &mut Context<'_>) {
        let Some(drain) = &mut self.leaving else { return };
        let Some(tick) = &mut drain.tick else { return };
        let mut is_due = false;
        while tick.poll_tick(cx).is_ready() {
            is_due = true;
        }
        if !is_due {
            return;
        }
        self.now = Instant::now();
        self.handle.begin_turn();
        let (due, last) = (drain.due(self.now), self.clients.hot.len());
        let (mut told, mut next) = (drain.told, drain.next);
        while told < due && next < last {
            told += usize::from(self.clients.cold[next].is_some());
            self.send_away(next);
            next += 1;
        }
        if let Some(drain) = &mut self.leaving {
            (drain.told, drain.next) = (told, next);
            if next == last {
                drain.tick = None;
            }
        }
        self.flush_dirty();
        self.clients.free_places();
        // Mail that this made for its own worker waits for the next turn.
        if self.handle.end_turn() || !self.hungry.is_empty() || self.unread {
            self.poller.wake().wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(all: usize, seconds: u64) -> Drain {
        let now = Instant::now();
        Drain::new(now, now + Duration::from_secs(seconds), all)
    }

    #[tokio::test]
    async fn a_few_are_told_soon_and_many_over_most_of_the_time() {
        assert_eq!(drain(10, 10).spread, Duration::from_millis(100));
        assert_eq!(drain(800, 10).spread, Duration::from_secs(8));
        assert_eq!(drain(100_000, 10).spread, Duration::from_secs(8));
        assert_eq!(drain(100_000, 0).spread, Duration::ZERO);
    }

    #[tokio::test]
    async fn the_goodbyes_are_spread_evenly() {
        let drain = drain(1000, 10);
        let at = |seconds| drain.due(drain.begun + Duration::from_secs(seconds));
        assert_eq!((at(0), at(2), at(4), at(6)), (0, 250, 500, 750));
        assert!(at(8) >= 1000);
    }
}
