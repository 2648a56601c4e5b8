//! Real-time messaging: one yard with every door.
//!
//! A [`Server`] listens, takes WebSockets, and gives them to handlers of yours or to the protocols
//! that come with it; a [`Hub`](hub::Hub) carries what is published from whoever publishes it to
//! everyone in the topic.
//!
//! ```no_run
//! use madang::{Error, Server, Socket, proto::Topic};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     Server::new().websocket("/chat", talk).run().await
//! }
//!
//! async fn talk(mut socket: Socket) {
//!     let Ok(room) = Topic::new("room") else { return };
//!     socket.join(&room);
//!     while let Some(message) = socket.recv().await {
//!         let _ = socket.publish(&room, message);
//!     }
//! }
//! ```
//!
//! | to … | there is |
//! |---|---|
//! | write a server in async functions | [`Server::websocket`] and [`Socket`] |
//! | answer as fast as can be, without waiting | [`Server::inline`] and [`Reply`] |
//! | open the door that `madang serve` has at `/ws` | [`Server::protocol`] with [`proto::raw::PROTOCOL`] |
//! | publish from elsewhere in the program | [`Server::hub`] and [`Hub::publish`](hub::Hub::publish) |
//! | connect to a WebSocket server | [`connect()`], [`websocket::Connect`] |
//! | take WebSockets inside axum or hyper | [`websocket`] |
//! | speak WebSocket without sockets or clock | [`ws`], the crate `madang-ws` |
//!
//! A server has threads of its own, one for each core; handlers run on the tokio runtime that starts it.
//!
//! Features: `tls` (on by default) is `wss://` in the client; `axum` makes
//! `websocket::Upgrade` an extractor of axum 0.8.

mod app;
pub mod broker;
pub mod codes;
mod drive;
mod error;
pub mod hub;
mod server;
mod sync;
#[cfg(feature = "tls")]
pub mod tls;
pub mod websocket;

pub use app::{Closed, Reply, Sender, Socket};
pub use drive::{OutboxLimits, SlowConsumer};
pub use error::Error;
pub use madang_proto as proto;
pub use madang_ws as ws;
pub use server::{
    Forwarded, HttpLimits, ListenError, NoProxy, Reload, Running, Server, TrustedProxies,
    lan_addresses, stop_signal,
};
pub use websocket::{Message, WebSocket, connect};

/// The features that this crate was built with.
pub const FEATURES: &[&str] = &[
    #[cfg(feature = "axum")]
    "axum",
    #[cfg(feature = "tls")]
    "tls",
];

/// The guides, whose programs are tested as the examples here are.
#[cfg(doctest)]
mod guides {
    #[cfg(feature = "axum")]
    #[doc = include_str!("../../../docs/guide/axum.md")]
    mod axum {}
    #[doc = include_str!("../../../docs/guide/hyper.md")]
    mod hyper {}
    #[doc = include_str!("../../../docs/guide/protocol.md")]
    mod protocol {}
}

/// Bodies of fuzz targets, as `fuzz/` calls them.
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::server::proxy_protocol::fuzz_proxy;
    pub use madang_proto::engineio::fuzzing::fuzz_engineio;
    pub use madang_proto::socketio::fuzzing::fuzz_socketio;
    pub use madang_proto::topics::fuzzing::fuzz_topics;
}
