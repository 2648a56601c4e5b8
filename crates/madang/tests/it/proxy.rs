//! Who the client is when proxies are in between.

use std::{
    io::{BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

use madang::{Forwarded, Reload, Running, Server, Socket, TrustedProxies, proto::raw::PROTOCOL};

use super::{client::Client, start};

/// Tells every client who it is.
fn mirror() -> Server {
    Server::new().workers(2).websocket("/who", async |socket: Socket| {
        let peer = socket.peer().map_or_else(|| "nobody".into(), |peer| peer.to_string());
        let told = socket.request().extensions().get::<Forwarded>();
        let (proto, host) = told.map_or((None, None), |f| (f.proto.clone(), f.host.clone()));
        let told = format!("{}|{}", proto.unwrap_or_default(), host.unwrap_or_default());
        let _ = socket.send(format!("{peer}|{told}"));
    })
}

fn trusting(server: Server, proxies: &str) -> Server {
    server.trusted_proxies(proxies.parse().unwrap())
}

fn request(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: madang.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWFkYW5nIGlzIGEgeWFyZA==\r\n{headers}\r\n"
    )
}

/// A connection that has said `first`.
fn connected(address: SocketAddr, first: &[u8]) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(first).unwrap();
    BufReader::new(stream)
}

/// The head of the answer.
fn head(stream: &mut impl std::io::BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "cut after {head:?}");
    }
    head
}

