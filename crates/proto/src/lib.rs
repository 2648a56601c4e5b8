//! The protocols that Madang speaks, each a state machine over messages and values.
//!
//! Nothing here knows a socket, a clock or a runtime: a [`Session`] is handed inputs and the time,
//! and leaves its wishes in an [`Out`]. What a topic carries is a [`Publication`].

pub mod publication;
pub mod session;
pub mod topic;

pub use publication::{Body, Position, Presence, PresenceChange, Publication};
pub use session::{Input, Intent, Out, Session, Token};
pub use topic::{Cursor, Topic};
