//! Behaviour of a connection, as its peer and its driver see it. Each test runs with the bytes whole,
//! one at a time, and cut at random.

mod closing;
mod control;
mod framing;
mod limits;
mod messages;
mod properties;
mod sending;
