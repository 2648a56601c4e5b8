//! The client's side of the opening handshake: RFC 6455 §4.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, Uri};

use super::lists::{elements, has_token, is_token};
pub use super::response::{MAX_HEAD, MAX_HEADERS, ResponseParser};
use crate::deflate::{self, Agreement, negotiate::AnswerError};

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Subprotocols that it speaks, the best first.
    pub protocols: Vec<String>,
    /// Headers of its own, such as `Authorization`, `Cookie` or `Origin`. `Host` may be given; the
    /// other headers of the handshake may not.
    pub headers: HeaderMap,
    /// The compression that it offers.
    pub deflate: deflate::Settings,
}

/// The `Sec-WebSocket-Key` of a request: the answer proves that the server read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(HeaderValue);

/// Why a request cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The URL is not of the form `ws://host/path` or `wss://host/path` (RFC 6455 §3).
    #[error("the URL must begin with ws:// or wss:// and name a host")]
    Url,
    /// The user name or password of the URL cannot be sent.
    #[error("the user name or password in the URL has a broken %-escape or a colon in the name")]
    UserInfo,
    /// A subprotocol that is no token, or is there twice (RFC 6455 §4.1, 10).
    #[error("{0:?} cannot be a subprotocol, or is there twice")]
    Protocol(String),
    /// A header that the handshake sets itself.
    #[error("the header {0} is set by the handshake itself")]
    ReservedHeader(HeaderName),
    /// The operating system gave no random bytes for the key.
    #[error("no random bytes for the key")]
    NoEntropy,
}

/// Why what came back is no head of an HTTP response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// It does not begin with `HTTP/1.`: another protocol answers at this address.
    #[error("the server does not speak HTTP/1")]
    NotHttp,
    /// Longer than [`MAX_HEAD`].
    #[error("the head of the response is over 64 KiB")]
    TooLong,
    /// More lines than [`MAX_HEADERS`].
    #[error("the response has over 256 headers")]
    TooManyHeaders,
    /// Against the grammar of RFC 9112.
    #[error("the head of the response is not HTTP")]
    Malformed,
}

/// Why a response does not open a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The status is not 101. The response has the server's reasons.
    #[error("the server answered {0} instead of opening a WebSocket")]
    Status(StatusCode),
    /// `Upgrade` is not `websocket`.
    #[error("the answer has no Upgrade: websocket")]
    NoUpgrade,
    /// `Connection` does not list `upgrade`.
    #[error("the answer has no Connection: Upgrade")]
    NoConnectionUpgrade,
    /// `Sec-WebSocket-Accept` is missing, repeated or wrong: something that is no WebSocket server
    /// answered, or a cache.
    #[error("the answer's Sec-WebSocket-Accept does not fit the key")]
    Accept,
    /// The server picked a subprotocol that was not offered, or several.
    #[error("the server picked the subprotocol {0:?}, which was not offered")]
    UnaskedProtocol(String),
    /// The answer to the offer of compression is wrong, or names another extension.
    #[error(transparent)]
    Extensions(#[from] AnswerError),
}

/// What the server agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The subprotocol that it picked.
    pub protocol: Option<String>,
    /// The compression that was agreed.
    pub deflate: Option<Agreement>,
}

/// What the handshake sets, and [`Options::headers`] may not.
const RESERVED: [HeaderName; 9] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_ACCEPT,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// Makes the request for a `ws://` or `wss://` URL (RFC 6455 §4.1), with a new random key. A
/// `user:password@` in the URL becomes basic authentication (RFC 7617). [`encode`] writes it.
pub fn request(url: &Uri, options: &Options) -> Result<(Request<()>, Key), RequestError> {
    let mut bytes = [0; 16];
    // RFC 6455 §4.1, 7: "a nonce consisting of a randomly selected 16-byte value".
    getrandom::fill(&mut bytes).map_err(|_| RequestError::NoEntropy)?;
    request_with_key(url, options, bytes)
}

/// [`request`] with a given key.
pub(super) fn request_with_key(
    url: &Uri,
    options: &Options,
    key: [u8; 16],
) -> Result<(Request<()>, Key), RequestError> {
    if let Some(name) = RESERVED.iter().find(|name| options.headers.contains_key(*name)) {
        return Err(RequestError::ReservedHeader(name.clone()));
    }
    let key = HeaderValue::try_from(STANDARD.encode(key)).map_err(|_| RequestError::NoEntropy)?;
    let mut request = Request::new(());
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(header::HOST, host(url)?);
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_KEY, key.clone());
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Some(protocols) = offered_protocols(&options.protocols)? {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
    }
    if let Some(offer) = deflate::offer(&options.deflate) {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, offer);
    }
    if let Some(authorization) = basic_authorization(url)? {
        headers.insert(header::AUTHORIZATION, authorization);
    }
    // What the caller gives goes before what the URL says.
    for name in options.headers.keys() {
        headers.remove(name);
    }
    for (name, value) in &options.headers {
        headers.append(name, value.clone());
    }
    Ok((request, Key(key)))
}

