mod client;
mod extended;
mod origin;
mod server;

use http::Request;
use http::header::{HeaderName, HeaderValue};

#[test]
fn corpus() {
    crate::deflate::tests::replay("handshake", super::fuzzing::handshake);
}

/// The request of RFC 6455 §1.2, without `Origin`, as a browser or a client would send it.
fn good() -> Request<()> {
    let mut request = Request::get("/chat").body(()).unwrap();
    for (name, value) in [
        ("host", "server.example.com"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-version", "13"),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    request
}

/// [`good`] with a header changed: no values remove it, several repeat it.
fn with(name: &'static str, values: &[&str]) -> Request<()> {
    let mut request = good();
    request.headers_mut().remove(name);
    for value in values {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    request
}
