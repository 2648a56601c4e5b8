use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode, Uri, Version};
use proptest::prelude::*;

use crate::deflate::{self, negotiate::AnswerError};
use crate::handshake::client::{
    Error, HeadError, MAX_HEAD, Options, RequestError, ResponseParser, check_response, encode,
    request, request_with_key,
};
use crate::handshake::server;

const SAMPLE_KEY: [u8; 16] = *b"the sample nonce";

fn url(text: &str) -> Uri {
    text.parse().unwrap()
}

fn options(protocols: &[&str], headers: &[(&'static str, &'static str)]) -> Options {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    Options {
        protocols: protocols.iter().map(|&name| name.to_owned()).collect(),
        headers: map,
        deflate: deflate::Settings { enabled: false, ..Default::default() },
    }
}

#[test]
fn a_request_is_what_the_rfc_shows() {
    let options = options(&["chat", "superchat"], &[("origin", "http://example.com")]);
    let url = url("ws://server.example.com/chat");
    let (request, _) = request_with_key(&url, &options, SAMPLE_KEY).unwrap();
    let text = String::from_utf8(encode(&request)).unwrap();
    assert_eq!(
        text,
        "GET /chat HTTP/1.1\r\n\
         host: server.example.com\r\n\
         upgrade: websocket\r\n\
         connection: Upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-version: 13\r\n\
         sec-websocket-protocol: chat, superchat\r\n\
         origin: http://example.com\r\n\r\n"
    );
}

#[test]
fn keys_are_random() {
    let first = request(&url("ws://localhost"), &Options::default()).unwrap().1;
    let second = request(&url("ws://localhost"), &Options::default()).unwrap().1;
    assert_ne!(first, second);
}

#[test]
fn host_and_target_come_from_the_url() {
    for (text, host, target) in [
        ("ws://example.com", "example.com", "/"),
        ("ws://example.com:80/", "example.com", "/"),
        ("wss://example.com:443/a?b=c", "example.com", "/a?b=c"),
        ("ws://example.com:443", "example.com:443", "/"),
        ("wss://example.com:80", "example.com:80", "/"),
        ("ws://example.com?x", "example.com", "/?x"),
        ("ws://[::1]:8000/ws", "[::1]:8000", "/ws"),
        ("ws://me:pw@example.com:9/a%20b", "example.com:9", "/a%20b"),
    ] {
        let (request, _) = request(&url(text), &options(&[], &[])).unwrap();
        assert_eq!(request.headers()[header::HOST], host, "{text}");
        let line = format!("GET {target} HTTP/1.1\r\n");
        assert!(encode(&request).starts_with(line.as_bytes()), "{text}");
    }
    for text in ["http://example.com", "/ws", "example.com", "example.com:80"] {
        let result = request(&url(text), &options(&[], &[]));
        assert_eq!(result.unwrap_err(), RequestError::Url, "{text}");
    }
}

