//! A WebSocket that says back what it hears: `cargo run -p echo`, then connect to
//! `ws://127.0.0.1:8000/`.

use madang::{Error, Server, Socket};

#[tokio::main]
async fn main() -> Result<(), Error> {
    println!("Connect to ws://{}/", Server::DEFAULT_ADDRESS);
    Server::new().websocket("/", echo).run().await
}

async fn echo(mut socket: Socket) {
    while let Some(message) = socket.recv().await {
        if socket.send(message).is_err() {
            break;
        }
    }
}