/// The text of a short frame.
fn text(stream: &mut impl std::io::Read) -> String {
    let mut start = [0; 2];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(start[0], 0x81, "a text comes next");
    let mut text = vec![0; usize::from(start[1])];
    stream.read_exact(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What the mirror says to who sends `before` and then a handshake with `headers`.
fn who(address: SocketAddr, before: &[u8], headers: &str) -> String {
    let first = [before, request("/who", headers).as_bytes()].concat();
    let mut stream = connected(address, &first);
    let head = head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    text(&mut stream)
}

const SPOOFED: &str = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Host: evil.example\r\n\
    X-Forwarded-Proto: https\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_spoofed_header_changes_nothing() {
    for proxies in ["", "10.0.0.0/8, ::1, unix"] {
        let (address, _running) = start(trusting(mirror(), proxies));
        assert!(who(address, b"", SPOOFED).starts_with("127.0.0.1:"));
        assert!(who(address, b"", SPOOFED).ends_with("||"));
        // Nor does it open the door for the page of another origin.
        let headers = format!("{SPOOFED}Origin: https://evil.example\r\n");
        let mut stream = connected(address, request("/who", &headers).as_bytes());
        assert!(head(&mut stream).starts_with("HTTP/1.1 403"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_the_client_is() {
    let (address, _running) = start(trusting(mirror(), "loopback"));
    assert_eq!(who(address, b"", SPOOFED), "203.0.113.9:0|https|evil.example");
    let chain = "X-Forwarded-For: 6.6.6.6, 203.0.113.9:4711, 127.0.0.7\r\n";
    assert_eq!(who(address, b"", chain), "203.0.113.9:4711||");
    // Its host is the one that pages are compared with; theirs need not be on this machine.
    let own = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Host: app.example\r\n";
    for (origin, status) in [
        ("https://app.example", "101"),
        ("https://other.example", "403"),
        ("http://localhost", "403"),
    ] {
        let headers = format!("{own}Origin: {origin}\r\n");
        let mut stream = connected(address, request("/who", &headers).as_bytes());
        let head = head(&mut stream);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{origin}: {head}");
    }
}

fn proxied(server: Server) -> (SocketAddr, Running) {
    let running = server.listen("127.0.0.1:0?proxy-protocol=1").start().unwrap();
    (running.addresses()[0], running)
}

const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_says_who_the_client_is() {
    let (address, _running) = proxied(mirror());
    assert_eq!(who(address, LINE, ""), "203.0.113.9:4711||");
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    v2.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    v2.extend([0; 16]);
    v2.extend([0x12, 0x67, 0, 80]);
    assert_eq!(who(address, &v2, ""), "[2001:db8::1]:4711||");
    // The proxy's own checks.
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    assert!(who(address, local, "").starts_with("127.0.0.1:"));
    // The header names no proxy that is trusted, so its word counts for nothing.
    assert_eq!(who(address, LINE, SPOOFED), "203.0.113.9:4711||");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_must_come_where_it_is_asked_for_and_nowhere_else() {
    let (address, _running) = proxied(mirror());
    let mut stream = connected(address, request("/who", "").as_bytes());
    let answer = head(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("Madang-Code: M105"), "{answer}");
    let (address, _running) = start(mirror());
    let mut stream = connected(address, &[LINE, request("/who", "").as_bytes()].concat());
    let answer = head(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 400") && !answer.contains("Upgrade"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_been_introduced_when_the_server_goes_is_told() {
    let (address, running) = proxied(mirror().workers(1));
    let mut stream = connected(address, &LINE[..20]);
    // The worker of this one has taken the other, too: there is but one queue for both.
    assert_eq!(who(address, LINE, ""), "203.0.113.9:4711||");
    running.shutdown(Duration::from_secs(10)).await.unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 503"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_of_a_stranger_is_not_taken() {
    let (address, _running) = proxied(trusting(mirror(), "10.0.0.0/8"));
    let mut stream = connected(address, &[LINE, request("/who", "").as_bytes()].concat());
    let answer = head(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("Madang-Code: M106"), "{answer}");
    let (address, _running) = proxied(trusting(mirror(), "127.0.0.0/8"));
    assert_eq!(who(address, LINE, ""), "203.0.113.9:4711||");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_a_way_in_until_the_server_ends() {
    let path = std::env::temp_dir().join(format!("madang-it-{}.sock", std::process::id()));
    let server = Server::new().workers(2).inline("/echo", super::echo);
    let running = server.listen(format!("unix:{}?mode=600", path.display())).start().unwrap();
    assert_eq!(running.unix_paths().collect::<Vec<_>>(), [path.as_path()]);
    assert!(running.addresses().is_empty());
    for _ in 0..8 {
        let mut stream = BufReader::new(UnixStream::connect(&path).unwrap());
        stream.get_mut().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.get_mut().write_all(request("/echo", "").as_bytes()).unwrap();
        assert!(head(&mut stream).starts_with("HTTP/1.1 101"));
        stream.get_mut().write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
        assert_eq!(text(&mut stream), "hi");
    }
    running.shutdown(Duration::from_secs(10)).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_who_may_come_and_cuts_nobody() {
    let (address, running) = start(trusting(mirror(), "").protocol(&PROTOCOL));
    let mut client = Client::connect(address, "/ws/yard?echo=true");
    let from = |origin: &str| {
        let request = request("/ws/yard", &format!("Origin: {origin}\r\n"));
        head(&mut connected(address, request.as_bytes()))[9..12].to_owned()
    };
    assert_eq!(from("https://app.example"), "403");
    let mut changes = Reload::default();
    changes.allowed_origins = Some(vec!["https://app.example".into()]);
    changes.trusted_proxies = Some("loopback".parse::<TrustedProxies>().unwrap());
    running.reload(changes);
    assert_eq!(from("https://app.example"), "101");
    assert_eq!(who(address, b"", "X-Forwarded-For: 203.0.113.9\r\n"), "203.0.113.9:0||");
    running.reload(Reload::default());
    assert_eq!(from("https://app.example"), "101");
    client.ping(b"still");
    assert_eq!(client.next(), super::client::News::Pong(b"still".to_vec()));
    let mut rest = Vec::new();
    drop(client.stream.set_nonblocking(true));
    assert!(client.stream.read_to_end(&mut rest).is_err(), "nothing waits, and no end");
}
