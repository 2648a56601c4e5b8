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
    publish::OWN,
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
    // RFC 9112 §3.2.2: the target's authority goes before Host. Of several, none is believed.
    let of = |name| {
        let mut lines = request.headers().get_all(name).iter();
        lines.next().filter(|_| lines.next().is_none()).and_then(|line| line.to_str().ok())
    };
    let authority = request.uri().authority().map(Authority::as_str);
    let host = authority.or_else(|| of(header::HOST)).unwrap_or_default();
    let host = if of(header::ORIGIN).is_some() { host } else { "" };
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
pub(in super::super) fn preflight(methods: &'static str, request: &Request<()>) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static(methods);
    headers.insert(header::ALLOW, methods.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let names = "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match, \
                 Last-Event-ID, X-Event";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(names));
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let asked = asked.and_then(|asked| asked.to_str().ok()).unwrap_or_default();
    // Headers of the message have names of the page's own.
    let own = asked.split(',').map(str::trim).filter(|name| {
        let start = name.get(..OWN.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(OWN)
    });
    let own: Vec<&str> = own.collect();
    if let Ok(own) = HeaderValue::try_from(own.join(", "))
        && !own.is_empty()
    {
        headers.append(header::ACCESS_CONTROL_ALLOW_HEADERS, own);
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}
