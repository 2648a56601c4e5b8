//! The only place with sockets, timers and threads: workers that drive any session.
//!
//! One worker a core owns its connections from accept to close. An upgraded WebSocket is no task but
//! a place in the worker's table. The worker's loop is the root future of a tokio `current_thread`
//! runtime, on which HTTP and handshakes run as ordinary tasks; a *turn* of it is
//!
//! 1. take the sockets that are ready, at most [`Poller::MAX_EVENTS`](poll) of them;
//! 2. receive from each into the worker's one buffer, parse and unmask there, feed the session,
//!    carry out its intents; what it publishes goes to the hub, which posts it to the mailbox of
//!    every worker with members, this one included;
//! 3. empty the mailbox: neighbouring publications of a topic become one run of frames that all
//!    its members share;
//! 4. write every outbox that has something, once.
//!
//! A turn takes no more than it must, so that neither HTTP nor another client waits behind a flood.

mod backlog;
mod carrier;
mod client;
mod deliver;
mod doorstep;
mod drain;
mod intents;
mod links;
mod mail;
mod outbox;
mod poll;
mod reach;
mod secure;
mod stream;
mod sweep;
mod timers;
mod turn;
mod worker;

pub(crate) use carrier::{CarrierKind, Framing};
pub(crate) use doorstep::{Doorkeeper, Doors, Greeting, Guest};
pub(crate) use links::{Create, Homes, Key, Reply};
pub(crate) use mail::{Newcomer, Pass, Protocols, Reserved, Start, Visitor, WorkerHandle};
pub use outbox::{OutboxLimits, SlowConsumer};
pub(crate) use stream::{Stream, pair};
pub(crate) use worker::{DriveConfig, Worker};
