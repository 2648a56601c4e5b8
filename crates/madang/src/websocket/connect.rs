//! The client's side: a URL that becomes a WebSocket.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode, Uri};
use madang_ws::Role;
use madang_ws::handshake::client::{self, RequestError};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
#[cfg(feature = "tls")]
use {std::sync::Arc, tokio_rustls::rustls::ClientConfig};

use super::connect_error::{ConnectError, Phase};
use super::proxy::{self, Proxy};
use super::{DeflateSettings, Keepalive, Limits, Options, Transport, WebSocket, body, url};

/// Opens a WebSocket to a `ws://` or `wss://` URL, within ten seconds. [`Connect`] can do more.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = madang::connect("ws://127.0.0.1:8000/ws").await?;
/// socket.send("hello").await?;
/// while let Some(message) = socket.recv().await {
///     println!("{:?}", message?);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Not cancel-safe: when it is dropped, the connection that it was about to open is closed.
pub async fn connect(url: impl AsRef<str>) -> Result<WebSocket, ConnectError> {
    Ok(Connect::to(url).open().await?.0)
}

/// A connection to be opened, and what to ask of the server.
///
/// ```no_run
/// # async fn example() -> Result<(), madang::websocket::ConnectError> {
/// use madang::websocket::Connect;
///
/// let (socket, response) = Connect::to("wss://example.com/chat")
///     .header("authorization", "Bearer secret")
///     .protocol("chat.v2")
///     .protocol("chat")
///     .open()
///     .await?;
/// println!("{:?} from {:?}", socket.protocol(), response.headers().get("server"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "`open` opens it"]
pub struct Connect {
    url: Result<Uri, ConnectError>,
    /// The first header that cannot be one.
    bad_header: Option<String>,
    handshake: client::Options,
    options: Options,
    redirects: u8,
    timeout: Duration,
    proxy: Option<Proxy>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<ClientConfig>>,
}

impl Connect {
    /// To a `ws://` or `wss://` URL (`http` and `https` mean the same). `user:password@` is sent as
    /// basic authentication.
    pub fn to(url: impl AsRef<str>) -> Self {
        Self {
            url: url::parse(url.as_ref()),
            bad_header: None,
            handshake: client::Options::default(),
            options: Options::client(),
            redirects: 0,
            timeout: Duration::from_secs(10),
            proxy: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Adds a header, such as `authorization` or `cookie`.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        let parsed = (HeaderName::try_from(name), HeaderValue::try_from(value.as_ref()));
        if let (Ok(name), Ok(value)) = parsed {
            self.handshake.headers.append(name, value);
        } else {
            self.bad_header.get_or_insert_with(|| name.to_owned());
        }
        self
    }

    /// The `Origin` that a page would send.
    pub fn origin(self, origin: impl AsRef<str>) -> Self {
        self.header(header::ORIGIN, origin)
    }

    /// Offers a subprotocol; the one offered first is preferred.
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        self.handshake.protocols.push(protocol.into());
        self
    }

    /// Whether compression is offered; it is by default.
    pub fn deflate(mut self, offered: bool) -> Self {
        self.handshake.deflate.enabled = offered;
        self
    }

    /// How to compress.
    pub fn deflate_settings(mut self, settings: DeflateSettings) -> Self {
        self.handshake.deflate = settings;
        self
    }

    /// Bounds on what the server may send.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Pings while nothing comes. `None`, the default, sends none: servers ping.
    pub fn keepalive(mut self, keepalive: Option<Keepalive>) -> Self {
        self.options.keepalive = keepalive;
        self
    }

    /// Follows so many redirects; 0 by default. Never from `wss` to `ws`; headers that were given
    /// here go to another host without `Authorization` and `Cookie`.
    pub fn redirects(mut self, most: u8) -> Self {
        self.redirects = most;
        self
    }

    /// Longest time for everything up to the open WebSocket; 10 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Tunnels every connection through an HTTP proxy, which also looks up the host's name.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// How to open TLS for `wss://`. By default the certificates that the operating system trusts
    /// are trusted.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.tls = Some(config.into());
        self
    }

    /// Opens the WebSocket. The response is the server's `101`, with its headers.
    ///
    /// All addresses of the host are tried in order. Not cancel-safe: when it is dropped, the
    /// connection is closed.
    pub async fn open(mut self) -> Result<(WebSocket, Response<()>), ConnectError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let url = self.checked_url()?;
            let mut io = self.dial(&url, deadline).await?;
            match self.handshake(&mut io, &url, deadline).await? {
                Answer::Open(opened) => return Ok(self.socket(io, opened)),
                Answer::Other(response, early) => match self.redirect(&url, &response) {
                    Some(next) => self.follow(&url, next),
                    None => return Err(refused(&mut io, response, early).await),
                },
            }
        }
    }

    /// Opens the WebSocket on a byte stream that leads to the server, such as a tunnel or a
    /// `UnixStream`. Follows no redirect, asks no proxy, and opens no TLS.
    pub async fn open_on<S>(self, mut io: S) -> Result<(WebSocket<S>, Response<()>), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Instant::now() + self.timeout;
        let url = self.checked_url()?;
        match self.handshake(&mut io, &url, deadline).await? {
            Answer::Open(opened) => Ok(self.socket(io, opened)),
            Answer::Other(response, early) => Err(refused(&mut io, response, early).await),
        }
    }
}

