//! `GET /topics/{t}/sse` and `/stream`: an answer that does not end.
//!
//! What is streamed comes from the worker's table, as what a WebSocket is sent does. Where the
//! worker has the socket itself, it writes the answer there. Where an HTTP library has it (TLS,
//! HTTP/2, a connection that was used before), the worker has one end of a pair of sockets, and the
//! library is given what comes out of the other.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Frame;
use madang_proto::{Carrier, Opening};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::UnixStream,
};

use super::{
    super::{
        forwarded::Client,
        gate,
        http::{Body, Site, Visit, refusal},
        http2::pair,
        route::{Door, Found},
    },
    cors, refuse,
};
use crate::{
    app::Begin,
    codes::Code,
    drive::{CarrierKind, Framing, Newcomer, Pass},
};

/// The answer's head and its session, where a request can be answered with a stream.
type Agreed = Result<(Response<()>, Begin), Box<Response<Body>>>;

fn agree(found: &Found<'_>, request: &Request<()>) -> Agreed {
    let (Door::Protocol(_, protocol), Some(kind)) = (found.door, found.stream()) else {
        return Err(Box::new(refusal(Code::M204)));
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Box::new(super::wrong_method(super::READ)));
    }
    let last = request.headers().get("last-event-id").and_then(|last| last.to_str().ok());
    let opening = Opening {
        segment: found.segment.as_deref(),
        query: request.uri().query().unwrap_or_default(),
        last_event_id: last,
    };
    let session = (protocol.open)(&opening)
        .map_err(|why| refuse(Code::M213, StatusCode::BAD_REQUEST, &why.reason))?;
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // `no-transform`: some proxies compress, and hold back for that what they have.
    let cache = HeaderValue::from_static("no-cache, no-transform");
    headers.insert(header::CACHE_CONTROL, cache);
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok((response, Begin::Session(session)))
}

/// Answers with a stream that the HTTP library carries.
pub(super) async fn answer(
    visit: &Visit,
    client: &Client,
    found: &Found<'_>,
    request: &Request<()>,
) -> Response<Body> {
    let is_head = request.method() == Method::HEAD;
    let (response, begin) = match agree(found, request) {
        Ok(agreed) => agreed,
        Err(refused) => return *refused,
    };
    let mut response = response;
    if request.version() < Version::HTTP_11 {
        // Only the connection's end tells such a client where the body ends (RFC 9112 §6.3).
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if is_head {
        return response.map(|()| Body::default());
    }
    // Two descriptors more than its connection has.
    let pass: Pass = match visit.site.gate.enter_stream(None) {
        Ok(pass) => std::sync::Arc::new(pass),
        Err(refused) => return refusal(visit.site.refuse(refused, client.address)),
    };
    let newcomer = Newcomer {
        peer: client.address,
        carrier: CarrierKind::Stream(Framing::Bare),
        protocol: found.door.protocol(),
        begin: begin.into(),
        pass,
    };
    // The answer begins when the subscription is in force.
    let Some(place) = visit.worker.reserve(newcomer).await else { return refusal(Code::M504) };
    match pair() {
        Ok((near, far)) => {
            place.adopt(far.into(), Vec::new());
            response.map(|()| Body::new(Carried(near)))
        }
        Err(error) => {
            tracing::warn!(%error, "no sockets for a stream");
            refusal(Code::M501)
        }
    }
}

/// A request that a worker can answer with a stream itself: the newcomer and the head.
pub(in super::super) fn welcome(
    site: &Site,
    local: impl FnOnce() -> Option<std::net::SocketAddr>,
    client: &Client,
    found: &Found<'_>,
    request: &Request<()>,
    pass: impl FnOnce() -> Result<Pass, gate::Refused>,
) -> Option<(Newcomer, Response<()>)> {
    let allow = cors::check(site, local, client, request).ok()?;
    // Whatever is refused goes to HTTP, which says why.
    let (mut response, begin) = agree(found, request).ok()?;
    allow.put_on(&mut response);
    let headers = response.headers_mut();
    headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let date = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now())).ok()?;
    headers.insert(header::DATE, date);
    let newcomer = Newcomer {
        peer: client.address,
        carrier: CarrierKind::Stream(Framing::Chunked),
        protocol: found.door.protocol(),
        begin: begin.into(),
        pass: pass().ok()?,
    };
    Some((newcomer, response))
}

impl Found<'_> {
    /// The media type of the stream that it leads to.
    fn stream(&self) -> Option<&'static str> {
        match self.door {
            Door::Protocol(_, protocol) => match protocol.carrier {
                Carrier::Stream(kind) => Some(kind),
                _ => None,
            },
            _ => None,
        }
    }

    pub(in super::super) fn is_links(&self) -> bool {
        matches!(self.door, Door::Links(_))
    }

    pub(in super::super) fn is_stream(&self) -> bool {
        self.stream().is_some()
    }
}

/// What is taken from the socket at once.
const PIECE: usize = 16 * 1024;

/// A body that comes from a worker. Dropping it is the client's end.
pub(in super::super) struct Carried(UnixStream);

impl Carried {
    pub(in super::super) fn new(near: UnixStream) -> Self {
        Self(near)
    }
}

impl hyper::body::Body for Carried {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut piece = [0; PIECE];
        let mut piece = ReadBuf::new(&mut piece);
        if let Err(error) = ready!(Pin::new(&mut self.0).poll_read(cx, &mut piece)) {
            return Poll::Ready(Some(Err(error)));
        }
        let piece = piece.filled();
        let frame = (!piece.is_empty()).then(|| Ok(Frame::data(Bytes::copy_from_slice(piece))));
        Poll::Ready(frame)
    }
}
