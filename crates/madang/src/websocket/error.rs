//! What ends a WebSocket that is open.

use std::fmt;
use std::io;
use std::sync::Arc;

use madang_ws::Misuse;

/// Why a message could not be received or sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol or went over a limit. It was told so in a close frame with
    /// [`close_code`](madang_ws::Error::close_code), and the connection is over.
    #[error(transparent)]
    Failed(madang_ws::Error),
    /// What was asked for is against the protocol. The connection goes on.
    #[error(transparent)]
    Misuse(Misuse),
    /// The connection is closing or closed: nothing more can be sent.
    #[error("the connection is closed")]
    Closed,
    /// The byte stream ended without a close frame: the network or the peer's program went away
    /// (RFC 6455 §7.1.5, code 1006).
    #[error("the connection was cut without a close frame")]
    Cut,
    /// The peer was silent for longer than [`Keepalive`](super::Keepalive) allows.
    #[error("the peer did not answer a ping in time")]
    Silent,
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[source] IoError),
}

impl From<madang_ws::Error> for Error {
    fn from(error: madang_ws::Error) -> Self {
        match error {
            madang_ws::Error::Misuse(Misuse::Closing) => Self::Closed,
            madang_ws::Error::Misuse(misuse) => Self::Misuse(misuse),
            error => Self::Failed(error),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error.into())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Failed(_) => io::ErrorKind::InvalidData,
            Error::Misuse(_) => io::ErrorKind::InvalidInput,
            Error::Closed => io::ErrorKind::NotConnected,
            Error::Cut => io::ErrorKind::UnexpectedEof,
            Error::Silent => io::ErrorKind::TimedOut,
            Error::Io(error) => error.kind(),
        };
        Self::new(kind, error)
    }
}

/// An [`io::Error`] that can be cloned, and compared by its kind.
#[derive(Clone, Debug)]
pub struct IoError(Arc<io::Error>);

impl IoError {
    /// The kind of the error.
    pub fn kind(&self) -> io::ErrorKind {
        self.0.kind()
    }

    /// The error that it was made of, such as one of `rustls`, if there is one.
    pub fn get_ref(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.get_ref()
    }
}

impl From<io::Error> for IoError {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl PartialEq for IoError {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind()
    }
}

impl Eq for IoError {}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for IoError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
