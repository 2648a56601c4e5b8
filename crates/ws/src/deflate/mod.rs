//! Compression of messages: the `permessage-deflate` extension, RFC 7692.
//!
//! [`negotiate`] reads and writes the parameters of the opening handshake and ends in an
//! [`Agreement`]. [`State`] compresses and inflates the messages of one connection under it.
//! [`compress_fresh`] compresses a message once for many connections.
//!
//! ```
//! use madang_ws::Role;
//! use madang_ws::deflate::{self, Settings, State};
//!
//! let settings = Settings { min_size: 0, ..Settings::default() };
//! let offers = deflate::parse_offers([&deflate::offer(&settings).unwrap()]).unwrap();
//! let (agreement, _answer) = deflate::answer(&offers, &settings).unwrap();
//!
//! let text = b"over and over and over and over";
//! let (mut wire, mut back) = (Vec::new(), Vec::new());
//! assert!(State::new(Role::Server, &agreement).compress(text, &mut wire));
//! State::new(Role::Client, &agreement).decompress(&wire, true, 1024, &mut back).unwrap();
//! assert_eq!(back, text);
//! ```

mod codec;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
pub mod negotiate;
mod pool;
#[cfg(test)]
pub(crate) mod tests;

pub use codec::{Error, State};
pub use negotiate::{Agreement, Settings, accept, answer, offer, parse_offers};
pub use pool::compress_fresh;
