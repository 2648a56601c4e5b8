//! Requests for sessions that are reached over links: to whichever worker has the session, and back.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header, uri::Authority,
};
use madang_proto::{
    self as proto, Reception,
    reception::{MAX_NAME, Received},
};
use tokio::{
    net::UnixStream,
    time::{error::Elapsed, timeout},
};

use super::{
    forwarded::Client,
    http::{Body, Site, Visit, plain, refusal},
    topics::{self, Payload, Room, Unread, cors},
    upgrade,
};
use crate::{
    codes::Code,
    drive::{Create, Key, Reply, Start, WorkerHandle},
};

/// A mount of a protocol whose sessions are reached over links.
#[derive(Clone)]
pub(super) struct Links {
    /// Tells the sessions of one mount from those of another.
    pub(super) mount: u16,
    /// Which protocol renders for them, as the server's list numbers them.
    pub(super) protocol: u8,
    pub(super) reception: Arc<dyn Reception>,
    /// The longest time that a body may take.
    pub(super) patience: Duration,
    /// For the answers that are on their way: a session has forgotten them, so nothing else counts
    /// what clients do not read.
    pub(super) room: Arc<Room>,
}

/// Answers of no more bytes always have room.
const LITTLE: usize = 4 * 1024;

/// What a request is answered with that needs no session, or cannot have one.
type Answered = Box<Response<Body>>;

impl Links {
    /// How a WebSocket begins here, and the worker that it goes to.
    pub(super) fn welcome(
        &self,
        site: &Site,
        worker: &WorkerHandle,
        request: &proto::Request,
    ) -> Result<(Start, WorkerHandle), Answered> {
        match self.place(request)? {
            Place::Known(key, _) => {
                let home = site.home(&key).ok_or_else(gone)?;
                Ok((Start::Attach(key), home))
            }
            Place::New => {
                let key = self.invent(site, worker)?;
                let session = guarded(|| self.reception.open(key.name(), request))?;
                Ok((Start::Named(key, session), worker.clone()))
            }
        }
    }

    /// The answer to a WebSocket for a session that there is not.
    pub(super) fn unknown(&self, request: &proto::Request) -> Response<Body> {
        finish(self.reception.unknown(request).map(Body::from))
    }

    fn place(&self, request: &proto::Request) -> Result<Place, Answered> {
        match guarded(|| self.reception.receive(request))? {
            Received::Answer(response) => Err(Box::new(finish(response.map(Body::from)))),
            Received::New => Ok(Place::New),
            // Nobody has such a name, and none is kept.
            Received::Known(name) | Received::Either(name) if name.len() > MAX_NAME => {
                Err(Box::new(self.unknown(request)))
            }
            Received::Known(name) => Ok(Place::Known(Key::new(self.mount, &name), false)),
            Received::Either(name) => Ok(Place::Known(Key::new(self.mount, &name), true)),
        }
    }

    fn invent(&self, site: &Site, worker: &WorkerHandle) -> Result<Key, Answered> {
        site.homes.invent(self.mount, worker.index()).map_err(|error| {
            tracing::error!(%error, "no random numbers for the name of a session");
            Box::new(refusal(Code::M501))
        })
    }

    async fn carry_out(
        &self,
        visit: &Visit,
        client: &Client,
        request: proto::Request,
    ) -> Result<Response<Body>, Answered> {
        let version = request.head.version();
        let (key, may_begin) = match self.place(&request)? {
            Place::New => (self.invent(&visit.site, &visit.worker)?, true),
            Place::Known(key, may_begin) => (key, may_begin),
        };
        let create = may_begin.then(|| self.create(visit, client)).transpose()?;
        let home = visit.site.home(&key).ok_or_else(gone)?;
        let reply = home.exchange(key, request, create).await;
        self.reply(visit, client, version, reply)
    }

    fn reply(
        &self,
        visit: &Visit,
        client: &Client,
        version: Version,
        reply: Option<Reply>,
    ) -> Result<Response<Body>, Answered> {
        match reply {
            Some(Reply::Whole(response)) => self.whole(response),
            Some(Reply::Stream(response, near)) => stream(visit, client, version, response, near),
            Some(Reply::Crowded) => Err(Box::new(refusal(Code::M501))),
            // Only of one that was announced, and has come in the meantime.
            Some(Reply::Unknown(request)) => Ok(match request {
                Some(request) => self.unknown(&request),
                None => self.unknown(&nobody()),
            }),
            None if *visit.stop.borrow() => Err(gone()),
            None => Err(broken()),
        }
    }

