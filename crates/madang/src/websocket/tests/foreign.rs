//! tokio-tungstenite, which shares no code with us, on the other side.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as TheirCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message as Theirs};

use super::super::{CloseCode, ClosedBy, Connect, Message};
use super::accept::hyper_echo;
use super::messages;

fn theirs(message: &Message) -> Theirs {
    match message {
        Message::Text(text) => Theirs::text(text.to_string()),
        Message::Binary(bytes) => Theirs::binary(bytes.clone()),
    }
}

#[tokio::test]
async fn their_client_and_our_acceptor() {
    let address = hyper_echo().await;
    let (mut client, _) = tokio_tungstenite::client_async(
        format!("ws://{address}/"),
        TcpStream::connect(address).await.unwrap(),
    )
    .await
    .unwrap();
    for message in messages() {
        client.send(theirs(&message)).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), theirs(&message));
    }
    client.send(Theirs::Ping("ping".into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Theirs::Pong("ping".into()));
    let frame = CloseFrame { code: TheirCode::Away, reason: "bye".into() };
    client.close(Some(frame)).await.unwrap();
    let answer = client.next().await.unwrap().unwrap();
    assert!(matches!(answer, Theirs::Close(Some(frame)) if frame.code == TheirCode::Away));
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn our_client_and_their_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut server = tokio_tungstenite::accept_async(tcp).await.unwrap();
        server.send(Theirs::Ping("ping".into())).await.unwrap();
        let (mut count, mut pongs) = (0, 0);
        while let Some(message) = server.next().await {
            match message.unwrap() {
                Theirs::Pong(_) => pongs += 1,
                message @ (Theirs::Text(_) | Theirs::Binary(_)) => {
                    count += 1;
                    server.send(message).await.unwrap();
                }
                _ => {}
            }
        }
        (count, pongs)
    });
    let to = Connect::to(format!("ws://{address}/path?query")).timeout(Duration::from_mins(1));
    let (mut client, response) = to.open().await.unwrap();
    assert_eq!(response.status(), 101);
    for message in messages() {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.recv().await, Some(Ok(message)));
    }
    let closed = client.close(CloseCode::new(4000), "done").await.unwrap();
    assert_eq!((closed.code, closed.by), (CloseCode::new(4000), ClosedBy::Us));
    assert_eq!(server.await.unwrap(), (messages().len(), 1));
}

/// Many messages in one write, both ways.
#[tokio::test]
async fn their_client_sends_many_at_once() {
    let address = hyper_echo().await;
    let tcp = TcpStream::connect(address).await.unwrap();
    let (client, _) =
        tokio_tungstenite::client_async(format!("ws://{address}/"), tcp).await.unwrap();
    let (mut sink, mut stream) = client.split();
    let sending = tokio::spawn(async move {
        for n in 0..5000 {
            sink.feed(Theirs::text(n.to_string())).await.unwrap();
        }
        sink.flush().await.unwrap();
        sink
    });
    for n in 0..5000 {
        assert_eq!(stream.next().await.unwrap().unwrap(), Theirs::text(n.to_string()));
    }
    sending.await.unwrap().close().await.unwrap();
}
