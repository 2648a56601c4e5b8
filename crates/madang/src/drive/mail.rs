//! What reaches a worker from outside its turn: publications, handed-over sockets, commands.

use std::{
    cell::Cell,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use madang_proto::{Link, Protocol, Request, Session};
use tokio::sync::oneshot;

use super::{
    carrier::CarrierKind,
    links::{Create, Exchange, Key, Reply, Word},
    poll::Wake,
    stream::Stream,
};
use crate::{
    app::{Begin, Client, Command},
    hub::{self, Mailbox},
};

/// One item for a worker.
pub(super) enum Mail {
    Hub(hub::Mail),
    Reserve(Box<Newcomer>, oneshot::Sender<Reserved>),
    Adopt(ClientId, Stream, Vec<u8>),
    Forget(ClientId),
    Command(ClientId, Command),
    Exchange(Box<Exchange>),
    /// The request of an exchange is on its way.
    Announce(Key, u64, oneshot::Sender<Reply>),
    /// The client of an exchange has hung up.
    HangUp(Key, u64),
    Link(ClientId, Link, Word),
    GoAway {
        until: Instant,
    },
}

impl Mail {
    /// About how many bytes it holds, for as long as it waits.
    pub(super) fn weight(&self) -> usize {
        const ITEM: usize = 64;
        /// A head, with what it takes to keep it.
        const REQUEST: usize = 2048;
        match self {
            Self::Hub(hub::Mail::Published(published)) => {
                let publication = published.publication();
                let exact = publication.exact.as_ref().map_or(0, |exact| exact.len());
                ITEM + publication.body.bytes().len() + exact
            }
            Self::Command(_, Command::Send(_, bytes)) | Self::Link(.., Word::Said(_, bytes)) => {
                ITEM + bytes.len()
            }
            Self::Exchange(exchange) => REQUEST + exchange.request.body.len(),
            _ => ITEM,
        }
    }
}

/// A client whose handshake is about to be answered.
pub(crate) struct Newcomer {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) carrier: CarrierKind,
    /// Which protocol renders for it, as the worker's list numbers them.
    pub(crate) protocol: u8,
    pub(crate) begin: Start,
    /// Held for as long as the connection is open.
    pub(crate) pass: Pass,
}

/// What a newcomer is to the sessions that there are.
pub(crate) enum Start {
    /// One of its own.
    Begin(Begin),
    /// One of its own, to which others may come by its name.
    Named(Key, Box<dyn Session>),
    /// A link of a session.
    Attach(Key),
}

impl From<Begin> for Start {
    fn from(begin: Begin) -> Self {
        Self::Begin(begin)
    }
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
    /// HTTP connections on the worker's runtime.
    visitors: AtomicUsize,
    /// It was told to go away.
    leaving: AtomicBool,
    /// Its mail is for nobody any more.
    ended: AtomicBool,
    wake: OnceLock<Wake>,
}

/// Stands for an HTTP connection that a worker waits for before it goes away.
pub(crate) struct Visitor(WorkerHandle);

impl Drop for Visitor {
    fn drop(&mut self) {
        let shared = &*self.0.0;
        let was_last = shared.visitors.fetch_sub(1, Ordering::Relaxed) == 1;
        if was_last
            && shared.leaving.load(Ordering::Relaxed)
            && let Some(wake) = shared.wake.get()
        {
            wake.wake();
        }
    }
}

