//! Peers that take nothing, or never stop, must not hold what waits for them.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::{CloseCode, ClosedBy, Error, Keepalive, Limits, Options, Role, WebSocket};
use super::{options, socket};

/// The peer does not read and says nothing. The reader hears it and is not polled again; the writer,
/// which waits for room, hears it too.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_silent_peer_frees_a_blocked_writer() {
    let second = Duration::from_secs(1);
    let keepalive = Some(Keepalive { interval: 25 * second, timeout: 20 * second });
    let (client, _wire) = tokio::io::duplex(64);
    let client = socket(client, Role::Client, None, &Options { keepalive, ..options() });
    let (mut reader, mut writer) = client.split();
    let writing = tokio::spawn(async move { writer.send(vec![3; 1000]).await });
    assert_eq!(reader.recv().await, Some(Err(Error::Silent)));
    assert_eq!(writing.await.unwrap(), Err(Error::Silent));
}

/// The peer closes and takes nothing more: what was not written is not called written.
#[tokio::test(start_paused = true)]
async fn a_flush_ends_with_the_connection() {
    let (client, mut wire) = tokio::io::duplex(64);
    let client = socket(client, Role::Client, None, &options());
    let (mut reader, mut writer) = client.split();
    writer.feed(vec![3; 1000]).await.unwrap();
    let writing = tokio::spawn(async move { writer.flush().await });
    tokio::io::AsyncWriteExt::write_all(&mut wire, &[0x88, 0]).await.unwrap();
    assert_eq!(reader.recv().await, None);
    let minute = Duration::from_mins(1);
    let written = tokio::time::timeout(minute, writing).await.expect("it waits for ever");
    assert_eq!(written.unwrap(), Err(Error::Closed));
}

/// A peer whose bytes never stop: every read finds some. Reading on after five seconds panics.
struct Flood {
    first: &'static [u8],
    rest: &'static [u8],
    begun: Instant,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(self.begun.elapsed() < Duration::from_secs(5), "it reads for ever");
        let first = std::mem::take(&mut self.first);
        buf.put_slice(if first.is_empty() { self.rest } else { first });
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, b: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(b.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn flooded(first: &'static [u8], close_timeout: Duration) -> WebSocket<Flood> {
    let options = Options { limits: Limits { close_timeout, ..Limits::default() }, ..options() };
    let io = Flood { first, rest: b"\x82\x81\0\0\0\0x", begun: Instant::now() };
    WebSocket::new(io, Role::Server, None, &options, BytesMut::new())
}

#[tokio::test]
async fn a_flood_does_not_put_off_the_end() {
    // Instead of an answer to our close frame.
    let mut server = flooded(b"\x82\x81\0\0\0\0x", Duration::from_millis(20));
    let closed = server.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(closed.by, ClosedBy::Cut);
    // After both close frames.
    let mut server = flooded(b"\x88\x80\0\0\0\0", Duration::from_millis(20));
    assert_eq!(server.recv().await, None);
    assert_eq!(server.closed().unwrap().by, ClosedBy::Peer);
}

/// The longest time there is, which means no limit, is not too long to count with.
#[tokio::test]
async fn a_close_without_a_limit() {
    let (client, mut wire) = tokio::io::duplex(64);
    let limits = Limits { close_timeout: Duration::MAX, ..Limits::default() };
    let mut client = socket(client, Role::Client, None, &Options { limits, ..options() });
    tokio::io::AsyncWriteExt::write_all(&mut wire, &[0x88, 0]).await.unwrap();
    {
        let mut end = pin!(client.recv());
        poll_fn(|cx| {
            assert!(end.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    drop(wire);
    assert_eq!(client.recv().await, None);
}