    /// A request whose body is not there yet. A session that there is hears that it is on its way: two
    /// at a time may be against its rules.
    async fn follow(
        &self,
        visit: &Visit,
        client: &Client,
        asked: proto::Request,
        read: impl Future<Output = Read>,
    ) -> Result<Response<Body>, Answered> {
        let version = asked.head.version();
        let Place::Known(key, false) = self.place(&asked).map_err(early)? else {
            let asked = self.read(asked, read.await)?;
            return self.carry_out(visit, client, asked).await;
        };
        let home = visit.site.home(&key).ok_or_else(gone)?;
        let mut announced = home.announce(&key);
        tokio::pin!(read);
        let read = tokio::select! {
            biased;
            read = &mut read => read,
            reply = announced.answer() => {
                let answered = match reply {
                    Some(Reply::Unknown(None)) => Ok(self.unknown(&asked)),
                    reply => self.reply(visit, client, version, reply),
                };
                return answered.map(closing).map_err(early);
            }
        };
        let request = self.read(asked, read)?;
        visit.site.rest().await;
        announced.bring(request);
        let reply = announced.answer().await;
        self.reply(visit, client, version, reply)
    }

    /// A request with the body that was read, or what its client hears instead.
    fn read(&self, asked: proto::Request, read: Read) -> Result<proto::Request, Answered> {
        match read {
            Ok(Ok(body)) => Ok(proto::Request { body, ..asked }),
            Ok(Err(Unread::TooLarge)) => {
                let answer = self.reception.too_large(&asked);
                Err(early(Box::new(finish(answer.map(Body::from)))))
            }
            Ok(Err(Unread::Cut)) | Err(_) => Err(early(Box::new(refusal(Code::M509)))),
        }
    }

    fn whole(&self, response: Response<Bytes>) -> Result<Response<Body>, Answered> {
        let (parts, bytes) = response.into_parts();
        let bytes = if bytes.len() <= LITTLE { Some(bytes) } else { self.room.hold(bytes) };
        // What was said is lost to this client, who has to begin anew.
        let bytes = bytes.ok_or_else(|| Box::new(refusal(Code::M512)))?;
        Ok(finish(Response::from_parts(parts, Body::from(bytes))))
    }

    /// A session counts as a connection of its client, whether it has one at the moment or not.
    fn create(&self, visit: &Visit, client: &Client) -> Result<Create, Answered> {
        let address = client.address.map(|address| address.ip());
        let pass = visit
            .site
            .gate
            .enter_session(address)
            .map_err(|refused| Box::new(refusal(visit.site.refuse(refused, client.address))))?;
        let reception = Arc::clone(&self.reception);
        Ok(Create { reception, protocol: self.protocol, pass: Arc::new(pass) })
    }
}

enum Place {
    New,
    /// And whether it may begin with the request.
    Known(Key, bool),
}

#[expect(clippy::unnecessary_box_returns, reason = "it is an error wherever it goes")]
fn gone() -> Answered {
    Box::new(refusal(Code::M504))
}

#[expect(clippy::unnecessary_box_returns, reason = "it is an error wherever it goes")]
fn broken() -> Answered {
    let text = "The session failed, which the server's log tells more of.\n";
    Box::new(plain(StatusCode::INTERNAL_SERVER_ERROR, text.into()))
}

/// Runs what belongs to whoever serves the protocol, maybe on a worker's own thread: a panic is this
/// request's, and nobody else's.
fn guarded<T>(what: impl FnOnce() -> T) -> Result<T, Answered> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|_| {
        tracing::error!("a reception panicked; its client hears 500");
        broken()
    })
}

