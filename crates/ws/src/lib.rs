//! WebSocket as a state machine over bytes.

pub mod deflate;
pub mod handshake;

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opened the connection.
    Client,
    /// Took the connection.
    Server,
}
