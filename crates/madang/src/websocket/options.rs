//! What can be set on a WebSocket.

use std::time::Duration;

use madang_ws::Limits;
use madang_ws::deflate::Settings;

/// How a WebSocket behaves. `Options::default()` suits a server; [`Options::client`] a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bounds on what the peer may send.
    pub limits: Limits,
    /// Compression (RFC 7692), used when the peer has it too.
    pub deflate: Settings,
    /// Pings while nothing comes; `None` sends none.
    pub keepalive: Option<Keepalive>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            deflate: Settings::default(),
            keepalive: Some(Keepalive::default()),
        }
    }
}

impl Options {
    /// For a client: no pings of its own, since servers send them.
    pub fn client() -> Self {
        Self { keepalive: None, ..Self::default() }
    }
}

/// When to ping a silent peer, and when to give it up. Both need the socket to be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// A ping goes out when nothing came for this long. The default, 25 s, is below the 30 s after
    /// which some proxies cut a silent connection.
    pub interval: Duration,
    /// The connection is given up when nothing came for this long after a ping. 20 s by default.
    pub timeout: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { interval: Duration::from_secs(25), timeout: Duration::from_secs(20) }
    }
}
