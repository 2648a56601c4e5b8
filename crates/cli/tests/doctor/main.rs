//! A bed of broken servers and proxies, each with its real behaviour on the wire, and `madang doctor`
//! as its user starts it: the right code for each, and none for those that are well.
//!
//! `MADANG_DOCTOR_PAGE=docs/doctor.md` makes the page with what it prints.

#![expect(clippy::unwrap_used, reason = "panics are how a test fails")]

mod bed;
mod certificates;
mod doors;
mod handshake;
mod healthy;
mod network;
mod node;
mod page;
mod proxies;
mod secrets;
mod sockets;
mod tls;
mod wire;
mod yard;
