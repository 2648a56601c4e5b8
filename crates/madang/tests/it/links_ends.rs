//! How sessions and requests end: as the server leaves, with slow clients, over TLS and HTTP/2, and
//! what is refused.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use http::Method;
use madang::{
    Message, Server,
    proto::{Request, engineio, sockjs},
};
use tokio_rustls::rustls;

use crate::{
    client::{Client, News, ask},
    h2::peer::{Peer, soon},
    links::{ENGINE, Repeat, SOCKJS},
    links_hostile::{
        Count, POLLING, WEBSOCKET, connect, get, handshake, is_there, open, patient, post,
        read_answer, server,
    },
    start,
    tls::{self, Identity},
};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_answered_as_the_server_leaves() {
    let (server, count) = server(2, patient());
    let sockjs = sockjs::Reception::new(sockjs::Settings::default(), |_| Box::new(Repeat));
    let (address, running) = start(server.reception("/echo", &SOCKJS, Arc::new(sockjs)));
    let (polls, streams, upgrades) = tokio::task::spawn_blocking(move || {
        let mut polls = Vec::new();
        let mut streams = Vec::new();
        let mut upgrades = Vec::new();
        for number in 0..8 {
            let sid = open(address);
            let mut poll = connect(address);
            poll.write_all(get(&format!("{POLLING}&sid={sid}")).as_bytes()).unwrap();
            if number % 2 == 0 {
                let path = format!("{WEBSOCKET}&sid={sid}");
                let mut wire =
                    Client::with(address, &path, &crate::client::plain()).unwrap();
                wire.text("2probe");
                assert_eq!(wire.next_text(), "3probe");
                upgrades.push(wire);
            } else {
                // Its answer tells that the poll was seen, most likely.
                assert_eq!(ask(address, &post(&sid, "3")).status, 200);
                polls.push(poll);
            }
            let mut stream = connect(address);
            let request = format!(
                "POST /echo/0/s{number}/xhr_streaming HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            streams.push(stream);
        }
        (polls, streams, upgrades)
    })
    .await
    .unwrap();
    let begun = Instant::now();
    let heard = tokio::task::spawn_blocking(move || {
        for mut poll in polls {
            let answer = read_answer(&mut poll);
            assert!(
                answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n1"),
                "{answer}"
            );
        }
        for mut stream in streams {
            let mut all = String::new();
            stream.read_to_string(&mut all).unwrap();
            assert!(all.contains("c[3000,\"Go away!\"]") && all.ends_with("0\r\n\r\n"), "{all}");
        }
        for upgrade in upgrades {
            assert!(matches!(upgrade.closed().0, 1000 | 1001));
        }
    });
    running.shutdown(Duration::from_secs(15)).await.unwrap();
    heard.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(count.now(), 0);
}

/// A body that has ended still reaches a client who takes it slowly, to its last byte.
#[test]
fn the_end_of_a_body_waits_for_a_slow_client() {
    let settings = sockjs::Settings { max_payload: 8 << 20, ..sockjs::Settings::default() };
    let sockjs = sockjs::Reception::new(settings, |_| Box::new(Repeat));
    let limits = madang::OutboxLimits { max_bytes: 16 << 20, ..Default::default() };
    let server = Server::new().workers(2).outbox(limits);
    let (address, _running) = start(server.reception("/echo", &SOCKJS, Arc::new(sockjs)));
    let mut stream = connect(address);
    let request =
        "POST /echo/0/slow/xhr_streaming HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = vec![0; 12];
    stream.read_exact(&mut all).unwrap();
    // More than the kernel holds for it.
    let said = format!("[\"{}\"]", "x".repeat(7 << 20));
    let send = format!(
        "POST /echo/0/slow/xhr_send HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{said}",
        said.len()
    );
    assert_eq!(ask(address, &send).status, 204);
    // The test waits for the clock, as the server's is the real one.
    thread::sleep(Duration::from_secs(5));
    stream.read_to_end(&mut all).unwrap();
    assert!(all.len() > 7 << 20, "{} bytes", all.len());
    assert!(all.ends_with(b"0\r\n\r\n"));
}

/// Answers to polls that nobody reads are bounded for all together.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_are_bounded() {
    const MOST: usize = 3 << 20;
    let limits = madang::OutboxLimits { max_replay: MOST, ..Default::default() };
    let (server, count) = server(2, patient());
    let (address, running) = start(server.outbox(limits));
    let long = format!("4{}", "x".repeat(900_000));
    let mut peer = Peer::connect(address).await;
    let (mut held, mut refused) = (Vec::new(), 0);
    for _ in 0..6 {
        let (long, counted) = (long.clone(), count.clone());
        let sid = tokio::task::spawn_blocking(move || {
            let sid = open(address);
            assert_eq!(ask(address, &post(&sid, &long)).status, 200);
            assert!(counted.now() > 0);
            sid
        })
        .await
        .unwrap();
        let path = format!("{POLLING}&sid={sid}");
        let request = peer.request(Method::GET, &path);
        let (response, _) = peer.begin(request, true).await.unwrap();
        let response = soon(response).await.unwrap();
        refused += usize::from(response.status() == 503);
        held.push(response);
    }
    assert_eq!(refused, 2);
    drop(held);
    let again = peer.ask(Method::GET, POLLING).await;
    assert_eq!(again.status, 200);
    drop(running);
}

