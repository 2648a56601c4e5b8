//! How many connections are open, and how many may be.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts a server's connections against a limit.
#[derive(Debug)]
pub(crate) struct Gate {
    open: AtomicUsize,
    limit: usize,
}

/// Stands for one open connection; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Pass(Arc<Gate>);

impl Gate {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), limit })
    }

    /// How many may be open.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// `None` when there are as many as may be.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Pass> {
        let pass = Pass(Arc::clone(self));
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        // A pass that is refused gives its place back as it is dropped.
        (before < self.limit).then_some(pass)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_opens_again_when_one_leaves() {
        let gate = Gate::new(2);
        let first = gate.enter().unwrap();
        let _second = gate.enter().unwrap();
        assert!(gate.enter().is_none());
        assert!(gate.enter().is_none());
        drop(first);
        assert!(gate.enter().is_some());
    }
}
