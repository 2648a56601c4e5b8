//! Where a worker's mail waits.

use std::{fmt, mem};

use crate::sync::Mutex;

/// A first-in-first-out queue with many writers and one reader.
///
/// Its lock is held for one `push` of a `Vec` or one swap, so a writer never waits on the reader's
/// work. It wakes nobody: [`push`](Mailbox::push) says when the reader has to be woken.
pub struct Mailbox<T>(Mutex<Vec<T>>);

impl<T> Mailbox<T> {
    /// An empty mailbox.
    pub fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Adds an item; true when there was none before, and the caller wakes the reader.
    #[must_use = "a reader that is not woken leaves its mail"]
    pub fn push(&self, item: T) -> bool {
        let mut queue = self.0.lock();
        queue.push(item);
        queue.len() == 1
    }

    /// Moves everything that waits to the end of `into`, in order.
    ///
    /// An empty `into` is swapped with the queue, so the two buffers serve in turn and nothing is
    /// allocated.
    pub fn drain_into(&self, into: &mut Vec<T>) {
        let mut queue = self.0.lock();
        if into.is_empty() {
            mem::swap(&mut *queue, into);
        } else {
            into.append(&mut queue);
        }
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_item_asks_for_a_wake_up() {
        let mailbox = Mailbox::new();
        assert!(mailbox.push(1));
        assert!(!mailbox.push(2));
        let mut mail = Vec::new();
        mailbox.drain_into(&mut mail);
        assert_eq!(mail, [1, 2]);
        assert!(mailbox.is_empty());
        assert!(mailbox.push(3), "the reader may sleep again");
        mailbox.drain_into(&mut mail);
        assert_eq!(mail, [1, 2, 3]);
    }
}
