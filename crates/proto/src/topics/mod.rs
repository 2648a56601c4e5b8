//! Topics over plain HTTP: Server-Sent Events, a stream of JSON lines, and what poll, long poll and
//! publishing share with them.
//!
//! # A conversation
//!
//! ```text
//! → GET /topics/chat/sse HTTP/1.1
//! → Last-Event-ID: k3-6
//! ← HTTP/1.1 200 OK
//! ← Content-Type: text/event-stream
//! ←
//! ← retry: 2000
//! ←
//! ← id: k3-7
//! ← data: Bo: hello
//! ←
//! ← :
//! ←
//! ```
//!
//! The answer begins when the subscription is in force. First comes what the topic held after the
//! cursor (default `now`: nothing), then what is new; every 15 seconds a comment, so that proxies and
//! clients see that the line is alive. Where something between the cursor and what is held was lost,
//! an event `gap` comes first; its id continues from there.
//!
//! The [`stream`] says the same in lines of JSON, one message each, and an empty line keeps it
//! alive. A reader of several topics (`?topic=a&topic=b`) has one cursor that stands for a place in
//! each of them, see [`Cursors`].

mod cursors;
#[doc(hidden)]
pub mod fuzzing;
mod message;
mod reader;
pub mod sse;
pub mod stream;
#[cfg(test)]
mod tests;

pub use cursors::{Cursors, TopicsError};
pub use message::{Message, messages};
