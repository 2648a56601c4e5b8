//! What leaves, as bytes.

use crate::frame::{Header, OpCode, header_len};
use crate::testing::{Pair, Split, frames};
use crate::{CloseCode, Kind, Role};

#[test]
fn a_server_conversation_byte_by_byte() {
    let mut pair = Pair::new(Split::Whole);
    pair.inject_frames(Role::Server, &[(0x89, b"?")]);
    pair.deliver(Role::Server);
    pair.send(Role::Server, Kind::Text, b"hi");
    pair.send(Role::Server, Kind::Binary, &[0xAB; 126]);
    pair.ping(Role::Server, b"!");
    pair.close(Role::Server, CloseCode::GOING_AWAY, "bye");
    let mut expected = vec![0x8A, 1, b'?', 0x81, 2, b'h', b'i', 0x82, 126, 0, 126];
    expected.extend([0xAB; 126]);
    expected.extend([0x89, 1, b'!', 0x88, 5, 3, 0xE9, b'b', b'y', b'e']);
    assert_eq!(pair.take_sent(Role::Server), expected);
}

#[test]
fn client_masks_every_frame_with_a_key_of_its_own() {
    let mut pair = Pair::new(Split::Whole);
    for _ in 0..10 {
        pair.send(Role::Client, Kind::Binary, b"same");
    }
    pair.close(Role::Client, CloseCode::NORMAL, "");
    let sent = pair.take_sent(Role::Client);
    let keys: std::collections::HashSet<_> =
        frames(Role::Client, &sent).iter().map(|(header, _)| header.mask).collect();
    assert!(!keys.contains(&None));
    assert!(keys.len() >= 10, "{keys:?}");
}

#[test]
fn headers_read_back() {
    for opcode in [0, 1, 2, 8, 9, 10] {
        for len in [0_u64, 1, 125, 126, 0xFFFF, 0x1_0000, (1 << 63) - 1] {
            for (sender, mask) in [(Role::Server, None), (Role::Client, Some([1, 2, 3, 4]))] {
                let opcode = OpCode::try_from(opcode).unwrap();
                if opcode.is_control() && len > 125 {
                    continue;
                }
                let header = Header { fin: true, rsv1: len == 126, opcode, len, mask };
                let mut bytes = Vec::new();
                header.encode(&mut bytes);
                assert_eq!(bytes.len(), header_len(len, mask.is_some()));
                assert_eq!(Header::decode(&bytes, sender), Ok(Some((header, bytes.len()))));
                for cut in 0..bytes.len() {
                    assert_eq!(Header::decode(&bytes[..cut], sender), Ok(None));
                }
            }
        }
    }
}
