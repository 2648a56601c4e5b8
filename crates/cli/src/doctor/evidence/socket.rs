//! What became of WebSockets and streams.

use std::time::Duration;

use serde::Serialize;

use super::{Bytes, maybe_millis, millis};

/// An open WebSocket.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Socket {
    /// The first messages, shortened.
    pub(crate) messages: Vec<String>,
    #[serde(serialize_with = "maybe_millis")]
    pub(crate) pong: Option<Duration>,
    pub(crate) pinged: bool,
    pub(crate) end: Option<End>,
    /// The first bytes after the 101, where they broke a rule.
    pub(crate) raw: Option<Bytes>,
    pub(crate) login: Option<Login>,
}

/// How it ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) by: By,
    #[serde(serialize_with = "millis")]
    pub(crate) after: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum By {
    Server,
    Cut,
    /// We had to, for this reason.
    Us(String),
}

/// What a protocol's login came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Login {
    In {
        heartbeat: Option<(u32, u32)>,
    },
    Refused(String),
    /// Nothing that the protocol knows.
    Nothing,
}

/// Two connections that were held open.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Hold {
    #[serde(serialize_with = "millis")]
    pub(crate) wanted: Duration,
    /// One of the two did not open.
    pub(crate) is_refused: bool,
    /// The one that said nothing.
    pub(crate) idle: Option<End>,
    /// The one that pinged; it was opened later.
    pub(crate) pinging: Option<End>,
    #[serde(serialize_with = "millis")]
    pub(crate) later: Duration,
    /// Pings that the server sent to the idle one.
    pub(crate) pings: u32,
    /// The first of them came after so long.
    #[serde(serialize_with = "maybe_millis")]
    pub(crate) first_ping: Option<Duration>,
    /// How long another idle one lived, which was opened to see whether the time is constant.
    #[serde(serialize_with = "maybe_millis")]
    pub(crate) again: Option<Duration>,
}

/// The largest message that passes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Size {
    pub(crate) tried: usize,
    pub(crate) passes: usize,
    pub(crate) fails: Option<(usize, End)>,
    /// A small compressed message ends the connection, where it does not when it is plain.
    pub(crate) deflate_fails: Option<End>,
}

/// A stream of events.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Stream {
    /// When something came, and how many events it ended.
    pub(crate) arrivals: Vec<(u64, usize)>,
    pub(crate) bytes: usize,
    pub(crate) ended: bool,
    /// The end was not the one that HTTP has (the last chunk).
    pub(crate) broken: bool,
    /// When another one ended, which was opened to see whether the time is constant.
    pub(crate) again: Option<u64>,
    /// What came of one that was asked for with gzip, where the server compressed it.
    pub(crate) gzip: Option<Vec<(u64, usize)>>,
    /// So long was that watched.
    pub(crate) gzip_ms: u64,
    pub(crate) direct: Option<Vec<(u64, usize)>>,
    pub(crate) watched_ms: u64,
}
