//! The extractor, beside other routes of axum.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::{any, get};
use tokio::net::TcpListener;

use super::super::{CloseCode, Connect, Upgrade, connect};
use super::accept::{echo, told_what_to_do};

async fn axum_echo() -> SocketAddr {
    let app = Router::new()
        .route("/", get(async || "page"))
        .route("/ws", any(async |upgrade: Upgrade| upgrade.protocols(["chat"]).on(echo)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

#[tokio::test]
async fn axum_beside_other_routes() {
    let address = axum_echo().await;
    let (mut client, _) =
        Connect::to(format!("ws://{address}/ws")).protocol("chat").open().await.unwrap();
    assert_eq!(client.protocol(), Some("chat"));
    client.send("hello").await.unwrap();
    assert_eq!(client.recv().await, Some(Ok("hello".into())));
    client.close(CloseCode::NORMAL, "").await.unwrap();

    let error = connect(format!("ws://{address}/")).await.unwrap_err();
    assert_eq!(error.response().unwrap().body(), "page");
    let error = connect(format!("ws://{address}/nothing")).await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 404);
    let to = Connect::to(format!("ws://{address}/ws")).origin("https://evil.example");
    let error = to.open().await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 403);
}

#[tokio::test]
async fn a_plain_get_is_told_what_to_do() {
    told_what_to_do(axum_echo().await, "/ws").await;
}
