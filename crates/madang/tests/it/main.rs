//! A running server, driven over real sockets. One binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod drain;
mod flood;
mod gate;
mod h2;
mod handlers;
mod handshake;
mod hostile;
mod links;
mod links_ends;
mod links_hostile;
mod openapi;
mod proxy;
mod raw;
mod slow;
mod stop;
mod tls;
mod tls_peers;
mod topics;
mod workers;

use std::net::SocketAddr;

use madang::{
    Reply, Running, Server,
    proto::{Kind, raw::PROTOCOL},
};

/// A server's address; the server runs until the process ends, unless a test stops it.
fn start(server: Server) -> (SocketAddr, Running) {
    let running = server.listen("127.0.0.1:0").start().unwrap();
    (running.addresses()[0], running)
}

/// An inline handler.
fn echo(reply: &mut Reply<'_>, kind: Kind, bytes: &[u8]) {
    reply.send(kind, bytes);
}

/// A server with the raw door and so many workers.
fn yard(workers: usize) -> (SocketAddr, Running) {
    start(Server::new().workers(workers).protocol(&PROTOCOL))
}
