//! What the hub does besides: ages, deadlines, the budget.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
    time::Instant,
};

use super::{
    Inner, TopicKey,
    cell::{Cell, State},
    sync::{MutexGuard, Ordering},
};

/// Topics with somebody who was cut off, by when to look at them.
pub(super) type Deadlines = BTreeMap<(u64, TopicKey), Arc<Cell>>;

/// How many shards one call of `expire` looks through.
const SHARDS_A_CALL: usize = 8;
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
                self.retire(&cell, state, now);
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
            self.schedule(&due, &mut state);
            self.retire(&due, state, now);
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

    /// Evicts the oldest publications, wherever they are, until the budget has some air.
    ///
    /// Takes no two locks of topics at a time and is called with none held.
    pub(super) fn evict(&self) {
        let _guard: MutexGuard<'_, ()> = if self.budget.is_far_over() {
            self.evicting.lock()
        } else {
            // Somebody is at it.
            let Some(guard) = self.evicting.try_lock() else { return };
            guard
        };
        if !self.budget.is_over() {
            return;
        }
        let now = self.clock.now();
        let cells: Vec<_> =
            (0..self.shards.parts()).flat_map(|index| self.shards.part(index)).collect();
        let mut oldest: BinaryHeap<_> = cells
            .iter()
            .enumerate()
            .filter_map(|(at, cell)| Some(Reverse((cell.state.lock().ring.oldest_stamp()?, at))))
            .collect();
        while !self.budget.is_relaxed()
            && let Some(Reverse((_, at))) = oldest.pop()
        {
            let until = oldest.peek().map_or(u64::MAX, |Reverse((stamp, _))| *stamp);
            let mut state = cells[at].state.lock();
            while let Some(stamp) = state.ring.oldest_stamp()
                && stamp <= until
                && !self.budget.is_relaxed()
            {
                state.ring.evict(&self.budget);
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(stamp) = state.ring.oldest_stamp() {
                oldest.push(Reverse((stamp, at)));
            }
            self.retire(&cells[at], state, now);
        }
    }
}
