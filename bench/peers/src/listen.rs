//! What the servers have in common: the port of the command line, with room for many handshakes.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Listens on the port that the first argument names, and says so.
pub fn listen() -> io::Result<tokio::net::TcpListener> {
    let port = std::env::args().nth(1).and_then(|p| p.parse().ok());
    let port: u16 = port.ok_or_else(|| io::Error::other("usage: PROGRAM PORT"))?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    println!("LISTENING {port}");
    tokio::net::TcpListener::from_std(TcpListener::from(socket))
}

/// A sender whose channel holds more than a publisher has under way.
pub fn channel<T: Clone>() -> tokio::sync::broadcast::Sender<T> {
    tokio::sync::broadcast::Sender::new(4096)
}
