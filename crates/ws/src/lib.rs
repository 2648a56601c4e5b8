//! WebSocket as a state machine over bytes.

pub mod close;
mod config;
mod conn;
pub mod deflate;
pub mod error;
pub mod frame;
pub mod handshake;
mod mask;
mod message;
mod recv;
mod send;
mod utf8;

#[doc(inline)]
pub use close::{CloseCode, Closed, ClosedBy};
pub use config::{Limits, Role};
pub use conn::Connection;
#[doc(inline)]
pub use error::{Error, Misuse, PeerMisbehaved};
pub use message::{Event, Kind, Payload};
pub use recv::Input;
