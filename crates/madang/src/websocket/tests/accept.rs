//! Requests that become WebSockets, in hyper, over the loopback.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use madang_ws::handshake::server::Refusal as Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::{Accept, CloseCode, Connect, ConnectError, WebSocket, upgrade};

pub(super) async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.feed(message).await.is_err() {
            break;
        }
    }
}

/// An echo on plain hyper; it may be connected to until the test ends.
pub(super) async fn hyper_echo() -> SocketAddr {
    async fn serve(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let accept = Accept::new().protocols(["b", "a"]).allow_origin("https://app.example");
        Ok(match upgrade(&mut request, &accept) {
            Ok((response, accepting)) => {
                tokio::spawn(async move {
                    let socket = accepting.await.unwrap();
                    assert!(socket.get_ref().tcp().unwrap().nodelay().unwrap());
                    echo(socket).await;
                });
                response.map(|()| Full::default())
            }
            Err(refusal) => refusal.response().map(Full::from),
        })
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let serving =
                http1::Builder::new().serve_connection(TokioIo::new(tcp), service_fn(serve));
            tokio::spawn(serving.with_upgrades());
        }
    });
    address
}

#[tokio::test]
async fn hyper_and_our_client() {
    let address = hyper_echo().await;
    let to = Connect::to(format!("ws://{address}/")).protocol("a").protocol("b");
    let (mut client, response) = to.open().await.unwrap();
    // The client's order decides.
    assert_eq!(client.protocol(), Some("a"));
    assert_eq!(response.headers()["sec-websocket-protocol"], "a");
    assert!(client.deflate().is_some());
    assert!(client.get_ref().tcp().unwrap().nodelay().unwrap());
    client.send("over and over ".repeat(1000)).await.unwrap();
    assert_eq!(client.recv().await, Some(Ok("over and over ".repeat(1000).into())));
    client.close(CloseCode::NORMAL, "").await.unwrap();
}

/// Frames that come in one packet with the request are not lost between hyper and the socket.
#[tokio::test]
async fn frames_behind_the_request() {
    let address = hyper_echo().await;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let mut bytes = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    bytes.extend([0x81, 0x82, 0, 0, 0, 0, b'h', b'i', 0x88, 0x80, 0, 0, 0, 0]);
    tcp.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert!(answer.ends_with(b"\r\n\r\n\x81\x02hi\x88\x00"));
}

#[tokio::test]
async fn pages_from_elsewhere_are_refused() {
    let address = hyper_echo().await;
    for (origin, status) in [
        ("https://evil.example", Some(403)),
        ("null", Some(403)),
        ("https://app.example", None),
        ("http://localhost:5173", None),
    ] {
        let opened = Connect::to(format!("ws://{address}/")).origin(origin).open().await;
        let refused = opened.err().and_then(|error| Some(error.response()?.status().as_u16()));
        assert_eq!(refused, status, "{origin}");
    }
}

/// Behind a public name, a page of the visitor's own machine is a page from elsewhere.
#[tokio::test]
async fn loopback_pages_may_not_connect_to_a_public_name() {
    let address = hyper_echo().await;
    let to = Connect::to(format!("ws://{address}/")).header("host", "chat.example");
    let refused = to.origin("http://localhost:5173").open().await.unwrap_err();
    assert_eq!(refused.response().unwrap().status(), 403);
}

#[tokio::test]
async fn a_plain_get_is_told_what_to_do() {
    told_what_to_do(hyper_echo().await, "/").await;
}

pub(super) async fn told_what_to_do(address: SocketAddr, path: &str) {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("upgrade: websocket\r\n"), "{answer}");
    assert!(answer.contains("new WebSocket("), "{answer}");
}

#[test]
fn a_server_that_cannot_upgrade_says_so() {
    let mut request = Request::builder()
        .uri("/")
        .header("host", "x")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(())
        .unwrap();
    let refusal = upgrade(&mut request, &Accept::new()).unwrap_err();
    assert_eq!((refusal.handshake(), refusal.response().status().as_u16()), (None, 500));
    request.headers_mut().remove("sec-websocket-key");
    let refusal = upgrade(&mut request, &Accept::new()).unwrap_err();
    assert_eq!(refusal.handshake(), Some(&Reason::Key));
}

#[tokio::test]
async fn a_subprotocol_that_nobody_offered_is_not_chosen() {
    let address = hyper_echo().await;
    let (client, _) = Connect::to(format!("ws://{address}/")).protocol("c").open().await.unwrap();
    assert_eq!(client.protocol(), None);
    let bad = Connect::to(format!("ws://{address}/")).protocol("no token").open().await;
    assert!(matches!(bad, Err(ConnectError::Request(_))));
}
