//! Socket.IO, protocol 5 and, for clients of version 2, protocol 4: namespaces, events with
//! acknowledgements, and bytes among their arguments.
//!
//! A packet is the text of one Engine.IO message, and its attachments are binary messages behind it.
//! Arguments stay the JSON in which they came: they are read once (are they JSON, how deep do they
//! nest?) and passed on as the same bytes.
//!
//! # A conversation
//!
//! Over a WebSocket, each line one message. The first digit is Engine.IO's type (4: message); the
//! second begins the packet.
//!
//! ```text
//! ← 0{"sid":"lv_VI97HAXpY6yYW",…}         Engine.IO is open
//! → 40{"token":"abc"}                     CONNECT to the main namespace, with a payload
//! ← 40{"sid":"wZX3oN0bSVIhsaknAAAI"}      joined; this id is not the secret one above
//! → 42["say","hello"]                     EVENT: the name, then the arguments
//! ← 42["said","hello",{"from":1}]
//! → 4212["rooms"]                         an event with the id 12, …
//! ← 4312[["lobby"]]                       … which its ACK has, too
//!
//! → 40/admin,{}                           CONNECT to another namespace
//! ← 44/admin,{"message":"not for you"}    CONNECT_ERROR
//! → 41                                    DISCONNECT from the main one; the connection stays
//! ```
//!
//! Two buffers, one within an object, and an acknowledgement of the event:
//!
//! ```text
//! → 452-/files,7["put",{"_placeholder":true,"num":0},{"thumb":{"_placeholder":true,"num":1}}]
//!   ││ │└ namespace ││      └ the first binary message belongs here
//!   ││ └ ends their ││
//!   ││   number     │└ JSON
//!   │└ BINARY_EVENT └ id
//!   └ Engine.IO: message
//! → 01 02 03                              the first
//! → ff d8 ff                              the second; only now is the packet whole
//! ← 461-/files,7[{"_placeholder":true,"num":0}]      BINARY_ACK
//! ← 2a
//! ```
//!
//! Protocol 4 differs in three things: the server joins the main namespace for the client (`40`
//! comes by itself), CONNECT has no payload but a query behind the namespace
//! (`40/admin?token=abc,`), and type 4 is ERROR with any JSON, often a string.
//!
//! [`Packet`] reads and writes one text, [`Assembler`] puts packets and attachments together.

mod application;
pub mod args;
pub mod attach;
mod connection;
#[doc(hidden)]
pub mod fuzzing;
mod json;
pub mod packet;
mod reception;
mod render;
#[cfg(test)]
mod session_tests;
mod socket;
#[cfg(test)]
mod tests;
mod yard;

use std::sync::Arc;

use bytes::Bytes;

use crate::{Carrier, Form, Kind, Mount, PresenceChange, Protocol, Rendered, session::Refusal};

pub use application::{Application, Handshake, Incoming, Payload, Refused, Settings};
pub use args::Args;
pub use attach::{
    AssembleError, Assembled, Assembler, Placeholder, PlaceholderError, as_placeholder,
    inline_binary, placeholders,
};
pub use json::{JsonError, MAX_DEPTH};
pub use reception::{ClientFile, Reception};
pub use socket::{JoinError, Socket, Target, Then};
pub use yard::{Visitor, Yard};

pub use packet::{Ack, Connect, Event, Limits, MAIN, Packet, PacketError, Version, query_as_json};

/// The registration of this protocol.
pub static PROTOCOL: Protocol = Protocol {
    name: "socketio",
    carrier: Carrier::Links(|| Arc::new(Reception::new(Yard))),
    subprotocols: &[],
    mounts: &[Mount {
        path: "/socket.io",
        segment: false,
        tail: "",
        about: "socket.io-client 2, 3 and 4; rooms are topics",
    }],
    open: |_| Err(Refusal { reason: "its sessions begin elsewhere".into() }),
    render: render::render,
    render_presence: nothing,
};

/// Nobody asks for it.
fn nothing(_: Form, _: &PresenceChange) -> Rendered {
    Rendered::new(Kind::Text, Bytes::new())
}
