//! How much of answers may be on its way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A budget of bytes.
pub(in super::super) struct Room {
    used: Arc<AtomicUsize>,
    most: usize,
}

/// Bytes out of a [`Room`], until this is dropped.
pub(super) struct Used {
    of: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    pub(in super::super) fn new(most: usize) -> Self {
        Self { used: Arc::default(), most }
    }

    /// Takes so many bytes; one who finds room may go over.
    pub(super) fn take(&self, bytes: usize) -> Option<Used> {
        let used = Used { of: Arc::clone(&self.used), bytes };
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        // Who is refused gives them back as it is dropped.
        (before < self.most).then_some(used)
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_there_again() {
        let room = Room::new(10);
        let one = room.take(9).unwrap();
        let two = room.take(9).unwrap();
        assert!(room.take(1).is_none());
        drop(one);
        assert!(room.take(1).is_some());
        drop(two);
        assert_eq!(room.used.load(Ordering::Relaxed), 0);
    }
}
