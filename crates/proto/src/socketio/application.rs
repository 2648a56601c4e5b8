//! What a server of Socket.IO does with its sockets.

use std::{borrow::Cow, fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{args::Args, packet::Limits, socket::Socket};
use crate::Request;

/// An application: one value for all connections of a mount. Its methods are called for one socket at
/// a time, and answer at once.
pub trait Application: Send + Sync + 'static {
    /// What it keeps for each socket.
    type Data: Send;

    /// Whether rooms are topics, which clients of other doors share: room `T` of `/` is topic `T`, and
    /// room `T` of `/ns` is topic `ns/T`. If not, rooms are for this namespace's sockets only.
    fn is_bridged(&self) -> bool {
        false
    }

    /// A client wants to join a namespace, with a payload in JSON (`{}` if it has none). It is in
    /// when this returns and what [`Socket::join`] was called for here is in force.
    ///
    /// # Errors
    /// What the client is told.
    fn connect(&self, socket: &mut Socket<'_, '_>, auth: &str) -> Result<Self::Data, Refused>;

    /// A client has sent an event.
    fn event(&self, data: &mut Self::Data, socket: &mut Socket<'_, '_>, event: &Incoming<'_>);

    /// A question of [`Socket::ask`] was answered; `None` when it was not in time.
    fn answered(
        &self,
        data: &mut Self::Data,
        socket: &mut Socket<'_, '_>,
        question: u32,
        answer: Option<Payload<'_>>,
    ) {
        let _ = (data, socket, question, answer);
    }

    /// A socket has left its namespace; it can publish still, but be sent nothing.
    fn left(&self, data: &mut Self::Data, socket: &mut Socket<'_, '_>, reason: &'static str) {
        let _ = (data, socket, reason);
    }
}

/// Why a client may not join a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what the packet has room for")]
pub struct Refused {
    /// A sentence.
    pub message: Cow<'static, str>,
    /// More, in JSON.
    pub data: Option<String>,
}

impl Refused {
    /// There is no such namespace.
    pub const NAMESPACE: Self = Self { message: Cow::Borrowed("Invalid namespace"), data: None };
}

/// Arguments, and the bytes that belong into their placeholders.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever sends")]
pub struct Payload<'a> {
    /// In JSON.
    pub args: Args<'a>,
    /// By the numbers of their placeholders.
    pub attachments: &'a [Bytes],
}

impl<'a> Payload<'a> {
    /// Arguments without bytes.
    pub fn of(args: Args<'a>) -> Self {
        Self { args, attachments: &[] }
    }
}

/// An event of a client.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming<'a> {
    /// Its name.
    pub name: &'a str,
    /// What came with it.
    pub payload: Payload<'a>,
    /// Answers with [`Socket::ack`], where the client asked for that.
    pub ack: Option<u64>,
}

/// What is known of a connection's first request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Handshake {
    /// The query string.
    pub query: Box<str>,
    /// The client's address, where the system told.
    pub peer: Option<SocketAddr>,
}

impl Handshake {
    pub(super) fn of(request: &Request) -> Arc<Self> {
        let query = request.head.uri().query().unwrap_or_default().into();
        Arc::new(Self { query, peer: request.peer })
    }

    /// The pairs of the query, percent-decoded, in their order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query.as_bytes())
    }
}

/// How long things take and how many there may be.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "made from its default by whoever serves it")]
pub struct Settings {
    /// How long a client may take to join its first namespace (default 45 s).
    pub connect_timeout: Duration,
    /// Bounds of packets.
    pub limits: Limits,
    /// Bytes of a packet and its attachments (default 1 MiB).
    pub max_bytes: usize,
    /// Namespaces that one connection may be in (default 64).
    pub max_namespaces: usize,
    /// Rooms that the sockets of one connection may be in together (default 4,096).
    pub max_rooms: usize,
    /// Questions that may wait for a socket's answers (default 256).
    pub max_questions: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            limits: Limits::default(),
            max_bytes: 1024 * 1024,
            max_namespaces: 64,
            max_rooms: 4096,
            max_questions: 256,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}