thread_local! {
    /// The worker whose turn runs on this thread. It empties its mailbox before it waits again, so
    /// that what it posts to itself needs no wake-up.
    static TURN: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl WorkerHandle {
    pub(super) fn new(index: usize) -> Self {
        Self(Arc::new(Shared {
            index,
            mailbox: Mailbox::new(),
            waiting: AtomicUsize::new(0),
            visitors: AtomicUsize::new(0),
            leaving: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            wake: OnceLock::new(),
        }))
    }

    /// Its place among the server's workers.
    pub(crate) fn index(&self) -> usize {
        self.0.index
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
        self.0.mailbox.drain_into(into);
    }

    /// Mail of so many bytes is delivered. (Setting the count to zero instead could count what is
    /// posted meanwhile for ever, and the others would rest for a worker that has nothing to do.)
    pub(super) fn delivered(&self, bytes: usize) {
        self.0.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The worker is no more: what waits is dropped, and so is what still comes.
    pub(super) fn ended(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
        self.0.waiting.store(0, Ordering::Relaxed);
        self.0.mailbox.drain_into(&mut Vec::new());
    }

    /// Notes an HTTP connection.
    pub(crate) fn visit(&self) -> Visitor {
        self.0.visitors.fetch_add(1, Ordering::Relaxed);
        Visitor(self.clone())
    }

    pub(super) fn has_visitors(&self) -> bool {
        self.0.visitors.load(Ordering::Relaxed) > 0
    }

    /// The worker does not keep up with its mail: those who make more of it are to wait.
    pub(crate) fn is_behind(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > Self::MAX_WAITING
    }

    /// Over so many bytes of mail, no worker reads from its sockets.
    const MAX_WAITING: usize = 8 * 1024 * 1024;

    pub(super) fn post(&self, mail: Mail) {
        if self.0.ended.load(Ordering::Relaxed) {
            return;
        }
        self.0.waiting.fetch_add(mail.weight(), Ordering::Relaxed);
        let was_empty = self.0.mailbox.push(mail);
        if self.0.ended.load(Ordering::Relaxed) {
            // It ended meanwhile. Whoever waits for an answer hears that there will be none.
            return self.ended();
        }
        if was_empty
            && TURN.get() != self.0.index
            && let Some(wake) = self.0.wake.get()
        {
            wake.wake();
        }
    }

    /// Gives a client its place before its handshake is answered, so that whoever has the answer is
    /// in the topics that it asked for. `None` when the worker has ended.
    pub(crate) async fn reserve(&self, newcomer: Newcomer) -> Option<Reserved> {
        let (reply, place) = oneshot::channel();
        self.post(Mail::Reserve(Box::new(newcomer), reply));
        // Whoever stops waiting drops what the worker has sent, and with it the place.
        place.await.ok()
    }

    /// Brings a request to its session. `None` when the worker has ended, or the session has without
    /// an answer. Whoever stops waiting has hung up.
    pub(crate) async fn exchange(
        &self,
        key: Key,
        request: Request,
        create: Option<Create>,
    ) -> Option<Reply> {
        let (reply, mut exchange) = self.begin_exchange(&key);
        let ticket = exchange.ticket;
        let reply = Some(reply);
        self.post(Mail::Exchange(Box::new(Exchange { key, request, create, ticket, reply })));
        exchange.answer().await
    }

    /// Tells a session that a request is on its way.
    pub(crate) fn announce(&self, key: &Key) -> Announced<'_> {
        let (reply, exchange) = self.begin_exchange(key);
        self.post(Mail::Announce(key.clone(), exchange.ticket, reply));
        exchange
    }

    fn begin_exchange(&self, key: &Key) -> (oneshot::Sender<Reply>, Announced<'_>) {
        static TICKETS: AtomicU64 = AtomicU64::new(0);
        let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        (reply, Announced { worker: self, key: Some(key.clone()), ticket, answer })
    }

    /// Closes all clients with 1001, those that do not answer after `grace`, and ends the worker.
    pub(crate) fn go_away(&self, grace: Duration) {
        self.0.leaving.store(true, Ordering::Relaxed);
        self.post(Mail::GoAway { until: Instant::now() + grace });
    }
}

/// Somebody waits for the answer to a request, or is about to bring it; dropping it hangs up.
pub(crate) struct Announced<'a> {
    worker: &'a WorkerHandle,
    /// `None` once it is answered.
    key: Option<Key>,
    ticket: u64,
    answer: oneshot::Receiver<Reply>,
}

impl Announced<'_> {
    /// Brings the request.
    pub(crate) fn bring(&self, request: Request) {
        let Some(key) = self.key.clone() else { return };
        let ticket = self.ticket;
        let exchange = Exchange { key, request, create: None, ticket, reply: None };
        self.worker.post(Mail::Exchange(Box::new(exchange)));
    }

    /// The answer, which may come before the request. Cancel-safe; to be asked for once.
    pub(crate) async fn answer(&mut self) -> Option<Reply> {
        let answer = (&mut self.answer).await.ok();
        self.key = None;
        answer
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.worker.post(Mail::HangUp(key, self.ticket));
        }
    }
}

/// The place of a client whose socket has yet to come. Dropping it gives the place up.
pub(crate) struct Reserved {
    worker: WorkerHandle,
    id: ClientId,
    is_used: bool,
}

impl Reserved {
    pub(super) fn new(worker: WorkerHandle, id: ClientId) -> Self {
        Self { worker, id, is_used: false }
    }

    /// The answer is written: the socket, and what the client sent behind its handshake.
    pub(crate) fn adopt(mut self, stream: Stream, early: Vec<u8>) {
        self.is_used = true;
        self.worker.post(Mail::Adopt(self.id, stream, early));
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.is_used {
            self.worker.post(Mail::Forget(self.id));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_rests_for_a_worker_that_has_ended() {
        let handle = WorkerHandle::new(0);
        let id = ClientId { slot: 0, generation: 0 };
        let send = || {
            let bytes = vec![0; WorkerHandle::MAX_WAITING].into();
            handle.post(Mail::Command(id, Command::Send(madang_proto::Kind::Binary, bytes)));
        };
        send();
        assert!(handle.is_behind());
        let mut mail = Vec::new();
        handle.take_mail(&mut mail);
        handle.delivered(mail.iter().map(Mail::weight).sum());
        assert!(!handle.is_behind());
        handle.ended();
        send();
        assert!(!handle.is_behind());
        assert!(handle.0.mailbox.is_empty());
    }
}
