//! Body of the fuzz target `handshake`: a plain function that panics when a law is broken.

#![expect(clippy::expect_used, reason = "a broken law must panic")]

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Version};

use super::client::{self, Options, ResponseParser};
use super::origin::OriginPolicy;
use super::server::{self, Preference};
use crate::deflate;

/// The headers that a line of the input may begin with, by its first byte.
const NAMES: [HeaderName; 11] = [
    header::HOST,
    header::UPGRADE,
    header::CONNECTION,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::ORIGIN,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::SEC_WEBSOCKET_ACCEPT,
];

/// Takes the input as headers of a request, one on each line after a byte that says which, and as
/// the head of a response.
///
/// Laws: no panic; a request that passes gets an answer that its client accepts, and another one a
/// 4xx that closes; the head of a response reads the same however it is cut.
///
/// # Panics
///
/// When a law is broken.
pub fn handshake(data: &[u8]) {
    serve(data);
    read_response(data);
}

fn serve(data: &[u8]) {
    let request = request(data);
    let upgrade = match server::check(&request) {
        Ok(upgrade) => upgrade,
        Err(refusal) => {
            let response = refusal.response();
            assert!(response.status().is_client_error() && response.body().ends_with(".\n"));
            assert!(
                response.headers()[header::CONNECTION].to_str().expect("ASCII").ends_with("close")
            );
            return;
        }
    };
    let policy = OriginPolicy { allowed: vec!["https://app.example".to_owned()] };
    let allowed = policy.check(upgrade.origin, upgrade.host, false).is_ok();
    assert!(!allowed || policy.check(upgrade.origin, upgrade.host, true).is_ok());

    let known = ["chat", "v12.stomp", "wamp.2.json"];
    let protocol = server::choose(&upgrade.protocols, &known, Preference::Server);
    assert_eq!(protocol.is_some(), upgrade.protocols.iter().any(|name| known.contains(name)));
    let settings = deflate::Settings::default();
    let (agreement, extensions) = deflate::answer(&upgrade.offers, &settings).unzip();
    let response = upgrade.response(protocol, extensions).expect("what was offered");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(
        response.headers().get(header::SEC_WEBSOCKET_PROTOCOL).is_some(),
        protocol.is_some()
    );
    assert_eq!(
        response.headers().get(header::SEC_WEBSOCKET_EXTENSIONS).is_some(),
        agreement.is_some()
    );
}

/// A good request, with the headers of the input instead of its own of the same name.
fn request(data: &[u8]) -> Request<()> {
    let options = Options { protocols: vec!["chat".to_owned()], ..Options::default() };
    let url = "ws://localhost/ws".parse().expect("a good URL");
    let (mut request, _) = client::request_with_key(&url, &options, [1; 16]).expect("is right");
    *request.uri_mut() = "/ws".parse().expect("a good path");
    let mut replaced = Vec::new();
    for line in data.split(|&byte| byte == b'\n') {
        let Some((&first, value)) = line.split_first() else { continue };
        match first {
            b'P' => *request.method_mut() = Method::POST,
            b'0' => *request.version_mut() = Version::HTTP_10,
            _ => {}
        }
        let name = &NAMES[usize::from(first) % NAMES.len()];
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        if !replaced.contains(name) {
            replaced.push(name.clone());
            request.headers_mut().remove(name);
        }
        request.headers_mut().append(name, value);
    }
    request
}

fn read_response(data: &[u8]) {
    let whole = ResponseParser::new().push(data);
    let mut parser = ResponseParser::new();
    let mut cut = Ok(None);
    for (at, byte) in data.iter().enumerate() {
        match parser.push(&[*byte]) {
            Ok(None) => {}
            Ok(Some((response, used))) => {
                assert_eq!(used, 1);
                cut = Ok(Some((response, at + 1)));
                break;
            }
            Err(error) => {
                cut = Err(error);
                break;
            }
        }
    }
    match (whole, cut) {
        (Ok(Some((whole, used))), Ok(Some((cut, used_in_pieces)))) => {
            assert_eq!((whole.status(), whole.headers()), (cut.status(), cut.headers()));
            assert_eq!(used, used_in_pieces);
            let options = Options { protocols: vec!["chat".to_owned()], ..Options::default() };
            let url = "ws://localhost/ws".parse().expect("a good URL");
            let (_, key) = client::request_with_key(&url, &options, [1; 16]).expect("is right");
            if let Ok(accepted) = client::check_response(&whole, &key, &options) {
                assert!(accepted.protocol.is_none_or(|protocol| protocol == "chat"));
            }
        }
        (Ok(None), Ok(None)) => {}
        (Err(whole), Err(cut)) => assert_eq!(whole, cut),
        (whole, cut) => panic!("whole {whole:?}, one byte at a time {cut:?}"),
    }
}
