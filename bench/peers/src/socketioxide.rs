//! socketioxide in axum: at `/socket.io/` it says `auth` to whoever connects, answers `message` by
//! `message-back`, and says what it is sent as `everyone` to everybody, as `said`.

#[expect(dead_code, reason = "it needs no channel of its own")]
mod listen;

use axum::Router;
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = listen::listen()?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", connected);
    axum::serve(listener, Router::new().layer(layer)).await
}

async fn connected(socket: SocketRef) {
    // An error is the client's leaving, which ends each run.
    let _ = socket.emit("auth", &json!({}));
    socket.on("message", async |socket: SocketRef, Data::<Value>(payload)| {
        let _ = socket.emit("message-back", &payload);
    });
    socket.on("everyone", async |io: SocketIo, Data::<Value>(payload)| {
        let _ = io.emit("said", &payload).await;
    });
}
