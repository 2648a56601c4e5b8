//! What the hub does besides: ages, deadlines, the budget.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::{
    Inner, TopicKey,
    cell::{Cell, State},
};
use crate::sync::Ordering;

/// Topics with somebody who was cut off, by when to look at them.
pub(super) type Deadlines = BTreeMap<(u64, TopicKey), Arc<Cell>>;

/// Topics with a history, by its oldest publication when they were noted. That may be gone by now;
/// so nothing is to be done here when a publication pushes another out of its topic.
pub(super) type Histories = BTreeMap<(u64, TopicKey), Arc<Cell>>;

/// How many shards one call of `expire` looks through.
const SHARDS_A_CALL: usize = 4;
/// How many topics one eviction looks at.
const LOOKS_A_CALL: usize = 256;
/// Rendered forms are kept so long, in milliseconds.
const WARM: u64 = 2_000;

impl Inner {
    pub(super) fn expire(&self, now: Instant) {
        let now = self.clock.at(now);
        self.clock.adjust();
        self.give_up(now);
        // One at a time is enough; whoever comes second has nothing to do.
        let Some(mut next) = self.next_part.try_lock() else { return };
        for _ in 0..SHARDS_A_CALL {
            for cell in self.shards.part(*next) {
                let mut state = cell.state.lock();
                state.ring.expire(now, &self.budget);
                state.ring.cool(now.saturating_sub(WARM));
                self.settle(&cell, state, now);
            }
            *next = (*next + 1) % self.shards.parts();
        }
    }

    fn give_up(&self, now: u64) {
        loop {
            let due = {
                let mut deadlines = self.deadlines.lock();
                let Some(entry) = deadlines.first_entry() else { return };
                if entry.key().0 > now {
                    return;
                }
                entry.remove()
            };
            let mut state = due.state.lock();
            state.is_scheduled = false;
            state.give_up(now);
            self.settle(&due, state, now);
        }
    }

    /// Sees to it that those who were cut off in this topic are given up in time.
    pub(super) fn schedule(&self, cell: &Arc<Cell>, state: &mut State) {
        if state.is_scheduled || state.dead {
            return;
        }
        if let Some(deadline) = state.deadline() {
            state.is_scheduled = true;
            self.deadlines.lock().insert((deadline, cell.key), Arc::clone(cell));
        }
    }

    /// Notes a topic among the histories if it has one, and only then.
    pub(super) fn list(&self, cell: &Arc<Cell>, state: &mut State) {
        match (state.listed, state.ring.oldest_stamp()) {
            (None, Some(stamp)) => {
                state.listed = Some(stamp);
                self.histories.lock().insert((stamp, cell.key), Arc::clone(cell));
            }
            (Some(stamp), None) => {
                state.listed = None;
                self.histories.lock().remove(&(stamp, cell.key));
            }
            // What it is listed under may be older than what it holds: `evict` will see.
            _ => {}
        }
    }

    /// Evicts the oldest publications, wherever they are, until the budget has some air.
    ///
    /// Looks at few topics at a time, so that whoever publishes is not held up; the next who does
    /// goes on. Only when the budget is exceeded by far does it not stop. Called with no lock held.
    pub(super) fn evict(&self) {
        let mut looks = 0;
        while !self.budget.is_relaxed() && (looks < LOOKS_A_CALL || self.budget.is_far_over()) {
            looks += 1;
            let (listed, cell, next) = {
                let mut histories = self.histories.lock();
                let Some(((listed, _), cell)) = histories.pop_first() else { return };
                let next = histories.first_key_value().map_or(u64::MAX, |((stamp, _), _)| *stamp);
                (listed, cell, next)
            };
            let mut state = cell.state.lock();
            // Between the two locks it may have been emptied, and listed anew.
            if state.listed != Some(listed) {
                continue;
            }
            while let Some(stamp) = state.ring.oldest_stamp()
                && stamp <= next
                && !self.budget.is_relaxed()
            {
                state.ring.evict(&self.budget);
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            state.listed = None;
            self.settle(&cell, state, self.clock.now());
        }
    }
}
