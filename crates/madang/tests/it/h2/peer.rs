//! A client of HTTP/2, and WebSockets on its streams, made of the `h2` crate and the sans-I/O core.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
    ext::Protocol,
};
use http::{HeaderMap, Method, Request, Response};
use madang::ws::{Connection, Event, Input, Kind, Limits, Role, deflate};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

use crate::client::News;

/// What a test waits for before it fails; nothing takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that comes.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap()
}

/// A connection.
pub(crate) struct Peer {
    pub(crate) requests: SendRequest<Bytes>,
    /// Ends with the connection.
    pub(crate) driver: JoinHandle<Result<(), h2::Error>>,
    address: SocketAddr,
}

/// An answer that is no WebSocket.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Peer {
    /// Connects, and waits until the server's settings are known.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        let (requests, connection) = Builder::new()
            .initial_window_size(64 * 1024)
            .initial_connection_window_size(16 * 1024 * 1024)
            .handshake(tcp)
            .await
            .unwrap();
        let driver = tokio::spawn(connection);
        let mut peer = Self { requests, driver, address };
        assert_eq!(peer.ask(Method::GET, "/healthz").await.status, 200);
        assert!(peer.requests.is_extended_connect_protocol_enabled());
        peer
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Request<()> {
        let uri = format!("http://{}{path}", self.address);
        Request::builder().method(method).uri(uri).version(http::Version::HTTP_2).body(()).unwrap()
    }

    /// A request for a WebSocket that offers nothing.
    pub(crate) fn websocket(&self, path: &str) -> Request<()> {
        let mut request = self.request(Method::CONNECT, path);
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
        request
    }

    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> Answer {
        let request = self.request(method, path);
        self.send(request).await
    }

    /// Sends a request without a body and reads the whole answer.
    pub(crate) async fn send(&mut self, request: Request<()>) -> Answer {
        let (response, _stream) = self.begin(request, true).await.unwrap();
        let (parts, mut stream) = soon(response).await.unwrap().into_parts();
        let mut body = Vec::new();
        while let Some(data) = soon(stream.data()).await {
            let data = data.unwrap();
            stream.flow_control().release_capacity(data.len()).unwrap();
            body.extend_from_slice(&data);
        }
        let body = String::from_utf8(body).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Sends a request.
    pub(crate) async fn begin(
        &mut self,
        request: Request<()>,
        is_end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        requests.send_request(request, is_end)
    }

    /// Opens a WebSocket; panics when it is refused.
    pub(crate) async fn open(&mut self, path: &str) -> WebSocket {
        let request = self.websocket(path);
        self.open_with(request, None).await
    }

    pub(crate) async fn open_with(
        &mut self,
        request: Request<()>,
        deflate: Option<deflate::Agreement>,
    ) -> WebSocket {
        let (response, to) = self.begin(request, false).await.unwrap();
        let (parts, from) = soon(response).await.unwrap().into_parts();
        assert_eq!(parts.status, 200);
        let limits = Limits { max_message: usize::MAX, ..Limits::default() };
        WebSocket {
            response: Response::from_parts(parts, ()),
            to,
            from,
            connection: Connection::new(Role::Client, &limits, deflate),
            news: VecDeque::new(),
        }
    }
}

/// A stream that is a WebSocket.
pub(crate) struct WebSocket {
    pub(crate) response: Response<()>,
    pub(crate) to: SendStream<Bytes>,
    pub(crate) from: RecvStream,
    connection: Connection,
    news: VecDeque<News>,
}

impl WebSocket {
    pub(crate) async fn text(&mut self, text: &str) {
        self.send(Kind::Text, text.as_bytes()).await;
    }

    pub(crate) async fn send(&mut self, kind: Kind, bytes: &[u8]) {
        let mut out = Vec::new();
        self.connection.send(kind, bytes, &mut out).unwrap();
        self.bytes(out).await;
    }

    /// Sends bytes as they are, as the window allows.
    pub(crate) async fn bytes(&mut self, bytes: impl Into<Bytes>) {
        let mut bytes = bytes.into();
        while !bytes.is_empty() {
            self.to.reserve_capacity(bytes.len());
            while self.to.capacity() == 0 {
                let room = std::future::poll_fn(|cx| self.to.poll_capacity(cx));
                soon(room).await.unwrap().unwrap();
            }
            let room = self.to.capacity().min(bytes.len());
            self.to.send_data(bytes.split_to(room), false).unwrap();
        }
    }

    /// Begins to say goodbye.
    pub(crate) async fn close(&mut self) {
        self.connection.close(1000.into(), "", Instant::now()).unwrap();
        self.transmit().await;
    }

    /// The next thing that comes.
    pub(crate) async fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.news.pop_front() {
                return news;
            }
            if let Some(Ok(data)) = soon(self.from.data()).await {
                self.from.flow_control().release_capacity(data.len()).unwrap();
                self.take(data.to_vec());
            } else {
                self.connection.handle_eof();
                self.take(Vec::new());
                assert!(!self.news.is_empty(), "nothing comes any more");
            }
            self.transmit().await;
        }
    }

    pub(crate) async fn next_text(&mut self) -> String {
        match self.next().await {
            News::Text(text) => text,
            news => panic!("{news:?} instead of a text"),
        }
    }

    /// Reads until the end; the code and reason of the close.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let News::Closed(code, reason) = self.next().await {
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
                Event::Ping(_) => continue,
            });
        }
    }

    async fn transmit(&mut self) {
        let mut out = Vec::new();
        if self.connection.poll_transmit(&mut out) {
            self.bytes(out).await;
        }
    }
}
