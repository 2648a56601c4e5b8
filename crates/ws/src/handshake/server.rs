//! The server's side of the opening handshake: RFC 6455 §4.2.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use super::extensions::Malformed;
use super::lists::{elements, has_token, is_token};
use super::origin::OriginError;
use crate::deflate;
use crate::deflate::negotiate::Params;

/// Most subprotocols that a client may offer.
pub const MAX_PROTOCOLS: usize = 64;
/// Most bytes that the names of the offered subprotocols may have together.
pub const MAX_PROTOCOL_BYTES: usize = 4096;

/// A request that is right, and what its client offers. Borrows from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upgrade<'r> {
    /// The `Sec-WebSocket-Accept` of the answer; `None` over HTTP/2, where there is none.
    pub accept: Option<HeaderValue>,
    /// The `Host` that the client means, or the authority of an absolute request target.
    pub host: &'r str,
    /// The `Origin`, which browsers send. See [`origin`](super::origin).
    pub origin: Option<&'r HeaderValue>,
    /// The offered subprotocols, in the client's order. See [`choose`].
    pub protocols: Vec<&'r str>,
    /// The offers of `permessage-deflate`, in the client's order. See [`deflate::answer`].
    pub offers: Vec<Params>,
}

/// Whether the request asks for a WebSocket at all, rightly or wrongly. Where one path serves
/// pages and WebSockets, this tells them apart.
pub fn wants_websocket<B>(request: &Request<B>) -> bool {
    has_token(request.headers().get_all(header::UPGRADE), "websocket")
}

/// Checks a request for a WebSocket over HTTP/1.1 (RFC 6455 §4.2.1). Whether its `Origin` may
/// connect is for [`OriginPolicy::check`](super::origin::OriginPolicy::check) to say.
pub fn check<B>(request: &Request<B>) -> Result<Upgrade<'_>, Refusal> {
    let headers = request.headers();
    // RFC 6455 §4.2.1, 1: "An HTTP/1.1 or higher GET request".
    if request.method() != Method::GET {
        return Err(Refusal::Method);
    }
    if request.version() < Version::HTTP_11 {
        return Err(Refusal::OldHttp);
    }
    // 2: "A |Host| header field containing the server's authority."
    let host = host(request).ok_or(Refusal::Host)?;
    // 3: "An |Upgrade| header field containing the value "websocket", treated as an ASCII
    // case-insensitive value." 4: a |Connection| that includes the token "Upgrade".
    if !wants_websocket(request) {
        return Err(Refusal::NoUpgrade);
    }
    if !has_token(headers.get_all(header::CONNECTION), "upgrade") {
        return Err(Refusal::NoConnectionUpgrade);
    }
    // What follows the head must be frames, not a body that a proxy counts differently.
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    if headers.contains_key(header::TRANSFER_ENCODING) || lengths.any(|length| length != "0") {
        return Err(Refusal::Body);
    }
    check_version(request)?;
    // 5: "A |Sec-WebSocket-Key| header field with a base64-encoded value that, when decoded, is 16
    // bytes in length." §11.3.1: it must not appear more than once.
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|key| is_key(key.as_bytes())).ok_or(Refusal::Key)?;
    if keys.next().is_some() {
        return Err(Refusal::Key);
    }
    let accept = HeaderValue::try_from(super::accept_value(key.as_bytes()));
    offered(request, host, Some(accept.map_err(|_| Refusal::Key)?))
}

/// RFC 6455 §4.2.1, 6: "A |Sec-WebSocket-Version| header field, with a value of 13."
pub(super) fn check_version<B>(request: &Request<B>) -> Result<(), Refusal> {
    let mut versions = request.headers().get_all(header::SEC_WEBSOCKET_VERSION).iter();
    let is_13 = versions.next().is_some_and(|version| version == "13");
    if is_13 && versions.next().is_none() { Ok(()) } else { Err(Refusal::Version) }
}

/// What every request for a WebSocket may say, over whichever HTTP.
pub(super) fn offered<'r, B>(
    request: &'r Request<B>,
    host: &'r str,
    accept: Option<HeaderValue>,
) -> Result<Upgrade<'r>, Refusal> {
    let headers = request.headers();
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = origins.next();
    if origins.next().is_some() {
        return Err(OriginError::Malformed.into());
    }
    Ok(Upgrade {
        accept,
        host,
        origin,
        protocols: offered_protocols(request)?,
        offers: deflate::parse_offers(headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS))?,
    })
}

