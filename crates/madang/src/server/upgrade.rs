//! From an HTTP request to a client of a worker.

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use madang_proto as proto;
use madang_ws::{
    deflate::{self, Agreement},
    handshake::server::{self, Refusal, Upgrade},
};

use super::{
    exchange::Links,
    forwarded::Client,
    gate::Refused,
    http::{Body, Site, Visit, is_loopback, mark, plain, refusal},
    io::Io,
    route::{Door, Found},
};
use crate::{
    codes::Code,
    drive::{CarrierKind, Newcomer, Pass, Reserved, Start, WorkerHandle},
};

/// Answers a request at a WebSocket's path, and hands the socket over if it becomes one.
pub(super) async fn upgrade(
    visit: &Visit,
    found: &Found<'_>,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let socket = hyper::upgrade::on(&mut request);
    let mut request = request.map(|_| ());
    let client = visit.site.identify(visit.peer, &mut request);
    let pass = match count(&visit.site, &client, &visit.pass) {
        Ok(pass) => pass,
        Err(refused) => return refusal(visit.site.refuse(refused, client.address)),
    };
    match agree(&visit.site, &visit.worker, || visit.local, &client, found, &request) {
        Ok(agreed) => {
            let is_link = matches!(agreed.begin, Start::Attach(_));
            let newcomer = Newcomer {
                peer: client.address,
                carrier: CarrierKind::WebSocket(agreed.deflate),
                protocol: found.door.protocol(),
                begin: agreed.begin,
                pass,
            };
            // Only who is in the topics that it asked for is told that it is connected.
            let Some(place) = agreed.home.reserve(newcomer).await else {
                return nowhere(found, client.address, request, is_link);
            };
            tokio::spawn(hand_over(socket, place));
            agreed.response.map(|()| Body::default())
        }
        Err(response) => {
            log_refusal(&visit.site, &client, &request, &response);
            *response
        }
    }
}

/// The answer to a WebSocket that no worker takes.
pub(super) fn nowhere(
    found: &Found<'_>,
    peer: Option<SocketAddr>,
    head: Request<()>,
    is_link: bool,
) -> Response<Body> {
    match found.door {
        Door::Links(links) if is_link => {
            let rest = found.segment.as_deref().unwrap_or_default().to_owned();
            links.unknown(&proto::Request {
                rest,
                head,
                body: Bytes::new(),
                is_websocket: true,
                peer,
            })
        }
        _ => refusal(Code::M504),
    }
}

/// Notes that a request does not become a WebSocket.
pub(super) fn log_refusal(
    site: &Site,
    client: &Client,
    request: &Request<()>,
    response: &Response<Body>,
) {
    let status = response.status().as_u16();
    let peer = client.address.map(tracing::field::display);
    let path = start_of(request.uri().path().as_bytes());
    if response.status() != StatusCode::FORBIDDEN {
        tracing::debug!(status, peer, ?path, "refused a WebSocket");
        return;
    }
    // Browsers do not show the answer, so the log is where to learn of it.
    let origin = request.headers().get(header::ORIGIN).map(|origin| start_of(origin.as_bytes()));
    if site.foreign.is_due(Instant::now()) {
        tracing::info!(peer, ?path, ?origin, "refused the page of another origin");
    } else {
        tracing::debug!(peer, ?path, ?origin, "refused the page of another origin");
    }
}

/// As much as is worth a line of the log of what a peer may make long.
fn start_of(bytes: &[u8]) -> Cow<'_, str> {
    const MOST: usize = 200;
    String::from_utf8_lossy(bytes.get(..MOST).unwrap_or(bytes))
}

/// Counts a WebSocket for the client that a proxy brings; others were counted as they came.
pub(super) fn count(site: &Site, client: &Client, pass: &Pass) -> Result<Pass, Refused> {
    let pass = Arc::clone(pass);
    if client.forwarded.is_none() {
        return Ok(pass);
    }
    let of_address = site.gate.count(client.address.map(|address| address.ip()))?;
    Ok(match of_address {
        Some(of_address) => Arc::new((pass, of_address)),
        None => pass,
    })
}

/// What both sides will speak.
pub(super) struct Agreed {
    pub(super) response: Response<()>,
    pub(super) deflate: Option<Agreement>,
    pub(super) begin: Start,
    /// The worker that it goes to.
    pub(super) home: WorkerHandle,
}

