//! The opening handshake over HTTP/2 by extended CONNECT: RFC 8441 §4 and §5, the server's side.
//!
//! The stream takes the connection's place, and `:protocol` that of `Upgrade`; there is no key and
//! no accept value. What follows the `200` are the same frames.
//!
//! ```
//! use madang_ws::handshake::extended;
//!
//! let request = http::Request::connect("https://localhost/chat")
//!     .version(http::Version::HTTP_2)
//!     .header("sec-websocket-version", "13")
//!     .body(())?;
//! let upgrade = extended::check(&request, Some("websocket"))?;
//! assert_eq!(upgrade.response(None, None)?.status(), 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Response, StatusCode};

use super::server::{Refusal, Upgrade, check_version, host, offered};

/// RFC 9113 §8.2.2: "An endpoint MUST NOT generate an HTTP/2 message containing
/// connection-specific header fields."
const CONNECTION_HEADERS: [HeaderName; 5] = [
    header::CONNECTION,
    header::UPGRADE,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Checks a request of HTTP/2 for a WebSocket; `protocol` is its `:protocol`, if it has one.
/// [`Upgrade::response`] is then the `200`. Whether its `Origin` may connect is for
/// [`OriginPolicy::check`](super::origin::OriginPolicy::check) to say, as over HTTP/1.1.
pub fn check<'r, B>(
    request: &'r Request<B>,
    protocol: Option<&str>,
) -> Result<Upgrade<'r>, Refusal> {
    // RFC 8441 §4: "A new pseudo-header field :protocol MAY be included on request HEADERS
    // indicating the desired protocol"; such a request is a CONNECT.
    let Some(protocol) = protocol.filter(|_| request.method() == Method::CONNECT) else {
        return Err(Refusal::NotExtended);
    };
    // Names of protocols are compared without case (RFC 9110 §7.8).
    if !protocol.eq_ignore_ascii_case("websocket") {
        return Err(Refusal::UnknownProtocol);
    }
    if CONNECTION_HEADERS.iter().any(|name| request.headers().contains_key(name)) {
        return Err(Refusal::ConnectionHeader);
    }
    // RFC 8441 §5: "the authority [...] replaces the Host header field" of RFC 6455.
    let host = host(request).ok_or(Refusal::Host)?;
    if request.headers().contains_key(header::CONTENT_LENGTH) {
        return Err(Refusal::Body);
    }
    // RFC 8441 §5: "The Sec-WebSocket-Key and Sec-WebSocket-Accept header fields are not used";
    // version, subprotocols and extensions are as they were.
    check_version(request)?;
    offered(request, host, None)
}

/// The answer to a request that is refused, as HTTP/2 can carry it. A `426` would have to name in
/// `Upgrade` what to change to (RFC 9110 §15.5.22), which HTTP/2 cannot say, so it is a `400`.
pub fn refuse(refusal: &Refusal) -> Response<String> {
    let mut response = refusal.response();
    strip(response.headers_mut());
    if response.status() == StatusCode::UPGRADE_REQUIRED {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}

/// Removes the headers of HTTP/1.1 that speak of the connection.
pub fn strip(headers: &mut HeaderMap) {
    for name in &CONNECTION_HEADERS {
        headers.remove(name);
    }
}
