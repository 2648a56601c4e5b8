//! Answering plain HTTP.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use madang_ws::{
    deflate,
    handshake::server::{Preference, wants_websocket},
};
use parking_lot::RwLock;
use tokio::{
    sync::watch,
    time::{sleep, sleep_until, timeout_at},
};

use super::{
    exchange,
    gate::{Gate, Pending, Refused},
    http2,
    io::Io,
    live::Live,
    pages::Pages,
    route::{Door, Routes},
    seldom::Seldom,
    topics::{self, Topics},
    upgrade::upgrade,
};
use crate::codes::Code;
use crate::drive::{Homes, Key, Pass, Visitor, WorkerHandle};

/// Bounds on requests and on what carries them, of HTTP/1.1 and HTTP/2.
///
/// ```
/// use std::time::Duration;
/// use madang::{HttpLimits, Server};
///
/// let limits = HttpLimits { head_timeout: Duration::from_secs(3), ..HttpLimits::default() };
/// let server = Server::new().http_limits(limits);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct HttpLimits {
    /// The longest time for a head, for a TLS handshake and for a PROXY header (default 5 s).
    pub head_timeout: Duration,
    /// The most bytes of a head (default 16 KiB; 8 KiB at least).
    pub max_head: usize,
    /// The most headers, of HTTP/1.1 (default 100).
    pub max_headers: usize,
    /// The most connections whose first request, TLS handshake or PROXY header has begun and is not
    /// whole (default 8,192); further ones are turned away with M510. One that has said nothing at
    /// all, and one whose first request comes at once, does not count. One address (of IPv6, its
    /// first 64 bits) may have a quarter of them, or 16 where that is more, so that it alone keeps
    /// nobody out; a trusted proxy, all.
    pub max_pending: usize,
    /// The most streams that a connection of HTTP/2 may have open (default 128; RFC 9113 §6.5.2
    /// recommends 100 at least). Each WebSocket among them also counts as one of
    /// [`Server::max_connections`](crate::Server::max_connections).
    pub max_streams: u32,
    /// Bytes that may come in one stream of HTTP/2 before they are read (default 64 KiB).
    pub stream_window: u32,
    /// The same for all streams of a connection together (default 1 MiB).
    pub connection_window: u32,
    /// Bytes that may wait in one stream of HTTP/2 for the connection to take them (default 32 KiB).
    pub send_buffer: usize,
    /// Streams of HTTP/2 that may be reset before they were looked at; more end the connection
    /// (default 20).
    pub max_resets: usize,
    /// Streams that may be reset because of the peer's errors; more end the connection (default 256).
    pub max_error_resets: usize,
    /// Frames of HTTP/2 a second that cost work and carry nothing; more end the connection, once a
    /// burst of twice [`max_streams`](Self::max_streams) is used up (default 100).
    pub max_idle_frames: u32,
    /// Answers to posts with an `Idempotency-Key` that are kept for five minutes; of more, the oldest
    /// go (default 10,000, and 16 MiB).
    pub max_idempotency_keys: usize,
    /// How long a connection of HTTP/2 may have no stream (default 60 s).
    pub idle_timeout: Duration,
    /// How long a peer may take nothing of a page over HTTP/2 that waits for it (default 30 s).
    pub stall_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(5),
            max_head: 16 * 1024,
            max_headers: 100,
            max_pending: 8192,
            max_streams: 128,
            stream_window: 64 * 1024,
            connection_window: 1024 * 1024,
            send_buffer: 32 * 1024,
            max_resets: 20,
            max_error_resets: 256,
            max_idle_frames: 100,
            max_idempotency_keys: 10_000,
            idle_timeout: Duration::from_mins(1),
            stall_timeout: Duration::from_secs(30),
        }
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
    /// When a flood over HTTP/2 was last noted in the log.
    pub(super) flooded: Seldom,
    /// When it was last noted that too many connections are pending.
    pub(super) pending: Seldom,
    /// When the page of another origin was last noted.
    pub(super) foreign: Seldom,
    /// When a PROXY header of a stranger was last noted.
    pub(super) strangers: Seldom,
    pub(super) http: HttpLimits,
    /// Where topics are served over plain HTTP.
    pub(super) topics: Option<Topics>,
    /// Which worker has which session.
    pub(super) homes: Homes,
    /// All of the server, once it has started.
    pub(super) workers: OnceLock<Arc<[WorkerHandle]>>,
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
    /// Tells when the server stops.
    pub(super) stop: watch::Receiver<bool>,
    /// That it has asked for nothing yet.
    pub(super) pending: Arc<Pending>,
    /// Until the connection is done with, or is a client of the worker.
    _visitor: Arc<Visitor>,
}

