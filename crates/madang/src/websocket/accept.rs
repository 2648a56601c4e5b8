//! The server's side: an HTTP request that becomes a WebSocket.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use madang_ws::Role;
use madang_ws::deflate::{self, Agreement};
use madang_ws::handshake::origin::OriginPolicy;
use madang_ws::handshake::server::{self, Preference};

use super::{DeflateSettings, Error, Keepalive, Limits, Options, Transport, WebSocket};

/// What a server accepts, and how its WebSockets behave.
///
/// A page may connect when its `Origin` is the host that it connects to, or when both are on the
/// loopback; others are named with [`allow_origin`](Self::allow_origin). Programs that are no pages send no `Origin` and may
/// connect.
#[derive(Clone, Debug, Default)]
pub struct Accept {
    protocols: Vec<String>,
    preference: Preference,
    origins: OriginPolicy,
    options: Options,
}

impl Accept {
    /// Accepts the server's own pages and all programs, without a subprotocol.
    pub fn new() -> Self {
        Self::default()
    }

    /// The subprotocols that the server speaks (RFC 6455 §1.9). The first that the client offers is
    /// taken; if there is none, the connection goes on without.
    #[must_use]
    pub fn protocols<I: IntoIterator<Item: Into<String>>>(mut self, protocols: I) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Takes the first subprotocol of the server's list that the client offers, and not the first
    /// of the client's.
    #[must_use]
    pub fn prefer_own_order(mut self) -> Self {
        self.preference = Preference::Server;
        self
    }

    /// Allows pages from this origin too, such as `https://app.example`; `*` allows all, `null`
    /// those without one.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.allowed.push(origin.into());
        self
    }

    /// Bounds on what the peer may send.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Compression; on by default, for clients that offer it.
    #[must_use]
    pub fn deflate(mut self, settings: DeflateSettings) -> Self {
        self.options.deflate = settings;
        self
    }

    /// Pings while nothing comes; `None` sends none.
    #[must_use]
    pub fn keepalive(mut self, keepalive: Option<Keepalive>) -> Self {
        self.options.keepalive = keepalive;
        self
    }

    /// Limits, compression and pings at once.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }
}

/// Checks a request that hyper has received (RFC 6455 §4.2), and makes the answer. Once the answer
/// is sent, [`Accepting`] becomes the WebSocket; await it in a task of its own.
///
/// The connection must be served with upgrades (`serve_connection(…).with_upgrades()`).
///
/// # Errors
/// [`Refusal::response`] is the answer to a request that is wrong.
pub fn upgrade<B>(
    request: &mut Request<B>,
    accept: &Accept,
) -> Result<(Response<()>, Accepting), Refusal> {
    let (response, protocol, deflate) = answer(request, accept)?;
    if request.extensions().get::<OnUpgrade>().is_none() {
        return Err(Refusal(Reason::NotUpgradable));
    }
    let on_upgrade = hyper::upgrade::on(request);
    Ok((response, Accepting { on_upgrade, deflate, protocol, options: accept.options }))
}

type Answer = (Response<()>, Option<Arc<str>>, Option<Agreement>);

fn answer<B>(request: &Request<B>, accept: &Accept) -> Result<Answer, server::Refusal> {
    let upgrade = server::check(request)?;
    let loopback = is_loopback(upgrade.host);
    accept.origins.check(upgrade.origin, upgrade.host, loopback)?;
    let protocol = server::choose(&upgrade.protocols, &accept.protocols, accept.preference);
    let (deflate, extensions) = deflate::answer(&upgrade.offers, &accept.options.deflate).unzip();
    // Never refused: `choose` takes what the client offered.
    let response =
        upgrade.response(protocol, extensions).map_err(|_| server::Refusal::Protocols)?;
    Ok((response, protocol.map(Arc::from), deflate))
}

/// Whether a client reached the server by a loopback name. The listener is not known here; a
/// browser sets `Host` to what it connects to, so that a page cannot choose it.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// Becomes the WebSocket when the `101` answer is sent and the HTTP server has handed the byte stream over.
#[derive(Debug)]
pub struct Accepting {
    on_upgrade: OnUpgrade,
    deflate: Option<Agreement>,
    protocol: Option<Arc<str>>,
    options: Options,
}

impl Future for Accepting {
    type Output = Result<WebSocket, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let upgraded = match ready!(Pin::new(&mut self.on_upgrade).poll(cx)) {
            Ok(upgraded) => upgraded,
            Err(error) => return Poll::Ready(Err(std::io::Error::other(error).into())),
        };
        let (io, early) = Transport::recover(upgraded);
        let socket = WebSocket::new(io, Role::Server, self.deflate, &self.options, early);
        Poll::Ready(Ok(socket.with_protocol(self.protocol.take())))
    }
}

/// Why a request does not become a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Reason);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    Handshake(server::Refusal),
    NotUpgradable,
}

impl Refusal {
    /// What is wrong with the request; `None` when the HTTP server cannot hand its connection over.
    pub fn handshake(&self) -> Option<&server::Refusal> {
        match &self.0 {
            Reason::Handshake(refusal) => Some(refusal),
            Reason::NotUpgradable => None,
        }
    }

    /// The answer, with a sentence that says what to do.
    pub fn response(&self) -> Response<String> {
        if let Reason::Handshake(refusal) = &self.0 {
            return refusal.response();
        }
        let mut response = Response::new(format!("{self}\n"));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl From<server::Refusal> for Refusal {
    fn from(refusal: server::Refusal) -> Self {
        Self(Reason::Handshake(refusal))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Handshake(refusal) => refusal.fmt(f),
            Reason::NotUpgradable => f.write_str(
                "The HTTP server cannot hand this connection over; serve it with upgrades.",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
