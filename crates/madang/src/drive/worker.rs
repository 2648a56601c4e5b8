//! A worker and its loop.

use std::{
    collections::VecDeque,
    future::{Future as _, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use madang_proto::Out;
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep};

use super::turn::MAX_HEARD;
use super::{
    client::Clients,
    deliver::Renderer,
    doorstep::Doors,
    drain::Drain,
    links::Names,
    mail::{ClientId, Mail, Protocols, WorkerHandle},
    outbox::{OutboxLimits, Pool},
    poll::{Poller, Ready},
    timers::Timers,
};
use crate::hub::{Endpoint, Hub, Members, Published};

/// What all workers of a server have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DriveConfig {
    pub(crate) limits: madang_ws::Limits,
    pub(crate) outbox: OutboxLimits,
    pub(crate) deflate: madang_ws::deflate::Settings,
    /// How long a client may say nothing before it is pinged.
    pub(crate) ping_interval: Duration,
    /// How long it may leave a ping unanswered.
    pub(crate) ping_timeout: Duration,
    /// How long a connection may say nothing at all, in whole seconds.
    pub(crate) silence: Duration,
    /// Topics that one client may be in.
    pub(crate) max_subscriptions: usize,
    /// Topics that it may join in a second, once it has joined so many; 0 is no limit.
    pub(crate) max_join_rate: u32,
}

impl Default for DriveConfig {
    fn default() -> Self {
        Self {
            limits: madang_ws::Limits::default(),
            outbox: OutboxLimits::default(),
            deflate: madang_ws::deflate::Settings::default(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            silence: Duration::from_secs(5),
            max_subscriptions: 1_000,
            max_join_rate: 100,
        }
    }
}

/// One worker. It lives on its thread.
pub(crate) struct Worker {
    pub(super) handle: WorkerHandle,
    pub(super) index: usize,
    pub(super) config: DriveConfig,
    pub(super) renderer: Renderer,
    pub(super) endpoint: Endpoint,
    pub(super) poller: Poller,
    pub(super) clients: Clients,
    pub(super) members: Members,
    /// The sessions that have names.
    pub(super) names: Names,
    pub(super) timers: Timers,
    pub(super) pool: Pool,
    /// Bytes of messages that this turn has heard.
    pub(super) heard: usize,
    /// Clients whose bytes were left by a turn that had heard enough.
    pub(super) hungry: VecDeque<ClientId>,
    /// Bytes of history that are on their way, and some that were when this was last counted.
    pub(super) replaying: usize,
    /// Clients to be flushed at the end of the turn.
    pub(super) dirty: Vec<u32>,
    /// Where everything is received; idle sockets own no buffer.
    pub(super) buffer: Vec<u8>,
    /// What TLS makes of it.
    pub(super) plain: Vec<u8>,
    /// Pongs and close frames on their way to an outbox.
    pub(super) scratch: Vec<u8>,
    pub(super) out: Out,
    /// What was taken from the mailbox and is not delivered yet.
    pub(super) mail: VecDeque<Mail>,
    pub(super) run: Vec<Arc<Published>>,
    /// A socket is to be read that was not to be: what it has already makes no new edge, so the poller
    /// is to be asked once more.
    pub(super) unread: bool,
    ready: Vec<Ready>,
    /// How many of `ready` were served.
    served: usize,
    started: Instant,
    pub(super) now: Instant,
    pub(super) sessions: u64,
    /// Set when the worker is to end.
    pub(super) leaving: Option<Drain>,
    pub(super) hub: Hub,
    /// All workers of the server.
    peers: Arc<[WorkerHandle]>,
    /// While another worker is behind with its mail, this one reads nothing until then.
    rest: Option<Pin<Box<Sleep>>>,
    /// Where connections come in; none when HTTP takes them all.
    pub(super) doors: Option<Doors>,
    /// It does not listen until the next sweep.
    pub(super) deaf: bool,
}

/// How long a worker reads nothing when another is behind.
const REST: Duration = Duration::from_millis(1);

/// The worker's one receive buffer.
const BUFFER: usize = 512 * 1024;
/// A turn that has received so much ends, whoever else is ready.
const MAX_RECEIVED: usize = 1024 * 1024;

impl Worker {
    /// A worker for the calling thread; must be called within its runtime.
    pub(crate) fn new(
        handle: WorkerHandle,
        index: usize,
        config: DriveConfig,
        protocols: Protocols,
        hub: &Hub,
        peers: Arc<[WorkerHandle]>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        handle.started(poller.wake());
        let now = Instant::now();
        Ok(Self {
            endpoint: hub.attach(Arc::new(handle.clone())),
            handle,
            index,
            config,
            renderer: Renderer { protocols, deflate: config.deflate },
            poller,
            clients: Clients::default(),
            members: Members::new(),
            names: Names::new(),
            timers: Timers::default(),
            pool: Pool::default(),
            heard: 0,
            hungry: VecDeque::new(),
            replaying: 0,
            dirty: Vec::new(),
            buffer: vec![0; BUFFER],
            plain: Vec::new(),
            scratch: Vec::new(),
            out: Out::default(),
            mail: VecDeque::new(),
            run: Vec::new(),
            unread: false,
            ready: Vec::with_capacity(Poller::MAX_EVENTS),
            served: 0,
            started: now,
            now,
            sessions: 0,
            leaving: None,
            hub: hub.clone(),
            peers,
            rest: None,
            doors: None,
            deaf: false,
        })
    }

