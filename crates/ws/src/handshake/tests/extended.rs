use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use crate::handshake::Malformed;
use crate::handshake::extended::{check, refuse};
use crate::handshake::origin::OriginError;
use crate::handshake::server::Refusal;

/// The request of RFC 8441 §5.1, as an HTTP/2 library gives it, with headers changed or added.
fn request(changes: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::connect("https://server.example.com/chat").body(()).unwrap();
    *request.version_mut() = Version::HTTP_2;
    for (name, value) in [
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-version", "13"),
        ("origin", "http://www.example.com"),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in changes {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    request
}

#[test]
fn the_example_of_the_rfc() {
    let request = request(&[]);
    for protocol in ["websocket", "WebSocket"] {
        let upgrade = check(&request, Some(protocol)).unwrap();
        assert_eq!(upgrade.host, "server.example.com");
        assert_eq!(upgrade.protocols, ["chat", "superchat"]);
        assert_eq!(upgrade.origin.unwrap(), "http://www.example.com");
        assert_eq!((upgrade.offers.len(), &upgrade.accept), (1, &None));

        let response = upgrade.response(Some("chat"), None).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let headers: Vec<_> = response.headers().iter().collect();
        assert_eq!(headers, [(&header::SEC_WEBSOCKET_PROTOCOL, &HeaderValue::from_static("chat"))]);
        assert_eq!(upgrade.response(Some("other"), None).unwrap_err().0, "other");
    }
}

#[test]
fn what_is_wrong_is_refused() {
    for (changes, expected) in [
        (&[("sec-websocket-version", "13")][..], Refusal::Version),
        (&[("connection", "upgrade")], Refusal::ConnectionHeader),
        (&[("upgrade", "websocket")], Refusal::ConnectionHeader),
        (&[("transfer-encoding", "chunked")], Refusal::ConnectionHeader),
        (&[("proxy-connection", "keep-alive")], Refusal::ConnectionHeader),
        (&[("content-length", "3")], Refusal::Body),
        (&[("sec-websocket-protocol", "chat")], Refusal::Protocols),
        (&[("sec-websocket-extensions", "a;")], Refusal::Extensions(Malformed::Syntax)),
        (&[("origin", "http://www.example.com")], Refusal::Origin(OriginError::Malformed)),
    ] {
        assert_eq!(check(&request(changes), Some("websocket")), Err(expected), "{changes:?}");
    }
    let good = request(&[]);
    assert_eq!(check(&good, None), Err(Refusal::NotExtended));
    assert_eq!(check(&good, Some("connect-udp")), Err(Refusal::UnknownProtocol));
    let mut other = request(&[]);
    *other.method_mut() = Method::GET;
    assert_eq!(check(&other, Some("websocket")), Err(Refusal::NotExtended));
    let mut other = request(&[]);
    other.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("8"));
    assert_eq!(check(&other, Some("websocket")), Err(Refusal::Version));
    let mut nowhere = request(&[]);
    *nowhere.uri_mut() = "/chat".parse().unwrap();
    assert_eq!(check(&nowhere, Some("websocket")), Err(Refusal::Host));
    // A key is not used, and does no harm.
    assert!(check(&request(&[("sec-websocket-key", "x")]), Some("websocket")).is_ok());
}

#[test]
fn refusals_have_nothing_that_http_2_cannot_carry() {
    let refused = |refusal: Refusal| -> Response<String> {
        let response = refuse(&refusal);
        for name in ["connection", "upgrade"] {
            assert!(!response.headers().contains_key(name), "{refusal:?}");
        }
        assert!(response.body().ends_with(".\n"));
        response
    };
    let plain = refused(Refusal::NotExtended);
    assert_eq!(plain.status(), 400);
    assert!(plain.body().contains("wss://") && plain.body().contains("extended CONNECT"));
    let version = refused(Refusal::Version);
    assert_eq!(version.status(), 400);
    assert_eq!(version.headers()[header::SEC_WEBSOCKET_VERSION], "13");
    assert_eq!(refused(Refusal::UnknownProtocol).status(), 501);
    assert_eq!(refused(Refusal::ConnectionHeader).status(), 400);
    assert_eq!(refused(OriginError::Null.into()).status(), 403);
}