impl Visit {
    pub(super) fn new(
        site: &Arc<Site>,
        worker: &WorkerHandle,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
        (pass, pending): (Pass, Pending),
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            site: Arc::clone(site),
            worker: worker.clone(),
            peer,
            local,
            pass,
            pending: Arc::new(pending),
            stop,
            _visitor: Arc::new(worker.visit()),
        }
    }
}

impl Site {
    /// Waits while a worker does not keep up with its mail: what is posted would only pile up there.
    pub(super) async fn rest(&self) {
        const REST: Duration = Duration::from_millis(1);
        let Some(workers) = self.workers.get() else { return };
        while workers.iter().any(WorkerHandle::is_behind) {
            sleep(REST).await;
        }
    }

    /// The worker that has a session, or is to have it.
    pub(super) fn home(&self, key: &Key) -> Option<WorkerHandle> {
        self.workers.get()?.get(self.homes.of(key)).cloned()
    }

    /// Whether its connections begin with TLS.
    #[cfg_attr(
        not(feature = "tls"),
        expect(clippy::unused_self, reason = "there is no TLS to ask for")
    )]
    pub(super) fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }

    /// Says why there is no room, and notes it now and then.
    pub(super) fn refuse(&self, refused: Refused, peer: Option<SocketAddr>) -> Code {
        let peer = peer.map(tracing::field::display);
        let (seldom, limit, why) = match refused {
            Refused::Full => (&self.turned_away, self.gate.limit(), Code::M501),
            Refused::Address => (&self.crowded, self.gate.limit_of_address(), Code::M502),
            Refused::Pending => (&self.pending, self.http.max_pending, Code::M510),
        };
        if seldom.is_due(Instant::now()) {
            tracing::warn!(code = %why, limit, peer, "{why}: {}; more are turned away", why.what());
        } else {
            tracing::debug!(code = %why, limit, peer, "turned away");
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

    /// A body that has something of its own until it is sent or given up.
    pub(super) fn holding<B, T>(body: B, held: T) -> Self
    where
        B: hyper::body::Body<Data = Bytes, Error = io::Error> + Send + 'static,
        T: Send + 'static,
    {
        Self::new(body.map_err(move |error| {
            let _held = &held;
            error
        }))
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
    // Whichever HTTP it turns out to be, there is one time for its beginning.
    let begun = Instant::now();
    let by = begun + visit.site.http.head_timeout;
    #[cfg_attr(
        not(feature = "tls"),
        expect(clippy::infallible_destructuring_match, reason = "there is more of it with TLS")
    )]
    let stream = match stream {
        Io::Plain(stream) => stream,
        #[cfg(feature = "tls")]
        Io::Secure(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            return http2::converse(
                super::rewind::Rewind::new(stream, Bytes::new()),
                visit,
                stop,
                begun,
            )
            .await;
        }
        #[cfg(feature = "tls")]
        secure @ Io::Secure(_) => return converse_http1(secure, visit, stop, by).await,
    };
    let sniffed = async {
        // The answer to a request whose body never comes is written at once or never. A socket that
        // has just come to its runtime is not known to be writable before it has waited for it.
        stream.get_ref().writable().await?;
        http2::sniff(stream).await
    };
    match timeout_at(by.into(), sniffed).await {
        Ok(Ok((stream, true))) => http2::converse(stream, visit, stop, begun).await,
        Ok(Ok((stream, false))) => converse_http1(Io::Plain(stream), visit, stop, by).await,
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection ended at its start"),
        Err(_) => tracing::debug!("an HTTP connection did not begin in time"),
    }
}

