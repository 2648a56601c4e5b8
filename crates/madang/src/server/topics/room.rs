//! How much of answers may be on its way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

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

impl Room {
    /// Takes as many bytes as these are, until the last of them is sent or given up, wherever they
    /// wait for that.
    pub(in super::super) fn hold(&self, bytes: Bytes) -> Option<Bytes> {
        let used = self.take(bytes.len())?;
        Some(Bytes::from_owner(Held { bytes, _used: used }))
    }
}

/// Bytes that have their room with them.
struct Held {
    bytes: Bytes,
    _used: Used,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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
        let held = room.hold(Bytes::from_static(b"0123456789")).unwrap();
        let part = held.slice(3..5);
        drop(held);
        assert!(room.hold(Bytes::from_static(b"0")).is_none());
        drop(part);
        assert_eq!(room.used.load(Ordering::Relaxed), 0);
    }
}
