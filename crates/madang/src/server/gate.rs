//! How many connections are open, and how many may be.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts a server's connections against a limit, and their descriptors against another.
#[derive(Debug)]
pub(crate) struct Gate {
    open: AtomicUsize,
    limit: usize,
    descriptors: AtomicUsize,
    most_descriptors: usize,
}

/// Stands for one open connection; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    descriptors: usize,
}

impl Gate {
    pub(super) fn new(limit: usize, most_descriptors: usize) -> Arc<Self> {
        let (open, descriptors) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { open, limit, descriptors, most_descriptors })
    }

    /// How many may be open.
    pub(super) fn limit(&self) -> usize {
        self.limit.min(self.most_descriptors)
    }

    /// `None` when there are as many as may be.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Pass> {
        self.enter_with(1)
    }

    /// For a WebSocket that is a stream of HTTP/2: a connection of its own, and two descriptors.
    pub(super) fn enter_stream(self: &Arc<Self>) -> Option<Pass> {
        self.enter_with(2)
    }

    fn enter_with(self: &Arc<Self>, descriptors: usize) -> Option<Pass> {
        let pass = Pass { gate: Arc::clone(self), descriptors };
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        let used = self.descriptors.fetch_add(descriptors, Ordering::Relaxed);
        // A pass that is refused gives its place back as it is dropped.
        (open < self.limit && used + descriptors <= self.most_descriptors).then_some(pass)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.open.fetch_sub(1, Ordering::Relaxed);
        self.gate.descriptors.fetch_sub(self.descriptors, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_opens_again_when_one_leaves() {
        let gate = Gate::new(2, 100);
        let first = gate.enter().unwrap();
        let _second = gate.enter().unwrap();
        assert!(gate.enter().is_none());
        assert!(gate.enter_stream().is_none());
        drop(first);
        assert!(gate.enter_stream().is_some());
    }

    #[test]
    fn streams_take_two_descriptors() {
        let gate = Gate::new(usize::MAX, 3);
        assert_eq!(gate.limit(), 3);
        let _connection = gate.enter().unwrap();
        let stream = gate.enter_stream().unwrap();
        assert!(gate.enter().is_none());
        drop(stream);
        let _second = gate.enter().unwrap();
        assert!(gate.enter_stream().is_none());
        assert!(gate.enter().is_some());
    }
}
