//! A WebSocket beside other routes of axum. Run it, and open <http://127.0.0.1:3000>.

use axum::Router;
use axum::response::Html;
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use madang::websocket::{Upgrade, WebSocket};
use tokio::net::TcpListener;

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8"><title>Echo</title>
<input placeholder="Type and press Enter" size="40" autofocus>
<ul></ul>
<script>
  const socket = new WebSocket("/ws");
  const input = document.querySelector("input");
  input.onchange = () => { socket.send(input.value); input.value = ""; };
  socket.onmessage = ({ data }) => {
    const line = document.createElement("li");
    line.textContent = data;
    document.querySelector("ul").append(line);
  };
</script>"#;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/health", get(async || "ok"))
        .route("/ws", any(async |upgrade: Upgrade| upgrade.on(echo)));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("Open http://{}", listener.local_addr()?);
    // Small messages leave at once.
    let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
    axum::serve(listener, app).await
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}
