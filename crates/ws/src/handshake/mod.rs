//! The opening handshake: RFC 6455 §4, as functions on the types of the `http` crate.
//!
//! [`server::check`] reads a request and [`server::Upgrade::response`] makes the `101` answer;
//! [`origin`] says which pages may connect. [`client::request`], [`client::ResponseParser`] and
//! [`client::check_response`] are the other side. [`extended`] has what differs over HTTP/2.
//!
//! ```
//! use madang_ws::deflate::{self, Settings};
//! use madang_ws::handshake::{client, server};
//!
//! // The client asks.
//! let options = client::Options { protocols: vec!["chat".into()], ..Default::default() };
//! let (request, key) = client::request(&"ws://localhost/ws".parse()?, &options)?;
//!
//! // The server checks, chooses and answers.
//! let upgrade = server::check(&request)?;
//! let chat = server::choose(&upgrade.protocols, &["chat"], server::Preference::Client);
//! let (agreement, answer) = deflate::answer(&upgrade.offers, &Settings::default()).unzip();
//! let response = upgrade.response(chat, answer)?;
//!
//! // The client checks the answer.
//! let accepted = client::check_response(&response, &key, &options)?;
//! assert_eq!(accepted.protocol.as_deref(), Some("chat"));
//! assert_eq!(accepted.deflate.is_some(), agreement.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod client;
pub mod extended;
pub(crate) mod extensions;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
mod lists;
pub mod origin;
pub mod request;
mod response;
pub mod server;
#[cfg(test)]
mod tests;

pub use extensions::Malformed;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// RFC 6455 §1.3: what is appended to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` for a key as it stands in the header (RFC 6455 §4.2.2, step 5.4).
fn accept_value(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}
