//! Futures that are dropped at every `await`.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::super::{CloseCode, Message, Options, WebSocket};
use super::{agreement, messages, options, pair_with};

/// Polls `work` once, and drops it when it is not done.
async fn once<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        Poll::Ready(match work.as_mut().poll(cx) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        })
    })
    .await
}

/// Gives and takes one byte at a time, and is not ready every second time.
struct Crawl {
    io: DuplexStream,
    ready: [bool; 2],
}

impl Crawl {
    /// Whether to be ready now; if not, the task is woken at once.
    fn turn(&mut self, direction: usize, cx: &Context<'_>) -> bool {
        self.ready[direction] = !self.ready[direction];
        if !self.ready[direction] {
            cx.waker().wake_by_ref();
        }
        self.ready[direction]
    }
}

impl AsyncRead for Crawl {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.turn(0, cx) {
            return Poll::Pending;
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        let read = Pin::new(&mut self.io).poll_read(cx, &mut one);
        buf.put_slice(one.filled());
        read
    }
}

impl AsyncWrite for Crawl {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if !self.turn(1, cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_write(cx, &buf[..buf.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

fn crawling(deflate: bool) -> (WebSocket<Crawl>, WebSocket<Crawl>) {
    let deflate = deflate.then(agreement);
    let (a, b) = tokio::io::duplex(7);
    let crawl = |io, role| {
        let io = Crawl { io, ready: [false; 2] };
        WebSocket::new(io, role, deflate, &options(), bytes::BytesMut::new())
    };
    (crawl(a, super::Role::Client), crawl(b, super::Role::Server))
}

fn short_messages() -> Vec<Message> {
    messages().into_iter().filter(|message| message.len() < 200).collect()
}

/// Every `recv` is dropped after one poll, and every `send` polled to its end.
#[tokio::test]
async fn a_dropped_recv_loses_nothing() {
    for deflate in [false, true] {
        let (mut client, mut server) = crawling(deflate);
        let sending = tokio::spawn(async move {
            for message in short_messages() {
                client.send(message).await.unwrap();
            }
            client.close(CloseCode::NORMAL, "").await.unwrap();
        });
        let (mut received, mut dropped) = (Vec::new(), 0);
        loop {
            match once(server.recv()).await {
                Some(Some(message)) => received.push(message.unwrap()),
                Some(None) => break,
                None => {
                    dropped += 1;
                    tokio::task::yield_now().await;
                }
            }
        }
        assert_eq!(received, short_messages());
        assert!(dropped > 200, "{dropped}");
        sending.await.unwrap();
    }
}

/// Every `feed` and `flush` is dropped after one poll: a frame goes on where it stopped, and a
/// message that was not taken can be fed again.
#[tokio::test]
async fn a_dropped_send_tears_no_frame() {
    let (mut client, mut server) = crawling(false);
    let receiving = tokio::spawn(async move {
        let mut received = Vec::new();
        while let Some(message) = server.recv().await {
            received.push(message.unwrap());
        }
        received
    });
    for message in short_messages() {
        while once(client.feed(message.clone())).await.is_none() {
            tokio::task::yield_now().await;
        }
        once(client.flush()).await;
    }
    // A message that was taken by a send that was dropped leaves by itself.
    assert_eq!(once(client.send("the last")).await, None);
    client.close(CloseCode::NORMAL, "").await.unwrap();
    let mut sent = short_messages();
    sent.push("the last".into());
    assert_eq!(receiving.await.unwrap(), sent);
}

/// A `close` that was dropped goes on in `recv`.
#[tokio::test]
async fn a_dropped_close_goes_on() {
    let (mut client, mut server) = crawling(false);
    let receiving = tokio::spawn(async move {
        assert_eq!(server.recv().await, None);
        server.closed().unwrap().code
    });
    assert_eq!(once(client.close(CloseCode::GOING_AWAY, "")).await, None);
    assert_eq!(client.recv().await, None);
    assert_eq!(receiving.await.unwrap(), CloseCode::GOING_AWAY);
}

/// Both sides send and receive in one `select!`, so that each drops the other's future all the time.
#[tokio::test]
async fn select_between_sending_and_receiving() {
    async fn run(mut socket: WebSocket<DuplexStream>) -> Vec<Message> {
        let mut left: VecDeque<_> = messages().into();
        let count = left.len();
        let mut received = Vec::new();
        while received.len() < count || !left.is_empty() {
            let next = left.front().cloned();
            tokio::select! {
                message = socket.recv() => received.push(message.unwrap().unwrap()),
                () = tokio::task::yield_now(), if next.is_some() => {
                    // Not sent when it is dropped before it is done.
                    if let Some(fed) = once(socket.feed(next.unwrap())).await {
                        fed.unwrap();
                        left.pop_front();
                    }
                }
            }
        }
        // What is left is written before the end; the peer may be first.
        let _ = socket.flush().await;
        let _ = socket.close(CloseCode::NORMAL, "").await;
        received
    }
    for capacity in [64, 100_000] {
        let (client, server) = pair_with(capacity, None, &options());
        let (server, client) = tokio::join!(run(server), run(client));
        assert_eq!(client, messages());
        assert_eq!(server, messages());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is dropped when, all messages arrive once and in order.
    #[test]
    fn any_schedule(
        steps in prop::collection::vec((0_u8..4, 0_usize..3000), 1..60),
        capacity in 1_usize..500,
        deflate: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (sent, received) = runtime.block_on(schedule(steps, capacity, deflate));
        prop_assert_eq!(sent, received);
    }
}

async fn schedule(
    steps: Vec<(u8, usize)>,
    capacity: usize,
    deflate: bool,
) -> (Vec<Message>, Vec<Message>) {
    let options = Options { keepalive: None, ..Options::default() };
    let (mut client, mut server) = pair_with(capacity, deflate.then(agreement), &options);
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for (step, len) in steps {
        match step {
            0 => {
                let message = Message::binary(vec![len as u8; len]);
                if let Some(fed) = once(client.feed(message.clone())).await {
                    fed.unwrap();
                    sent.push(message);
                }
            }
            1 => drop(once(client.flush()).await),
            2 => drop(once(client.recv()).await),
            _ => {
                if let Some(message) = once(server.recv()).await {
                    received.push(message.unwrap().unwrap());
                }
            }
        }
    }
    let closing = tokio::spawn(async move { client.close(CloseCode::NORMAL, "").await });
    while let Some(message) = server.recv().await {
        received.push(message.unwrap());
    }
    closing.await.unwrap().unwrap();
    (sent, received)
}
