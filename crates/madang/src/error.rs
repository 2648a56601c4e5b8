//! What can go wrong with a server.

use std::io;

use crate::server::ListenError;

/// Why a server did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system refused something.
    #[error("the system refused: {0}")]
    Io(#[from] io::Error),
    /// A worker ended before it was told to; the log says why.
    #[error("a worker died; the log says why")]
    WorkerDied,
}
