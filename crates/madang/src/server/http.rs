//! Answering plain HTTP.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use madang_ws::{deflate, handshake::server::Preference};
use parking_lot::RwLock;
use tokio::{io::AsyncWriteExt as _, sync::watch, time::timeout};

use super::{
    gate::{Gate, Refused},
    http2,
    io::{Io, Socket},
    live::Live,
    pages::Pages,
    rewind::Rewind,
    route::Routes,
    seldom::Seldom,
    upgrade::upgrade,
};
use crate::drive::{Pass, Visitor, WorkerHandle};

/// Bounds on the head of a request, of HTTP/1.1 and HTTP/2.
#[derive(Debug, Clone, Copy)]
pub struct HttpLimits {
    /// The longest time for it, and for a TLS handshake (default 5 s).
    pub head_timeout: Duration,
    /// The most bytes (default 16 KiB; 8 KiB at least).
    pub max_head: usize,
    /// The most headers, of HTTP/1.1 (default 100).
    pub max_headers: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { head_timeout: Duration::from_secs(5), max_head: 16 * 1024, max_headers: 100 }
    }
}

/// What every connection of a server meets.
pub(super) struct Site {
    pub(super) routes: Routes,
    pub(super) pages: Pages,
    pub(super) live: RwLock<Live>,
    pub(super) subprotocols: Vec<String>,
    pub(super) preference: Preference,
    pub(super) deflate: deflate::Settings,
    pub(super) gate: Arc<Gate>,
    pub(super) turned_away: Seldom,
    pub(super) crowded: Seldom,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<crate::tls::TlsConfig>,
    pub(super) http2: http2::Limits,
    pub(super) http: HttpLimits,
}

/// One connection, as its requests see it.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) site: Arc<Site>,
    pub(super) worker: WorkerHandle,
    pub(super) peer: Option<SocketAddr>,
    /// The address that it came to; none of a unix socket.
    pub(super) local: Option<SocketAddr>,
    pub(super) pass: Pass,
    /// Until the connection is done with, or is a client of the worker.
    _visitor: Arc<Visitor>,
}

impl Visit {
    pub(super) fn new(
        site: &Arc<Site>,
        worker: &WorkerHandle,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
        pass: Pass,
    ) -> Self {
        Self {
            site: Arc::clone(site),
            worker: worker.clone(),
            peer,
            local,
            pass,
            _visitor: Arc::new(worker.visit()),
        }
    }
}

impl Site {
    /// Whether its connections begin with TLS.
    pub(super) fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }

    /// Says why there is no room, and notes it now and then.
    pub(super) fn refuse(&self, refused: Refused, peer: Option<SocketAddr>) -> Unserved {
        let peer = peer.map(tracing::field::display);
        let (seldom, limit, why) = match refused {
            Refused::Full => (&self.turned_away, self.gate.limit(), FULL),
            Refused::Address => (&self.crowded, self.gate.limit_of_address(), CROWDED),
        };
        if seldom.is_due(Instant::now()) {
            tracing::warn!(limit, peer, "{}; more are turned away", why.reason());
        } else {
            tracing::debug!(limit, peer, "{}: turned away", why.reason());
        }
        why
    }
}

/// An answer's body.
pub(super) struct Body(UnsyncBoxBody<Bytes, io::Error>);

impl Default for Body {
    fn default() -> Self {
        Self::from(String::new())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync())
    }
}

impl Body {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: hyper::body::Body<Data = Bytes, Error = io::Error> + Send + 'static,
    {
        Self(body.boxed_unsync())
    }

    pub(super) fn into_inner(self) -> UnsyncBoxBody<Bytes, io::Error> {
        self.0
    }
}

/// Whether only this machine reaches the address that a connection came to.
pub(super) fn is_loopback(local: Option<SocketAddr>) -> bool {
    local.is_none_or(|local| local.ip().to_canonical().is_loopback())
}

/// A short answer in plain text.
pub(super) fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// Returns when the server stops.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error is the server's end, too.
    drop(stop.wait_for(|stop| *stop).await);
}

