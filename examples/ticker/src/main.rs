//! Tells every client the time, every three seconds: `cargo run -p ticker`, then connect to
//! `ws://127.0.0.1:8000/`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use madang::{Error, Server, Socket};

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().init();
    tracing::info!("listening on ws://{}/", Server::DEFAULT_ADDRESS);
    Server::new().websocket("/", tick).run().await
}

async fn tick(mut socket: Socket) {
    let peer = socket.peer().map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
    tracing::info!(peer, "came");
    let mut every = tokio::time::interval(Duration::from_secs(3));
    loop {
        tokio::select! {
            _ = every.tick() => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                if socket.send(format!("{} seconds since 1970", now.as_secs())).is_err() {
                    break;
                }
            }
            message = socket.recv() => match message {
                Some(message) => tracing::info!(peer, ?message, "said"),
                None => break,
            },
        }
    }
    tracing::info!(peer, "went");
}
