//! The protocols that Madang speaks, each a state machine over messages and values.
//!
//! Nothing here knows a socket, a clock or a runtime: a [`Session`] is handed inputs and the time,
//! and leaves its wishes in an [`Out`]. What a topic carries is a [`Publication`]; how a
//! subscriber sees it is [`Protocol::render`], which is no method of a session, so that one
//! rendering serves every member that takes the same [`Form`].
//!
//! Adding a protocol is a folder that exports a [`Protocol`], and one line in [`PROTOCOLS`].

pub mod engineio;
mod json;
pub mod protocol;
pub mod publication;
pub mod raw;
pub mod reception;
pub mod session;
pub mod socketio;
pub mod sockjs;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod topic;
pub mod topics;
pub mod who;

pub use protocol::{Carrier, Mount, Opening, Protocol, Rendered};
pub use publication::{Body, Position, Presence, PresenceChange, Publication};
pub use reception::{Reception, Request};
pub use session::{Form, Input, Intent, Kind, Link, Out, Session, Token};
pub use topic::{Cursor, Topic};

/// Every protocol, in the order in which mounts are tried. Routing, help and metrics derive from it.
pub static PROTOCOLS: &[&Protocol] =
    &[&raw::PROTOCOL, &topics::sse::PROTOCOL, &topics::stream::PROTOCOL, &socketio::PROTOCOL];
