//! When pings are answered. The one that answers is a server, whose frames have no mask, so that the
//! wire shows what was sent.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::{Event, Limits, Options, Role, WebSocket};
use super::{options, socket};

/// A masked frame with a key of zeros.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    [&[head, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

/// A server that echoes what comes in `pieces`, and everything that it sends.
async fn echoed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (server, mut wire) = tokio::io::duplex(1 << 16);
    let mut server = socket(server, Role::Server, None, &options());
    for piece in pieces {
        wire.write_all(piece).await.unwrap();
        // Until it waits for more.
        let mut echo = pin!(async {
            while let Some(message) = server.recv().await {
                server.feed(message.unwrap()).await.unwrap();
            }
        });
        poll_fn(|cx| {
            assert!(echo.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    drop(server);
    let mut sent = Vec::new();
    wire.read_to_end(&mut sent).await.unwrap();
    sent
}

/// Whole, and one byte at a time.
async fn echoed_both_ways(input: &[u8]) -> [Vec<u8>; 2] {
    [echoed([input].into_iter()).await, echoed(input.chunks(1)).await]
}

#[tokio::test]
async fn a_pong_leaves_before_the_reply_to_what_followed_the_ping() {
    let input = [
        frame(0x89, b"1"),
        frame(0x81, b"whole"),
        frame(0x01, b"in "),
        frame(0x89, b"2"),
        frame(0x80, b"parts"),
        frame(0x89, b"3"),
    ];
    for sent in echoed_both_ways(&input.concat()).await {
        assert_eq!(sent, b"\x8A\x011\x81\x05whole\x8A\x012\x81\x08in parts\x8A\x013");
    }
}

#[tokio::test]
async fn every_ping_has_its_pong() {
    let pings: Vec<u8> = (b'0'..=b'9').flat_map(|n| frame(0x89, &[n])).collect();
    for sent in echoed_both_ways(&pings).await {
        let pongs: Vec<u8> = (b'0'..=b'9').flat_map(|n| [0x8A, 1, n]).collect();
        assert_eq!(sent, pongs);
    }
}

/// A server that is blocked with a message of 2000 bytes under way.
async fn blocked() -> (WebSocket<DuplexStream>, DuplexStream) {
    let (server, wire) = tokio::io::duplex(1 << 10);
    let limits = Limits { max_control_per_second: 0, ..Limits::default() };
    let mut server = socket(server, Role::Server, None, &Options { limits, ..options() });
    server.feed(vec![7; 2000]).await.unwrap();
    {
        let mut flush = pin!(server.flush());
        poll_fn(|cx| {
            assert!(flush.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    (server, wire)
}

/// What is on the wire after that message, when the peer reads at last.
async fn unblock(mut server: WebSocket<DuplexStream>, mut wire: DuplexStream) -> Vec<u8> {
    let flush = tokio::spawn(async move { server.flush().await.unwrap() });
    let mut sent = Vec::new();
    wire.read_to_end(&mut sent).await.unwrap();
    flush.await.unwrap();
    sent.split_off(4 + 2000)
}

#[tokio::test]
async fn a_blocked_socket_answers_the_newest_ping() {
    let (mut server, mut wire) = blocked().await;
    for n in b'0'..=b'9' {
        wire.write_all(&frame(0x89, &[n])).await.unwrap();
        let ping = server.recv_event().await.unwrap().unwrap();
        assert_eq!(ping, Event::Ping(vec![n].into()));
    }
    assert_eq!(unblock(server, wire).await, [0x8A, 1, b'9']);
}

/// Blocked or not, the order stays.
#[tokio::test]
async fn a_blocked_socket_answers_before_it_replies() {
    let (mut server, mut wire) = blocked().await;
    let input = [frame(0x89, b"1"), frame(0x89, b"2"), frame(0x81, b"x"), frame(0x89, b"3")];
    wire.write_all(&input.concat()).await.unwrap();
    let message = server.recv().await.unwrap().unwrap();
    server.feed(message).await.unwrap();
    assert_eq!(server.recv_event().await, Some(Ok(Event::Ping("3".into()))));
    assert_eq!(unblock(server, wire).await, b"\x8A\x012\x81\x01x\x8A\x013");
}

/// A peer that pings and sends and does not read: what waits for it does not grow on.
#[tokio::test]
async fn pongs_for_a_peer_that_does_not_read_are_bounded() {
    let (mut server, mut wire) = blocked().await;
    let input = [frame(0x89, &[b'p'; 125]), frame(0x81, b"x")].concat();
    for _ in 0..2000 {
        wire.write_all(&input).await.unwrap();
        assert_eq!(server.recv().await, Some(Ok("x".into())));
    }
    assert!(server.engine.buffered() < 160 * 1024, "{}", server.engine.buffered());
}
