//! Real-time messaging: one yard with every door.
//!
//! A [`Server`] listens, takes WebSockets, and gives them to handlers of yours or to the protocols
//! that come with it; a [`Hub`](hub::Hub) carries what is published from whoever publishes it to
//! everyone in the topic.

mod app;
pub mod broker;
mod drive;
mod error;
pub mod hub;
mod server;
mod sync;
pub mod websocket;

pub use app::{Closed, Reply, Sender, Socket};
pub use drive::{OutboxLimits, SlowConsumer};
pub use error::Error;
pub use madang_proto as proto;
pub use madang_ws as ws;
pub use server::{ListenError, Running, Server, lan_addresses, stop_signal};
pub use websocket::{Message, WebSocket, connect};