/// The way to a WebSocket, with more behind it than one record holds, where TLS or HTTP/2 moves with
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn tls_and_streams_of_http_2_move_with_the_link() {
    let identity = Identity::new("links");
    let long = format!("4{}", "long ".repeat(60_000));
    for workers in [1, 3] {
        let (server, count) = server(workers, patient());
        let (address, _running) = start(server.tls(identity.tls()));
        for _ in 0..8 {
            let mut config = identity.client(None);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let opened = secure(address, config.clone(), &get(POLLING)).await;
            let start = opened.find("0{").unwrap();
            let open: serde_json::Value = serde_json::from_str(&opened[start + 1..]).unwrap();
            let path = format!("{WEBSOCKET}&sid={}", open["sid"].as_str().unwrap());
            let mut socket = tls::connect(address, &path, config).await;
            for text in ["2probe", "5", "4one", &long, "4two"] {
                socket.send(Message::Text(text.into())).await.unwrap();
            }
            for text in ["3probe", "4one", &long, "4two"] {
                let heard = soon(socket.recv()).await.unwrap().unwrap();
                assert!(heard.as_bytes() == text.as_bytes(), "{text:.20}");
            }
        }
        let gone = count.clone();
        soon(tokio::task::spawn_blocking(move || gone.none())).await.unwrap();
    }
    for workers in [1, 3] {
        let (server, count) = server(workers, patient());
        let (address, _running) = start(server);
        let mut peer = Peer::connect(address).await;
        for round in 0..8 {
            let opened = peer.ask(Method::GET, POLLING).await;
            let open: serde_json::Value = serde_json::from_str(&opened.body[1..]).unwrap();
            let path = format!("{WEBSOCKET}&sid={}", open["sid"].as_str().unwrap());
            let mut stream = peer.open(&path).await;
            for text in ["2probe", "5", "4one", &long, "4two"] {
                stream.text(text).await;
            }
            for text in ["3probe", "4one", &long, "4two"] {
                assert!(stream.next_text().await == text, "{text:.20}");
            }
            if round % 2 == 0 {
                stream.to.send_reset(h2::Reason::CANCEL);
            }
        }
        let gone = count.clone();
        soon(tokio::task::spawn_blocking(move || gone.none())).await.unwrap();
    }
}

/// What a request over TLS is answered with.
async fn secure(address: SocketAddr, config: rustls::ClientConfig, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// A page of another site reads nothing by loading it as a script.
#[test]
fn only_listed_pages_poll_by_script() {
    let (server, _count) = server(1, patient());
    let (address, _running) = start(server.allowed_origin("https://listed.example"));
    for (site, mode, page, status) in [
        ("cross-site", "no-cors", "Referer: https://evil.example/\r\n", 403),
        ("same-site", "no-cors", "Referer: https://evil.example/\r\n", 403),
        ("cross-site", "no-cors", "", 403),
        ("cross-site", "no-cors", "Referer: ://\r\n", 403),
        ("cross-site", "no-cors", "Referer: https://listed.example/page\r\n", 200),
        ("same-origin", "no-cors", "", 200),
        ("none", "navigate", "", 200),
    ] {
        let request = format!(
            "GET {POLLING}&j=0 HTTP/1.1\r\nHost: madang.example\r\nSec-Fetch-Site: {site}\r\n\
             Sec-Fetch-Mode: {mode}\r\n{page}\r\n"
        );
        assert_eq!(ask(address, &request).status, status, "{site} {mode} {page}");
    }
}

/// A name leads nowhere at another mount, or once its session is over.
#[test]
fn a_name_is_of_its_mount() {
    let (server, count) = server(2, patient());
    let other = engineio::Reception::new(patient(), |_: &Request| Count::default().enter());
    let (address, _running) = start(server.reception("/other", &ENGINE, Arc::new(other)));
    let sid = open(address);
    let foreign = post(&sid, "4x").replace("/engine.io", "/other");
    assert_eq!(ask(address, &foreign).status, 400);
    let path = format!("/other?EIO=4&transport=websocket&sid={sid}");
    let refused = Client::with(address, &path, &crate::client::plain());
    assert_eq!(refused.err().unwrap().status, 400);
    for strange in ["", "%00", "a".repeat(129).as_str(), "%ff%fe", &format!("{sid}%20")] {
        assert_eq!(ask(address, &post(strange, "4x")).status, 400, "{strange:?}");
        let answer = ask(address, &handshake(strange));
        assert_eq!(answer.status, 400, "{strange:?}");
    }
    assert!(is_there(address, &sid));
    assert_eq!(ask(address, &post(&sid, "1")).status, 200);
    count.none();
    assert!(!is_there(address, &sid));
}

#[test]
fn a_message_that_is_too_large_ends_a_session_wherever_it_comes() {
    let (server, count) = server(1, engineio::Settings { max_payload: 1000, ..patient() });
    let (address, _running) = start(server);
    let sid = open(address);
    assert_eq!(ask(address, &post(&sid, &format!("4{}", "x".repeat(1000)))).status, 413);
    assert!(is_there(address, &sid));
    let mut wire = Client::connect(address, &format!("{WEBSOCKET}&sid={sid}"));
    for text in ["2probe", "5"] {
        wire.text(text);
    }
    wire.text(&format!("4{}", "x".repeat(1000)));
    assert_eq!(wire.next_text(), "3probe");
    assert_eq!(wire.next_text(), "4hello");
    assert!(matches!(wire.next(), News::Closed(1009, _)));
    count.none();
}
