//! A bed of broken servers and proxies, each with its real behaviour on the wire, and `madang doctor`
//! as its user starts it: the right code for each, and none for those that are well.
//!
//! `page.rs` makes docs/doctor.md from the same bed.

#![expect(clippy::unwrap_used, reason = "panics are how a test fails")]
#![expect(clippy::unnecessary_wraps, reason = "what makes a case gives what `Case::make` wants")]
#![expect(clippy::format_push_string, reason = "the texts are short")]

mod answers;
mod apache;
mod bed;
mod certificates;
mod doors;
mod handshake;
mod haproxy;
mod healthy;
mod hostile;
mod lines;
mod network;
mod nginx;
mod node;
mod page;
mod proxies;
mod secrets;
mod sockets;
mod statuses;
mod streams;
mod tls;
mod tokens;
mod wire;
mod words;
mod yard;