/// Answers a request of plain HTTP.
pub(super) async fn answer<P: Payload>(
    visit: &Visit,
    links: &Links,
    rest: String,
    mut request: Request<P>,
) -> Response<Body> {
    let client = visit.site.identify(visit.peer, &mut request);
    let (parts, payload) = request.into_parts();
    let head = Request::from_parts(parts, ());
    let allow = match cors::check(&visit.site, || visit.local, &client, &head) {
        Ok(allow) => allow,
        Err(refused) => return *refused,
    };
    if let Err(refused) = check_script(visit, &client, &head) {
        return *refused;
    }
    if head.method() == Method::OPTIONS {
        let mut response = cors::preflight("GET, POST, OPTIONS", &head);
        allow.put_on(&mut response);
        return response;
    }
    let asked = proto::Request {
        rest,
        head,
        body: Bytes::new(),
        is_websocket: false,
        peer: client.address,
    };
    let read = timeout(links.patience, payload.read(links.reception.max_body()));
    tokio::pin!(read);
    // Most bodies come with their heads.
    let at_once = poll_fn(|cx| {
        Poll::Ready(match read.as_mut().poll(cx) {
            Poll::Ready(read) => Some(read),
            Poll::Pending => None,
        })
    });
    let answered = match at_once.await {
        Some(read) => match links.read(asked, read) {
            Ok(request) => {
                visit.site.rest().await;
                links.carry_out(visit, &client, request).await
            }
            Err(answered) => Err(answered),
        },
        None => links.follow(visit, &client, asked, read).await,
    };
    let mut response = answered.unwrap_or_else(|answered| *answered);
    allow.put_on(&mut response);
    response
}

/// A body that was read, in time or not.
type Read = Result<Result<Bytes, Unread>, Elapsed>;

/// A request of which there is nothing to say, for an answer that says the same to all.
fn nobody() -> proto::Request {
    let (rest, head, body) = (String::new(), Request::default(), Bytes::new());
    proto::Request { rest, head, body, is_websocket: false, peer: None }
}

/// An answer for which the rest of the request is not read.
#[expect(clippy::unnecessary_box_returns, reason = "it is an error wherever it goes")]
fn early(mut answered: Answered) -> Answered {
    let close = HeaderValue::from_static("close");
    answered.headers_mut().insert(header::CONNECTION, close);
    answered
}

/// Whether a page may run what it asks for as a script. An answer to a poll by script is one that any
/// page could read; its request has no `Origin`, but browsers tell that it is another site's
/// (Fetch Metadata, §2), and mostly whose.
fn check_script(visit: &Visit, client: &Client, head: &Request<()>) -> Result<(), Answered> {
    let of = |name: &str| head.headers().get(name).and_then(|value| value.to_str().ok());
    let is_foreign = matches!(of("sec-fetch-site"), Some("cross-site" | "same-site"))
        && of("sec-fetch-mode") == Some("no-cors");
    if !is_foreign || head.headers().contains_key(header::ORIGIN) {
        return Ok(());
    }
    let page = of("referer").and_then(|page| page.parse::<Uri>().ok());
    let origin =
        page.and_then(|page| Some(format!("{}://{}", page.scheme_str()?, page.authority()?)));
    let origin = origin.and_then(|origin| HeaderValue::try_from(origin).ok());
    let origin = origin.unwrap_or(const { HeaderValue::from_static("null") });
    let host = head.uri().authority().map(Authority::as_str).or_else(|| of("host"));
    upgrade::check_origin(&visit.site, || visit.local, client, &origin, host.unwrap_or_default())
}

/// What is left of the request is not read.
fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// No cache keeps any of it, and no browser guesses at it.
fn finish(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An answer that goes on: its body comes from a worker, over a pair of sockets.
fn stream(
    visit: &Visit,
    client: &Client,
    version: Version,
    response: Response<()>,
    near: std::os::fd::OwnedFd,
) -> Result<Response<Body>, Answered> {
    let pass = visit
        .site
        .gate
        .enter_stream(None)
        .map_err(|refused| Box::new(refusal(visit.site.refuse(refused, client.address))))?;
    let near = UnixStream::from_std(near.into()).map_err(|error| {
        tracing::warn!(%error, "no sockets for a stream");
        Box::new(refusal(Code::M501))
    })?;
    let body = Body::holding(topics::stream::Carried::new(near), pass);
    let mut response = finish(response.map(|()| body));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    // Only the connection's end tells such a client where the body ends (RFC 9112 §6.3).
    Ok(if version < Version::HTTP_11 { closing(response) } else { response })
}
