//! Why a WebSocket could not be opened.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use madang_ws::handshake::client::{self, HeadError, RequestError};

use super::IoError;

/// Why a WebSocket could not be opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Not a URL of a WebSocket (RFC 6455 §3): `ws://` or `wss://`, a host, no fragment.
    #[error("{0:?} is not the URL of a WebSocket, such as ws://127.0.0.1:8000/ws")]
    Url(String),
    /// The request cannot be made.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The header with this name cannot be sent.
    #[error("the header {0:?} has a name or value that HTTP does not allow")]
    Header(String),
    /// Not the URL of a proxy. It is not shown: it may have a password in it.
    #[error("the proxy's URL is none such as http://user:password@proxy.example:3128")]
    Proxy,
    /// The crate was built without its feature `tls`.
    #[error("wss:// needs the feature `tls`")]
    NoTls,
    /// The host's name has no address.
    #[error("cannot find the address of {host}: {error}")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        error: IoError,
    },
    /// No TCP connection to any address of the host.
    #[error("cannot connect to {address}: {error}")]
    Tcp {
        /// The address that was tried last.
        address: SocketAddr,
        /// What happened there.
        #[source]
        error: IoError,
    },
    /// The proxy refused to open a tunnel: its whole answer, the body up to 64 KiB.
    #[error("the proxy answered {} instead of opening a tunnel", .0.status())]
    Tunnel(Box<Response<Bytes>>),
    /// TLS could not be opened: most often a certificate that is not trusted.
    #[error("TLS failed: {0}")]
    Tls(#[source] IoError),
    /// The connection was lost before the server answered.
    #[error("the connection was lost during the handshake: {0}")]
    Io(#[source] IoError),
    /// It took too long.
    #[error("no {0} in time")]
    Timeout(Phase),
    /// The server does not speak HTTP.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The server answered, and not with a WebSocket: its whole answer, the body up to 64 KiB.
    #[error("the server answered {} instead of opening a WebSocket", .0.status())]
    Refused(Box<Response<Bytes>>),
    /// The server's `101` is wrong.
    #[error("{error}")]
    Handshake {
        /// What is wrong with it.
        #[source]
        error: client::Error,
        /// The head of the answer; the body is empty.
        response: Box<Response<Bytes>>,
    },
}

impl ConnectError {
    /// The server's answer, if it refused or its `101` is wrong. A proxy's is in
    /// [`Tunnel`](Self::Tunnel).
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Refused(response) | Self::Handshake { response, .. } => Some(response),
            _ => None,
        }
    }
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Looking up the host's addresses.
    Dns,
    /// Connecting by TCP.
    Tcp,
    /// Waiting for the proxy to open a tunnel.
    Tunnel,
    /// Opening TLS.
    Tls,
    /// Waiting for the answer to the upgrade.
    Handshake,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "address of the host",
            Self::Tcp => "TCP connection",
            Self::Tunnel => "tunnel through the proxy",
            Self::Tls => "TLS connection",
            Self::Handshake => "answer to the handshake",
        })
    }
}
