//! What comes before the first frame.

use http::HeaderValue;
use madang::{Server, proto::raw::PROTOCOL, ws::handshake::client::Options};

use super::{
    client::{Client, ask},
    start, yard,
};

fn upgrade(extra: &str, version: &str, key: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n{extra}\r\n"
    )
}

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

#[tokio::test]
async fn refusals_have_the_right_status_and_a_sentence() {
    let (address, _running) = yard(1);
    let cases = [
        ("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 426, "new WebSocket"),
        (upgrade("", "8", KEY), 426, "version 13"),
        (upgrade("", "13", "short"), 400, "Sec-WebSocket-Key"),
        (upgrade("Origin: https://evil.example\r\n", "13", KEY), 403, "--allowed-origin"),
        ("POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".to_owned(), 405, "GET"),
        (upgrade("", "13", KEY).replace("/ws ", "/ws/madang.x "), 400, "server's own"),
        (upgrade("", "13", KEY).replace("/ws ", "/ws?envelope=xml "), 400, "json"),
        (
            "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
            404,
            "/nothing",
        ),
    ];
    for (request, status, sentence) in cases {
        let answer = ask(address, &request);
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.body.contains(sentence), "{}", answer.body);
    }
    let answer = ask(address, &upgrade("", "8", KEY));
    assert_eq!(answer.headers["sec-websocket-version"], "13");
}

/// Nobody waits for a body that is refused in any case.
#[tokio::test]
async fn a_handshake_with_half_a_body_in_one_packet_is_answered() {
    let (address, _running) = yard(1);
    let begun = upgrade("Transfer-Encoding: chunked\r\n", "13", KEY) + "5\r\nhel";
    let missing = upgrade("Content-Length: 5\r\n", "13", KEY);
    for request in [begun, missing] {
        for _ in 0..20 {
            let answer = ask(address, &request);
            assert_eq!(answer.status, 400, "{request}");
            assert_eq!(answer.headers["madang-code"], "M206", "{request}");
        }
    }
}

/// ATTACKS: a proxy that takes a refused upgrade for a tunnel must not get a second request through.
#[tokio::test]
async fn after_a_refused_upgrade_the_connection_is_dead() {
    use std::io::{Read, Write};
    let (address, _running) = yard(1);
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let nowhere = upgrade("", "13", KEY).replace("/ws ", "/nothing ");
    let health = upgrade("", "13", KEY).replace("/ws ", "/healthz ");
    for request in [upgrade("", "777", KEY), nowhere, health] {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all((request + smuggled).as_bytes()).unwrap();
        let mut all = String::new();
        // The end may come as a reset, because bytes were left unread.
        let _ = stream.read_to_string(&mut all);
        assert_eq!(all.matches("HTTP/1.1").count(), 1, "{all}");
    }
}

#[tokio::test]
async fn own_pages_may_connect_and_listed_ones() {
    let server = Server::new().protocol(&PROTOCOL).allowed_origin("https://app.example");
    let (address, _running) = start(server);
    for (origin, welcome) in [
        (format!("http://{address}"), true),
        ("http://localhost:3000".into(), true),
        ("https://app.example".into(), true),
        ("https://goodapp.example".into(), false),
        ("https://app.example.evil".into(), false),
        ("null".into(), false),
    ] {
        let mut options = Options::default();
        options.headers.insert("origin", HeaderValue::from_str(&origin).unwrap());
        let result = Client::with(address, "/ws", &options);
        assert_eq!(
            result.map_err(|refused| refused.status).err(),
            (!welcome).then_some(403),
            "{origin}"
        );
    }
}

#[tokio::test]
async fn the_first_subprotocol_that_both_know_is_echoed() {
    let names = ["b", "c"].map(str::to_owned);
    let (address, _running) = start(Server::new().protocol(&PROTOCOL).subprotocols(names, false));
    let offer = |names: &[&str]| {
        let protocols = names.iter().map(|&name| name.to_owned()).collect();
        let options = Options { protocols, ..Options::default() };
        let client = Client::with(address, "/ws", &options).unwrap();
        let chosen = client.response.headers().get("sec-websocket-protocol").cloned();
        chosen.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(offer(&["a", "c", "b"]).as_deref(), Some("c"));
    assert_eq!(offer(&["a"]), None);
    assert_eq!(offer(&[]), None);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (address, _running) = yard(1);
    let many = "X-Filler: y\r\n".repeat(200);
    assert_eq!(ask(address, &upgrade(&many, "13", KEY)).status, 431);
    let long = format!("X-Filler: {}\r\n", "y".repeat(40_000));
    assert_eq!(ask(address, &upgrade(&long, "13", KEY)).status, 431);
}

#[tokio::test]
async fn frames_behind_the_handshake_are_not_lost() {
    use std::io::{Read, Write};
    let (address, _running) = yard(1);
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let mut bytes = upgrade("", "13", KEY).into_bytes();
    // "hi" with a mask of zeros.
    bytes.extend_from_slice(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    stream.write_all(&bytes).unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !seen.ends_with(&[0x81, 2, b'h', b'i']) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0);
        seen.extend_from_slice(&buffer[..count]);
    }
}

#[tokio::test]
async fn over_the_limit_of_connections_one_is_told_to_come_back() {
    let (address, _running) = start(Server::new().protocol(&PROTOCOL).max_connections(2));
    let one = Client::connect(address, "/ws");
    let _two = Client::connect(address, "/ws");
    let refused = Client::with(address, "/ws", &Options::default()).err().unwrap();
    assert_eq!(refused.status, 503);
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.body.starts_with("M501"));
    one.close();
    // The place is free when the server has seen the end; until then it says so.
    while Client::with(address, "/ws", &Options::default()).is_err() {}
}

#[tokio::test]
async fn who_says_nothing_is_ended_after_the_time_for_a_head() {
    use std::{io::Read as _, net::TcpStream, time::Duration};
    let limits = madang::HttpLimits { head_timeout: Duration::from_secs(1), ..Default::default() };
    let (address, _running) = start(Server::new().workers(1).http_limits(limits));
    let mut silent = TcpStream::connect(address).unwrap();
    // The default would take longer.
    silent.set_read_timeout(Some(Duration::from_millis(4_500))).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
}

#[tokio::test]
async fn who_goes_within_his_handshake_keeps_no_place() {
    use std::{
        io::Write as _,
        net::TcpStream,
        time::{Duration, Instant},
    };
    let (address, running) = yard(2);
    let request = upgrade("", "13", KEY);
    let (first, second) = request.as_bytes().split_at(1);
    for _ in 0..150 {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(first).unwrap();
        // The attack's own pace: in two packets it is a matter of HTTP, and the end comes with the second.
        std::thread::sleep(Duration::from_millis(5));
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        stream.write_all(second).unwrap();
    }
    // Long before a ping would find out.
    let (lobby, begun) = (madang::proto::Topic::new("lobby").unwrap(), Instant::now());
    while !running.hub().presence(&lobby).is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{:?}",
            running.hub().presence(&lobby).len()
        );
        tokio::task::yield_now().await;
    }
}
