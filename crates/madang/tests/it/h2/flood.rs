//! Peers of HTTP/2 that ask for more than their share.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use h2::Reason;
use http::Method;
use madang::{Server, proto::raw::PROTOCOL};

use super::{
    super::{client::Client, echo, flood::resident, start, yard},
    peer::{PATIENCE, Peer, soon},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CALM: u32 = 0xb;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// HEADERS of `GET /`, in HPACK's static table (RFC 7541, appendix A) but for the authority.
fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &[0x82, 0x86, 0x84, 0x41, 1, b'x'])
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// A connection that is past its preface.
fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).unwrap();
    stream
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The error code, if it is a GOAWAY.
    fn goaway(&self) -> Option<u32> {
        let code = || self.payload[4..8].try_into().unwrap();
        (self.kind == GOAWAY).then(|| u32::from_be_bytes(code()))
    }
}

/// The next frame, unless the connection ends.
fn read(stream: &mut TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let [a, b, c, kind, flags, id @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).unwrap();
    Some(Frame { kind, flags, stream: u32::from_be_bytes(id), payload })
}

/// Reads frames until the connection ends; the error code of its last GOAWAY.
fn last_words(stream: &mut TcpStream) -> Option<u32> {
    let mut code = None;
    while let Some(read) = read(stream) {
        code = read.goaway().or(code);
    }
    code
}

/// Echoes until told to stop; the longest that one took.
fn bystander(address: SocketAddr, stop: &Arc<AtomicBool>) -> thread::JoinHandle<Duration> {
    let stop = Arc::clone(stop);
    let mut client = Client::connect(address, "/echo");
    thread::spawn(move || {
        let mut longest = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            let asked = Instant::now();
            client.text("there?");
            assert_eq!(client.next_text(), "there?");
            longest = longest.max(asked.elapsed());
        }
        longest
    })
}

/// ATTACKS 24: each way to make work without using anything ends with
/// `ENHANCE_YOUR_CALM`, costs no memory, and nobody else notices.
#[tokio::test(flavor = "multi_thread")]
async fn floods_end_their_own_connection_and_nobody_else_notices() {
    let (address, _running) = start(Server::new().workers(1).inline("/echo", echo));
    let stop = Arc::new(AtomicBool::new(false));
    let bystander = bystander(address, &stop);
    let before = resident();
    let floods: [fn(u32) -> Vec<u8>; 5] = [
        |stream| [get(stream), reset(stream)].concat(),
        |_| frame(PING, 0, 0, &[0; 8]),
        |_| frame(SETTINGS, 0, 0, &[]),
        |stream| frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 16]),
        |_| frame(0xbe, 0, 0, b"nobody knows this"),
    ];
    for _ in 0..6 {
        for flood in floods {
            let mut stream = connect(address);
            let mut number = 1;
            // Until the server has had enough: it may close while we write.
            for _ in 0..200 {
                let mut burst = Vec::new();
                for _ in 0..100 {
                    burst.extend(flood(number));
                    number += 2;
                }
                if stream.write_all(&burst).is_err() {
                    break;
                }
            }
            assert_eq!(last_words(&mut stream), Some(CALM));
        }
    }
    stop.store(true, Ordering::Relaxed);
    let longest = bystander.join().unwrap();
    assert!(longest < Duration::from_secs(2), "a bystander waited for {longest:?}");
    let grown = resident().saturating_sub(before) / 1024;
    assert!(grown < 64, "{grown} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_were_answered_and_are_reset_count_too() {
    let (address, _running) = yard(1);
    let mut stream = connect(address);
    let mut answered = 0;
    // One after the other: each answer is read before its stream is reset.
    let code = loop {
        let id = 2 * answered + 1;
        stream.write_all(&get(id)).unwrap();
        if let Some(code) = goaway_before_end_of(&mut stream, id) {
            break code;
        }
        stream.write_all(&reset(id)).unwrap();
        answered += 1;
        assert!(answered < 20_000, "{answered} resets in a row were taken");
    };
    // The budget is 256, and 100 a second more.
    assert!(answered >= 256, "after {answered} resets");
    assert_eq!(code, CALM);
}

