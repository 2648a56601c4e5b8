//! Limits of one address.

use std::net::SocketAddr;

use madang::{Reload, Server, proto::raw::PROTOCOL};

use super::{
    client::{Client, Refused, ask, plain},
    start,
};

fn limited(limit: usize) -> Server {
    Server::new().workers(2).protocol(&PROTOCOL).max_connections_per_address(limit)
}

fn refused(address: SocketAddr) -> Refused {
    *Client::with(address, "/ws", &plain()).err().unwrap()
}

fn is_crowded(refused: &Refused) -> bool {
    refused.status == 503
        && refused.headers["madang-code"] == "M502"
        && refused.headers.contains_key("retry-after")
        && refused.body.starts_with("M502")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_as_many_connections_as_may_be_hears_503() {
    let (address, running) = start(limited(2));
    let first = Client::connect(address, "/ws");
    let _second = Client::connect(address, "/ws");
    assert!(is_crowded(&refused(address)));
    // There is room again once the server has seen the end.
    drop(first);
    let _third = loop {
        match Client::with(address, "/ws", &plain()) {
            Ok(client) => break client,
            Err(error) => assert!(is_crowded(&error)),
        }
    };
    let mut changes = Reload::default();
    changes.max_connections_per_address = Some(3);
    running.reload(changes);
    let _fourth = Client::connect(address, "/ws");
    assert!(is_crowded(&refused(address)));
}

/// A handshake through a proxy, for a client with this address.
fn handshake(client: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWFkYW5nIGlzIGEgeWFyZA==\r\n\
         X-Forwarded-For: {client}\r\n\r\n"
    )
}

/// A WebSocket of the client, kept open.
fn open(address: SocketAddr, client: &str) -> std::net::TcpStream {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(handshake(client).as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(start, *b"HTTP/1.1 101", "{client}");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_its_clients_are_counted_and_ipv6_by_its_network() {
    let (address, _running) = start(limited(1).trusted_proxies("loopback".parse().unwrap()));
    let _v4 = open(address, "203.0.113.9");
    let _other = open(address, "203.0.113.10");
    let _v6 = open(address, "2001:db8:0:1::1");
    let _next = open(address, "2001:db8:0:2::1");
    for full in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8:0:1:ffff::2"] {
        assert!(is_crowded(&ask(address, &handshake(full))), "{full}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_longer_than_a_turns_share_is_emptied() {
    use std::{
        io::Read as _,
        net::TcpStream,
        sync::{Mutex, mpsc},
        time::Duration,
    };
    let (enter, entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (enter, released) = (Mutex::new(enter), Mutex::new(released));
    let server = Server::new().workers(1).max_connections(1).inline("/", move |_, _, _| {
        enter.lock().unwrap().send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
    });
    let (address, _running) = start(server);
    let mut client = Client::connect(address, "/");
    client.text("hold the worker");
    entered.recv().unwrap();
    let queue: Vec<_> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    release.send(()).unwrap();
    // None of them says anything, so nothing but the queue itself makes the worker look.
    for mut stream in queue {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"HTTP/1.1 503");
    }
}
