//! When sessions want to be told of the time.
//!
//! One heap for all of a worker's sessions, and one alarm for the heap. A session whose time moves
//! later, as that of a heartbeat does with every answer, is not looked for in the heap: it is asked
//! again when the earlier time has come.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    future::Future as _,
    pin::Pin,
    task::Context,
    time::{Duration, Instant},
};

use madang_proto::{Input, Session};
use tokio::time::{Sleep, sleep_until};

use super::{
    client::{Cold, Flags},
    mail::ClientId,
    worker::Worker,
};

/// Times of so many milliseconds ring together.
const GRAIN: Duration = Duration::from_millis(2);
/// When a client is looked at again that has said something which is not read yet.
const UNREAD: Duration = Duration::from_millis(20);

/// The times of a worker's sessions.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Timers {
    fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Notes that a client is to be told at a time, unless it will be before; `due` is when it will.
    fn note(&mut self, due: &mut Option<Instant>, at: Instant, client: ClientId) {
        if due.is_none_or(|due| at < due) {
            *due = Some(at);
            self.heap.push(Reverse((at, client.token())));
        }
    }

    /// A time that has come, and of whom. Only the one that the client has noted as its `due` is
    /// meant: others were overtaken by an earlier one, and end here.
    fn take_due(&mut self, now: Instant) -> Option<(Instant, ClientId)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, token))| (at, ClientId::of(token)))
    }

    /// Whether the earliest time has come; if not, the task is woken when it has.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(next) = self.next() else {
            self.alarm = None;
            return false;
        };
        let at = tokio::time::Instant::from_std(next + GRAIN);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if alarm.deadline() > at || alarm.is_elapsed() {
            alarm.as_mut().reset(at);
        }
        // One that rings early finds nothing due, and is set anew.
        while alarm.as_mut().poll(cx).is_ready() {
            if Instant::now() >= next {
                return true;
            }
            alarm.as_mut().reset(at);
        }
        false
    }
}

impl Worker {
    /// Notes when a client's connection and its session want to be told of the time.
    #[inline]
    pub(super) fn note_times(&mut self, slot: usize, cold: &mut Cold) {
        if cold.carrier.poll_timeout().is_some() {
            self.clients.hot[slot].flags.set(Flags::TIMED);
        }
        if let Some(at) = cold.session.as_deref().and_then(Session::poll_timeout) {
            self.timers.note(&mut cold.due, at, self.clients.id(slot));
        }
    }

    /// What a client sent in time and we did not read is not late: its answer to a heartbeat may stand
    /// behind megabytes.
    fn is_unread(&self, slot: usize) -> bool {
        let hot = &self.clients.hot[slot];
        let is_left = [Flags::CHOKED, Flags::PAUSED, Flags::HUNGRY].into_iter();
        let waits = |socket| rustix::io::ioctl_fionread(socket).is_ok_and(|count| count > 0);
        is_left.into_iter().any(|flag| hot.flags.has(flag))
            || hot.socket.as_ref().is_some_and(waits)
    }

    /// Tells a session whose client is [unread](Self::is_unread) that its time has come, and again
    /// soon, unless it has done by then what it had to.
    fn remind(&mut self, slot: usize, cold: &mut Cold, id: ClientId) {
        let mut out = std::mem::take(&mut self.out);
        self.tell_with(slot, cold, Input::Unread, &mut out);
        self.out = out;
        let soon = self.now + UNREAD;
        if let Some(at) = cold.session.as_deref().and_then(Session::poll_timeout) {
            self.timers.note(&mut cold.due, at.max(soon), id);
        }
    }

    /// Tells sessions whose time has come.
    pub(super) fn ring(&mut self, cx: &mut Context<'_>) {
        if !self.timers.poll_due(cx) {
            return;
        }
        self.handle.begin_turn();
        self.now = Instant::now();
        // Each once: a session that wishes to be told of a time that has come already waits for the
        // next ring.
        for _ in 0..self.timers.heap.len() {
            let Some((at, id)) = self.timers.take_due(self.now) else { break };
            let Some(slot) = self.clients.find(id) else { continue };
            let Some(cold) = &mut self.clients.cold[slot] else { continue };
            if cold.due != Some(at) {
                continue;
            }
            cold.due = None;
            let Some(mut cold) = self.clients.cold[slot].take() else { continue };
            let due = cold.session.as_deref().and_then(Session::poll_timeout);
            if due.is_some_and(|due| self.now >= due) && self.is_unread(slot) {
                self.remind(slot, &mut cold, id);
            } else if due.is_some_and(|due| self.now >= due) {
                self.tell(slot, &mut cold, Input::Timeout);
            } else {
                self.note_times(slot, &mut cold);
            }
            self.transmit(slot, &mut cold);
            self.put_back(slot, cold);
        }
        self.end_aside();
        if self.timers.poll_due(cx) {
            cx.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client whose time was moved earlier again and again leaves nothing behind for that.
    #[test]
    fn a_time_that_was_overtaken_ends_when_it_comes() {
        let mut timers = Timers::default();
        let client = ClientId { slot: 1, generation: 1 };
        let begun = Instant::now();
        let second = |count| begun + Duration::from_secs(count);
        let mut due = None;
        for now in 0..1000 {
            // The time of a heartbeat, and before it, now and then, that of something shorter.
            timers.note(&mut due, second(now + 25), client);
            if now % 10 == 0 {
                timers.note(&mut due, second(now + 5), client);
            }
            while let Some((at, of)) = timers.take_due(second(now)) {
                assert_eq!(of, client);
                if due == Some(at) {
                    due = None;
                    timers.note(&mut due, second(now + 25), client);
                }
            }
            let entries = timers.heap.len();
            assert!((1..10).contains(&entries), "{entries} entries after {now} seconds");
        }
    }
}
