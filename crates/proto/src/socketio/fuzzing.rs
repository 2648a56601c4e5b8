//! The body of the fuzz target `socketio`.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    Args, Assembler, Limits, MAX_DEPTH, Packet, Version, inline_binary,
    json::{JsonError, single},
    placeholders,
};

const LIMITS: Limits = Limits { attachments: 4, depth: 8, namespace: 16, query: 16 };
const MAX_BYTES: usize = 4096;

/// What separates packets when Engine.IO polls.
const SEPARATOR: char = '\u{1e}';

/// Takes messages with bytes of value 255 between; one that begins with 0 is binary. Each is read as a
/// packet and as JSON, and all are put together. What is accepted is JSON to others, too, is written
/// again, and reads back as it was; and once bytes stand in place of placeholders, none are left.
#[doc(hidden)]
pub fn fuzz_socketio(data: &[u8]) {
    for version in [Version::V4, Version::V5] {
        let mut assembler = Assembler::new(version, LIMITS, MAX_BYTES);
        for message in data.split(|byte| *byte == 0xff) {
            if let Some(bytes) = message.strip_prefix(&[0]) {
                match assembler.binary(Bytes::copy_from_slice(bytes)) {
                    Err(_) => break,
                    Ok(None) => {}
                    Ok(Some(whole)) => match whole.packet() {
                        Ok(packet) => is_whole(version, &packet, whole.attachments()),
                        Err(error) => panic!("what was announced is read again: {error}"),
                    },
                }
                continue;
            }
            let Ok(text) = std::str::from_utf8(message) else { break };
            is_json_to_all(text);
            if let Ok(packet) = Packet::decode(version, text, &LIMITS) {
                reads_back(version, &packet);
            }
            match assembler.text(text) {
                Err(_) => break,
                Ok(None) => assert!(assembler.is_waiting()),
                Ok(Some(packet)) => assert_eq!(packet.attachments(), 0),
            }
        }
    }
}

/// The reader and `serde_json` agree.
fn is_json_to_all(text: &str) {
    match single(text, MAX_DEPTH) {
        Err(JsonError::TooDeep(_)) => {}
        ours => {
            let theirs = serde_json::from_str::<&RawValue>(text);
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text:?}: {ours:?}");
        }
    }
    if let Ok(args) = Args::from_array(text) {
        let theirs = serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default();
        let theirs: Vec<_> = theirs.into_iter().map(RawValue::get).collect();
        assert_eq!(args.iter().collect::<Vec<_>>(), theirs, "{text:?}");
    }
}

fn reads_back(version: Version, packet: &Packet) {
    let mut text = String::new();
    packet.encode(&mut text);
    assert!(!text.contains(SEPARATOR), "{text:?}");
    match Packet::decode(version, &text, &LIMITS) {
        Ok(again) => assert!(are_same(&again, packet), "{text:?}: {again:?}, {packet:?}"),
        Err(error) => panic!("{text:?} from {packet:?}: {error}"),
    }
    for argument in packet.args() {
        assert!(single(argument, LIMITS.depth).is_ok(), "{argument:?}");
    }
}

/// A packet that calls itself binary without attachments is written as an ordinary one, and a name
/// that is a number as a string; the spaces at an end are not kept.
fn are_same(one: &Packet, other: &Packet) -> bool {
    let args = |packet: &Packet| packet.args().as_str().trim().to_owned();
    match (one, other) {
        (Packet::Event(a), Packet::Event(b)) => {
            let heads = (a.namespace, a.id, &a.name, a.attachments)
                == (b.namespace, b.id, &b.name, b.attachments);
            heads && args(one) == args(other)
        }
        _ => one == other,
    }
}

fn is_whole(version: Version, packet: &Packet, attachments: &[Bytes]) {
    assert_eq!(packet.attachments(), attachments.len());
    reads_back(version, packet);
    let args = packet.args().as_str();
    match (placeholders(args, attachments.len()), inline_binary(args, attachments)) {
        (Ok(found), Ok(inline)) => {
            assert_eq!(found.len(), attachments.len(), "{args:?}");
            assert!(Args::from_array(&format!("[{inline}]")).is_ok(), "{inline:?}");
            let left = placeholders(&inline, attachments.len());
            assert_eq!(left.map(|left| left.len()), Ok(0), "{inline:?}");
        }
        (found, inline) => panic!("{args:?}: {found:?}, {inline:?}"),
    }
}
