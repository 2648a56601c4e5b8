//! WebSockets over in-memory pipes and the loopback, with a clock that tests turn.

mod accept;
#[cfg(feature = "axum")]
mod axum;
mod cancel;
#[cfg(feature = "tls")]
mod connect;
mod foreign;
mod hostile;
mod pongs;
mod socket;
mod time;

use bytes::BytesMut;
use madang_ws::Role;
use madang_ws::deflate::{self, Agreement, Settings};
use tokio::io::DuplexStream;

use super::{Message, Options, WebSocket};

/// No pings, so that only what a test does goes over the wire.
fn options() -> Options {
    Options { keepalive: None, ..Options::default() }
}

/// A client and a server over a pipe that holds `capacity` bytes in each direction.
fn pair(capacity: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    pair_with(capacity, None, &options())
}

fn pair_with(
    capacity: usize,
    deflate: Option<Agreement>,
    options: &Options,
) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = tokio::io::duplex(capacity);
    (socket(client, Role::Client, deflate, options), socket(server, Role::Server, deflate, options))
}

fn socket(
    io: DuplexStream,
    role: Role,
    deflate: Option<Agreement>,
    options: &Options,
) -> WebSocket<DuplexStream> {
    WebSocket::new(io, role, deflate, options, BytesMut::new())
}

/// What two sides with default settings agree on, but for short messages too.
fn agreement() -> Agreement {
    let settings = Settings { min_size: 0, ..Settings::default() };
    let offers = deflate::parse_offers([&deflate::offer(&settings).unwrap()]).unwrap();
    deflate::answer(&offers, &settings).unwrap().0
}

/// Text and binary of lengths on both sides of every boundary.
fn messages() -> Vec<Message> {
    let mut messages = vec![Message::from("마당"), Message::from("")];
    for len in [1, 125, 126, 4096, 8191, 8192, 65_535, 65_536, 200_000] {
        messages.push(Message::from("한".repeat(len / 3)));
        messages.push(Message::from((0..len).map(|at| (at % 251) as u8).collect::<Vec<_>>()));
    }
    messages
}
