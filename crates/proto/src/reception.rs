//! Protocols whose sessions are more than one connection: who sorts requests to sessions.

use std::{borrow::Cow, fmt, net::SocketAddr};

use bytes::Bytes;
use http::Response;

use crate::Session;

/// A request to a protocol's mount, body and all.
#[derive(Debug)]
pub struct Request {
    /// What follows the mount in the path, without the slash between them, as it was sent.
    pub rest: String,
    /// The head.
    pub head: http::Request<()>,
    /// The body; a request for a WebSocket has none.
    pub body: Bytes,
    /// It asks for a WebSocket.
    pub is_websocket: bool,
    /// The client's address, where the system told.
    pub peer: Option<SocketAddr>,
}

impl Request {
    /// The pairs of the query, percent-decoded (`+` is a space), in their order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let query = self.head.uri().query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
    }

    /// The first value of a name in the query.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_pairs().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The first value of a header that is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name).and_then(|value| value.to_str().ok())
    }
}

/// Where a request belongs.
#[derive(Debug)]
pub enum Received {
    /// To no session: this is the answer. A request for a WebSocket is refused with it.
    Answer(Box<Response<Bytes>>),
    /// To a session that begins with it, under a name that nobody can guess.
    New,
    /// To the session of this name; where there is none, [`Reception::unknown`] answers.
    Known(String),
    /// To the session of this name, which begins with it where there is none.
    Either(String),
}

/// The longest name that a session may have, in bytes.
pub const MAX_NAME: usize = 128;

/// Sorts the requests below a mount to sessions, and begins these.
///
/// It is asked from many threads, and keeps nothing of any session.
pub trait Reception: Send + Sync + fmt::Debug {
    /// Says where a request belongs.
    fn receive(&self, request: &Request) -> Received;

    /// Begins a session. It hears [`Input::Opened`](crate::Input::Opened) and, unless this is a
    /// request for a WebSocket, which then is its carrier, the request.
    fn open(&self, name: &str, request: &Request) -> Box<dyn Session>;

    /// The answer to a request of a session that there is not, or not any more.
    fn unknown(&self, request: &Request) -> Response<Bytes>;

    /// The most bytes of a body.
    fn max_body(&self) -> usize;

    /// The answer to a request whose body is larger.
    fn too_large(&self, request: &Request) -> Response<Bytes>;
}