/// Reads frames until a stream's last, or until GOAWAY, whose error code it returns.
fn goaway_before_end_of(stream: &mut TcpStream, id: u32) -> Option<u32> {
    loop {
        let read = read(stream).unwrap();
        if read.kind == GOAWAY {
            return read.goaway();
        }
        let can_end = matches!(read.kind, DATA | HEADERS);
        if read.stream == id && can_end && read.flags & END_STREAM != 0 {
            return None;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_that_come_and_are_reset_without_end_lose_their_connection() {
    let (address, _running) = yard(1);
    let mut peer = Peer::connect(address).await;
    let mut opened = 0;
    loop {
        let request = peer.websocket("/ws/room");
        let Ok((response, mut to)) = peer.begin(request, false).await else { break };
        let Ok(_response) = soon(response).await else { break };
        to.send_reset(Reason::CANCEL);
        opened += 1;
        assert!(opened < 5_000, "{opened} resets were taken");
    }
    let error = soon(peer.driver).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{error}");
    assert!(error.is_remote());
    // Whoever behaves is welcome.
    let mut peer = Peer::connect(address).await;
    let mut stream = peer.open("/ws/room").await;
    stream.text("hi").await;
    assert_eq!(stream.next_text().await, "hi");
}

#[tokio::test]
async fn over_the_limit_of_streams_one_is_refused_and_the_others_go_on() {
    let limits = madang::HttpLimits { max_streams: 4, ..Default::default() };
    let (address, _running) = start(Server::new().protocol(&PROTOCOL).http_limits(limits));
    // The library would keep to the limit, so the frames are written by hand.
    let mut stream = connect(address);
    let open = |id: u32| {
        // :method CONNECT, :protocol websocket, :scheme http, :path /ws, :authority x, version 13.
        let mut block = vec![0x02, 7];
        block.extend(b"CONNECT");
        block.extend([0x00, 9]);
        block.extend(b":protocol");
        block.push(9);
        block.extend(b"websocket");
        block.extend([0x86, 0x04, 3]);
        block.extend(b"/ws");
        block.extend([0x41, 1, b'x', 0x00, 21]);
        block.extend(b"sec-websocket-version");
        block.extend([2, b'1', b'3']);
        frame(HEADERS, END_HEADERS, id, &block)
    };
    let burst: Vec<u8> = (0..5).flat_map(|number| open(2 * number + 1)).collect();
    stream.write_all(&burst).unwrap();
    let (mut answered, mut refused) = (Vec::new(), None);
    while answered.len() < 4 || refused.is_none() {
        let read = read(&mut stream).unwrap();
        match read.kind {
            HEADERS => answered.push(read.stream),
            RST_STREAM => refused = Some((read.stream, read.payload)),
            _ => {}
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 3, 5, 7]);
    // RFC 9113 §5.1.2: REFUSED_STREAM, so that the peer may try again.
    assert_eq!(refused, Some((9, 7_u32.to_be_bytes().to_vec())));
}

#[tokio::test]
async fn every_stream_counts_as_a_connection() {
    let (address, _running) = start(Server::new().protocol(&PROTOCOL).max_connections(3));
    let mut peer = Peer::connect(address).await;
    let (_one, mut two) = (peer.open("/ws").await, peer.open("/ws").await);
    let request = peer.websocket("/ws");
    let refused = peer.send(request).await;
    assert_eq!(refused.status, 503);
    assert!(refused.body.starts_with("M501") && refused.headers.contains_key("retry-after"));
    let mut request = peer.websocket("/ws");
    request.headers_mut().insert("accept", "application/json".parse().unwrap());
    let refused = peer.send(request).await;
    assert_eq!((refused.status, &refused.headers["madang-code"]), (503, &"M501".parse().unwrap()));
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    // Pages are still served on a connection that is there.
    assert_eq!(peer.ask(Method::GET, "/healthz").await.status, 200);
    two.close().await;
    two.closed().await;
    drop(two);
    // The place is free when the server has seen the end; until then it says so.
    loop {
        let request = peer.websocket("/ws");
        let (response, _to) = peer.begin(request, false).await.unwrap();
        if soon(response).await.unwrap().status() == 200 {
            break;
        }
    }
}

#[tokio::test]
async fn a_preface_or_a_first_request_that_does_not_come_is_not_waited_for() {
    let (address, _running) = yard(1);
    let begun = Instant::now();
    let settings = frame(SETTINGS, 0, 0, &[]);
    let half = &get(1)[..12];
    let all: Vec<_> = [
        PREFACE[..1].to_vec(),
        PREFACE[..20].to_vec(),
        PREFACE.to_vec(),
        [PREFACE, &settings].concat(),
        [PREFACE, &settings, half].concat(),
    ]
    .into_iter()
    .map(|start| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&start).unwrap();
        stream
    })
    .collect();
    for mut stream in all {
        let mut rest = Vec::new();
        // The end may come as a reset, but no timeout.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
    assert!(begun.elapsed() >= Duration::from_secs(4));
}
