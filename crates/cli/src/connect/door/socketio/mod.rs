//! A client of Socket.IO (protocol 5, <https://github.com/socketio/socket.io-protocol>) on Engine.IO
//! (protocol 4, <https://github.com/socketio/engine.io-protocol>), over WebSocket only.

mod client;
mod packet;
mod shown;
#[cfg(test)]
mod tests;

pub(crate) use client::SocketIo;