#[test]
fn user_and_password_become_basic_authentication() {
    for (user_info, expected) in [
        ("Aladdin:open%20sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("me", "Basic bWU6"),
        ("a:b:c", "Basic YTpiOmM="),
    ] {
        let url = url(&format!("ws://{user_info}@localhost/"));
        let (request, _) = request(&url, &options(&[], &[])).unwrap();
        let value = &request.headers()[header::AUTHORIZATION];
        assert_eq!(value, expected);
        assert!(value.is_sensitive());
    }
    for user_info in ["%", "%4", "%zz", "a%3Ab:c"] {
        // Where the URL's own grammar already refuses it, there is nothing to test.
        let Ok(url) = format!("ws://{user_info}@localhost/").parse() else { continue };
        let result = request(&url, &options(&[], &[]));
        assert_eq!(result.unwrap_err(), RequestError::UserInfo, "{user_info}");
    }
    let own = options(&[], &[("authorization", "Bearer x")]);
    let (request, _) = request(&url("ws://me:pw@localhost/"), &own).unwrap();
    let values: Vec<_> = request.headers().get_all(header::AUTHORIZATION).iter().collect();
    assert_eq!(values, ["Bearer x"]);
}

#[test]
fn own_headers_are_sent_but_for_those_of_the_handshake() {
    let own = options(&[], &[("cookie", "a=b"), ("cookie", "c=d"), ("host", "other.example")]);
    let headers = request(&url("ws://localhost"), &own).unwrap().0.headers().clone();
    assert_eq!(headers.get_all(header::COOKIE).iter().count(), 2);
    assert_eq!(headers[header::HOST], "other.example");
    for name in ["upgrade", "connection", "sec-websocket-key", "content-length"] {
        let result = request(&url("ws://localhost"), &options(&[], &[(name, "x")]));
        assert_eq!(result.unwrap_err(), RequestError::ReservedHeader(name.parse().unwrap()));
    }
}

#[test]
fn subprotocols_are_tokens_and_different() {
    for protocols in [&["a b"][..], &[""], &["a", "a"], &["a,b"], &["a\r\nb"]] {
        assert!(matches!(
            request(&url("ws://localhost"), &options(protocols, &[])),
            Err(RequestError::Protocol(_))
        ));
    }
}

/// The answer of RFC 6455 §1.2 with lines changed: an empty value removes one.
fn response(changes: &[(&'static str, &'static str)]) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    for (name, _) in changes {
        response.headers_mut().remove(*name);
    }
    for (name, value) in changes.iter().filter(|(_, value)| !value.is_empty()) {
        response.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    response
}

#[test]
fn the_answer_is_checked() {
    let with_deflate = Options {
        deflate: deflate::Settings {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            ..Default::default()
        },
        ..options(&["chat", "superchat"], &[])
    };
    let without = options(&["chat", "superchat"], &[]);
    let (_, key) = request_with_key(&url("ws://localhost"), &without, SAMPLE_KEY).unwrap();
    let check = |changes: &[_], options: &Options| {
        check_response(&response(changes), &key, options)
            .map(|accepted| (accepted.protocol, accepted.deflate.is_some()))
    };
    let chat = Some("chat".to_owned());
    for changes in [
        &[][..],
        &[("upgrade", "WebSocket")],
        &[("connection", "keep-alive, upgrade")],
        &[("connection", "keep-alive"), ("connection", "upgrade")],
    ] {
        assert_eq!(check(changes, &without), Ok((chat.clone(), false)), "{changes:?}");
    }
    assert_eq!(check(&[("sec-websocket-protocol", "")], &without), Ok((None, false)));
    let deflated = &[("sec-websocket-extensions", "permessage-deflate")];
    assert_eq!(check(deflated, &with_deflate), Ok((chat, true)));

    let unasked = |name: &str| Error::UnaskedProtocol(name.to_owned());
    for (changes, expected) in [
        (&[("upgrade", "")][..], Error::NoUpgrade),
        (&[("upgrade", "h2c")], Error::NoUpgrade),
        (&[("upgrade", "websocket, h2c")], Error::NoUpgrade),
        (&[("upgrade", "websocket"); 2], Error::NoUpgrade),
        (&[("connection", "")], Error::NoConnectionUpgrade),
        (&[("connection", "close")], Error::NoConnectionUpgrade),
        (&[("sec-websocket-accept", "")], Error::Accept),
        (&[("sec-websocket-accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=")], Error::Accept),
        (&[("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x")], Error::Accept),
        (&[("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); 2], Error::Accept),
        (&[("sec-websocket-protocol", "Chat")], unasked("Chat")),
        (&[("sec-websocket-protocol", "chat, superchat")], unasked("chat, superchat")),
        (
            &[("sec-websocket-protocol", "chat"), ("sec-websocket-protocol", "superchat")],
            unasked("chat, superchat"),
        ),
        (deflated, Error::Extensions(AnswerError::Unasked("permessage-deflate".into()))),
        (
            &[("sec-websocket-extensions", "foo")],
            Error::Extensions(AnswerError::Unasked("foo".into())),
        ),
    ] {
        assert_eq!(check(changes, &without), Err(expected), "{changes:?}");
    }
    for status in [200, 301, 401, 426, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let mut response = response(&[]);
        *response.status_mut() = status;
        assert_eq!(check_response(&response, &key, &without), Err(Error::Status(status)));
    }
}

const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nX-Empty:\r\n\r\n";

/// Feeds pieces of `size` bytes; the response, and how many bytes it took.
fn read(bytes: &[u8], size: usize) -> Result<Option<(Response<()>, usize)>, HeadError> {
    let mut parser = ResponseParser::new();
    let mut before = 0;
    for piece in bytes.chunks(size) {
        if let Some((response, used)) = parser.push(piece)? {
            return Ok(Some((response, before + used)));
        }
        before += piece.len();
    }
    Ok(None)
}

#[test]
fn a_head_is_read_from_pieces_of_any_size() {
    let with_frames = [HEAD, b"\x81\x05Hello\r\n\r\n"].concat();
    for size in 1..=with_frames.len() {
        let (response, used) = read(&with_frames, size).unwrap().unwrap();
        assert_eq!(
            (response.status(), response.version()),
            (StatusCode::SWITCHING_PROTOCOLS, Version::HTTP_11)
        );
        assert_eq!(response.headers().len(), 3);
        assert_eq!(response.headers()["x-empty"], "");
        assert_eq!(used, HEAD.len());
    }
    for end in 0..HEAD.len() {
        assert!(read(&HEAD[..end], HEAD.len()).unwrap().is_none(), "{end}");
    }
}

#[test]
fn interim_responses_are_passed_over() {
    let bytes = [
        &b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"[..],
        HEAD,
        b"frames",
    ]
    .concat();
    for size in 1..=bytes.len() {
        let (response, used) = read(&bytes, size).unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert!(!response.headers().contains_key("link"));
        assert_eq!(used, bytes.len() - 6);
    }
    let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(3000);
    for size in [1, 100, endless.len()] {
        assert_eq!(read(&endless, size).unwrap_err(), HeadError::TooLong);
    }
}

#[test]
fn what_is_no_head_is_an_error() {
    for (bytes, expected) in [
        (&b"SSH-2.0-OpenSSH\r\n"[..], HeadError::NotHttp),
        (b"\x15\x03\x03", HeadError::NotHttp),
        (b"HTTP/2 200\r\n", HeadError::NotHttp),
        (b"\r\n\r\n", HeadError::NotHttp),
        (b"HTTP/1.1 abc\r\n\r\n", HeadError::Malformed),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", HeadError::Malformed),
        (b"HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n", HeadError::Malformed),
        (b"HTTP/1.1 200 OK\r\nname: a\0b\r\n\r\n", HeadError::Malformed),
        (b"HTTP/1.1 099 OK\r\n\r\n", HeadError::Malformed),
    ] {
        for size in [1, bytes.len()] {
            assert_eq!(read(bytes, size).unwrap_err(), expected, "{}", bytes.escape_ascii());
        }
    }
}

#[test]
fn a_head_is_bounded() {
    let head = |lines: usize, value: usize| {
        let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
        for _ in 0..lines {
            head.extend([&b"a: "[..], &vec![b'x'; value], b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        head
    };
    for size in [1, 1000, MAX_HEAD * 2] {
        assert!(read(&head(256, 5), size).unwrap().is_some());
        assert_eq!(read(&head(257, 5), size).unwrap_err(), HeadError::TooManyHeaders);
        // 17 bytes of status line, 5 around the value, 2 at the end.
        assert!(read(&head(1, MAX_HEAD - 24), size).unwrap().is_some());
        assert_eq!(read(&head(1, MAX_HEAD - 23), size).unwrap_err(), HeadError::TooLong);
        assert_eq!(read(&vec![b'H'; MAX_HEAD + 1], size).unwrap_err(), HeadError::NotHttp);
    }
}

#[test]
fn each_byte_is_looked_at_once() {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    for _ in 0..90 {
        head.extend(b"name: value value value value\r\n");
    }
    head.extend(b"\r\n");
    for size in [1, 2, 7, 1000, head.len()] {
        let mut parser = ResponseParser::new();
        for piece in head.chunks(size) {
            parser.push(piece).unwrap();
        }
        assert_eq!(parser.looked_at, head.len());
    }
}

proptest! {
    #[test]
    fn client_and_server_agree(
        protocols in prop::collection::hash_set("[a-z0-9.]{1,8}", 0..6),
        known in prop::collection::vec("[a-c]", 0..3),
        fresh in any::<bool>(),
        window in 8..=15_u8,
        size in 1..200_usize,
    ) {
        let options = Options {
            protocols: protocols.into_iter().collect(),
            deflate: deflate::Settings {
                server_no_context_takeover: fresh,
                client_max_window_bits: window,
                ..Default::default()
            },
            ..Options::default()
        };
        let (request, key) = request(&url("ws://localhost:8000/ws"), &options).unwrap();
        let upgrade = server::check(&request).unwrap();
        let chosen = server::choose(&upgrade.protocols, &known, server::Preference::Client);
        let (agreement, answer) =
            deflate::answer(&upgrade.offers, &deflate::Settings::default()).unwrap();
        let response = upgrade.response(chosen, Some(answer)).unwrap();

        let mut wire = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
        for (name, value) in response.headers() {
            wire.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        wire.extend(b"\r\n");
        let (response, used) = read(&wire, size).unwrap().unwrap();
        prop_assert_eq!(used, wire.len());
        let accepted = check_response(&response, &key, &options).unwrap();
        prop_assert_eq!(accepted.protocol.as_deref(), chosen);
        prop_assert_eq!(accepted.deflate, Some(agreement));
    }
}
