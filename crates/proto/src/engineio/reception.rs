//! Who may come in, how, and what a session is told of it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{packet::Revision, session::Session, upper::Upper};
use crate::{Request, reception::Received};

/// How long things take and how large they may be.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "made from its default by whoever serves it")]
pub struct Settings {
    /// How often the server asks a client whether it is there (default 25 s).
    pub ping_interval: Duration,
    /// How long a client may leave that unanswered (default 20 s).
    pub ping_timeout: Duration,
    /// How long a client may take to move to its WebSocket (default 10 s).
    pub upgrade_timeout: Duration,
    /// The most bytes of a message, and of the body of a POST (default 1,000,000).
    pub max_payload: usize,
    /// The most packets in one body (default 10,000).
    pub max_packets: usize,
    /// Bytes that may wait for a client's next poll; at more the session ends (default 4 MiB: a few
    /// messages of the largest size may come between two polls, and bytes grow by a third).
    pub max_queue: usize,
    /// Packets that may wait for it (default 16,384).
    pub max_queued: usize,
    /// Clients of revision 3 are let in, too.
    pub allow_v3: bool,
    /// Sessions may move from polling to a WebSocket, or begin with one.
    pub websocket: bool,
    /// The name of a cookie with the session's name, for balancers that go by one; it is no secret
    /// to pages of other origins only as long as nothing else is. `None` sends none.
    pub cookie: Option<String>,
    /// Says whether a session may begin with this request.
    pub allow: Option<Allow>,
}

/// Says whether a session may begin.
pub type Allow = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
            max_packets: 10_000,
            max_queue: 4 * 1024 * 1024,
            max_queued: 16_384,
            allow_v3: true,
            websocket: true,
            cookie: None,
            allow: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("ping_interval", &self.ping_interval)
            .field("ping_timeout", &self.ping_timeout)
            .field("max_payload", &self.max_payload)
            .finish_non_exhaustive()
    }
}

/// Why a request is refused; clients know the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest,
    Forbidden,
    UnsupportedVersion,
}

impl Refusal {
    fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSession => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    pub(super) fn response(self) -> Response<Bytes> {
        let body = format!("{{\"code\":{},\"message\":\"{}\"}}", self as u8, self.message());
        let status =
            if self == Self::Forbidden { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
        answer(status, "application/json", body.into())
    }
}

/// An answer that no cache keeps.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sorts requests to sessions of Engine.IO. `make` gives each session what rides on it.
pub struct Reception<M> {
    settings: Arc<Settings>,
    make: M,
}

impl<M> fmt::Debug for Reception<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reception").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<M, U> Reception<M>
where
    M: Fn(&Request) -> U + Send + Sync,
    U: Upper + 'static,
{
    /// One with these settings.
    pub fn new(settings: Settings, make: M) -> Self {
        Self { settings: Arc::new(settings), make }
    }

    /// Where a request belongs; the checks come in the order that clients know from the original.
    fn sort(&self, request: &Request) -> Result<Received, Refusal> {
        let transport = request.query("transport").unwrap_or_default();
        let is_websocket = match &*transport {
            "polling" => false,
            "websocket" if self.settings.websocket => true,
            _ => return Err(Refusal::UnknownTransport),
        };
        if request.is_websocket && !is_websocket {
            return Err(Refusal::BadRequest);
        }
        if let Some(name) = request.query("sid") {
            return Ok(Received::Known(name.into_owned()));
        }
        if request.head.method() != Method::GET && !request.is_websocket {
            return Err(Refusal::BadMethod);
        }
        if is_websocket && !request.is_websocket {
            return Err(Refusal::BadRequest);
        }
        if self.settings.allow.as_ref().is_some_and(|allow| !allow(request)) {
            return Err(Refusal::Forbidden);
        }
        match self.revision(request) {
            Some(_) => Ok(Received::New),
            None => Err(Refusal::UnsupportedVersion),
        }
    }

    fn revision(&self, request: &Request) -> Option<Revision> {
        match &*request.query("EIO")? {
            "4" => Some(Revision::V4),
            "3" if self.settings.allow_v3 => Some(Revision::V3),
            _ => None,
        }
    }
}

impl<M, U> crate::Reception for Reception<M>
where
    M: Fn(&Request) -> U + Send + Sync,
    U: Upper + 'static,
{
    fn receive(&self, request: &Request) -> Received {
        if !request.rest.is_empty() {
            let text = "There is nothing here. Clients of Engine.IO ask for the path above.\n";
            let response = answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", text.into());
            return Received::Answer(Box::new(response));
        }
        let sorted = self.sort(request);
        sorted.unwrap_or_else(|refusal| Received::Answer(Box::new(refusal.response())))
    }

    fn open(&self, name: &str, request: &Request) -> Box<dyn crate::Session> {
        // It was asked for when the request was sorted.
        let revision = self.revision(request).unwrap_or(Revision::V4);
        let upper = (self.make)(request);
        let settings = Arc::clone(&self.settings);
        Box::new(Session::new(settings, revision, name, request.is_websocket, upper))
    }

    fn unknown(&self, _: &Request) -> Response<Bytes> {
        Refusal::UnknownSession.response()
    }

    fn max_body(&self) -> usize {
        self.settings.max_payload
    }

    fn too_large(&self, _: &Request) -> Response<Bytes> {
        let text = format!("A body may have {} bytes at most.\n", self.settings.max_payload);
        answer(StatusCode::PAYLOAD_TOO_LARGE, "text/plain; charset=utf-8", text.into())
    }
}
