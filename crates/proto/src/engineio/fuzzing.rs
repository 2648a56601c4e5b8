//! The body of the fuzz target `engineio`.

use std::borrow::Cow;

use super::{
    Data, Format, Frame, Packet, Packets, Payload, PayloadError, Revision,
    jsonp::{Callback, read_form},
};

/// So that a short input can reach it.
const LIMIT: usize = 32;

/// Takes the body of a POST as revisions 3 and 4 would, and each frame that it could be. What is read
/// is written again in every format, has the size that was told, and reads back as it was.
#[doc(hidden)]
pub fn fuzz_engineio(data: &[u8]) {
    for revision in [Revision::V3, Revision::V4] {
        if let Ok(packet) = Packet::from_binary(revision, data) {
            is_framed(revision, &packet);
        }
        if let Ok(text) = std::str::from_utf8(data) {
            if let Ok(packet) = Packet::from_text(revision, text) {
                is_framed(revision, &packet);
            }
            reads_back(revision, Packets::of_text(revision, text, LIMIT));
        }
    }
    reads_back(Revision::V3, Packets::of_binary(data, LIMIT));
    if let Ok(text) = read_form(data) {
        is_one_call(&text);
    }
}

fn is_framed(revision: Revision, packet: &Packet) {
    let mut bytes = b"before".to_vec();
    let frame = packet.encode(revision, &mut bytes);
    let bytes = bytes.split_off(6);
    assert_eq!(bytes.len(), packet.encoded_len(revision), "{packet:?}");
    match frame {
        Frame::Binary => assert_eq!(Packet::from_binary(revision, &bytes), Ok(packet.clone())),
        Frame::Text => {
            let text = std::str::from_utf8(&bytes).unwrap_or_default();
            assert_eq!(Packet::from_text(revision, text), Ok(packet.clone()));
        }
    }
    let mut text = Vec::new();
    packet.encode_text(revision, &mut text);
    assert_eq!(text.len(), packet.text_len(revision), "{packet:?}");
}

fn reads_back(revision: Revision, packets: Packets) {
    let mut good = Vec::new();
    for packet in packets.clone() {
        match packet {
            Ok(packet) => good.push(packet),
            Err(PayloadError::TooMany(limit)) => assert!(limit == LIMIT && good.len() <= LIMIT),
            Err(_) => {}
        }
    }
    let errors = packets.filter(Result::is_err).count();
    assert!(errors <= 1, "it goes on after an error");
    if good.is_empty() {
        return;
    }
    let formats: &[Format] = match revision {
        // What separates packets stands in none of them.
        Revision::V4 => &[Format::V4],
        Revision::V3 => &[Format::V3Text, Format::V3Binary],
    };
    for &format in formats {
        is_read_as(revision, format, &good);
    }
}

/// Writes `packets` and reads them again.
pub(super) fn is_read_as(revision: Revision, format: Format, packets: &[Packet]) {
    let mut payload = Payload::new(format);
    for packet in packets {
        let told = payload.len_with(packet);
        payload.push(packet);
        assert_eq!(told, payload.clone().into_bytes().len(), "{format:?} {packet:?}");
    }
    assert_eq!(payload.packets(), packets.len());
    let body = payload.into_bytes();
    let again: Result<Vec<_>, _> = if format == Format::V3Binary {
        Packets::of_binary(&body, LIMIT).collect()
    } else {
        let text = String::from_utf8_lossy(&body);
        assert!(matches!(text, Cow::Borrowed(_)), "a text format holds text");
        let owned = |packet: Packet| match packet.data {
            Data::Text(text) => (packet.kind, Some(text.to_owned()), Vec::new()),
            Data::Binary(bytes) => (packet.kind, None, bytes.into_owned()),
        };
        let read: Result<Vec<_>, _> =
            Packets::of_text(revision, &text, LIMIT).map(|packet| packet.map(owned)).collect();
        assert_eq!(read, Ok(packets.iter().cloned().map(owned).collect()), "{format:?}");
        return;
    };
    assert_eq!(again, Ok(packets.to_vec()), "{format:?}");
}

/// A payload called over to a page is one string of JavaScript, whatever is in it.
fn is_one_call(payload: &str) {
    let Ok(callback) = Callback::new("7") else { return };
    let call = callback.call(payload);
    let inner = call.strip_prefix("___eio[7](").and_then(|rest| rest.strip_suffix(");"));
    let inner = inner.unwrap_or_default();
    assert!(!inner.contains(['<', '\u{2028}', '\u{2029}', '\n', '\r']), "{inner:?}");
    // Every string of JSON is one of JavaScript, once the two characters above are escaped.
    assert_eq!(serde_json::from_str::<String>(inner).ok().as_deref(), Some(payload));
}
