//! Which session a path is of.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::session::Session;
use crate::{Request, reception::Received};

/// How long things take and how large they may be.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "made from its default by whoever serves it")]
pub struct Settings {
    /// The bytes of a streaming body after which it ends (default 128 KiB).
    pub response_limit: usize,
    /// How often a client hears that it is not forgotten (default 25 s).
    pub heartbeat: Duration,
    /// How long a session waits for its client to come back (default 5 s).
    pub disconnect_delay: Duration,
    /// The most bytes of a send (default 1 MiB).
    pub max_payload: usize,
    /// Bytes that may wait for a client that is to come back; at more the session ends (default
    /// 1 MiB).
    pub max_queue: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            response_limit: 128 * 1024,
            heartbeat: Duration::from_secs(25),
            disconnect_delay: Duration::from_secs(5),
            max_payload: 1024 * 1024,
            max_queue: 1024 * 1024,
        }
    }
}

/// An answer of text.
pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Sorts requests to sessions of SockJS; `make` begins the session within.
pub struct Reception<M> {
    settings: Arc<Settings>,
    make: M,
}

impl<M> fmt::Debug for Reception<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reception").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<M> Reception<M>
where
    M: Fn(&Request) -> Box<dyn crate::Session> + Send + Sync,
{
    /// One with these settings.
    pub fn new(settings: Settings, make: M) -> Self {
        Self { settings: Arc::new(settings), make }
    }
}

/// What is asked of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Streaming,
    Polling,
    Send,
}

/// The session's name and the transport, of `{server}/{session}/{transport}`.
pub(super) fn split(rest: &str) -> Option<(&str, Transport)> {
    let mut parts = rest.split('/');
    let (server, session, transport) = (parts.next()?, parts.next()?, parts.next()?);
    let is_name = |part: &str| !part.is_empty() && !part.contains('.');
    if parts.next().is_some() || !is_name(server) || !is_name(session) {
        return None;
    }
    let transport = match transport {
        "xhr_streaming" => Transport::Streaming,
        "xhr" => Transport::Polling,
        "xhr_send" => Transport::Send,
        _ => return None,
    };
    Some((session, transport))
}

fn nothing() -> Response<Bytes> {
    text(StatusCode::NOT_FOUND, "There is nothing here.\n")
}

impl<M> crate::Reception for Reception<M>
where
    M: Fn(&Request) -> Box<dyn crate::Session> + Send + Sync,
{
    fn receive(&self, request: &Request) -> Received {
        let Some((session, transport)) = split(&request.rest).filter(|_| !request.is_websocket)
        else {
            return Received::Answer(Box::new(nothing()));
        };
        if request.head.method() != Method::POST {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "This takes POST.\n");
            let allow = HeaderValue::from_static("OPTIONS, POST");
            response.headers_mut().insert(header::ALLOW, allow);
            return Received::Answer(Box::new(response));
        }
        match transport {
            Transport::Streaming | Transport::Polling => Received::Either(session.to_owned()),
            Transport::Send => Received::Known(session.to_owned()),
        }
    }

    fn open(&self, _: &str, request: &Request) -> Box<dyn crate::Session> {
        Box::new(Session::new(Arc::clone(&self.settings), (self.make)(request)))
    }

    fn unknown(&self, _: &Request) -> Response<Bytes> {
        nothing()
    }

    fn max_body(&self) -> usize {
        self.settings.max_payload
    }

    fn too_large(&self, _: &Request) -> Response<Bytes> {
        let said = format!("A body may have {} bytes at most.\n", self.settings.max_payload);
        text(StatusCode::PAYLOAD_TOO_LARGE, said)
    }
}
