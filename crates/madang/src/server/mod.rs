//! A server: addresses, what answers at which path, and workers that do it.

mod builder;
mod busy;
mod exchange;
mod farewell;
mod forwarded;
mod gate;
mod http;
mod http2;
mod io;
mod keeper;
mod listen;
mod live;
mod owner;
mod pages;
mod proxied;
pub(crate) mod proxy_protocol;
mod rewind;
mod route;
mod running;
#[cfg(feature = "tls")]
mod secure;
mod seldom;
mod topics;
mod unix;
mod upgrade;

pub use builder::Server;
pub use forwarded::{Forwarded, NoProxy, TrustedProxies};
pub use http::HttpLimits;
pub use listen::{ListenError, lan_addresses};
pub use live::Reload;
pub use running::{Running, stop_signal};