/// Checks a request for a WebSocket, and begins its session. `local` is the address that it came
/// to.
pub(super) fn agree(
    site: &Site,
    worker: &WorkerHandle,
    local: impl FnOnce() -> Option<SocketAddr>,
    client: &Client,
    found: &Found<'_>,
    request: &Request<()>,
) -> Result<Agreed, Box<Response<Body>>> {
    let offer = server::check(request).map_err(|refusal| Box::new(refuse(&refusal)))?;
    agree_on(site, worker, local, client, found, request, &offer)
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    coded(refusal.response(), Code::of_refusal(refusal))
}

/// An answer whose sentence begins with its code.
pub(super) fn coded(response: Response<String>, code: Code) -> Response<Body> {
    let mut response = response.map(|text| Body::from(format!("{code}: {text}")));
    mark(&mut response, code);
    response
}

/// The same for a request that was checked, and is over whichever HTTP.
pub(super) fn agree_on(
    site: &Site,
    worker: &WorkerHandle,
    local: impl FnOnce() -> Option<SocketAddr>,
    client: &Client,
    found: &Found<'_>,
    request: &Request<()>,
    offer: &Upgrade<'_>,
) -> Result<Agreed, Box<Response<Body>>> {
    if let Some(origin) = offer.origin {
        check_origin(site, local, client, origin, offer.host)?;
    }
    let protocol = server::choose(&offer.protocols, &site.subprotocols, site.preference);
    let (deflate, extensions) = deflate::answer(&offer.offers, &site.deflate).unzip();
    let (begin, home) = begin(site, worker, client, found, request)?;
    let response = offer.response(protocol, extensions).map_err(|error| {
        tracing::error!(%error, "a subprotocol was chosen that cannot be answered");
        Box::new(plain(StatusCode::INTERNAL_SERVER_ERROR, "The handshake failed.\n".into()))
    })?;
    Ok(Agreed { response, deflate, begin, home })
}

/// The session of a WebSocket, and the worker that it goes to.
fn begin(
    site: &Site,
    worker: &WorkerHandle,
    client: &Client,
    found: &Found<'_>,
    request: &Request<()>,
) -> Result<(Start, WorkerHandle), Box<Response<Body>>> {
    let mut refused = match found.door {
        Door::Links(links) => {
            let asked = proto::Request {
                rest: found.segment.as_deref().unwrap_or_default().to_owned(),
                head: request.clone(),
                body: Bytes::new(),
                is_websocket: true,
                peer: client.address,
            };
            match links.welcome(site, worker, &asked) {
                Ok(welcome) => return Ok(welcome),
                Err(refused) => refused,
            }
        }
        door => match door.open(found.segment.as_deref(), request) {
            Ok(begin) => return Ok((begin.into(), worker.clone())),
            Err(refusal) => {
                let text = format!("M213: {}.\n", refusal.reason);
                let mut response = plain(StatusCode::BAD_REQUEST, text);
                mark(&mut response, Code::M213);
                Box::new(response)
            }
        },
    };
    // A proxy in between may already take this connection for a tunnel.
    refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Err(refused)
}

/// Whether the page of an origin may come in to the server that it calls `host`.
pub(super) fn check_origin(
    site: &Site,
    local: impl FnOnce() -> Option<SocketAddr>,
    client: &Client,
    origin: &HeaderValue,
    host: &str,
) -> Result<(), Box<Response<Body>>> {
    // Only who is on this machine himself may be a page of it.
    let loopback = is_loopback(client.address) && is_loopback(local());
    let live = site.live.read();
    let told = client.forwarded.as_ref().and_then(|forwarded| forwarded.host.as_deref());
    if told.is_some_and(|host| live.origins.check(Some(origin), host, false).is_ok()) {
        return Ok(());
    }
    let allowed = live.origins.check(Some(origin), host, loopback);
    allowed.map_err(|error| Box::new(refuse(&error.into())))
}

/// Once the answer is written, the bare socket goes to the client's place.
async fn hand_over(socket: OnUpgrade, place: Reserved) {
    let upgraded = match socket.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "a connection ended within its handshake");
            return;
        }
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<Io>>() else {
        tracing::error!("an upgraded connection is no socket");
        return;
    };
    match parts.io.into_inner().into_stream() {
        Ok((stream, unread)) => place.adopt(stream, [parts.read_buf, unread].concat()),
        Err(error) => tracing::warn!(%error, "a socket cannot leave its runtime"),
    }
}

impl Door {
    /// Which protocol renders for clients of this door.
    pub(super) fn protocol(&self) -> u8 {
        match self {
            Self::Protocol(index, _) | Self::Links(Links { protocol: index, .. }) => *index,
            // Sockets that join topics take messages as they are: the raw protocol's first form.
            Self::Handler(..) | Self::Inline(_) => 0,
        }
    }
}