/// Serves HTTP/1.1 on a connection until it ends or becomes a WebSocket; its first request's head has
/// to come by a time, and each further one's within its own.
async fn converse_http1(stream: Io, visit: Visit, mut stop: watch::Receiver<bool>, by: Instant) {
    let pending = Arc::clone(&visit.pending);
    let late = async {
        sleep_until(by.into()).await;
        if pending.is_over() {
            std::future::pending::<()>().await;
        }
    };
    let limits = visit.site.http;
    let service = service_fn(move |request| {
        let visit = visit.clone();
        visit.pending.settle();
        async move {
            let is_upgrade = request.headers().contains_key(header::UPGRADE);
            let wants_problem = wants_problem(request.headers());
            let mut response = respond(&visit, request).await;
            if wants_problem {
                response = as_problem(response);
            }
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
        () = late => return tracing::debug!("the head of a request did not come in time"),
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
    let request = match topics::answer(visit, request).await {
        Ok(response) => return response,
        Err(request) => request,
    };
    let path = request.uri().path().to_owned();
    if let Some(found) = visit.site.routes.find(&path) {
        if let Door::Links(links) = found.door
            && !wants_websocket(&request)
        {
            let rest = found.segment.unwrap_or_default().into_owned();
            // Rare, and larger than all the rest: others need not carry its size.
            return Box::pin(exchange::answer(visit, links, rest, request)).await;
        }
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
    let answer = visit.site.pages.answer(request, &visit.site.gate).await;
    answer.unwrap_or_else(|refused| refusal(visit.site.refuse(refused, visit.peer)))
}

/// What those hear who are not served: the code, what happened, and what to do.
pub(super) fn sentence(code: Code) -> String {
    format!("{code}: {}. {}\n", code.what(), code.cure())
}

pub(super) fn status(code: Code) -> StatusCode {
    let status = code.status().and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// When to come again, in seconds, where that is any use: not the same for all, so that they do
/// not come together.
pub(super) fn retry_after(code: Code) -> Option<u32> {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let is_passing = status(code) == StatusCode::SERVICE_UNAVAILABLE;
    is_passing.then(|| 2 + TURN.fetch_add(1, Ordering::Relaxed) % 7)
}

/// The answer to a request that is not served.
pub(super) fn refusal(code: Code) -> Response<Body> {
    let mut response = plain(status(code), sentence(code));
    if let Some(seconds) = retry_after(code) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    mark(&mut response, code);
    response
}

/// Puts a code on an answer, and counts it.
pub(super) fn mark(response: &mut Response<Body>, code: Code) {
    response.headers_mut().insert(CODE, HeaderValue::from_static(code.counted()));
}

const CODE: HeaderName = HeaderName::from_static("madang-code");

/// What is wrong in particular, of a refusal that says more than its code does: an extension of the
/// answer, for when it becomes a problem.
#[derive(Debug, Clone)]
pub(super) struct Detail(pub(super) String);

/// Whether a client would rather read JSON than a sentence.
pub(super) fn wants_problem(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/problem+json")
            || kind.eq_ignore_ascii_case("application/json")
    })
}

/// The same refusal as a problem (RFC 9457).
pub(super) fn as_problem(response: Response<Body>) -> Response<Body> {
    let name = response.headers().get(CODE).and_then(|name| name.to_str().ok());
    let Some(code) = name.and_then(Code::find) else { return response };
    let detail = match response.extensions().get::<Detail>() {
        Some(Detail(detail)) => format!("{detail}. {}", code.cure()),
        None => format!("{} {}", code.why(), code.cure()),
    };
    let problem = format!(
        "{{\"type\":\"about:blank\",\"title\":{},\"status\":{},\"detail\":{},\"code\":\"{code}\"}}\n",
        json_string(code.what()),
        response.status().as_u16(),
        json_string(&detail),
    );
    let mut response = response.map(|_| Body::from(problem));
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
