//! SockJS 0.3.3: whatever is said over a WebSocket, said over plain HTTP.
//!
//! So far the transports `xhr_streaming`, `xhr` and `xhr_send`. A session of SockJS wraps any session
//! that speaks in messages of text, and neither knows of the other.
//!
//! # A conversation
//!
//! ```text
//! → POST /echo/000/k3jd02/xhr_streaming        the client has chosen the name of its session
//! ← 200, a body that does not end
//! ← hhhh…h⏎                                    2048 of them: some browsers hold back the first bytes
//! ← o⏎                                         open
//! → POST /echo/000/k3jd02/xhr_send   ["hello"]
//! ← 204
//! ← a["hello"]⏎                                messages, on the body that does not end
//! ← h⏎                                         every 25 s: still there
//! ← c[3000,"Go away!"]⏎                        closed
//! ```
//!
//! A body ends after 128 KiB, so that browsers can free it, and the client asks for the next; what
//! is said meanwhile waits for that. Who does not come within 5 seconds is gone.

mod frame;
mod reception;
mod session;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
pub mod transcripts;

pub use reception::{Reception, Settings};