impl Upgrade<'_> {
    /// The `101` answer (RFC 6455 §4.2.2, step 5), or the `200` of HTTP/2 (RFC 8441 §5), with the
    /// subprotocol that was chosen and the answer to an offer of compression. A subprotocol that the
    /// client did not offer is an error.
    pub fn response(
        &self,
        protocol: Option<&str>,
        extensions: Option<HeaderValue>,
    ) -> Result<Response<()>, NotOffered> {
        let mut response = Response::new(());
        if let Some(accept) = &self.accept {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept.clone());
        }
        let headers = response.headers_mut();
        if let Some(protocol) = protocol {
            // RFC 6455 §4.2.2, step 4: the subprotocol comes from the client's list, or is absent.
            let value = Some(protocol)
                .filter(|protocol| self.protocols.contains(protocol))
                .and_then(|protocol| HeaderValue::from_str(protocol).ok())
                .ok_or_else(|| NotOffered(protocol.to_owned()))?;
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        if let Some(extensions) = extensions {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
        }
        Ok(response)
    }
}

/// The client would have to fail the connection: it did not offer this subprotocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client did not offer the subprotocol {0:?}")]
pub struct NotOffered(pub String);

/// Whose order decides between several subprotocols that both sides know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The first that the client offered (RFC 6455 §4.1: its order is its preference).
    #[default]
    Client,
    /// The first that the server knows.
    Server,
}

/// Chooses a subprotocol that is offered and known, and returns it as it was offered. Names are
/// compared exactly (RFC 6455 §11.5). `None` when there is none.
pub fn choose<'r, S: AsRef<str>>(
    offered: &[&'r str],
    known: &[S],
    preference: Preference,
) -> Option<&'r str> {
    let is_known = |offer: &&&str| known.iter().any(|known| known.as_ref() == **offer);
    match preference {
        Preference::Client => offered.iter().find(is_known).copied(),
        Preference::Server => known
            .iter()
            .find_map(|known| offered.iter().find(|offer| known.as_ref() == **offer))
            .copied(),
    }
}

/// Why a request does not become a WebSocket. [`Refusal::response`] is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The method is not GET: 405.
    Method,
    /// HTTP/1.0 or older: 400.
    OldHttp,
    /// No `Host`, or more than one: 400.
    Host,
    /// `Upgrade` does not list `websocket`: 426.
    NoUpgrade,
    /// `Connection` does not list `upgrade`: 426.
    NoConnectionUpgrade,
    /// The request has a body: 400.
    Body,
    /// `Sec-WebSocket-Version` is not 13: 426.
    Version,
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes in base64: 400.
    Key,
    /// `Sec-WebSocket-Protocol` has something that is no name, a name twice, or more than
    /// [`MAX_PROTOCOLS`] or [`MAX_PROTOCOL_BYTES`]: 400.
    Protocols,
    /// `Sec-WebSocket-Extensions` cannot be read: 400.
    Extensions(Malformed),
    /// The page may not connect: 403.
    Origin(OriginError),
    /// A request of HTTP/2 for a WebSocket's path that is no extended CONNECT: 400.
    NotExtended,
    /// An extended CONNECT for something else than `websocket`: 501.
    UnknownProtocol,
    /// `Connection`, `Upgrade` or another header that HTTP/2 does not have: 400.
    ConnectionHeader,
}

impl std::error::Error for Refusal {}

impl From<Malformed> for Refusal {
    fn from(error: Malformed) -> Self {
        Self::Extensions(error)
    }
}