/// Serves HTTP on a connection: HTTP/2 if that was agreed on (RFC 7301) or, without TLS, is how it
/// begins; else HTTP/1.1.
pub(super) async fn converse(stream: Io, visit: Visit, stop: watch::Receiver<bool>) {
    let stream = match stream {
        Io::Plain(stream) => stream,
        #[cfg(feature = "tls")]
        Io::Secure(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            return http2::converse(Rewind::new(stream, Bytes::new()), visit, stop).await;
        }
        #[cfg(feature = "tls")]
        secure @ Io::Secure(_) => return converse_http1(secure, visit, stop).await,
    };
    match timeout(visit.site.http.head_timeout, http2::sniff(stream)).await {
        Ok(Ok((stream, true))) => http2::converse(stream, visit, stop).await,
        Ok(Ok((stream, false))) => converse_http1(Io::Plain(stream), visit, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection ended at its start"),
        Err(_) => tracing::debug!("an HTTP connection did not begin in time"),
    }
}

/// Serves HTTP/1.1 on a connection until it ends or becomes a WebSocket.
async fn converse_http1(stream: Io, visit: Visit, mut stop: watch::Receiver<bool>) {
    let limits = visit.site.http;
    let service = service_fn(move |request| {
        let visit = visit.clone();
        async move {
            let is_upgrade = request.headers().contains_key(header::UPGRADE);
            let mut response = respond(&visit, request).await;
            if is_upgrade && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                // A proxy in between may already take this connection for a tunnel.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, Infallible>(response.map(Body::into_inner))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(limits.max_headers)
        // hyper takes no less.
        .max_buf_size(limits.max_head.max(8 * 1024))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}

async fn respond(visit: &Visit, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if let Some(found) = visit.site.routes.find(&path) {
        return upgrade(visit, &found, request).await;
    }
    page(visit, request.map(|_| ())).await
}

/// Answers a request that is for no WebSocket's path.
pub(super) async fn page(visit: &Visit, request: Request<()>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response =
            plain(StatusCode::METHOD_NOT_ALLOWED, "Pages are read with GET or HEAD.\n".into());
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if request.uri().path() == "/healthz" {
        return plain(StatusCode::OK, "ok\n".into());
    }
    visit.site.pages.answer(request).await
}

/// How long a client that is turned away may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);

/// What those hear who are not served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unserved {
    status: StatusCode,
    code: &'static str,
    reason: &'static str,
    cure: &'static str,
}

/// There are as many connections as may be.
pub(super) const FULL: Unserved = Unserved {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "M501",
    reason: "this server has as many connections as it may",
    cure: "Try again later.",
};
/// There are as many of one address as may be.
const CROWDED: Unserved = Unserved {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "M502",
    reason: "this server has as many connections of your address as it may",
    cure: "Close some, or try again later.",
};
/// The server stops.
pub(super) const GOING: Unserved = Unserved {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "M504",
    reason: "this server is going away",
    cure: "Try again later.",
};
/// The listener wants a PROXY header.
pub(super) const NO_HEADER: Unserved = Unserved {
    status: StatusCode::BAD_REQUEST,
    code: "M105",
    reason: "connections to this address begin with a PROXY header",
    cure: "Come through the proxy, or let the proxy send it.",
};
/// It takes the header from others only.
pub(super) const NO_PROXY: Unserved = Unserved {
    status: StatusCode::FORBIDDEN,
    code: "M106",
    reason: "this address is for the server's proxies",
    cure: "Come through one, or name yours with --trusted-proxy.",
};

impl Unserved {
    /// For the log.
    fn reason(self) -> String {
        format!("{}: {}", self.code, self.reason)
    }

    fn text(self) -> String {
        format!("{}: {}. {}\n", self.code, self.reason, self.cure)
    }

    /// When to come again, in seconds, where that is any use: not the same for all, so that they do
    /// not come together.
    fn retry_after(self) -> Option<u32> {
        static TURN: AtomicU32 = AtomicU32::new(0);
        let is_passing = self.status == StatusCode::SERVICE_UNAVAILABLE;
        is_passing.then(|| 2 + TURN.fetch_add(1, Ordering::Relaxed) % 7)
    }

    /// The answer to a request.
    pub(super) fn response(self) -> Response<Body> {
        let mut response = plain(self.status, self.text());
        let headers = response.headers_mut();
        headers.insert("madang-code", HeaderValue::from_static(self.code));
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Answers a connection that cannot be served, whatever it asks.
pub(super) async fn turn_away(mut stream: Socket, why: Unserved) {
    let (text, status) = (why.text(), why.status);
    let retry =
        why.retry_after().map_or_else(String::new, |after| format!("Retry-After: {after}\r\n"));
    let answer = format!(
        "HTTP/1.1 {status}\r\n{retry}Madang-Code: {}\r\nConnection: close\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{text}",
        why.code,
        text.len()
    );
    drop(
        timeout(FAREWELL, async {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            // Closing on unread bytes would reset the connection before the answer is read.
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
        })
        .await,
    );
}
