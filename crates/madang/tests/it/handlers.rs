//! Handlers of a program's own.

use std::{sync::Arc, time::Duration};

use madang::{
    Server, Socket,
    hub::Draft,
    proto::{Body, Topic},
};
use tokio::sync::{Semaphore, mpsc};

use super::{
    client::{Client, News},
    echo, start,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_hears_and_answers() {
    let (address, _running) = start(Server::new().websocket("/", async |mut socket: Socket| {
        assert!(socket.peer().unwrap().ip().is_loopback());
        assert_eq!(socket.request().uri().query(), Some("a=b"));
        while let Some(message) = socket.recv().await {
            if message.as_text() == Some("bye") {
                return socket.close(4001, "as you wish");
            }
            socket.send(message).unwrap();
        }
    }));
    let mut client = Client::connect(address, "/?a=b");
    client.text("one");
    client.binary(&[2]);
    assert_eq!(client.next_text(), "one");
    assert_eq!(client.next(), News::Binary(vec![2]));
    client.text("bye");
    assert_eq!(client.closed(), (4001, "as you wish".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_returns_closes_with_1000() {
    let (address, _running) = start(Server::new().websocket("/", async |_: Socket| {}));
    assert_eq!(Client::connect(address, "/").closed().0, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_does_not_read_stops_the_reading_and_nobody_else() {
    let gate = Arc::new(Semaphore::new(0));
    let (sender, mut seen) = mpsc::unbounded_channel();
    let inner = Arc::clone(&gate);
    let server = Server::new()
        .workers(1)
        .websocket("/slow", move |mut socket: Socket| {
            let (gate, sender) = (Arc::clone(&inner), sender.clone());
            async move {
                gate.acquire().await.unwrap().forget();
                while let Some(message) = socket.recv().await {
                    sender.send(message.as_text().unwrap().to_owned()).unwrap();
                }
            }
        })
        .inline("/fast", echo);
    let (address, _running) = start(server);
    let writer = std::thread::spawn(move || {
        let mut slow = Client::connect(address, "/slow");
        // More than the inbox, the worker's buffer and the sockets' buffers can hold together.
        let filler = "x".repeat(64 * 1024);
        for number in 0..400 {
            slow.text(&format!("{number} {filler}"));
        }
        slow.close()
    });
    let mut fast = Client::connect(address, "/fast");
    for _ in 0..50 {
        fast.text("quick");
        assert_eq!(fast.next_text(), "quick");
    }
    gate.add_permits(1);
    for number in 0..400 {
        let text = seen.recv().await.unwrap();
        assert_eq!(text.split(' ').next(), Some(number.to_string().as_str()));
    }
    assert_eq!(writer.join().unwrap().0, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_delays_no_other_door() {
    let server = Server::new()
        .workers(1)
        .websocket("/block", async |_: Socket| std::thread::sleep(Duration::from_secs(5)))
        .inline("/fast", echo);
    let (address, _running) = start(server);
    let _blocker = Client::connect(address, "/block");
    let begun = std::time::Instant::now();
    let mut fast = Client::connect(address, "/fast");
    fast.text("quick");
    assert_eq!(fast.next_text(), "quick");
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_joined_hears_its_topic_and_keeps_the_order() {
    let server = Server::new().workers(2).websocket("/", async |mut socket: Socket| {
        socket.join(&Topic::new("room").unwrap());
        socket.send("joined").unwrap();
        while socket.recv().await.is_some() {}
    });
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let mut client = Client::connect(address, "/");
    assert_eq!(client.next_text(), "joined");
    let room = Topic::new("room").unwrap();
    for number in 0..100 {
        hub.publish(&room, Draft::new(Body::Text(number.to_string().into()))).unwrap();
    }
    for number in 0..100 {
        assert_eq!(client.next_text(), number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_right_behind_a_message_is_missed_at_once() {
    use std::io::Write as _;
    let (sender, mut ended) = mpsc::unbounded_channel();
    let server = Server::new().workers(1).websocket("/", move |mut socket: Socket| {
        let sender = sender.clone();
        async move {
            let mut heard = 0;
            while socket.recv().await.is_some() {
                heard += 1;
            }
            sender.send(heard).unwrap();
        }
    });
    let (address, _running) = start(server);
    // Nobody else is there whose events would show it. Often enough for both to come as one event.
    for _ in 0..100 {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
            answer.push(byte[0]);
        }
        stream.write_all(b"\x82\x81\0\0\0\0x").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(10), ended.recv()).await;
        assert_eq!(heard.unwrap(), Some(1));
    }
}
