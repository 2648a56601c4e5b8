//! Everybody hears what anybody says: `cargo run -p chat`, then connect twice to
//! `ws://127.0.0.1:8000/chat`.

use madang::{Error, Server, Socket, proto::Topic};

#[tokio::main]
async fn main() -> Result<(), Error> {
    println!("Connect to ws://{}/chat", Server::DEFAULT_ADDRESS);
    Server::new().websocket("/chat", talk).run().await
}

/// One person: what the room says reaches the client by itself, what the client says goes to the room.
async fn talk(mut socket: Socket) {
    let Ok(room) = Topic::new("room") else { return };
    let _ = socket.send(format!("You are number {}.", socket.id()));
    socket.join(&room);
    while let Some(message) = socket.recv().await {
        if let Err(error) = socket.publish(&room, message) {
            let _ = socket.send(error.to_string());
        }
    }
}
