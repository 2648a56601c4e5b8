//! HTTP/2: pages, and WebSockets by extended CONNECT.

mod flood;
pub(crate) mod peer;

use std::time::Duration;

use h2::{Reason, ext::Protocol};
use http::Method;
use madang::{
    HttpLimits, Message, OutboxLimits, Server, Socket,
    hub::Draft,
    proto::{Body, Topic, raw::PROTOCOL},
    ws::{Kind, deflate},
};
use tokio::sync::mpsc;

use super::{
    client::{Client, News, ask},
    echo, start, yard,
};
use peer::{Peer, soon};

#[tokio::test]
async fn pages_are_what_they_are_over_http_1() {
    let server = Server::new().page("/", "text/html", b"<p>hello").protocol(&PROTOCOL);
    let (address, _running) = start(server);
    let mut peer = Peer::connect(address).await;
    for (method, path) in
        [("GET", "/"), ("GET", "/healthz"), ("GET", "/nothing"), ("POST", "/"), ("DELETE", "/x")]
    {
        let mut new = peer.ask(method.parse().unwrap(), path).await;
        let old = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let mut old = tokio::task::spawn_blocking(move || ask(address, &old)).await.unwrap();
        assert_eq!((new.status, new.body), (old.status, old.body), "{method} {path}");
        assert!(new.headers.remove("date").is_some() && old.headers.remove("date").is_some());
        assert_eq!(new.headers, old.headers, "{method} {path}");
    }
    let head = peer.ask(Method::HEAD, "/").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.headers["content-length"], "8");
    let plain = peer.ask(Method::GET, "/ws/room").await;
    assert_eq!(plain.status, 400);
    assert!(plain.body.contains("new WebSocket(\"wss://") && plain.body.contains("RFC 8441"));
    assert!(!plain.headers.contains_key("upgrade") && !plain.headers.contains_key("connection"));
}

