//! A blocking WebSocket client, made of the sans-I/O core.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use http::{HeaderMap, Response, Uri};
use madang::ws::{
    Connection, Event, Input, Kind, Limits, Role, deflate,
    handshake::client::{Options, ResponseParser, check_response, encode, request},
};

/// What a test waits for before it fails; nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) response: Response<()>,
    connection: Connection,
    news: VecDeque<News>,
    /// Pings that have come, all of which are answered.
    pub(crate) pings: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// The close code (1006 for a cut) and the reason.
    Closed(u16, String),
}

/// A refused handshake: status, headers and body.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Client {
    /// Connects to a path; panics when it is refused.
    pub(crate) fn connect(address: SocketAddr, path: &str) -> Self {
        Self::with(address, path, &plain()).unwrap()
    }

    /// Connects, offering compression.
    pub(crate) fn compressed(address: SocketAddr, path: &str) -> Self {
        let deflate = deflate::Settings { enabled: true, min_size: 0, ..Default::default() };
        Self::with(address, path, &Options { deflate, ..Options::default() }).unwrap()
    }

    pub(crate) fn with(
        address: SocketAddr,
        path: &str,
        options: &Options,
    ) -> Result<Self, Box<Refused>> {
        let url: Uri = format!("ws://{address}{path}").parse().unwrap();
        let (request, key) = request(&url, options).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&encode(&request)).unwrap();
        let (response, rest) = read_head(&mut stream);
        if response.status() != 101 {
            return Err(Box::new(refused(&mut stream, &response, rest)));
        }
        let accepted = check_response(&response, &key, options).unwrap();
        let limits = Limits { max_message: usize::MAX, ..Limits::default() };
        let connection = Connection::new(Role::Client, &limits, accepted.deflate);
        let mut client = Self { stream, response, connection, news: VecDeque::new(), pings: 0 };
        client.take(rest);
        Ok(client)
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.send(Kind::Text, text.as_bytes());
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.send(Kind::Binary, bytes);
    }

    fn send(&mut self, kind: Kind, bytes: &[u8]) {
        let mut out = Vec::new();
        self.connection.send(kind, bytes, &mut out).unwrap();
        self.stream.write_all(&out).unwrap();
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        let mut out = Vec::new();
        self.connection.ping(payload, &mut out).unwrap();
        self.stream.write_all(&out).unwrap();
    }

    /// Sends bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Says goodbye and waits for the answer.
    pub(crate) fn close(mut self) -> (u16, String) {
        self.connection.close(1000.into(), "", Instant::now()).unwrap();
        self.transmit();
        self.closed()
    }

    /// The next thing that comes.
    pub(crate) fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.news.pop_front() {
                return news;
            }
            self.read();
        }
    }

    /// Reads until so many pings have come.
    pub(crate) fn await_pings(&mut self, count: usize) {
        while self.pings < count {
            self.read();
        }
    }

    fn read(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) | Err(_) => {
                self.connection.handle_eof();
                self.take(Vec::new());
                assert!(!self.news.is_empty(), "nothing comes any more");
            }
            Ok(count) => self.take(buffer[..count].to_vec()),
        }
    }

    /// The next text message; panics when something else comes.
    pub(crate) fn next_text(&mut self) -> String {
        match self.next() {
            News::Text(text) => text,
            news => panic!("{news:?} instead of a text"),
        }
    }

    /// The next text message as JSON.
    pub(crate) fn next_json(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.next_text()).unwrap()
    }

    /// Reads until the end; the code and reason of the close.
    pub(crate) fn closed(mut self) -> (u16, String) {
        loop {
            if let News::Closed(code, reason) = self.next() {
                return (code, reason);
            }
        }
    }

    fn take(&mut self, mut bytes: Vec<u8>) {
        let mut input = Input::new(&mut bytes);
        while let Some(event) = self.connection.handle_input(&mut input, Instant::now()) {
            self.news.push_back(match event {
                Event::Message { kind: Kind::Text, payload } => {
                    News::Text(payload.as_str().unwrap().to_owned())
                }
                Event::Message { payload, .. } => News::Binary(payload.into_vec()),
                Event::Pong(payload) => News::Pong(payload.into_vec()),
                Event::Closed(closed) => News::Closed(closed.code.as_u16(), closed.reason),
                Event::Ping(_) => {
                    self.pings += 1;
                    continue;
                }
            });
        }
        self.transmit();
    }

    fn transmit(&mut self) {
        let mut out = Vec::new();
        if self.connection.poll_transmit(&mut out) {
            // The server may have closed already.
            let _ = self.stream.write_all(&out);
        }
    }
}

/// Options that offer no compression.
pub(crate) fn plain() -> Options {
    let deflate = deflate::Settings { enabled: false, ..Default::default() };
    Options { deflate, ..Options::default() }
}

/// Sends a request as it stands and reads the whole answer.
pub(crate) fn ask(address: SocketAddr, request: &str) -> Refused {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (response, rest) = read_head(&mut stream);
    refused(&mut stream, &response, rest)
}

fn read_head(stream: &mut TcpStream) -> (Response<()>, Vec<u8>) {
    let (mut parser, mut buffer) = (ResponseParser::new(), vec![0; 16 * 1024]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection ended before the head of an answer");
        if let Some((response, used)) = parser.push(&buffer[..count]).unwrap() {
            return (response, buffer[used..count].to_vec());
        }
    }
}

fn refused(stream: &mut TcpStream, response: &Response<()>, mut body: Vec<u8>) -> Refused {
    let length: usize = response
        .headers()
        .get("content-length")
        .map_or(0, |length| length.to_str().unwrap().parse().unwrap());
    let mut buffer = [0; 4096];
    while body.len() < length {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the body ended early");
        body.extend_from_slice(&buffer[..count]);
    }
    Refused {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: String::from_utf8(body).unwrap(),
    }
}
