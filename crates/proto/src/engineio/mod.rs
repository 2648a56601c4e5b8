//! Engine.IO, revisions 3 and 4: packets over polling or a WebSocket, as clients of Socket.IO speak it.
//!
//! A packet is one digit, the type, and its data. Over a WebSocket it is one message; over polling
//! several are joined to one body. This is all that Socket.IO builds on.
//!
//! # A conversation
//!
//! Revision 4, which begins by polling and moves to a WebSocket. What a body or a message holds, byte
//! for byte (`␞` is the one byte 0x1e):
//!
//! ```text
//! → GET ?EIO=4&transport=polling
//! ← 0{"sid":"lv_VI97HAXpY6yYW","upgrades":["websocket"],"pingInterval":25000,…}
//!   │└ data of the packet: JSON
//!   └ type: open
//!
//! → POST ?EIO=4&transport=polling&sid=lv_VI97HAXpY6yYW
//!   4hello␞bAQIDBA==␞4€
//!   │     ││         └ the next message
//!   │     │└ a message of the four bytes 01 02 03 04, in base64
//!   │     └ ends a packet; none stands after the last one
//!   └ type: message, here with the text "hello"
//! ← ok
//!
//! → GET ?EIO=4&transport=polling&sid=lv_VI97HAXpY6yYW      (held until there is something to say)
//! → WebSocket ?EIO=4&transport=websocket&sid=lv_VI97HAXpY6yYW
//! → 2probe          a ping with the data "probe": does this way work?
//! ← 3probe          pong: it does
//! ← 6               the GET that was held is let go with a noop
//! → 5               upgrade: from here on all packets go over the WebSocket
//! ← 2               the server pings …
//! → 3               … and the client answers in time, or is gone
//! → 01 02 03 04     a binary frame is a message, without a type
//! → 1               close
//! ```
//!
//! Revision 3 differs in who pings (the client), and in how bytes travel. A binary frame begins with
//! the type as a byte of value 0 to 6. Over polling, every packet has its length in front, counted in
//! UTF-16 units as JavaScript does:
//!
//! ```text
//! 6:4hello2:4€10:b4AQIDBA==
//! │ │      │    └ b, then the type, then base64
//! │ │      └ two units, though € is three bytes
//! │ └ the packet
//! └ its length
//! ```
//!
//! or, if the client takes bytes and one of the packets has some, a binary body:
//!
//! ```text
//! 00 04 ff 34 e2 82 ac   01 05 ff 04 01 02 03 04
//! │  │  │  └ "4€"        │        └ type: message
//! │  │  └ ends the length└ binary packet
//! │  └ the length in bytes, one decimal digit a byte (12 is 01 02)
//! └ text packet
//! ```
//!
//! Browsers of old that could not read across origins poll by script: see [`jsonp`].

mod echo;
#[doc(hidden)]
pub mod fuzzing;
pub mod jsonp;
pub mod packet;
pub mod payload;
mod polling;
mod reception;
mod session;
#[cfg(test)]
mod session_tests;
mod state;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
pub mod transcripts;
mod upper;

pub use echo::Echo;
pub use packet::{Data, Frame, Kind, Packet, PacketError, Revision};
pub use payload::{Format, Packets, Payload, PayloadError};
pub use reception::{Allow, Reception, Settings};
pub use state::Engine;
pub use upper::{Malformed, Reason, Upper};