#[tokio::test]
async fn limits_beyond_those_of_http_2_are_its_own() {
    let limits = HttpLimits {
        max_head: usize::MAX,
        stream_window: u32::MAX,
        connection_window: u32::MAX,
        send_buffer: usize::MAX,
        ..HttpLimits::default()
    };
    let (address, _running) = start(Server::new().protocol(&PROTOCOL).http_limits(limits));
    let mut peer = Peer::connect(address).await;
    let mut stream = peer.open("/ws/room").await;
    stream.text("wide").await;
    assert_eq!(stream.next_text().await, "wide");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_page_comes_whole_and_leaves_room_for_others() {
    const SIZE: usize = 3 * 1024 * 1024;
    let folder = std::env::temp_dir().join(format!("madang-h2-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("large"), vec![b'x'; SIZE]).unwrap();
    let (address, _running) = start(Server::new().workers(1).static_folder(&folder));
    let mut peer = Peer::connect(address).await;
    // Nobody reads this one.
    let request = peer.request(Method::GET, "/large");
    let (stuck, _) = peer.begin(request, true).await.unwrap();
    let stuck = soon(stuck).await.unwrap();
    let large = peer.ask(Method::GET, "/large").await;
    assert_eq!(large.headers["content-length"], SIZE.to_string());
    assert_eq!(large.body.len(), SIZE);
    drop(stuck);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_a_websocket_of_its_topic_like_any_other() {
    let (address, _running) = yard(2);
    let mut peer = Peer::connect(address).await;
    let mut over_tcp = Client::connect(address, "/ws/room");
    let (mut one, mut two) = (peer.open("/ws/room").await, peer.open("/ws/room").await);
    let mut elsewhere = peer.open("/ws/other").await;
    one.text("안녕").await;
    for stream in [&mut one, &mut two] {
        assert_eq!(stream.next_text().await, "안녕");
    }
    assert_eq!(over_tcp.next_text(), "안녕");
    over_tcp.binary(&[0, 1, 255]);
    for stream in [&mut one, &mut two] {
        assert_eq!(stream.next().await, News::Binary(vec![0, 1, 255]));
    }
    elsewhere.text("here").await;
    assert_eq!(elsewhere.next_text().await, "here");
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_see_the_request_and_large_messages_pass() {
    let server = Server::new().inline("/echo", echo).websocket("/path", async |mut s: Socket| {
        let uri = s.request().uri().clone();
        let _ = s.send(uri.path_and_query().unwrap().as_str().to_owned());
        while let Some(message) = s.recv().await {
            if s.send(message).is_err() {
                break;
            }
        }
    });
    let (address, _running) = start(server);
    let mut peer = Peer::connect(address).await;
    let mut handled = peer.open("/path?a=b").await;
    assert_eq!(handled.next_text().await, "/path?a=b");
    // Several windows' worth, on several streams at once.
    let mut all = Vec::new();
    for number in 0..4_u8 {
        let mut stream = peer.open("/echo").await;
        all.push(tokio::spawn(async move {
            for size in [0, 1, 65_535, 65_536, 900_000] {
                let message = vec![number; size];
                stream.send(Kind::Binary, &message).await;
                assert_eq!(stream.next().await, News::Binary(message));
            }
        }));
    }
    for stream in all {
        stream.await.unwrap();
    }
    handled.text("still").await;
    assert_eq!(handled.next_text().await, "still");
}

/// What is left in the socket while an answer waits is read once that is gone, though nothing more
/// comes that would tell the worker.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_behind_a_long_message_is_heard() {
    let (address, _running) = start(Server::new().workers(1).inline("/echo", echo));
    let mut peer = Peer::connect(address).await;
    let mut stream = peer.open("/echo").await;
    let long = "long ".repeat(60_000);
    for _ in 0..30 {
        for text in [&long, "two"] {
            stream.text(text).await;
        }
        for text in [&long, "two"] {
            assert!(stream.next_text().await == text, "{text:.20}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_stalls_no_other_and_is_given_up() {
    const COUNT: usize = 400;
    let limits = OutboxLimits {
        max_bytes: 128 * 1024,
        max_stall: Duration::from_mins(1),
        ..OutboxLimits::default()
    };
    let server = Server::new().workers(1).protocol(&PROTOCOL).outbox(limits);
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let mut peer = Peer::connect(address).await;
    let mut slow = peer.open("/ws/room").await;
    let mut fast = peer.open("/ws/room").await;
    let (room, filler) = (Topic::new("room").unwrap(), "x".repeat(16 * 1024));
    for number in 0..COUNT {
        let body = Body::Text(format!("{number} {filler}").into());
        hub.publish(&room, Draft::new(body)).unwrap();
        let text = fast.next_text().await;
        assert!(text.starts_with(&format!("{number} ")), "message {number}");
    }
    assert_eq!(slow.closed().await, (1008, "M503 slow consumer".into()));
    fast.text("on").await;
    assert_eq!(fast.next_text().await, "on");
}

#[tokio::test]
async fn refusals_have_the_right_status_and_a_sentence() {
    let (address, _running) = yard(1);
    let mut peer = Peer::connect(address).await;
    let mut foreign = peer.websocket("/ws");
    foreign.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    let mut old = peer.websocket("/ws");
    old.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    let mut other = peer.websocket("/ws");
    other.extensions_mut().insert(Protocol::from_static("connect-udp"));
    let mut tunnel = peer.request(Method::CONNECT, "/ws");
    *tunnel.uri_mut() = "somewhere.example:443".parse().unwrap();
    for (request, status, sentence) in [
        (foreign, 403, "--allowed-origin"),
        (old, 400, "version 13"),
        (other, 501, ":protocol websocket"),
        (tunnel, 405, "GET or HEAD"),
        (peer.websocket("/nothing"), 404, "no WebSocket at /nothing"),
        (peer.websocket("/healthz"), 404, "no WebSocket"),
        (peer.websocket("/ws/madang.x"), 400, "server's own"),
        (peer.websocket("/ws?envelope=xml"), 400, "json"),
    ] {
        let answer = peer.send(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(sentence), "{}", answer.body);
    }
    // The connection is as good as before.
    let mut own = peer.websocket("/ws");
    own.headers_mut().insert("origin", format!("http://{address}").parse().unwrap());
    let mut own = peer.open_with(own, None).await;
    own.text("hi").await;
    assert_eq!(own.next_text().await, "hi");
}

#[tokio::test]
async fn subprotocol_and_compression_are_agreed_on() {
    let server = Server::new()
        .inline("/echo", echo)
        .subprotocols(["chat".to_owned(), "other".to_owned()], false);
    let (address, _running) = start(server);
    let mut peer = Peer::connect(address).await;
    let mut request = peer.websocket("/echo");
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "new, other, chat".parse().unwrap());
    headers.insert("sec-websocket-extensions", "permessage-deflate".parse().unwrap());
    let settings = deflate::Settings { enabled: true, ..Default::default() };
    let offers = deflate::parse_offers(request.headers().get_all("sec-websocket-extensions"));
    let (agreement, _) = deflate::answer(&offers.unwrap(), &settings).unwrap();
    let mut stream = peer.open_with(request, Some(agreement)).await;
    let headers = stream.response.headers();
    assert_eq!(headers["sec-websocket-protocol"], "other");
    assert!(headers["sec-websocket-extensions"].to_str().unwrap().starts_with("permessage-def"));
    assert!(!headers.contains_key("sec-websocket-accept") && !headers.contains_key("upgrade"));
    let text = "again and ".repeat(1000);
    stream.text(&text).await;
    assert_eq!(stream.next_text().await, text);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_of_end_reach_the_other_side() {
    let (sender, mut ended) = mpsc::unbounded_channel();
    let server = Server::new().workers(1).websocket("/", move |mut socket: Socket| {
        let sender = sender.clone();
        async move {
            while let Some(message) = socket.recv().await {
                match message {
                    Message::Text(text) if &*text == "close" => break,
                    message => socket.send(message).unwrap(),
                }
            }
            sender.send(()).unwrap();
        }
    });
    let (address, _running) = start(server);
    let mut peer = Peer::connect(address).await;

    // The client's FIN, without a goodbye: the server ends its half too.
    let mut stream = peer.open("/").await;
    stream.to.send_data(bytes::Bytes::new(), true).unwrap();
    assert_eq!(stream.next().await, News::Closed(1006, String::new()));
    soon(ended.recv()).await.unwrap();

    // The client's reset.
    let mut stream = peer.open("/").await;
    stream.text("there?").await;
    assert_eq!(stream.next_text().await, "there?");
    stream.to.send_reset(Reason::CANCEL);
    soon(ended.recv()).await.unwrap();

    // Goodbyes from either side; the server's END_STREAM follows, and no reset.
    for server_first in [false, true] {
        let mut stream = peer.open("/").await;
        if server_first {
            stream.text("close").await;
        } else {
            stream.close().await;
        }
        assert_eq!(stream.closed().await.0, 1000);
        // The last frame may be one without data.
        while let Some(data) = soon(stream.from.data()).await {
            assert_eq!(data.unwrap(), "");
        }
        soon(ended.recv()).await.unwrap();
    }

    // The connection's end is that of its streams.
    let mut stream = peer.open("/").await;
    stream.text("there?").await;
    assert_eq!(stream.next_text().await, "there?");
    peer.driver.abort();
    drop((peer, stream));
    soon(ended.recv()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_told_that_the_server_goes() {
    let (address, running) = yard(2);
    let mut peer = Peer::connect(address).await;
    let quiet = Peer::connect(address).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(peer.open("/ws").await);
    }
    let stopped = tokio::spawn(running.shutdown(Duration::from_secs(15)));
    for stream in &mut streams {
        assert_eq!(stream.closed().await.0, 1001);
    }
    drop(streams);
    // GOAWAY without an error, to those too that have no stream.
    soon(peer.driver).await.unwrap().unwrap();
    soon(quiet.driver).await.unwrap().unwrap();
    soon(stopped).await.unwrap().unwrap();
}
