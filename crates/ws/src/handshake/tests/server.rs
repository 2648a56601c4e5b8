use http::header::{self, HeaderValue};
use http::{Method, Request, StatusCode, Version};
use proptest::prelude::*;

use super::{good, with};
use crate::handshake::origin::OriginError;
use crate::handshake::server::{Preference, Refusal, check, choose, wants_websocket};
use crate::handshake::{Malformed, accept_value};

#[test]
fn the_example_of_the_rfc() {
    let request = good();
    let upgrade = check(&request).unwrap();
    assert_eq!(upgrade.host, "server.example.com");
    assert_eq!(upgrade.protocols, ["chat", "superchat"]);
    assert!(upgrade.origin.is_none() && upgrade.offers.is_empty());

    let response = upgrade.response(Some("chat"), None).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let headers: Vec<_> =
        response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(
        headers,
        [
            ("upgrade", &b"websocket"[..]),
            ("connection", b"Upgrade"),
            ("sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("sec-websocket-protocol", b"chat"),
        ]
    );
    let plain = upgrade.response(None, Some(HeaderValue::from_static("permessage-deflate")));
    let plain = plain.unwrap();
    assert!(!plain.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL));
    assert_eq!(plain.headers()[header::SEC_WEBSOCKET_EXTENSIONS], "permessage-deflate");
    assert_eq!(upgrade.response(Some("Chat"), None).unwrap_err().0, "Chat");
}

#[test]
fn lists_may_have_any_case_and_order_and_be_spread_over_lines() {
    for (name, values) in [
        ("upgrade", &["WebSocket"][..]),
        ("upgrade", &["h2c, websocket"]),
        ("upgrade", &["h2c", " ,\tWEBSOCKET ,"]),
        ("connection", &["upgrade"]),
        ("connection", &["keep-alive, UPGRADE"]),
        ("connection", &["keep-alive", "te,Upgrade"]),
        ("sec-websocket-protocol", &["chat", "superchat"]),
        ("sec-websocket-protocol", &[",chat ,\t superchat,,"]),
        ("content-length", &["0"]),
    ] {
        let request = with(name, values);
        let upgrade = check(&request).unwrap_or_else(|error| panic!("{name} {values:?}: {error}"));
        assert_eq!(upgrade.protocols, ["chat", "superchat"]);
        assert!(wants_websocket(&request));
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let latin = "caf\u{e9}";
    for (name, values, expected) in [
        ("host", &[][..], Refusal::Host),
        ("host", &[""], Refusal::Host),
        ("host", &["a", "b"], Refusal::Host),
        ("upgrade", &[], Refusal::NoUpgrade),
        ("upgrade", &["websockets"], Refusal::NoUpgrade),
        ("upgrade", &["h2c web socket"], Refusal::NoUpgrade),
        ("connection", &[], Refusal::NoConnectionUpgrade),
        ("connection", &["keep-alive"], Refusal::NoConnectionUpgrade),
        ("connection", &["upgraded"], Refusal::NoConnectionUpgrade),
        ("content-length", &["1"], Refusal::Body),
        ("transfer-encoding", &["chunked"], Refusal::Body),
        ("sec-websocket-version", &[], Refusal::Version),
        ("sec-websocket-version", &["8"], Refusal::Version),
        ("sec-websocket-version", &["777"], Refusal::Version),
        ("sec-websocket-version", &["013"], Refusal::Version),
        ("sec-websocket-version", &["13, 8"], Refusal::Version),
        ("sec-websocket-version", &["13", "8"], Refusal::Version),
        ("sec-websocket-key", &[], Refusal::Key),
        ("sec-websocket-key", &[""], Refusal::Key),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ"], Refusal::Key),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ=="; 2], Refusal::Key),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZTE="], Refusal::Key),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25j"], Refusal::Key),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZ-=="], Refusal::Key),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ=\t"], Refusal::Key),
        ("sec-websocket-protocol", &["a b"], Refusal::Protocols),
        ("sec-websocket-protocol", &["a/b"], Refusal::Protocols),
        ("sec-websocket-protocol", &["chat, chat"], Refusal::Protocols),
        ("sec-websocket-protocol", &["chat", latin], Refusal::Protocols),
        ("sec-websocket-extensions", &["a;"], Refusal::Extensions(Malformed::Syntax)),
        ("origin", &["http://a", "http://a"], Refusal::Origin(OriginError::Malformed)),
    ] {
        assert_eq!(check(&with(name, values)), Err(expected), "{name} {values:?}");
    }
    let mut request = good();
    *request.method_mut() = Method::POST;
    assert_eq!(check(&request), Err(Refusal::Method));
    let mut request = good();
    *request.version_mut() = Version::HTTP_10;
    assert_eq!(check(&request), Err(Refusal::OldHttp));
    assert!(!wants_websocket(&Request::get("/").body(()).unwrap()));
}

