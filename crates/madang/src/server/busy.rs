//! Handlers that run.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::app::Handler;

/// Counts the calls of a server's handlers, so that its end can wait for theirs.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(Arc<Calls>);

#[derive(Debug, Default)]
struct Calls {
    running: AtomicUsize,
    last_ended: Notify,
}

/// One call; dropping it says that it is over.
struct Call(Arc<Calls>);

impl Drop for Call {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.last_ended.notify_waiters();
        }
    }
}

impl Busy {
    /// The same handler, counted.
    pub(super) fn watch(&self, handler: Handler) -> Handler {
        let calls = Arc::clone(&self.0);
        Arc::new(move |socket| {
            calls.running.fetch_add(1, Ordering::AcqRel);
            let call = Call(Arc::clone(&calls));
            let future = handler(socket);
            Box::pin(async move {
                future.await;
                drop(call);
            })
        })
    }

    pub(super) fn count(&self) -> usize {
        self.0.running.load(Ordering::Acquire)
    }

    /// Returns when no handler runs.
    pub(super) async fn idle(&self) {
        loop {
            // Registered before the count is looked at, so that the last end is not missed.
            let ended = self.0.last_ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            ended.await;
        }
    }
}
