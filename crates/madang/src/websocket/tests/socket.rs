//! What a socket does with messages, control frames and the close handshake.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::{SinkExt, StreamExt};
use madang_ws::PeerMisbehaved;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::{
    CloseCode, ClosedBy, Error, Event, Limits, Message, Options, Reader, Role, WebSocket, Writer,
    connect,
};
use super::{agreement, messages, options, pair, pair_with, socket};

#[tokio::test]
async fn messages_of_all_lengths_go_both_ways() {
    for (capacity, deflate) in [
        (1, None),
        (64, None),
        (1 << 20, None),
        (64, Some(agreement())),
        (1 << 20, Some(agreement())),
    ] {
        let (mut client, mut server) = pair_with(capacity, deflate, &options());
        let echo = tokio::spawn(async move {
            while let Some(message) = server.recv().await {
                server.send(message.unwrap()).await.unwrap();
            }
        });
        let few = if capacity == 1 { 6 } else { usize::MAX };
        for message in messages().into_iter().take(few) {
            client.send(message.clone()).await.unwrap();
            assert_eq!(client.recv().await, Some(Ok(message)));
        }
        client.close(CloseCode::NORMAL, "").await.unwrap();
        echo.await.unwrap();
    }
}

#[tokio::test]
async fn fed_messages_leave_in_one_write() {
    let (client, mut wire) = tokio::io::duplex(1 << 20);
    let mut client = socket(client, Role::Client, None, &options());
    for n in 0..100 {
        client.feed(format!("message {n}")).await.unwrap();
    }
    // Nothing has left so far.
    let mut bytes = vec![0; 1 << 20];
    let mut read = pin!(wire.read(&mut bytes));
    poll_fn(|cx| {
        assert!(read.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    client.flush().await.unwrap();
    let n = read.await.unwrap();
    assert_eq!(n, (0..100).map(|n| 2 + 4 + format!("message {n}").len()).sum::<usize>());
}

#[tokio::test]
async fn feeding_waits_when_too_much_is_unwritten() {
    let (mut client, mut server) = pair(1024);
    let message = Message::binary(vec![1; 60_000]);
    client.feed(message.clone()).await.unwrap();
    client.feed(message.clone()).await.unwrap();
    {
        let mut third = pin!(client.feed(message.clone()));
        poll_fn(|cx| {
            assert!(third.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    let receiving = tokio::spawn(async move {
        let mut received = Vec::new();
        while let Some(message) = server.recv().await {
            received.push(message.unwrap());
        }
        received
    });
    client.feed("the third").await.unwrap();
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(receiving.await.unwrap() == [message.clone(), message, "the third".into()]);
}

#[tokio::test]
async fn receiving_writes_what_was_fed() {
    let (mut client, mut server) = pair(1024);
    let server = tokio::spawn(async move {
        let message = server.recv().await.unwrap().unwrap();
        server.feed(message).await.unwrap();
        server.recv().await
    });
    client.feed("hello").await.unwrap();
    assert_eq!(client.recv().await, Some(Ok("hello".into())));
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(server.await.unwrap(), None);
}

#[tokio::test]
async fn pings_are_answered_and_pongs_seen() {
    let (mut client, mut server) = pair(16);
    let server = tokio::spawn(async move {
        let ping = server.recv_event().await;
        assert_eq!(server.recv().await, None);
        ping
    });
    client.ping(b"are you there").await.unwrap();
    let pong = client.recv_event().await.unwrap().unwrap();
    assert_eq!(pong, Event::Pong("are you there".into()));
    assert!(matches!(client.ping(&[0; 126]).await, Err(Error::Misuse(_))));
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(server.await.unwrap(), Some(Ok(Event::Ping("are you there".into()))));
}

#[tokio::test]
async fn either_side_closes() {
    for client_first in [true, false] {
        let (client, server) = pair(3);
        let (mut first, mut second) =
            if client_first { (client, server) } else { (server, client) };
        let second = tokio::spawn(async move {
            assert_eq!(second.recv().await, None);
            assert_eq!(second.recv().await, None);
            assert_eq!(second.send("too late").await, Err(Error::Closed));
            second.closed().cloned().unwrap()
        });
        let closed = first.close(CloseCode::GOING_AWAY, "정비 중").await.unwrap();
        assert_eq!((closed.code, closed.by), (CloseCode::GOING_AWAY, ClosedBy::Us));
        assert_eq!(first.recv().await, None);
        assert_eq!(first.send("too late").await, Err(Error::Closed));
        let closed = second.await.unwrap();
        assert_eq!((closed.code, &*closed.reason), (CloseCode::GOING_AWAY, "정비 중"));
        assert_eq!(closed.by, ClosedBy::Peer);
    }
}

#[tokio::test]
async fn a_code_that_may_not_be_sent_closes_nothing() {
    let (mut client, mut server) = pair(64);
    assert!(matches!(client.close(CloseCode::ABNORMAL, "").await, Err(Error::Misuse(_))));
    client.send("still here").await.unwrap();
    assert_eq!(server.recv().await, Some(Ok("still here".into())));
}

/// RFC 6455 §7.1.1: the client leaves the closing of TCP to the server.
#[tokio::test]
async fn the_server_closes_the_stream_first() {
    let (server, mut wire) = tokio::io::duplex(1024);
    let mut server = socket(server, Role::Server, None, &options());
    wire.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    let server = tokio::spawn(async move { server.recv().await });
    let mut bytes = Vec::new();
    wire.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, [0x88, 0]);
    drop(wire);
    assert_eq!(server.await.unwrap(), None);

    let (client, mut wire) = tokio::io::duplex(1024);
    let mut client = socket(client, Role::Client, None, &options());
    wire.write_all(&[0x88, 0]).await.unwrap();
    {
        let mut recv = pin!(client.recv());
        let mut bytes = [0; 64];
        let mut read = pin!(wire.read(&mut bytes));
        let n = tokio::select! {
            _ = &mut recv => panic!("the stream is still open"),
            n = &mut read => n.unwrap(),
        };
        assert_eq!(n, 6);
        poll_fn(|cx| {
            assert!(recv.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    drop(wire);
    assert_eq!(client.recv().await, None);
}

#[tokio::test]
async fn a_cut_is_an_error() {
    for bytes in [&[][..], &[0x81], &[0x81, 5, b'h']] {
        let (client, mut wire) = tokio::io::duplex(1024);
        let mut client = socket(client, Role::Client, None, &options());
        wire.write_all(bytes).await.unwrap();
        drop(wire);
        assert_eq!(client.recv().await, Some(Err(Error::Cut)));
        assert_eq!(client.recv().await, None);
        assert_eq!(client.closed().unwrap().code, CloseCode::ABNORMAL);
        assert_eq!(client.send("x").await, Err(Error::Closed));
    }
}

/// The peer closed and left; that it did not take our message is no reason to lose its close frame.
#[tokio::test]
async fn what_came_before_a_broken_write_is_read() {
    let (client, mut wire) = tokio::io::duplex(1024);
    let mut client = socket(client, Role::Client, None, &options());
    wire.write_all(b"\x81\x03bye\x88\x02\x03\xe9").await.unwrap();
    drop(wire);
    assert!(matches!(client.send("x").await, Err(Error::Io(_))));
    assert_eq!(client.recv().await, Some(Ok("bye".into())));
    assert_eq!(client.recv().await, None);
    assert_eq!(client.closed().unwrap().code, CloseCode::GOING_AWAY);
}

#[tokio::test]
async fn a_peer_that_misbehaves_is_told_so() {
    let (client, mut wire) = tokio::io::duplex(1024);
    let mut client = socket(client, Role::Client, None, &options());
    wire.write_all(&[0x83, 0]).await.unwrap();
    let client = tokio::spawn(async move { (client.recv().await, client.recv().await) });
    let mut head = [0; 8];
    wire.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x88);
    let code = u16::from_be_bytes([head[6] ^ head[2], head[7] ^ head[3]]);
    assert_eq!(code, 1002);
    drop(wire);
    let error = Error::Failed(PeerMisbehaved::ReservedOpCode(3).into());
    assert_eq!(client.await.unwrap(), (Some(Err(error)), None));
}

#[tokio::test]
async fn a_message_over_the_limit_is_1009() {
    let limits = Limits { max_message: 1000, ..Limits::default() };
    let (mut client, mut server) = pair_with(100, None, &Options { limits, ..options() });
    let server = tokio::spawn(async move { server.recv().await });
    // Cut short or not, the client hears why.
    let _ = client.send(vec![0; 1001]).await;
    assert_eq!(client.recv().await, None);
    assert_eq!(client.closed().unwrap().code, CloseCode::TOO_BIG);
    assert_eq!(server.await.unwrap(), Some(Err(Error::Failed(madang_ws::Error::TooBig))));
}

#[tokio::test]
async fn large_payloads_are_not_copied_and_small_ones_hold_no_buffer() {
    let (client, mut wire) = tokio::io::duplex(1 << 20);
    let mut client = socket(client, Role::Client, None, &options());
    let mut bytes = Vec::new();
    for len in [10_000_u16, 20_000] {
        bytes.extend([0x82, 126]);
        bytes.extend(len.to_be_bytes());
        bytes.extend(vec![7; usize::from(len)]);
    }
    wire.write_all(&bytes).await.unwrap();
    let first = client.recv().await.unwrap().unwrap().into_bytes();
    let second = client.recv().await.unwrap().unwrap().into_bytes();
    // Both lie where they were read: the second begins a header after the first.
    assert_eq!(first.as_ptr().addr() + first.len() + 4, second.as_ptr().addr());
    assert!(!first.is_unique());

    wire.write_all(&[0x82, 1, 7, 0x82, 1, 8]).await.unwrap();
    assert!(client.recv().await.unwrap().unwrap().into_bytes().is_unique());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_and_sink() {
    let (client, server) = pair(100);
    let (stream, sink) = server.split();
    let echo = tokio::spawn(stream.forward(sink));
    let (mut sink, stream) = StreamExt::split(client);
    let count = messages().len();
    let sender = tokio::spawn(async move {
        for message in messages() {
            SinkExt::feed(&mut sink, message).await.unwrap();
        }
        SinkExt::flush(&mut sink).await.unwrap();
        sink
    });
    let mut stream = stream;
    let received: Vec<_> = stream.by_ref().take(count).map(Result::unwrap).collect().await;
    assert_eq!(received, messages());
    let mut sink = sender.await.unwrap();
    let closing = tokio::spawn(async move { SinkExt::close(&mut sink).await });
    assert_eq!(stream.next().await, None);
    closing.await.unwrap().unwrap();
    echo.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_in_two_tasks() {
    let (client, server) = pair(100);
    let (mut reader, mut writer) = server.split();
    let (relay, mut queue) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(message) = reader.recv().await {
            relay.send(message.unwrap()).await.unwrap();
        }
    });
    let writing = tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            writer.send(message).await.unwrap();
        }
        writer
    });
    let (mut reader, mut writer) = client.split();
    let sending = tokio::spawn(async move {
        for message in messages() {
            writer.send(message).await.unwrap();
        }
        writer
    });
    for message in messages() {
        assert_eq!(reader.recv().await, Some(Ok(message)));
    }
    let mut writer = sending.await.unwrap();
    // The reader is not polled: the writer reads the peer's answer by itself.
    writer.close(CloseCode::NORMAL, "done").await.unwrap();
    assert_eq!(reader.recv().await, None);
    assert_eq!(reader.closed().unwrap().by, ClosedBy::Us);
    assert_eq!(writing.await.unwrap().closed().unwrap().reason, "done");
}

/// Nothing is held between two messages, so that idle sockets cost little.
#[tokio::test]
async fn an_idle_socket_holds_no_buffer() {
    let (mut client, mut server) = pair(1 << 20);
    for message in messages() {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.engine.buffered(), 0);
        assert!(server.recv().await == Some(Ok(message.clone())));
        assert_eq!(server.engine.buffered(), 0);
        server.feed(message).await.unwrap();
        assert!(server.engine.buffered() > 0);
        server.flush().await.unwrap();
        assert_eq!(server.engine.buffered(), 0);
        client.recv().await.unwrap().unwrap();
    }
    assert!(size_of::<WebSocket<DuplexStream>>() < 700, "{}", size_of::<WebSocket<DuplexStream>>());
}

/// A pong, and the echo of a close frame, leave though nobody uses the writer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_answers_alone() {
    let (mut client, server) = pair(8);
    let (mut reader, writer) = server.split();
    let reading = tokio::spawn(async move { (reader.recv().await, reader) });
    client.ping(b"1").await.unwrap();
    assert_eq!(client.recv_event().await, Some(Ok(Event::Pong("1".into()))));
    client.close(CloseCode::NORMAL, "").await.unwrap();
    let (end, reader) = reading.await.unwrap();
    assert_eq!(end, None);
    assert!(reader.reunite(writer).is_ok());
}

/// A writer that waits for room goes on when the reader's task makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_writer_is_woken() {
    let (mut client, server) = pair(64);
    let (mut reader, mut writer) = server.split();
    let writing = tokio::spawn(async move { writer.send(vec![3; 200_000]).await });
    let reading = tokio::spawn(async move { reader.recv().await });
    assert_eq!(client.recv().await, Some(Ok(vec![3; 200_000].into())));
    writing.await.unwrap().unwrap();
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(reading.await.unwrap(), None);
}

/// The end wakes a writer that waits for room which never comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_wakes_a_blocked_writer() {
    let (client, server) = pair(64);
    let (mut reader, mut writer) = server.split();
    writer.feed(vec![3; 200_000]).await.unwrap();
    let writing = tokio::spawn(async move { writer.send("more").await });
    let reading = tokio::spawn(async move { reader.recv().await });
    drop(client);
    assert!(writing.await.unwrap().is_err());
    assert_eq!(reading.await.unwrap(), Some(Err(Error::Cut)));
}

#[test]
fn sockets_can_change_threads() {
    fn is_send<T: Send + Unpin>() {}
    fn is_send_and_sync<T: Send + Sync + Unpin>() {}
    fn value_is_send<T: Send>(_: T) {}
    is_send_and_sync::<WebSocket<DuplexStream>>();
    is_send_and_sync::<Reader<DuplexStream>>();
    is_send_and_sync::<Writer<DuplexStream>>();
    is_send::<WebSocket>();
    is_send::<Reader>();
    value_is_send(connect("ws://localhost"));
    let _ = |mut socket: WebSocket| {
        value_is_send(async move {
            socket.send("x").await?;
            socket.close(CloseCode::NORMAL, "").await
        });
    };
}
