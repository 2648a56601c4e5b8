//! Sessions that outlive their carriers, and clients who mean harm: what they began and left is
//! forgotten, and nobody else notices.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::{Client, Refused, ask},
    h2::peer::{Peer, soon},
    links::ENGINE,
    start,
};
use http::Method;
use madang::{
    Server,
    proto::{
        Request,
        engineio::{self, Data, Engine, Malformed, Reason, Upper},
    },
};

pub(super) const POLLING: &str = "/engine.io?EIO=4&transport=polling";
pub(super) const WEBSOCKET: &str = "/engine.io?EIO=4&transport=websocket";

/// How many sessions there are, and whether a poll waits for the one that was asked last.
#[derive(Clone, Default)]
pub(super) struct Count(Arc<AtomicUsize>, Arc<AtomicBool>);

/// Echoes, and is counted.
pub(super) struct Counted(Count);

impl Count {
    pub(super) fn enter(&self) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }

    pub(super) fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits until there are none.
    #[track_caller]
    pub(super) fn none(&self) {
        until("all sessions are gone", || self.now() == 0);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upper for Counted {
    fn opened(&mut self, _: &mut Engine<'_>) {}

    fn message(&mut self, data: Data<'_>, engine: &mut Engine<'_>) -> Result<(), Malformed> {
        match data {
            Data::Text("is there a poll?") => {
                self.0.1.store(engine.is_writable(), Ordering::SeqCst);
            }
            Data::Text("panic") => panic!("as the client wishes"),
            Data::Text(text) => engine.send_text(|out| out.extend_from_slice(text.as_bytes())),
            Data::Binary(bytes) => engine.send_binary(&bytes),
        }
        Ok(())
    }

    fn closed(&mut self, _: Reason, _: &mut Engine<'_>) {}
}

/// Waits for something that comes.
#[track_caller]
pub(super) fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "in vain for so long: {what}");
        thread::yield_now();
    }
}

pub(super) fn patient() -> engineio::Settings {
    engineio::Settings { upgrade_timeout: Duration::from_secs(1), ..Default::default() }
}

pub(super) fn hasty() -> engineio::Settings {
    let (ping_interval, ping_timeout) = (Duration::from_secs(2), Duration::from_secs(1));
    engineio::Settings { ping_interval, ping_timeout, ..patient() }
}

pub(super) fn server(workers: usize, settings: engineio::Settings) -> (Server, Count) {
    let count = Count::default();
    let counted = count.clone();
    let reception = engineio::Reception::new(settings, move |_: &Request| counted.enter());
    let server =
        Server::new().workers(workers).reception("/engine.io", &ENGINE, Arc::new(reception));
    (server, count)
}

pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

pub(super) fn post(sid: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Begins a session with polling.
pub(super) fn open(address: SocketAddr) -> String {
    sid(&ask(address, &get(POLLING)))
}

pub(super) fn sid(answer: &Refused) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let open: serde_json::Value = serde_json::from_str(&answer.body[1..]).unwrap();
    open["sid"].as_str().unwrap().to_owned()
}

