//! Body of the fuzz target `deflate`: a plain function that panics when a law is broken.

#![expect(clippy::expect_used, reason = "a broken law must panic")]

use http::HeaderValue;

use super::{Error, Settings, State, accept, answer, offer, parse_offers};
use crate::Role;

/// Most bytes that a message of the fuzz target may have.
const LIMIT: usize = 100_000;

/// The first byte chooses the settings. The rest is taken three ways: as a compressed message, as a
/// message to compress, and as the value of a `Sec-WebSocket-Extensions` header.
///
/// Laws: no panic; no more than the limit; the same result however the input is cut; what was
/// compressed inflates to what it was; an answer is one that its client accepts.
///
/// # Panics
///
/// When a law is broken.
pub fn deflate(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let settings = settings(choice);
    inflates_alike(&settings, bytes);
    round_trips(&settings, bytes);
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        let offers = parse_offers([&value]).unwrap_or_default();
        assert!(offers.len() <= 16);
        if let Some((agreement, _)) = answer(&offers, &settings) {
            assert!((9..=15).contains(&agreement.server_max_window_bits));
        }
        let _ = accept([&value], &settings);
    }
}

fn settings(choice: u8) -> Settings {
    Settings {
        level: choice % 10,
        server_no_context_takeover: choice & 1 == 0,
        client_no_context_takeover: choice & 2 == 0,
        server_max_window_bits: 9 + (choice >> 2) % 7,
        client_max_window_bits: 9 + (choice >> 5),
        min_size: 0,
        ..Settings::default()
    }
}

/// A server and a client that agreed with each other.
fn pair(settings: &Settings) -> (State, State) {
    let value = offer(settings).expect("compression is on");
    let offers = parse_offers([&value]).expect("our offer can be read");
    let (server, value) = answer(&offers, settings).expect("our offer can be taken");
    let client = accept([&value], settings).expect("our answer is right").expect("not empty");
    assert_eq!(server, client);
    (State::new(Role::Server, &server), State::new(Role::Client, &client))
}

fn inflates_alike(settings: &Settings, bytes: &[u8]) {
    let mut whole = Vec::new();
    let result = pair(settings).0.decompress(bytes, true, LIMIT, &mut whole);
    assert!(whole.len() <= LIMIT && whole.capacity() <= 2 * LIMIT);
    let mut cut = Vec::new();
    assert_eq!(in_pieces(&mut pair(settings).0, bytes, 1, &mut cut), result);
    assert_eq!(cut, whole);
    cut.clear();
    assert_eq!(in_pieces(&mut pair(settings).0, bytes, 7, &mut cut), result);
    assert_eq!(cut, whole);
}

fn in_pieces(state: &mut State, bytes: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    for piece in bytes.chunks(size) {
        state.decompress(piece, false, LIMIT, out)?;
    }
    state.decompress(&[], true, LIMIT, out)
}

fn round_trips(settings: &Settings, bytes: &[u8]) {
    let (mut server, mut client) = pair(settings);
    for message in [bytes, &bytes[bytes.len() / 2..], bytes] {
        let (mut wire, mut back) = (Vec::new(), Vec::new());
        if server.compress(message, &mut wire) {
            assert!(wire.len() < message.len());
            client.decompress(&wire, true, message.len(), &mut back).expect("inflates");
            assert_eq!(back, message);
        } else {
            assert!(wire.is_empty());
        }
    }
}
