//! Everybody hears what anybody says: `cargo run -p chat`, then connect twice to
//! `ws://127.0.0.1:8000/chat`.

use madang::{
    Error, Server, Socket,
    hub::{Draft, Hub},
    proto::Topic,
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let server = Server::new();
    let hub = server.hub().clone();
    println!("Connect to ws://{}/chat", Server::DEFAULT_ADDRESS);
    server.websocket("/chat", move |socket| talk(socket, hub.clone())).run().await
}

/// One person: what the room says reaches the client by itself, what the client says goes to the room.
async fn talk(mut socket: Socket, hub: Hub) {
    let Ok(room) = Topic::new("room") else { return };
    let _ = socket.send(format!("You are number {}.", socket.id()));
    socket.join(&room);
    while let Some(message) = socket.recv().await {
        if let Err(error) = hub.publish(&room, Draft::new(message.into())) {
            let _ = socket.send(error.to_string());
        }
    }
}