impl From<OriginError> for Refusal {
    fn from(error: OriginError) -> Self {
        Self::Origin(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "A WebSocket is opened with GET; use this method.",
            Self::OldHttp => "A WebSocket needs HTTP/1.1; a proxy in between may speak HTTP/1.0.",
            Self::Host => "The request needs exactly one Host header.",
            Self::NoUpgrade => {
                "This address speaks WebSocket: connect with new WebSocket(\"ws://…\") in a \
                 browser or with a WebSocket client, not with a plain GET."
            }
            Self::NoConnectionUpgrade => {
                "The request needs the header Connection: Upgrade; a proxy in between may have \
                 removed it and must be told to pass WebSockets on."
            }
            Self::Body => "A request for a WebSocket must not have a body.",
            Self::Version => "Only version 13 of WebSocket is spoken here (RFC 6455).",
            Self::Key => "The request needs one Sec-WebSocket-Key of 16 bytes in base64.",
            Self::Protocols => {
                "Sec-WebSocket-Protocol must be a list of at most 64 different names."
            }
            Self::Extensions(error) => return write!(f, "Sec-WebSocket-Extensions: {error}."),
            Self::Origin(error) => return write!(f, "{error}."),
            Self::NotExtended => {
                "This address speaks WebSocket: connect with new WebSocket(\"wss://…\") in a \
                 browser or with a WebSocket client. Over HTTP/2 that is an extended CONNECT with \
                 :protocol websocket (RFC 8441)."
            }
            Self::UnknownProtocol => {
                "Of all extended CONNECTs only :protocol websocket is known here (RFC 8441)."
            }
            Self::ConnectionHeader => {
                "HTTP/2 has no Connection, Upgrade or Transfer-Encoding header (RFC 9113 §8.2.2)."
            }
        })
    }
}

impl Refusal {
    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoUpgrade | Self::NoConnectionUpgrade | Self::Version => {
                StatusCode::UPGRADE_REQUIRED
            }
            Self::Origin(_) => StatusCode::FORBIDDEN,
            // RFC 9220 §3 asks for it, of HTTP/3 and in hindsight.
            Self::UnknownProtocol => StatusCode::NOT_IMPLEMENTED,
            Self::OldHttp
            | Self::NotExtended
            | Self::ConnectionHeader
            | Self::Host
            | Self::Body
            | Self::Key
            | Self::Protocols
            | Self::Extensions(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer, with a sentence that says what to do. It has `Connection: close`: whoever sent
    /// it must close the connection, because a proxy in between may already take it for a tunnel.
    pub fn response(&self) -> Response<String> {
        let mut response = Response::new(format!("{self}\n"));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, text);
        let close = if self.status() == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110 §15.5.22: a 426 names the protocol in |Upgrade|; §7.8: which |Connection|
            // must list.
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            HeaderValue::from_static("Upgrade, close")
        } else {
            HeaderValue::from_static("close")
        };
        headers.insert(header::CONNECTION, close);
        match self {
            Self::Method => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
            }
            // RFC 6455 §4.4: the versions that the server does understand.
            Self::Version => {
                let version = HeaderValue::from_static("13");
                headers.insert(header::SEC_WEBSOCKET_VERSION, version);
            }
            _ => {}
        }
        response
    }
}

pub(super) fn host<B>(request: &Request<B>) -> Option<&str> {
    // RFC 9112 §3.2.2: an absolute request target goes before |Host|.
    if let Some(authority) = request.uri().authority() {
        let authority = authority.as_str();
        return Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok().filter(|host| !host.is_empty())?;
    hosts.next().is_none().then_some(host)
}

/// Accepts bits in the last digit that belong to no byte: old clients set them.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

fn is_key(key: &[u8]) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && KEY.decode_slice(key, &mut bytes) == Ok(16)
}

/// RFC 6455 §4.1, 10: the elements "MUST be non-empty strings with characters in the range U+0021
/// to U+007E not including separator characters [...] and MUST all be unique strings."
fn offered_protocols<B>(request: &Request<B>) -> Result<Vec<&str>, Refusal> {
    let headers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    if headers.iter().any(|line| line.to_str().is_err()) {
        return Err(Refusal::Protocols);
    }
    let mut protocols: Vec<&str> = Vec::new();
    let mut bytes = 0;
    for protocol in elements(headers) {
        bytes += protocol.len();
        let full = protocols.len() == MAX_PROTOCOLS || bytes > MAX_PROTOCOL_BYTES;
        if full || !is_token(protocol) || protocols.contains(&protocol) {
            return Err(Refusal::Protocols);
        }
        protocols.push(protocol);
    }
    Ok(protocols)
}