pub(super) fn handshake(sid: &str) -> String {
    format!(
        "GET {WEBSOCKET}&sid={sid} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
}

/// A client's frame, masked with zeros.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0][..], payload].concat()
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Whether a session answers.
pub(super) fn is_there(address: SocketAddr, sid: &str) -> bool {
    ask(address, &post(sid, "4hello")).status == 200
}

/// So many may still come in as the server has places.
fn all_places_are_free(address: SocketAddr, places: usize) {
    let begun = Instant::now();
    loop {
        let all: Vec<_> = (0..places)
            .map_while(|_| Client::with(address, WEBSOCKET, &crate::client::plain()).ok())
            .collect();
        if all.len() == places {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{} of {places} places", all.len());
        drop(all);
        thread::sleep(Duration::from_millis(20));
    }
}

/// Leaves an upgrade at some stage. What was sent and what is read is only said in so far as it
/// tells how far the client goes.
fn abandon(address: SocketAddr, stage: usize) {
    let sid = open(address);
    let mut stream = connect(address);
    let handshake = handshake(&sid);
    let (probe, upgrade) = (frame(1, b"2probe"), frame(1, b"5"));
    let (said, close) = (frame(1, b"4said"), frame(8, b"\x03\xe8"));
    let mut head = [0; 12];
    let mut begin = || {
        stream.write_all(handshake.as_bytes()).unwrap();
        stream.read_exact(&mut head).unwrap();
        assert_eq!(head, *b"HTTP/1.1 101");
    };
    let sent = match stage {
        0 => handshake.as_bytes()[..100].to_vec(),
        1 => handshake.into_bytes(),
        2 => [handshake.as_bytes(), &probe, &upgrade, &said].concat(),
        3 => [handshake.as_bytes(), &probe, &upgrade, &said, &close].concat(),
        4 => [handshake.as_bytes(), &upgrade].concat(),
        stage => {
            begin();
            match stage {
                5 => Vec::new(),
                6 => probe,
                7 => upgrade,
                8 => [&probe[..], &upgrade].concat(),
                9 => [&probe[..], &upgrade, &close].concat(),
                10 => [&probe[..], &upgrade, &said, &said, &close].concat(),
                11 => [&probe[..], &upgrade, b"\xff\xff\xff\xff"].concat(),
                12 => [&probe[..], &close].concat(),
                13 => [&probe[..], &upgrade, &frame(1, b"1"), &close].concat(),
                _ => [&probe[..], &upgrade, &frame(1, b"4panic"), &said].concat(),
            }
        }
    };
    stream.write_all(&sent).unwrap();
    match stage % 3 {
        0 => drop(stream.shutdown(Shutdown::Both)),
        1 => {
            stream.shutdown(Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        }
        _ => {}
    }
}

#[test]
fn an_upgrade_that_is_abandoned_at_any_stage_leaves_nothing() {
    // As many as are begun, their connections, and what has closed only just.
    const PLACES: usize = 600;
    for workers in [1, 3] {
        let (server, count) = server(workers, hasty());
        let (address, _running) = start(server.max_connections(PLACES));
        thread::scope(|scope| {
            for first in 0..4 {
                scope.spawn(move || {
                    for round in 0..60 {
                        abandon(address, (first * 7 + round) % 15);
                    }
                });
            }
        });
        count.none();
        all_places_are_free(address, PLACES);
    }
}

#[test]
fn what_comes_with_the_upgrade_in_one_segment_is_answered() {
    for workers in [1, 3] {
        let (server, count) = server(workers, patient());
        let (address, _running) = start(server);
        for _ in 0..20 {
            let sid = open(address);
            let mut stream = connect(address);
            let handshake = handshake(&sid);
            let all = [
                handshake.as_bytes(),
                &frame(1, b"2probe"),
                &frame(1, b"5"),
                &frame(1, b"4one"),
                &frame(2, b"two"),
                // The client's last packet: its session is over.
                &frame(1, b"1"),
            ];
            stream.write_all(&all.concat()).unwrap();
            let answers = b"\r\n\r\n\x81\x063probe\x81\x044one\x82\x03two\x88";
            let mut answer = Vec::new();
            while !answer.ends_with(answers) {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.push(byte[0]);
            }
        }
        count.none();
    }
}

#[test]
fn a_poll_that_is_given_up_ends_its_session_over_either_http() {
    let (server, count) = server(2, patient());
    let (address, _running) = start(server);
    for _ in 0..10 {
        let sid = open(address);
        let mut poll = connect(address);
        poll.write_all(get(&format!("{POLLING}&sid={sid}")).as_bytes()).unwrap();
        // Of one that goes before it is seen, nobody hears.
        until("the poll waits", || {
            assert_eq!(ask(address, &post(&sid, "4is there a poll?")).status, 200);
            count.1.load(Ordering::SeqCst)
        });
        drop(poll);
        // Whoever says something to ask would have it answered by that poll.
        count.none();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // The stream is reset, or the connection ends.
        for is_reset in [true, false] {
            let mut peer = Peer::connect(address).await;
            let opened = peer.ask(Method::GET, POLLING).await;
            let open: serde_json::Value = serde_json::from_str(&opened.body[1..]).unwrap();
            let path = format!("{POLLING}&sid={}", open["sid"].as_str().unwrap());
            let request = peer.request(Method::GET, &path);
            let (response, mut stream) = peer.begin(request, true).await.unwrap();
            // What is asked after it is answered after it was seen.
            peer.ask(Method::GET, "/healthz").await;
            assert_eq!(count.now(), 1);
            if is_reset {
                stream.send_reset(h2::Reason::CANCEL);
                drop(response);
            } else {
                peer.driver.abort();
                drop(peer);
            }
            let gone = count.clone();
            soon(tokio::task::spawn_blocking(move || gone.none())).await.unwrap();
        }
    });
}

#[test]
fn a_session_that_panics_costs_nobody_else_anything() {
    let (server, count) = server(1, patient());
    let strict = engineio::Settings {
        allow: Some(Arc::new(|request| {
            assert!(request.query("deny").is_none(), "as the client wishes");
            true
        })),
        ..patient()
    };
    let reception = engineio::Reception::new(strict, |request: &Request| {
        assert!(request.query("panic").is_none(), "as the client wishes");
        Count::default().enter()
    });
    let (address, _running) = start(server.reception("/strict", &ENGINE, Arc::new(reception)));
    let mut neighbour = Client::connect(address, WEBSOCKET);
    assert!(neighbour.next_text().starts_with("0{"));
    for query in ["panic", "deny"] {
        let path = format!("/strict?EIO=4&transport=polling&{query}=1");
        assert_eq!(ask(address, &get(&path)).status, 500);
        let path = format!("/strict?EIO=4&transport=websocket&{query}=1");
        let refused = Client::with(address, &path, &crate::client::plain());
        assert_eq!(refused.err().unwrap().status, 500);
    }
    let sid = open(address);
    let mut poll = connect(address);
    poll.write_all(get(&format!("{POLLING}&sid={sid}")).as_bytes()).unwrap();
    let answer = ask(address, &post(&sid, "4panic"));
    assert_eq!(answer.status, 500, "{}", answer.body);
    let mut head = [0; 12];
    poll.read_exact(&mut head).unwrap();
    assert_eq!(head, *b"HTTP/1.1 500");
    assert_eq!(ask(address, &post(&sid, "4hello")).status, 400);
    neighbour.text("4still");
    assert_eq!(neighbour.next_text(), "4still");
    drop(neighbour);
    count.none();
}

/// Who asks a socket over and over whether it works, and reads none of the answers, waits himself.
#[test]
fn a_flood_on_a_link_holds_nobody() {
    let (server, count) = server(1, patient());
    let (address, _running) = start(server);
    let flooded = open(address);
    let mut flood = connect(address);
    flood.write_all(handshake(&flooded).as_bytes()).unwrap();
    flood.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let probes = frame(1, b"2probe").repeat(10_000);
    let mut neighbour = Client::connect(address, WEBSOCKET);
    assert!(neighbour.next_text().starts_with("0{"));
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < Duration::from_secs(5) && flood.write_all(&probes).is_ok() {
        sent += 1;
        let asked = Instant::now();
        neighbour.text("4hello");
        assert_eq!(neighbour.next_text(), "4hello");
        assert!(asked.elapsed() < Duration::from_secs(2));
    }
    assert!(sent < 4000, "{sent} floods were taken");
    drop(flood);
    assert!(is_there(address, &flooded));
    drop(neighbour);
    assert_eq!(ask(address, &post(&flooded, "1")).status, 200);
    count.none();
}

#[test]
fn sessions_without_a_client_are_counted_and_forgotten() {
    const PLACES: usize = 50;
    let (server, count) = server(2, hasty());
    let (address, _running) = start(server.max_connections(PLACES));
    let mut stream = connect(address);
    let (mut refused, mut most) = (0, 0);
    for _ in 0..2 * PLACES {
        stream.write_all(get(POLLING).as_bytes()).unwrap();
        refused += usize::from(read_answer(&mut stream).starts_with("HTTP/1.1 503"));
        most = most.max(count.now());
    }
    assert!(refused > 0 && most < PLACES, "{refused} refused, {most} sessions");
    drop(stream);
    count.none();
    all_places_are_free(address, PLACES);
}

/// One answer with a length.
pub(super) fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}
