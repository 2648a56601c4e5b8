//! Peers that break the rules lose their own connection and nothing else.

use std::time::Duration;

use madang::{Server, proto::raw::PROTOCOL, ws::Limits};

use super::{client::Client, start};

fn strict() -> Server {
    let limits = Limits {
        max_message: 1_000,
        max_fragments: 10,
        message_timeout: Duration::from_secs(1),
        max_control_per_second: 50,
        ..Limits::default()
    };
    Server::new().workers(1).protocol(&PROTOCOL).limits(limits)
}

/// A masked client frame with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        long => {
            bytes.push(0x80 | 0x7e);
            bytes.extend_from_slice(&(long as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

#[tokio::test]
async fn each_offence_has_its_code_and_nobody_else_notices() {
    let (address, _running) = start(strict());
    let mut bystander = Client::connect(address, "/ws/by");
    let huge = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let top_bit = [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let flood: Vec<u8> = (0..60).flat_map(|_| frame(0x89, b"")).collect();
    let fragments: Vec<u8> = std::iter::once(frame(0x02, b""))
        .chain((0..20).map(|_| frame(0x00, b"x")))
        .flatten()
        .collect();
    let offences: [(&str, Vec<u8>, u16, &str); 11] = [
        ("an unmasked frame", vec![0x81, 1, b'x'], 1002, "M301"),
        ("a reserved bit", frame(0xc1, b"x"), 1002, "M301"),
        ("a reserved opcode", frame(0x83, b"x"), 1002, "M301"),
        ("a long control frame", frame(0x89, &[0; 126]), 1002, "M301"),
        ("a continuation of nothing", frame(0x80, b"x"), 1002, "M301"),
        ("bytes that are no text", frame(0x81, &[0xff]), 1007, "M302"),
        ("a length of 2^63 - 1", huge.to_vec(), 1009, "M506"),
        ("a length with the top bit", top_bit.to_vec(), 1002, "M301"),
        ("a message over the limit", frame(0x82, &[0; 1_001]), 1009, "M506"),
        ("a flood of pings", flood, 1008, "M508"),
        ("a flood of fragments", fragments, 1008, "M507"),
    ];
    for (offence, bytes, code, named) in offences {
        let mut client = Client::connect(address, "/ws/by-itself");
        client.bytes(&bytes);
        let (closed, reason) = client.closed();
        assert_eq!((closed, reason.split(' ').next()), (code, Some(named)), "{offence}: {reason}");
        bystander.text(offence);
        assert_eq!(bystander.next_text(), offence);
    }
}

#[tokio::test]
async fn bytes_that_do_not_inflate_close_with_1007_and_bombs_with_1009() {
    let (address, _running) = start(strict());
    let mut garbage = Client::compressed(address, "/ws");
    garbage.bytes(&frame(0xc1, b"\xff\xff\xff"));
    assert_eq!(garbage.closed().0, 1007);
    let mut bomb = Client::compressed(address, "/ws");
    bomb.binary(&vec![0; 1_000_000]);
    assert_eq!(bomb.closed().0, 1009);
}

#[tokio::test]
async fn a_message_that_is_never_finished_is_not_waited_for() {
    let (address, _running) = start(strict());
    let mut client = Client::connect(address, "/ws");
    client.bytes(&frame(0x01, b"and then"));
    assert_eq!(client.closed().0, 1008);
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_gone() {
    let server = strict().ping(Duration::from_secs(1), Duration::from_secs(1));
    let (address, _running) = start(server);
    let mut watcher = Client::connect(address, "/ws/room?presence=1");
    assert_eq!(watcher.next_json()["count"], 1);
    // It reads and so answers, while the other does not.
    let silent = Client::connect(address, "/ws/room");
    assert_eq!(watcher.next_json()["count"], 2);
    assert_eq!(watcher.next_json()["event"], "leave");
    drop(silent);
}

#[tokio::test]
async fn every_ping_is_answered() {
    let (address, _running) = start(strict());
    let mut client = Client::connect(address, "/ws");
    let pings: Vec<u8> = (0..20u8).flat_map(|number| frame(0x89, &[number])).collect();
    client.bytes(&pings);
    for number in 0..20 {
        assert_eq!(client.next(), super::client::News::Pong(vec![number]));
    }
}