/// Writes a request as HTTP/1.1. The types of `http` let no line break into it.
pub fn encode(request: &Request<()>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"GET ");
    // RFC 9112 §3.2.1: the target has a path, even where the URL has only a query.
    if !target.starts_with('/') {
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Checks the server's answer to the request that [`request`] made with the same options (RFC 6455
/// §4.1, last list). No subprotocol, and no compression, is an answer too.
pub fn check_response<B>(
    response: &Response<B>,
    key: &Key,
    options: &Options,
) -> Result<Accepted, Error> {
    // 1: "If the status code received from the server is not 101, the client handles the response
    // per HTTP procedures."
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::Status(response.status()));
    }
    let headers = response.headers();
    // 2 and 3: |Upgrade| is "websocket" and |Connection| has the token "Upgrade", in any case.
    // Of |Upgrade| the whole value counts: browsers take neither a list nor a second one.
    let mut upgrades = headers.get_all(header::UPGRADE).iter();
    let is_ours =
        |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    if !upgrades.next().is_some_and(is_ours) || upgrades.next().is_some() {
        return Err(Error::NoUpgrade);
    }
    if !has_token(headers.get_all(header::CONNECTION), "upgrade") {
        return Err(Error::NoConnectionUpgrade);
    }
    // 4: |Sec-WebSocket-Accept| is the hash of the key.
    let mut accepts = headers.get_all(header::SEC_WEBSOCKET_ACCEPT).iter();
    let expected = super::accept_value(key.0.as_bytes());
    if accepts.next().is_none_or(|accept| *accept != expected) || accepts.next().is_some() {
        return Err(Error::Accept);
    }
    // 5: no extension that was not asked for.
    let extensions = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS);
    let deflate = deflate::accept(extensions, &options.deflate)?;
    // 6: no subprotocol that was not asked for.
    let protocol = picked_protocol(headers, &options.protocols)?;
    Ok(Accepted { protocol, deflate })
}

fn picked_protocol(headers: &HeaderMap, offered: &[String]) -> Result<Option<String>, Error> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut picked = lines.iter();
    match (picked.next(), picked.next()) {
        (None, _) => Ok(None),
        (Some(line), None) if offered.iter().any(|offer| line == offer) => {
            Ok(offered.iter().find(|offer| line == *offer).cloned())
        }
        _ => Err(Error::UnaskedProtocol(elements(lines).collect::<Vec<_>>().join(", "))),
    }
}

/// RFC 6455 §4.1, 4: the host, and the port unless it is the scheme's own.
fn host(url: &Uri) -> Result<HeaderValue, RequestError> {
    let default = match url.scheme_str() {
        Some("ws") => 80,
        Some("wss") => 443,
        _ => return Err(RequestError::Url),
    };
    let name = url.host().filter(|name| !name.is_empty()).ok_or(RequestError::Url)?;
    let host = match url.port_u16() {
        Some(port) if port != default => format!("{name}:{port}"),
        _ => name.to_owned(),
    };
    HeaderValue::try_from(host).map_err(|_| RequestError::Url)
}

fn offered_protocols(protocols: &[String]) -> Result<Option<HeaderValue>, RequestError> {
    if protocols.is_empty() {
        return Ok(None);
    }
    for (at, protocol) in protocols.iter().enumerate() {
        if !is_token(protocol) || protocols[..at].contains(protocol) {
            return Err(RequestError::Protocol(protocol.clone()));
        }
    }
    let list = protocols.join(", ");
    HeaderValue::try_from(&list).map(Some).map_err(|_| RequestError::Protocol(list))
}

/// The `user:password@` of a URL as basic authentication (RFC 7617 §2), if it has any. The value is
/// marked as sensitive.
pub fn basic_authorization(url: &Uri) -> Result<Option<HeaderValue>, RequestError> {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let Some((user_info, _)) = authority.rsplit_once('@') else { return Ok(None) };
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let mut pair = percent_decode(user)?;
    // RFC 7617 §2: a colon would end the name.
    if pair.contains(&b':') {
        return Err(RequestError::UserInfo);
    }
    pair.push(b':');
    pair.extend(percent_decode(password)?);
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| RequestError::UserInfo)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// RFC 3986 §2.1.
fn percent_decode(text: &str) -> Result<Vec<u8>, RequestError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |byte: Option<u8>| {
        byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(RequestError::UserInfo)
    };
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8,
            byte => byte,
        });
    }
    Ok(decoded)
}
