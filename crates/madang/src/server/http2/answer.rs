//! One stream: a request, and its answer or its WebSocket.

use std::{
    future::poll_fn,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, ext::Protocol, server::SendResponse};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use madang_ws::handshake::extended;
use tokio::time::timeout;

use super::super::upgrade::coded;
use super::{
    super::{
        exchange::{self, Links},
        forwarded::Client,
        http::{Body, Visit, as_problem, page, plain, refusal, wants_problem},
        route::{Door, Found},
        topics,
        upgrade::{agree_on, log_refusal, nowhere},
    },
    pump,
};
use crate::codes::Code;
use crate::drive::{CarrierKind, Newcomer, Start};

/// Answers a request, and carries its WebSocket if it becomes one.
pub(super) async fn answer(
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    visit: Visit,
) {
    let protocol = request.extensions().get::<Protocol>().cloned();
    let mut reply = Reply {
        is_head: request.method() == Method::HEAD,
        wants_problem: wants_problem(request.headers()),
        stall: visit.site.http.stall_timeout,
        respond,
    };
    let rest = protocol.is_none().then(|| links_of(&visit, request.uri().path())).flatten();
    let request = if protocol.is_some() {
        request
    } else if let Some((links, rest)) = rest {
        // On the heap, each of them: a stream that waits for something else need not carry their size.
        let answer = Box::pin(exchange::answer(&visit, &links, rest, request));
        let Some(response) = reply.unless_reset(answer).await else { return };
        return reply.send(response).await;
    } else {
        match reply.unless_reset(Box::pin(topics::answer(&visit, request))).await {
            None => return,
            Some(Ok(response)) => return reply.send(response).await,
            Some(Err(request)) => request,
        }
    };
    let (parts, from) = request.into_parts();
    let mut request = Request::from_parts(parts, ());
    let path = request.uri().path().to_owned();
    if let Some(found) = visit.site.routes.find(&path) {
        let protocol = protocol.as_ref().map(Protocol::as_str);
        let client = visit.site.identify(visit.peer, &mut request);
        let websocket = websocket(&visit, &client, &found, &request, protocol, (from, reply));
        return Box::pin(websocket).await;
    }
    drop(from);
    let response = if protocol.is_some() {
        plain(StatusCode::NOT_FOUND, format!("There is no WebSocket at {path}.\n"))
    } else {
        page(&visit, request).await
    };
    reply.send(response).await;
}

/// The sessions that a path leads to, and what follows their mount in it.
fn links_of(visit: &Visit, path: &str) -> Option<(Links, String)> {
    let found = visit.site.routes.find(path)?;
    let Door::Links(links) = found.door else { return None };
    Some((links.clone(), found.segment.unwrap_or_default().into_owned()))
}

/// A request at a WebSocket's path. The stream becomes a client of the connection's worker, and
/// counts as one against the limit of connections.
async fn websocket(
    visit: &Visit,
    client: &Client,
    found: &Found<'_>,
    request: &Request<()>,
    protocol: Option<&str>,
    (from, mut reply): (RecvStream, Reply),
) {
    let local = || visit.local;
    let agreed = extended::check(request, protocol)
        .map_err(|refusal| Box::new(coded(extended::refuse(&refusal), Code::of_refusal(&refusal))))
        .and_then(|offer| {
            agree_on(&visit.site, &visit.worker, local, client, found, request, &offer)
        });
    let agreed = match agreed {
        Ok(agreed) => agreed,
        Err(response) => {
            log_refusal(&visit.site, client, request, &response);
            return reply.send(*response).await;
        }
    };
    let address = client.address.map(|address| address.ip());
    let pass = match visit.site.gate.enter_stream(address) {
        Ok(pass) => pass,
        Err(refused) => {
            let why = visit.site.refuse(refused, client.address);
            return reply.send(refusal(why)).await;
        }
    };
    let (near, far) = match pump::pair() {
        Ok(pair) => pair,
        Err(error) => {
            tracing::warn!(%error, "no sockets for a WebSocket's stream");
            return reply.send(refusal(Code::M501)).await;
        }
    };
    let is_link = matches!(agreed.begin, Start::Attach(_));
    let newcomer = Newcomer {
        peer: client.address,
        carrier: CarrierKind::WebSocket(agreed.deflate),
        protocol: found.door.protocol(),
        begin: agreed.begin,
        pass: Arc::new(pass),
    };
    // Only who is in the topics that it asked for is told that it is connected.
    let Some(place) = agreed.home.reserve(newcomer).await else {
        return reply.send(nowhere(found, client.address, request.clone(), is_link)).await;
    };
    let mut response = agreed.response;
    finish(&mut response);
    match reply.respond.send_response(response, false) {
        Ok(to) => {
            place.adopt(far.into(), Vec::new());
            pump::run(from, to, near).await;
        }
        Err(error) => tracing::debug!(%error, "a stream ended within its handshake"),
    }
}

/// What an HTTP/1.1 library would do to an answer.
fn finish<B>(response: &mut Response<B>) {
    let headers = response.headers_mut();
    extended::strip(headers);
    if !headers.contains_key(header::DATE)
        && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now()))
    {
        headers.insert(header::DATE, date);
    }
}

/// Where an answer goes, and what it depends on.
struct Reply {
    respond: SendResponse<Bytes>,
    is_head: bool,
    wants_problem: bool,
    stall: Duration,
}

impl Reply {
    /// What an answer comes to, or nothing when the client does not wait for it: it has reset the
    /// stream, or its connection has ended.
    async fn unless_reset<T>(&mut self, answer: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            _ = poll_fn(|cx| self.respond.poll_reset(cx)) => None,
        }
    }

    /// Sends an answer, or a refusal in the form that is asked for.
    async fn send(self, response: Response<Body>) {
        let response = if self.wants_problem { as_problem(response) } else { response };
        send(response, self.respond, self.is_head, self.stall).await;
    }
}

/// Sends an answer, body and all; a peer that takes nothing for `stall` is given up.
async fn send(
    mut response: Response<Body>,
    mut respond: SendResponse<Bytes>,
    is_head: bool,
    stall: Duration,
) {
    finish(&mut response);
    let (parts, body) = response.into_parts();
    let mut body = body.into_inner();
    let mut response = Response::from_parts(parts, ());
    let has_body = response.status() != StatusCode::NOT_MODIFIED;
    if has_body && let Some(length) = body.size_hint().exact() {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    let is_end = is_head || !has_body || body.is_end_stream();
    let mut to = match respond.send_response(response, is_end) {
        Ok(to) if !is_end => to,
        Ok(_) => return,
        Err(error) => return tracing::debug!(%error, "a stream ended before its answer"),
    };
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // Of a body that waits for news, nobody else would notice.
            _ = poll_fn(|cx| to.poll_reset(cx)) => return,
        };
        let Some(frame) = frame else { break };
        let sent = match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => send_all(&mut to, data, stall).await,
                Err(_) => continue,
            },
            Err(error) => Err(error.into()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "an answer broke off");
            return to.send_reset(Reason::CANCEL);
        }
    }
    if let Err(error) = to.send_data(Bytes::new(), true) {
        tracing::debug!(%error, "an answer broke off");
    }
}

async fn send_all(
    to: &mut SendStream<Bytes>,
    mut data: Bytes,
    stall: Duration,
) -> Result<(), pump::Broken> {
    while !data.is_empty() {
        timeout(stall, pump::push(to, &mut data)).await.unwrap_or(Err(pump::Broken::Stalled))?;
    }
    Ok(())
}
