//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692) as a state machine over bytes: no sockets,
//! no clock, no runtime, both sides.
//!
//! [`handshake`] turns an HTTP exchange into a connection, as functions on `http` types.
//! [`Connection`] is the connection: bytes that came in go through [`Connection::handle_input`] and
//! become [`Event`]s; what is to be sent is appended to a buffer that the caller owns, so that
//! everything of one turn leaves in one write. Time is an argument.
//!
//! A message whose frame lies in the input whole is unmasked there and borrowed: it is neither copied
//! nor allocated. An idle connection holds no heap memory. A peer that breaks a rule or a limit
//! ([`Limits`]) fails the connection with the close code that the standard names, and invalid UTF-8
//! does so at the first byte that cannot be right.
//!
//! ```
//! use std::time::Instant;
//! use madang_ws::{CloseCode, Connection, Event, Input, Kind, Limits, Role};
//!
//! let limits = Limits::default();
//! let mut client = Connection::new(Role::Client, &limits, None);
//! let mut server = Connection::new(Role::Server, &limits, None);
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//!
//! // The client sends a message, and the server sends it back.
//! client.send(Kind::Text, "안녕".as_bytes(), &mut to_server)?;
//! let mut input = Input::new(&mut to_server);
//! while let Some(event) = server.handle_input(&mut input, Instant::now()) {
//!     if let Event::Message { kind, payload } = event {
//!         server.send(kind, &payload, &mut to_client)?;
//!     }
//! }
//! // The server has enough; its close frame leaves after the message.
//! server.close(CloseCode::NORMAL, "bye", Instant::now())?;
//! let _ = server.poll_transmit(&mut to_client);
//!
//! let mut input = Input::new(&mut to_client);
//! let echo = client.handle_input(&mut input, Instant::now());
//! assert!(matches!(echo, Some(Event::Message { payload, .. }) if payload.as_str() == Some("안녕")));
//! let end = client.handle_input(&mut input, Instant::now());
//! assert!(matches!(end, Some(Event::Closed(closed)) if closed.reason == "bye"));
//! # Ok::<(), madang_ws::Error>(())
//! ```

pub mod close;
mod config;
mod conn;
pub mod deflate;
pub mod error;
pub mod frame;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
pub mod handshake;
mod mask;
mod message;
mod recv;
mod send;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod utf8;

#[doc(inline)]
pub use close::{CloseCode, Closed, ClosedBy};
pub use config::{Config, Limits, Role};
pub use conn::Connection;
#[doc(inline)]
pub use error::{Error, Misuse, PeerMisbehaved};
pub use message::{Event, Kind, Payload};
pub use recv::Input;

/// The guide to this crate, whose programs are tested as the examples here are.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/sans-io.md")]
mod guide {}
