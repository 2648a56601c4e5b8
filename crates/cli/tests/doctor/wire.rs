//! Servers that a test plays by hand, on sockets.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use madang_ws::{
    deflate::{self, Settings},
    handshake::server,
};

/// A port on which a function answers each connection, on a thread of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(answer: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", answer)
    }

    pub(crate) fn at(
        address: &str,
        answer: impl Fn(TcpStream, usize) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, answer) = (Arc::clone(&stop), Arc::new(answer));
        let count = AtomicUsize::new(0);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let at = count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || {
                    drop(stream.set_read_timeout(Some(Duration::from_secs(30))));
                    answer(stream, at);
                });
            }
        });
        Self { address, stop }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the one who accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// A request's head.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(is, _)| is.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// Reads a head, byte by byte, so that nothing behind it is taken. `None` at an early end.
pub(crate) fn head(stream: &mut impl Read) -> Option<Head> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let mut head =
        Head { method: first.next()?.into(), target: first.next()?.into(), headers: Vec::new() };
    for line in lines {
        if let Some((name, value)) = line.split_once(": ") {
            head.headers.push((name.into(), value.into()));
        }
    }
    Some(head)
}

/// An answer with its body; then the end.
pub(crate) fn say(stream: &mut impl Write, head: &str, body: &str) {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    drop(stream.write_all(text.as_bytes()));
    drop(stream.flush());
}

/// A server that gives every request the same answer.
pub(crate) fn always(head: &'static str, body: &'static str) -> Server {
    Server::new(move |mut stream, _| {
        if super::wire::head(&mut stream).is_some() {
            say(&mut stream, head, body);
        }
    })
}

/// What a 101 has in it.
#[derive(Clone, Default)]
pub(crate) struct Answering {
    pub(crate) protocol: Option<&'static str>,
    pub(crate) deflate: bool,
    pub(crate) server: &'static str,
}

/// Answers a handshake as it should be.
pub(crate) fn upgrade(stream: &mut impl Write, head: &Head, how: &Answering) -> bool {
    let mut request = http::Request::builder().uri(&head.target);
    for (name, value) in &head.headers {
        request = request.header(name, value);
    }
    let request = request.body(()).unwrap();
    let Ok(upgrade) = server::check(&request) else {
        say(stream, "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13", "");
        return false;
    };
    let extension = how
        .deflate
        .then(|| deflate::answer(&upgrade.offers, &Settings::default()))
        .flatten()
        .map(|(_, header)| header);
    let response = upgrade.response(how.protocol, extension).unwrap();
    let mut text = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    if !how.server.is_empty() {
        text.push_str(&format!("Server: {}\r\n", how.server));
    }
    for (name, value) in response.headers() {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).is_ok() && stream.flush().is_ok()
}

/// A frame of a server, whole.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(u8::try_from(length).unwrap()),
        length => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PONG: u8 = 0x8A;

pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// A frame of a client: its first byte and its payload, unmasked.
pub(crate) fn read_frame(stream: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut start = [0; 2];
    stream.read_exact(&mut start).ok()?;
    let mut length = usize::from(start[1] & 0x7F);
    if length == 126 {
        let mut bytes = [0; 2];
        stream.read_exact(&mut bytes).ok()?;
        length = usize::from(u16::from_be_bytes(bytes));
    } else if length == 127 {
        let mut bytes = [0; 8];
        stream.read_exact(&mut bytes).ok()?;
        length = usize::try_from(u64::from_be_bytes(bytes)).ok()?;
    }
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).ok()?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).ok()?;
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
    Some((start[0], payload))
}

/// Speaks WebSocket as a good server does, and gives each message to `hear`, which says what to
/// answer; `None` cuts.
pub(crate) fn speak(
    stream: &mut (impl Read + Write),
    mut hear: impl FnMut(u8, &[u8]) -> Option<Vec<u8>>,
) {
    while let Some((first, payload)) = read_frame(stream) {
        let answer = match first & 0x0F {
            8 => {
                drop(stream.write_all(&frame(CLOSE, &payload)));
                return;
            }
            9 => frame(PONG, &payload),
            10 => continue,
            _ => match hear(first, &payload) {
                Some(answer) => answer,
                None => return,
            },
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// A good echo server.
pub(crate) fn echo() -> Server {
    Server::new(|mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if upgrade(&mut stream, &head, &Answering::default()) {
            speak(&mut stream, |_, payload| {
                Some(if payload.len() < 60_000 { frame(TEXT, payload) } else { Vec::new() })
            });
        }
    })
}

/// Opens the WebSocket, and then does `then`.
pub(crate) fn opened(
    how: Answering,
    then: impl Fn(&mut TcpStream, usize) + Send + Sync + 'static,
) -> Server {
    Server::new(move |mut stream, at| {
        let Some(head) = head(&mut stream) else { return };
        if upgrade(&mut stream, &head, &how) {
            then(&mut stream, at);
        }
    })
}

/// Reads until the other side is gone.
pub(crate) fn listen(stream: &mut impl Read) {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).is_ok_and(|length| length > 0) {}
}

/// Answers pings until `age` has passed.
pub(crate) fn live_for(stream: &mut TcpStream, age: Duration) {
    let until = Instant::now() + age;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        drop(stream.set_read_timeout(Some(left)));
        match read_frame(stream) {
            Some((first, payload)) if first & 0x0F == 9 => {
                drop(stream.write_all(&frame(PONG, &payload)));
            }
            Some((first, payload)) if first & 0x0F == 8 => {
                drop(stream.write_all(&frame(CLOSE, &payload)));
                return;
            }
            Some(_) => {}
            None => return,
        }
    }
}
