//! Attacks on the running program, each while a neighbour talks. What is asserted of each: the
//! answer that the attacker gets, that memory grows by no more than a stated bound, that the
//! neighbour loses nothing and waits for nothing, and that the program lives on.

#![expect(clippy::unwrap_used, reason = "panics are how a test fails")]

mod crowd;
mod frames;
mod heads;
mod http2;
mod peer;
mod sessions;
mod yard;
