//! A server: addresses, what answers at which path, and workers that do it.

mod builder;
mod gate;
mod http;
mod http2;
mod io;
mod keeper;
mod listen;
mod owner;
mod pages;
mod rewind;
mod route;
mod running;
#[cfg(feature = "tls")]
mod secure;
mod seldom;
mod upgrade;

pub use builder::Server;
pub use http::HttpLimits;
pub use listen::{ListenError, lan_addresses};
pub use running::{Running, stop_signal};
