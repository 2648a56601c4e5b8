//! Deadlines, on a clock that stands still until everything waits.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::super::{CloseCode, ClosedBy, Error, Keepalive, Limits, Options, Role};
use super::{options, pair_with, socket};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_given_up() {
    let (server, mut wire) = tokio::io::duplex(1024);
    let mut server = socket(server, Role::Server, None, &Options::default());
    let begun = Instant::now();
    let server = tokio::spawn(async move { server.recv().await });
    let mut ping = [0; 2];
    wire.read_exact(&mut ping).await.unwrap();
    assert_eq!((ping, begun.elapsed().as_secs()), ([0x89, 0], 25));
    // A pong: 25 s more.
    wire.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).await.unwrap();
    wire.read_exact(&mut ping).await.unwrap();
    assert_eq!((ping, begun.elapsed().as_secs()), ([0x89, 0], 50));
    assert_eq!(server.await.unwrap(), Some(Err(Error::Silent)));
    assert_eq!(begun.elapsed().as_secs(), 70);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_is_kept() {
    let keepalive = Some(Keepalive { interval: 25 * SECOND, timeout: 20 * SECOND });
    let (mut client, mut server) = pair_with(64, None, &Options { keepalive, ..options() });
    let server = tokio::spawn(async move { server.recv().await });
    let quiet = tokio::time::timeout(1000 * SECOND, client.recv()).await;
    assert!(quiet.is_err());
    client.send("still here").await.unwrap();
    assert_eq!(server.await.unwrap(), Some(Ok("still here".into())));
}

/// A program that was busy for long finds the answer, and not that the time is over.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_not_read_yet_counts() {
    let (server, mut wire) = tokio::io::duplex(1024);
    let mut server = socket(server, Role::Server, None, &Options::default());
    assert!(tokio::time::timeout(26 * SECOND, server.recv()).await.is_err());
    wire.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).await.unwrap();
    tokio::time::sleep(1000 * SECOND).await;
    wire.write_all(&[0x81, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(server.recv().await, Some(Ok("".into())));
}

#[tokio::test(start_paused = true)]
async fn a_close_without_an_answer_has_a_deadline() {
    let limits = Limits { close_timeout: 3 * SECOND, ..Limits::default() };
    let (client, _wire) = tokio::io::duplex(1024);
    let mut client = socket(client, Role::Client, None, &Options { limits, ..options() });
    let begun = Instant::now();
    let closed = client.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!((closed.code, closed.by), (CloseCode::ABNORMAL, ClosedBy::Cut));
    assert_eq!(begun.elapsed(), 3 * SECOND);
    assert_eq!(client.recv().await, None);
}

/// Both close frames have passed, and the peer does not close TCP.
#[tokio::test(start_paused = true)]
async fn a_stream_without_end_has_a_deadline() {
    let limits = Limits { close_timeout: 3 * SECOND, ..Limits::default() };
    let (client, mut wire) = tokio::io::duplex(1024);
    let mut client = socket(client, Role::Client, None, &Options { limits, ..options() });
    wire.write_all(&[0x88, 0]).await.unwrap();
    let begun = Instant::now();
    assert_eq!(client.recv().await, None);
    assert_eq!(begun.elapsed(), 3 * SECOND);
    assert_eq!(client.closed().unwrap().by, ClosedBy::Peer);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_end_fails() {
    let (client, mut wire) = tokio::io::duplex(1024);
    let mut client = socket(client, Role::Client, None, &options());
    wire.write_all(&[0x01, 1, b'x']).await.unwrap();
    let begun = Instant::now();
    let error = Error::Failed(madang_ws::Error::TooSlow);
    assert_eq!(client.recv().await, Some(Err(error)));
    // The message's minute, and five seconds in which the peer does not close.
    assert_eq!(begun.elapsed(), 65 * SECOND);
}
