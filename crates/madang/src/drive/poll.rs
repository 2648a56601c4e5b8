//! The worker's poller: level-triggered epoll behind a small interface, itself one file
//! descriptor of the worker's tokio runtime.
//!
//! What another system needs (kqueue) goes behind the same few functions.

use std::{
    cell::Cell,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    task::{Context, Poll},
};

use rustix::event::{EventfdFlags, epoll, eventfd};
use tokio::io::unix::AsyncFd;

/// What a socket waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interest {
    pub(super) read: bool,
    pub(super) write: bool,
}

impl Interest {
    pub(super) const READ: Self = Self { read: true, write: false };
    pub(super) const NONE: Self = Self { read: false, write: false };

    fn flags(self) -> epoll::EventFlags {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN | epoll::EventFlags::RDHUP, self.read);
        flags.set(epoll::EventFlags::OUT, self.write);
        flags
    }
}

/// A socket is ready.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that the system tells by itself")]
pub(super) struct Ready {
    /// The token that it was added with.
    pub(super) token: u64,
    /// There is something to read, or the peer's end has come.
    pub(super) read: bool,
    /// The peer's end has come, maybe behind something to read.
    pub(super) ended: bool,
    /// The connection is gone in both directions; told to those who do not wait for it too.
    pub(super) broken: bool,
    /// There is room to write.
    pub(super) write: bool,
}

/// Sockets that are watched, and a [`Wake`] that ends a wait from any thread.
pub(super) struct Poller {
    epoll: AsyncFd<OwnedFd>,
    events: Vec<epoll::Event>,
    wake: Wake,
    /// Somebody waits for something else since the last [`Poller::take`].
    changed: Cell<bool>,
}

/// The token of the wake-up; no socket has it.
const WAKE: u64 = u64::MAX;

impl Poller {
    /// A turn takes at most this many events, so that one flood cannot starve HTTP on the same
    /// thread.
    pub(super) const MAX_EVENTS: usize = 128;

    /// Must be called within a tokio runtime.
    pub(super) fn new() -> io::Result<Self> {
        let inner = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Edge-triggered, so that nobody has to read it.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&inner, &fd, epoll::EventData::new_u64(WAKE), flags)?;
        Ok(Self {
            epoll: register(inner)?,
            events: Vec::with_capacity(Self::MAX_EVENTS),
            wake: Wake(Arc::new(fd)),
            changed: Cell::new(false),
        })
    }

    pub(super) fn wake(&self) -> Wake {
        self.wake.clone()
    }

    pub(super) fn add(&self, socket: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(self.epoll.get_ref(), socket, data, interest.flags())?)
    }

    /// Waits for something else. If that is there already, it may make no edge: epoll still lists a
    /// socket whose event was taken, until it is asked again, and what is listed is not told anew. So
    /// the poller is to be asked once more, see [`Poller::has_changed`].
    pub(super) fn modify(
        &self,
        socket: impl AsFd,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        self.changed.set(true);
        Ok(epoll::modify(self.epoll.get_ref(), socket, data, interest.flags())?)
    }

    /// Watches a socket no longer that somebody else will.
    pub(super) fn delete(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(self.epoll.get_ref(), socket)?)
    }

    /// Ready when there may be events; otherwise the task is woken when there are.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.epoll.poll_read_ready(cx).map_ok(|_| ())
    }

    /// Forgets that there may be events. Only right when the last [`Poller::take`] was not full and
    /// no socket was left with something unread: what is still ready makes no new edge.
    pub(super) fn clear_ready(&self, cx: &mut Context<'_>) {
        if let Poll::Ready(Ok(mut guard)) = self.epoll.poll_read_ready(cx) {
            guard.clear_ready();
        }
    }

    /// The events that there are, without waiting.
    pub(super) fn take(&mut self, into: &mut Vec<Ready>) -> io::Result<()> {
        const NOW: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        into.clear();
        self.changed.set(false);
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(self.epoll.get_ref(), spare, Some(&NOW)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &self.events {
            let (flags, data) = (event.flags, event.data);
            if data.u64() != WAKE {
                into.push(Ready {
                    token: data.u64(),
                    read: flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP),
                    ended: flags.intersects(
                        epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR,
                    ),
                    broken: flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR),
                    write: flags.contains(epoll::EventFlags::OUT),
                });
            }
        }
        Ok(())
    }

    /// A socket was told to wait for something else since the last [`Poller::take`].
    pub(super) fn has_changed(&self) -> bool {
        self.changed.get()
    }

    /// The last [`Poller::take`] filled its list: there may be more.
    pub(super) fn was_full(&self) -> bool {
        self.events.len() == Self::MAX_EVENTS
    }
}

#[expect(unsafe_code, reason = "tokio asks for a promise about the descriptor's life")]
fn register(epoll: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    let interest = tokio::io::Interest::READABLE;
    // SAFETY: the `AsyncFd` owns the descriptor, nothing else closes or replaces it, and an
    // `OwnedFd` names the same descriptor for as long as it lives.
    let registered = unsafe { AsyncFd::register_with_interest(epoll, interest) };
    registered.map_err(|error| error.into_parts().1)
}

/// Ends a worker's wait from any thread.
#[derive(Debug, Clone)]
pub(super) struct Wake(Arc<OwnedFd>);

impl Wake {
    /// One system call; call it when a mailbox was empty.
    pub(super) fn wake(&self) {
        // A full counter (2^64 - 2) is a wake-up that is still to be seen, and there is no other
        // error to expect of a descriptor that we hold.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}
