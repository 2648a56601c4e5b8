//! A running server, driven over real sockets. One binary, so that it links once.

mod client;
mod flood;
mod handlers;
mod handshake;
mod hostile;
mod raw;
mod slow;
mod stop;
mod workers;

use std::net::SocketAddr;

use madang::{Running, Server, proto::raw::PROTOCOL};

/// A server's address; the server runs until the process ends, unless a test stops it.
fn start(server: Server) -> (SocketAddr, Running) {
    let running = server.listen("127.0.0.1:0").start().unwrap();
    (running.addresses()[0], running)
}

/// A server with the raw door and so many workers.
fn yard(workers: usize) -> (SocketAddr, Running) {
    start(Server::new().workers(workers).protocol(&PROTOCOL))
}
