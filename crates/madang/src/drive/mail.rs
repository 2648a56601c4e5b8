//! What reaches a worker from outside its turn: publications, handed-over sockets, commands.

use std::{
    cell::Cell,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use madang_proto::Protocol;

use super::poll::Wake;
use crate::{
    app::{Begin, Client, Command},
    hub::{self, Mailbox},
};

/// One item for a worker.
pub(super) enum Mail {
    Hub(hub::Mail),
    Adopt(Box<Newcomer>),
    Command(ClientId, Command),
    GoAway { until: Instant },
}

impl Mail {
    /// About how many bytes it holds, for as long as it waits.
    fn weight(&self) -> usize {
        const ITEM: usize = 64;
        match self {
            Self::Hub(hub::Mail::Published(published)) => {
                ITEM + published.publication().body.bytes().len()
            }
            Self::Command(_, Command::Send(_, bytes)) => ITEM + bytes.len(),
            _ => ITEM,
        }
    }
}

/// A socket whose handshake is done.
pub(crate) struct Newcomer {
    pub(crate) stream: TcpStream,
    pub(crate) peer: Option<SocketAddr>,
    /// What the client sent behind its handshake.
    pub(crate) early: Vec<u8>,
    pub(crate) deflate: Option<madang_ws::deflate::Agreement>,
    /// Which protocol renders for it, as the worker's list numbers them.
    pub(crate) protocol: u8,
    pub(crate) begin: Begin,
    /// Held for as long as the connection is open.
    pub(crate) pass: Pass,
}

/// Where a client is: a place that is used again, and which occupant of it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl ClientId {
    pub(super) fn token(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    pub(super) fn of(token: u64) -> Self {
        Self { slot: token as u32, generation: (token >> 32) as u32 }
    }
}

/// Whatever counts a connection; the worker only keeps it.
pub(crate) type Pass = Arc<dyn Send + Sync>;

/// A worker, as other threads see it. Cloning counts a reference.
#[derive(Clone)]
pub(crate) struct WorkerHandle(Arc<Shared>);

struct Shared {
    index: usize,
    mailbox: Mailbox<Mail>,
    /// About how many bytes wait in the mailbox.
    waiting: AtomicUsize,
    wake: OnceLock<Wake>,
}

thread_local! {
    /// The worker whose turn runs on this thread. It empties its mailbox before it waits again, so
    /// that what it posts to itself needs no wake-up.
    static TURN: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl WorkerHandle {
    pub(super) fn new(index: usize) -> Self {
        let waiting = AtomicUsize::new(0);
        Self(Arc::new(Shared { index, mailbox: Mailbox::new(), waiting, wake: OnceLock::new() }))
    }

    /// The worker has a poller now. Mail that came before is found by its first turn.
    pub(super) fn started(&self, wake: Wake) {
        wake.wake();
        // Only the worker's own thread calls this, and once.
        drop(self.0.wake.set(wake));
    }

    pub(super) fn begin_turn(&self) {
        TURN.set(self.0.index);
    }

    /// True when something came while the turn ran.
    pub(super) fn end_turn(&self) -> bool {
        TURN.set(usize::MAX);
        !self.0.mailbox.is_empty()
    }

    pub(super) fn take_mail(&self, into: &mut Vec<Mail>) {
        // What is posted in between is counted until the next time.
        self.0.waiting.store(0, Ordering::Relaxed);
        self.0.mailbox.drain_into(into);
    }

    /// The worker does not keep up with its mail: those who make more of it are to wait.
    pub(super) fn is_behind(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > Self::MAX_WAITING
    }

    /// Over so many bytes of mail, no worker reads from its sockets.
    const MAX_WAITING: usize = 8 * 1024 * 1024;

    fn post(&self, mail: Mail) {
        self.0.waiting.fetch_add(mail.weight(), Ordering::Relaxed);
        let was_empty = self.0.mailbox.push(mail);
        if was_empty
            && TURN.get() != self.0.index
            && let Some(wake) = self.0.wake.get()
        {
            wake.wake();
        }
    }

    pub(crate) fn adopt(&self, newcomer: Newcomer) {
        self.post(Mail::Adopt(Box::new(newcomer)));
    }

    /// Closes all clients with 1001, those that do not answer after `grace`, and ends the worker.
    pub(crate) fn go_away(&self, grace: Duration) {
        self.post(Mail::GoAway { until: Instant::now() + grace });
    }
}

impl hub::Post for WorkerHandle {
    fn post(&self, mail: hub::Mail) {
        Self::post(self, Mail::Hub(mail));
    }
}

/// One client of a worker, to be commanded from any thread.
pub(super) struct ClientHandle {
    pub(super) worker: WorkerHandle,
    pub(super) id: ClientId,
    pub(super) session: u64,
    pub(super) peer: Option<SocketAddr>,
}

impl Client for ClientHandle {
    fn command(&self, command: Command) {
        self.worker.post(Mail::Command(self.id, command));
    }

    fn session(&self) -> u64 {
        self.session
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}

/// The protocols that a server speaks; a [`Newcomer`] names one by its index.
pub(crate) type Protocols = Arc<[&'static Protocol]>;
