//! Who waits for a socket, when its halves are used in different tasks.

use std::sync::Arc;
use std::task::{Wake, Waker};

use parking_lot::Mutex;

/// Which half of a WebSocket is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Read,
    Write,
}

/// The task that polled each half last. A byte stream remembers one task for each direction; both
/// halves read and write, so the stream is given a waker that wakes both.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    read: Mutex<Option<Waker>>,
    write: Mutex<Option<Waker>>,
}

impl Wakers {
    /// Remembers the task that polls now.
    pub(super) fn register(&self, side: Side, waker: &Waker) {
        let mut slot = self.slot(side).lock();
        match &mut *slot {
            Some(old) => old.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    /// The half does not wait any more.
    pub(super) fn clear(&self, side: Side) {
        *self.slot(side).lock() = None;
    }

    /// Wakes the task that waits for one half.
    pub(super) fn wake_side(&self, side: Side) {
        let waker = self.slot(side).lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn slot(&self, side: Side) -> &Mutex<Option<Waker>> {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_side(Side::Read);
        self.wake_side(Side::Write);
    }
}
