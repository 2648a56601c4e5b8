//! Which pages may ask, and what browsers are told of it (Fetch standard, §3.3).
//!
//! The rule is the one for WebSockets. A page that may not ask is refused and not only kept from
//! reading the answer: what it posts would have been published by then.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, uri::Authority};

use super::{
    super::{
        forwarded::Client,
        http::{Body, Site},
        upgrade,
    },
    Refused,
};

/// What an answer tells a browser about the page that asked.
pub(in super::super) struct Allow {
    origin: Option<HeaderValue>,
    is_listed: bool,
}

/// Whether the page that a request comes from may ask.
pub(in super::super) fn check<B>(
    site: &Site,
    local: impl FnOnce() -> Option<SocketAddr>,
    client: &Client,
    request: &Request<B>,
) -> Result<Allow, Refused> {
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return Ok(Allow { origin: None, is_listed: false });
    };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(Authority::as_str));
    let host = host.unwrap_or_default();
    let checked = upgrade::check_origin(site, local, client, origin, host);
    checked.map_err(|mut refused| {
        vary(refused.headers_mut());
        // No proxy takes this connection for a tunnel.
        refused.headers_mut().remove(header::CONNECTION);
        refused
    })?;
    // Never `*` together with credentials: whoever is let in as one of all has none.
    let is_everybody = site.live.read().origins.allowed.iter().any(|allowed| allowed == "*");
    let origin = if is_everybody { HeaderValue::from_static("*") } else { origin.clone() };
    Ok(Allow { origin: Some(origin), is_listed: !is_everybody })
}

impl Allow {
    pub(in super::super) fn put_on<B>(self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        vary(headers);
        let Some(origin) = self.origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.is_listed {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        let exposed = HeaderValue::from_static("ETag, Madang-Code, Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// The answer is for this origin only.
fn vary(headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// The answer to the question whether a page may ask (Fetch, "CORS-preflight request").
pub(super) fn preflight(methods: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static(methods);
    headers.insert(header::ALLOW, methods.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let names = "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match, \
                 Last-Event-ID, X-Event";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(names));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}