#[test]
fn an_absolute_target_says_the_host() {
    let mut request = good();
    *request.uri_mut() = "http://me@other.example:81/chat".parse().unwrap();
    assert_eq!(check(&request).unwrap().host, "other.example:81");
}

#[test]
fn refusals_say_what_to_do_and_close() {
    let response = |refusal: Refusal| {
        let response = refusal.response();
        let headers = response.headers();
        assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
        assert!(headers[header::CONNECTION].to_str().unwrap().ends_with("close"));
        response
    };
    let plain = response(Refusal::NoUpgrade);
    assert_eq!(plain.status(), 426);
    assert_eq!(plain.headers()[header::UPGRADE], "websocket");
    assert_eq!(plain.headers()[header::CONNECTION], "Upgrade, close");
    assert!(plain.body().contains("new WebSocket(\"ws://"));

    let version = response(Refusal::Version);
    assert_eq!(version.status(), 426);
    assert_eq!(version.headers()[header::SEC_WEBSOCKET_VERSION], "13");

    let method = response(Refusal::Method);
    assert_eq!(method.status(), 405);
    assert_eq!(method.headers()[header::ALLOW], "GET");

    let origin = response(OriginError::Forbidden("https://app.example".into()).into());
    assert_eq!(origin.status(), 403);
    assert!(origin.body().contains("--allowed-origin https://app.example"));
    assert!(response(OriginError::Null.into()).body().contains("--allowed-origin null"));

    for refusal in [Refusal::Host, Refusal::OldHttp, Refusal::Key, Refusal::Protocols] {
        let response = response(refusal);
        assert_eq!(response.status(), 400);
        assert!(!response.headers().contains_key(header::UPGRADE));
    }
    assert_eq!(
        response(Malformed::TooMany.into()).body(),
        "Sec-WebSocket-Extensions: too many extensions or parameters.\n"
    );
}

#[test]
fn subprotocols_are_counted() {
    let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(check(&with("sec-websocket-protocol", &[&names(64)])).unwrap().protocols.len(), 64);
    assert_eq!(check(&with("sec-websocket-protocol", &[&names(65)])), Err(Refusal::Protocols));
    let most = "x".repeat(4096);
    assert!(check(&with("sec-websocket-protocol", &[&most])).is_ok());
    assert_eq!(check(&with("sec-websocket-protocol", &[&most, "y"])), Err(Refusal::Protocols));
}

#[test]
fn the_subprotocol_is_one_that_both_know() {
    let none: &[&str] = &[];
    for (offered, known, client, server) in [
        (&["a", "b"][..], &["b", "a"][..], Some("a"), Some("b")),
        (&["a", "b", "c"], &["c", "b"], Some("b"), Some("c")),
        (&["a"], &["b"], None, None),
        (&["A"], &["a"], None, None),
        (&["a"], none, None, None),
        (none, &["a"], None, None),
    ] {
        assert_eq!(choose(offered, known, Preference::Client), client, "{offered:?} {known:?}");
        assert_eq!(choose(offered, known, Preference::Server), server, "{offered:?} {known:?}");
    }
}

#[test]
fn keys_with_loose_bits_are_taken() {
    // The last digit has four bits that belong to no byte.
    assert!(check(&with("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZR=="])).is_ok());
}

#[test]
fn the_accept_value_is_of_the_key_as_written() {
    assert_ne!(
        accept_value(b"dGhlIHNhbXBsZSBub25jZQ=="),
        accept_value(b"dGhlIHNhbXBsZSBub25jZR==")
    );
}

proptest! {
    #[test]
    fn any_header_values_get_an_answer(
        changes in prop::collection::vec((0..8_usize, "[ -~\t]{0,40}"), 0..6),
    ) {
        let names = [
            "host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-protocol",
            "sec-websocket-version", "sec-websocket-extensions", "origin",
        ];
        let mut request = good();
        for (name, value) in &changes {
            if let Ok(value) = HeaderValue::from_str(value) {
                request.headers_mut().append(names[*name], value);
            }
        }
        match check(&request) {
            Ok(upgrade) => {
                let protocol = upgrade.protocols.last().copied();
                prop_assert_eq!(upgrade.response(protocol, None).unwrap().status(), 101);
            }
            Err(refusal) => prop_assert!(refusal.response().status().is_client_error()),
        }
    }
}
