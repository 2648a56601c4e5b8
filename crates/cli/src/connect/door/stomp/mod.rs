//! A client of STOMP 1.2 (<https://stomp.github.io/stomp-specification-1.2.html>).

mod client;
mod frame;
#[cfg(test)]
mod tests;

pub(crate) use client::Stomp;