/// What the server answered.
enum Answer {
    Open(Opened),
    /// Not `101`, and the beginning of the body.
    Other(Response<()>, BytesMut),
}

struct Opened {
    response: Response<()>,
    accepted: client::Accepted,
    /// What came after the head.
    early: BytesMut,
}

impl Connect {
    fn checked_url(&self) -> Result<Uri, ConnectError> {
        match &self.bad_header {
            Some(name) => Err(ConnectError::Header(name.clone())),
            None => self.url.clone(),
        }
    }

    /// A byte stream to the host of `url`.
    async fn dial(&self, url: &Uri, deadline: Instant) -> Result<Transport, ConnectError> {
        let host = url::host(url).ok_or(RequestError::Url)?;
        let secure = url.scheme_str() == Some("wss");
        #[cfg(not(feature = "tls"))]
        if secure {
            return Err(ConnectError::NoTls);
        }
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tcp = match &self.proxy {
            Some(proxy) => {
                let mut tcp = dial_tcp(proxy.host(), proxy.port(), deadline).await?;
                let tunnel = proxy.tunnel(&mut tcp, host, port);
                within(deadline, Phase::Tunnel, tunnel).await??;
                tcp
            }
            None => dial_tcp(host, port, deadline).await?,
        };
        #[cfg(feature = "tls")]
        if secure {
            let opened = super::tls::connect(tcp, host, self.tls.clone());
            let tls = within(deadline, Phase::Tls, opened).await?;
            return tls.map(Transport::from).map_err(|error| ConnectError::Tls(error.into()));
        }
        Ok(tcp.into())
    }

    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: &mut S,
        url: &Uri,
        deadline: Instant,
    ) -> Result<Answer, ConnectError> {
        let (request, key) = client::request(url, &self.handshake)?;
        let exchange = exchange(io, client::encode(&request));
        let (response, early) = within(deadline, Phase::Handshake, exchange).await??;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Answer::Other(response, early));
        }
        match client::check_response(&response, &key, &self.handshake) {
            Ok(accepted) => Ok(Answer::Open(Opened { response, accepted, early })),
            Err(error) => {
                let response = Box::new(response.map(|()| Bytes::new()));
                Err(ConnectError::Handshake { error, response })
            }
        }
    }

    fn socket<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: S,
        opened: Opened,
    ) -> (WebSocket<S>, Response<()>) {
        let client::Accepted { deflate, protocol, .. } = opened.accepted;
        let socket = WebSocket::new(io, Role::Client, deflate, &self.options, opened.early);
        (socket.with_protocol(protocol.map(Into::into)), opened.response)
    }

    /// Where a response leads, if that may be followed.
    fn redirect(&self, url: &Uri, response: &Response<()>) -> Option<Uri> {
        // RFC 6455 §4.1: the server "might redirect the client using a 3xx status code (but clients
        // are not required to follow them)".
        if self.redirects == 0 || !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        {
            return None;
        }
        let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
        let next = url::join(url, location)?;
        let downgrade = url.scheme_str() == Some("wss") && next.scheme_str() != Some("wss");
        (!downgrade).then_some(next)
    }

    fn follow(&mut self, from: &Uri, to: Uri) {
        if from.authority() != to.authority() {
            self.handshake.headers.remove(header::AUTHORIZATION);
            self.handshake.headers.remove(header::COOKIE);
        }
        self.redirects -= 1;
        self.url = Ok(to);
    }
}

/// Connects to the first address that answers. The time that is left is shared between those
/// that are left, so that one that swallows packets does not take it all.
async fn dial_tcp(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let unknown =
        |error: io::Error| ConnectError::Dns { host: host.to_owned(), error: error.into() };
    let addresses: Vec<_> =
        within(deadline, Phase::Dns, lookup_host((host, port))).await?.map_err(unknown)?.collect();
    let mut failure = unknown(io::Error::new(io::ErrorKind::NotFound, "no address"));
    for (at, &address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = Instant::now() + left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        match within(share, Phase::Tcp, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Messages are written when they are to leave; only speed is lost if it fails.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Ok(Err(error)) => failure = ConnectError::Tcp { address, error: error.into() },
            Err(timeout) => failure = timeout,
        }
    }
    Err(failure)
}

/// Sends the request; the head of the response, and what came after it.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    io: &mut S,
    request: Vec<u8>,
) -> Result<(Response<()>, BytesMut), ConnectError> {
    let lost = |error: io::Error| ConnectError::Io(error.into());
    io.write_all(&request).await.map_err(lost)?;
    io.flush().await.map_err(lost)?;
    proxy::head(io).await
}

async fn refused<S: AsyncRead + Unpin>(
    io: &mut S,
    response: Response<()>,
    early: BytesMut,
) -> ConnectError {
    let body = body::read(io, &response, early).await;
    ConnectError::Refused(Box::new(response.map(|()| body)))
}

async fn within<T>(
    deadline: Instant,
    phase: Phase,
    work: impl Future<Output = T>,
) -> Result<T, ConnectError> {
    timeout_at(deadline, work).await.map_err(|_| ConnectError::Timeout(phase))
}