    /// A handle for a worker that is about to start.
    pub(crate) fn handle(index: usize) -> WorkerHandle {
        WorkerHandle::new(index)
    }

    /// Runs until the worker was told to go away and its clients have gone.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        poll_fn(|cx| self.poll(cx, &mut tick)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, tick: &mut Interval) -> Poll<io::Result<()>> {
        if let Some(rest) = &mut self.rest {
            if rest.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.rest = None;
        }
        while tick.poll_tick(cx).is_ready() {
            self.now = Instant::now();
            self.sweep();
        }
        self.drain(cx);
        self.ring(cx);
        while self.poller.poll_ready(cx)?.is_ready() {
            if self.peers.iter().any(WorkerHandle::is_behind) {
                self.mail_only(cx);
                break;
            }
            if self.turn()? {
                // More waits: HTTP has its go first.
                cx.waker().wake_by_ref();
                break;
            }
            self.poller.clear_ready(cx);
        }
        // The mail may have told it to go away, or begun sessions that want to be told of the time.
        self.drain(cx);
        self.ring(cx);
        if self.has_left() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// It was told to go away, and nobody is left: no client, nobody in a listener's queue, and no
    /// HTTP connection that it would still wait for.
    fn has_left(&mut self) -> bool {
        let Some(until) = self.leaving.as_ref().map(|drain| drain.until) else { return false };
        let nobody = self.clients.len() == 0 && self.mail.is_empty();
        let is_late = self.now >= until;
        nobody && (is_late || !self.handle.has_visitors()) && (!self.knock_at_all() || is_late)
    }

    /// Some worker does not keep up with its mail. This one reads nothing for a moment, so that its
    /// clients cannot make more of it; what is there for its own clients still leaves.
    fn mail_only(&mut self, cx: &mut Context<'_>) {
        self.handle.begin_turn();
        self.now = Instant::now();
        self.deliver_mail();
        self.flush_dirty();
        self.clients.free_places();
        self.handle.end_turn();
        let mut rest = Box::pin(sleep(REST));
        if rest.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        self.rest = Some(rest);
    }

    /// One turn; true when there is more to do at once.
    fn turn(&mut self) -> io::Result<bool> {
        self.handle.begin_turn();
        self.now = Instant::now();
        // Nothing more is read before the mail is out that the last turn had no time for.
        self.heard = 0;
        let mut more = !self.mail.is_empty() || self.serve_ready()?;
        if self.mail.is_empty() {
            self.feed_hungry();
        }
        self.deliver_mail();
        self.flush_dirty();
        self.clients.free_places();
        more |= !self.mail.is_empty() || !self.hungry.is_empty();
        more |= std::mem::take(&mut self.unread);
        Ok(self.handle.end_turn() || more)
    }

    /// Reads from the sockets that are ready, up to a turn's share; true when more waits.
    fn serve_ready(&mut self) -> io::Result<bool> {
        // Those that the last turn did not come to go first: asked anew, the poller would begin with
        // the same sockets as then, and two that never run dry would be the only ones served.
        let is_asked = self.served == self.ready.len();
        if is_asked {
            self.served = 0;
            self.poller.take(&mut self.ready)?;
        }
        // What came since the poller was last asked made its edge then, and makes no other; nor does
        // what was told of a socket that has moved to another place.
        let mut more = !is_asked || self.poller.was_full();
        let mut received = 0;
        while received < MAX_RECEIVED
            && self.heard < MAX_HEARD
            && let Some(event) = self.ready.get(self.served)
        {
            let event = *event;
            self.served += 1;
            let read = self.serve(event);
            // An end behind what was read makes no new edge, and nobody else may come to cause one.
            more |= read == self.buffer.len() || (event.ended && read > 0);
            received += read;
        }
        Ok(more || self.served < self.ready.len())
    }

    /// The worker's clock in whole seconds.
    pub(super) fn seconds(&self) -> u32 {
        u32::try_from(self.now.duration_since(self.started).as_secs()).unwrap_or(u32::MAX)
    }
}

impl Drop for Worker {
    /// Whether it has done its work or a panic ends it: nobody takes its mail from now on.
    fn drop(&mut self) {
        self.handle.ended();
    }
}
