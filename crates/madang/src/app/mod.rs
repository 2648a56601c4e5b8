//! The handlers that a Rust program registers.
//!
//! A handler is an async function that is given a [`Socket`]. It runs on the runtime that started
//! the server and never on a worker: whatever it waits for, no other client waits. Between the two
//! stands an inbox of at most [`Inbox::MAX_MESSAGES`](inbox) messages; when it is full, the worker
//! reads no more from that socket.

mod inbox;
mod inline;
mod socket;

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use madang_proto::{Cursor, Kind, Session, Topic, session::Present};

pub use inline::Reply;
pub(crate) use inline::{Inline, InlineHandler};
pub use socket::{Closed, Sender, Socket};
pub(crate) use socket::{Handler, begin};

/// What is asked of a client from outside its worker.
#[derive(Debug)]
pub(crate) enum Command {
    Send(Kind, Bytes),
    Close(u16, String),
    Join {
        topic: Topic,
        from: Cursor,
        present: Option<Present>,
    },
    Leave(Topic),
    /// Its handler has room again.
    Resume,
}

/// A client of some worker. What is asked of one that has gone is dropped.
pub(crate) trait Client: Send + Sync {
    fn command(&self, command: Command);
    /// A number for the session, unique in the process.
    fn session(&self) -> u64;
    fn peer(&self) -> Option<SocketAddr>;
}

type MakeSession = Box<dyn FnOnce(Arc<dyn Client>) -> Box<dyn Session> + Send>;

/// How a client's session begins once it has its place on a worker.
pub(crate) enum Begin {
    Session(Box<dyn Session>),
    Handler(MakeSession),
}
