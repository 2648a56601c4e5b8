//! Packets and payloads as clients of both revisions write them.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{
    Data, Format, Frame, Kind, Packet, PacketError, Packets, Payload, PayloadError, Revision,
    fuzzing::{fuzz_engineio, is_read_as},
    jsonp::{Callback, JsonpError, read_form},
};
use Revision::{V3, V4};

fn message(text: &str) -> Packet<'_> {
    Packet::text(Kind::Message, text)
}

fn written(format: Format, packets: &[Packet]) -> Vec<u8> {
    let mut payload = Payload::new(format);
    for packet in packets {
        payload.push(packet);
    }
    payload.into_bytes()
}

fn read(revision: Revision, body: &str) -> Result<Vec<Packet<'_>>, PayloadError> {
    Packets::of_text(revision, body, 100).collect()
}

fn read_binary(body: &[u8]) -> Result<Vec<Packet<'_>>, PayloadError> {
    Packets::of_binary(body, 100).collect()
}

#[test]
fn every_type_has_its_number() {
    for number in 0..=u8::MAX {
        let kind = Kind::from_number(number);
        assert_eq!(kind.is_some(), number < 7);
        if let Some(kind) = kind {
            assert_eq!(kind.number(), number);
        }
    }
    let kinds = ["0", "1", "2probe", "3probe", "4€", "5", "6"];
    let kinds = kinds.map(|text| Packet::from_text(V4, text).unwrap().kind);
    let all =
        [Kind::Open, Kind::Close, Kind::Ping, Kind::Pong, Kind::Message, Kind::Upgrade, Kind::Noop];
    assert_eq!(kinds, all);
}

#[test]
fn text_is_borrowed_and_written_as_it_came() {
    let packet = Packet::from_text(V4, "2probe").unwrap();
    assert_eq!(packet, Packet::text(Kind::Ping, "probe"));
    let mut out = Vec::new();
    assert_eq!(packet.encode(V4, &mut out), Frame::Text);
    assert_eq!(out, b"2probe");
}

#[test]
fn a_binary_frame_is_a_message_or_begins_with_its_type() {
    assert_eq!(Packet::from_binary(V4, &[4, 1, 2]), Ok(Packet::binary(&[4, 1, 2])));
    assert_eq!(Packet::from_binary(V4, &[]), Ok(Packet::binary(&[])));
    assert_eq!(Packet::from_binary(V3, &[4, 1, 2]), Ok(Packet::binary(&[1, 2])));
    assert_eq!(Packet::from_binary(V3, &[]), Err(PacketError::Empty));
    assert_eq!(Packet::from_binary(V3, &[7, 1]), Err(PacketError::UnknownKind('\u{7}')));
    assert_eq!(Packet::from_binary(V3, b"4"), Err(PacketError::UnknownKind('4')));
    for (revision, expected) in [(V3, &[4, 1, 2][..]), (V4, &[1, 2])] {
        let mut out = Vec::new();
        assert_eq!(Packet::binary(&[1, 2]).encode(revision, &mut out), Frame::Binary);
        assert_eq!(out, expected);
    }
}

#[test]
fn bytes_travel_as_base64_in_text() {
    let bytes = Packet::binary(&[1, 2, 3, 4]);
    assert_eq!(Packet::from_text(V4, "bAQIDBA=="), Ok(bytes.clone()));
    assert_eq!(Packet::from_text(V4, "bAQIDBA"), Ok(bytes.clone()), "padding left out");
    assert_eq!(Packet::from_text(V4, "b"), Ok(Packet::binary(&[])));
    assert_eq!(Packet::from_text(V3, "b4AQIDBA=="), Ok(bytes));
    assert_eq!(Packet::from_text(V3, "b"), Err(PacketError::Empty));
    assert_eq!(Packet::from_text(V3, "b7AQ"), Err(PacketError::UnknownKind('7')));
    assert_eq!(Packet::from_text(V4, "bAQ!"), Err(PacketError::Base64));
    assert_eq!(Packet::from_text(V4, "bA"), Err(PacketError::Base64));
}

#[test]
fn what_is_no_packet_is_refused() {
    assert_eq!(Packet::from_text(V4, ""), Err(PacketError::Empty));
    for text in ["7", "abc", " 4", "-", "€", "١"] {
        let first = text.chars().next().unwrap();
        assert_eq!(Packet::from_text(V4, text), Err(PacketError::UnknownKind(first)));
        assert_eq!(Packet::from_text(V3, text), Err(PacketError::UnknownKind(first)));
    }
}

#[test]
fn a_payload_of_revision_4() {
    let packets = [message("hello"), Packet::binary(&[1, 2, 3, 4]), message("€")];
    let body = "4hello\u{1e}bAQIDBA==\u{1e}4€";
    assert_eq!(written(Format::V4, &packets), body.as_bytes());
    assert_eq!(read(V4, body).unwrap(), packets);
    for body in ["", "\u{1e}", "4a\u{1e}", "\u{1e}4a", "4a\u{1e}\u{1e}4b"] {
        assert_eq!(read(V4, body), Err(PacketError::Empty.into()), "{body:?}");
    }
}

#[test]
fn a_payload_of_revision_3_counts_units() {
    let packets = [message("hello"), message("€"), message("🎡"), Packet::binary(&[1, 2, 3, 4])];
    let body = "6:4hello2:4€3:4🎡10:b4AQIDBA==";
    assert_eq!(written(Format::V3Text, &packets), body.as_bytes());
    assert_eq!(read(V3, body).unwrap(), packets);
    assert_eq!(read(V3, "0:2:4a").unwrap(), [message("a")], "what is empty is nothing");
    assert_eq!(read(V3, "0:").unwrap(), []);
    assert_eq!(read(V3, ""), Err(PacketError::Empty.into()));
}

#[test]
fn lengths_that_lie_are_refused() {
    use PayloadError::{Cut, Length, SplitCharacter};
    for (body, error) in [
        ("4a", Length),
        (":4a", Length),
        ("2:4a1", Length),
        ("-1:4a", Length),
        ("+2:4a", Length),
        ("2.0:4a", Length),
        ("0x2:4a", Length),
        ("99999999999999999999999:4a", Length),
        ("00000000002:4a", Length),
        ("3:4a", Cut),
        ("9999999999:4a", Cut),
        ("3:4€", Cut),
        ("2:4🎡", SplitCharacter),
    ] {
        assert_eq!(read(V3, body), Err(error), "{body}");
    }
}

#[test]
fn a_binary_payload() {
    let body = b"\x00\x04\xff4\xe2\x82\xac\x01\x05\xff\x04\x01\x02\x03\x04";
    let packets = [message("€"), Packet::binary(&[1, 2, 3, 4])];
    assert_eq!(written(Format::V3Binary, &packets), body);
    assert_eq!(read_binary(body).unwrap(), packets);
    let long = [b'x'; 119];
    let long = message(std::str::from_utf8(&long).unwrap());
    let body = written(Format::V3Binary, std::slice::from_ref(&long));
    assert_eq!(body[..5], [0, 1, 2, 0, 0xff]);
    assert_eq!(read_binary(&body).unwrap(), [long]);
}

#[test]
fn a_binary_payload_that_lies_is_refused() {
    use PayloadError::{Cut, Length, Marker, NotUtf8, Packet};
    for (body, error) in [
        (&b"\x02\x01\xff4"[..], Marker(2)),
        (b"4hello", Marker(b'4')),
        (b"\x00", Length),
        (b"\x00\xff4", Length),
        (b"\x00\x01", Length),
        (b"\x00\x0a\xff4", Length),
        (b"\x000\xff4", Length),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff4", Length),
        (b"\x00\x02\xff4", Cut),
        (b"\x01\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4", Cut),
        (b"\x00\x02\xff4\xff", NotUtf8),
        (b"\x00\x00\xff", Packet(PacketError::Empty)),
        (b"\x01\x00\xff", Packet(PacketError::Empty)),
        (b"\x01\x01\xff4", Packet(PacketError::UnknownKind('4'))),
    ] {
        assert_eq!(read_binary(body), Err(error), "{body:?}");
    }
}

#[test]
fn packets_in_a_body_are_counted() {
    let many = ["4"; 101].join("\u{1e}");
    assert_eq!(read(V4, &many), Err(PayloadError::TooMany(100)));
    assert_eq!(Packets::of_text(V4, &many, 101).count(), 101);
    assert_eq!(read(V3, &"1:4".repeat(101)), Err(PayloadError::TooMany(100)));
    assert_eq!(read(V3, &"0:".repeat(101)), Err(PayloadError::TooMany(100)));
    assert_eq!(read_binary(&b"\x00\x01\xff4".repeat(101)), Err(PayloadError::TooMany(100)));
}

#[test]
fn nothing_comes_after_an_error() {
    let mut packets = Packets::of_text(V4, "4a\u{1e}x\u{1e}4b", 100);
    assert_eq!(packets.next(), Some(Ok(message("a"))));
    assert!(packets.next().unwrap().is_err());
    assert_eq!(packets.next(), None);
}

#[test]
fn bytes_only_for_those_who_take_them() {
    let text = [message("a")];
    let both = [message("a"), Packet::binary(&[1])];
    assert_eq!(Format::choose(V4, true, &both), Format::V4);
    assert_eq!(Format::choose(V3, true, &both), Format::V3Binary);
    assert_eq!(Format::choose(V3, true, &text), Format::V3Text);
    assert_eq!(Format::choose(V3, false, &both), Format::V3Text);
}

#[test]
fn a_script_calls_one_function_with_one_string() {
    let call = Callback::new("12").unwrap().call("4a\"\\\n\u{2028}\u{2029}\0</script><!--€");
    let expected = r#"___eio[12]("4a\"\\\n\u2028\u2029\u0000\u003c/script>\u003c!--€");"#;
    assert_eq!(call, expected);
    for j in ["", "a", "0]", "-1", "1 ", "١", "000000000000000000000"] {
        assert_eq!(Callback::new(j), Err(JsonpError::Callback), "{j}");
    }
}

#[test]
fn a_form_has_the_payload_with_its_lines() {
    // As `4a`, a line's end, `b`, a backslash, `n`, two backslashes and `n` are posted.
    assert_eq!(read_form(b"d=4a%5Cnb%5C%5Cn%5C%5C%5Cn"), Ok("4a\nb\\n\\\\n".into()));
    assert_eq!(read_form(b"x=1&d=2%3A4+&d=other"), Ok("2:4 ".into()));
    assert_eq!(read_form(b"d="), Ok(String::new()));
    assert_eq!(read_form(b"4a"), Err(JsonpError::NoData));
    assert_eq!(read_form(b""), Err(JsonpError::NoData));
}

fn kind() -> impl Strategy<Value = Kind> {
    (0u8..7).prop_map(|number| Kind::from_number(number).unwrap())
}

#[derive(Debug, Clone)]
enum Owned {
    Text(Kind, String),
    Binary(Vec<u8>),
}

impl Owned {
    fn packet(&self) -> Packet<'_> {
        match self {
            Self::Text(kind, text) => Packet::text(*kind, text),
            Self::Binary(bytes) => {
                Packet { kind: Kind::Message, data: Data::Binary(Cow::Borrowed(bytes)) }
            }
        }
    }
}

fn packets() -> impl Strategy<Value = Vec<Owned>> {
    let text = (kind(), "([a-z0-9:]|[\\x00-\\x1d\\x1f\\\\\"€가🎡\u{2028}]){0,20}")
        .prop_map(|(kind, text)| Owned::Text(kind, text));
    let binary = proptest::collection::vec(any::<u8>(), 0..40).prop_map(Owned::Binary);
    proptest::collection::vec(prop_oneof![text, binary], 1..20)
}

#[test]
fn the_corpus_holds_the_laws() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/engineio");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        fuzz_engineio(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 23);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(packets in packets()) {
        let packets: Vec<_> = packets.iter().map(Owned::packet).collect();
        is_read_as(V4, Format::V4, &packets);
        is_read_as(V3, Format::V3Text, &packets);
        is_read_as(V3, Format::V3Binary, &packets);
    }

    #[test]
    fn any_bytes_hold_the_laws(
        data: Vec<u8>,
        text in "([0-9]:4|[0-9b:=&d\u{1e}]|€|🎡|%5C|n|A|/){0,30}",
        binary in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xff), 2u8..8, b'0'..b'8'], 0..40),
    ) {
        fuzz_engineio(&data);
        fuzz_engineio(text.as_bytes());
        fuzz_engineio(&binary);
    }

    #[test]
    fn a_form_brings_any_text(text in r"(\\{0,3}[ -\[\]-~€]|\n){0,20}") {
        // No line ends in a backslash, which clients do not tell from a `\n` in the text.
        // What clients of version 2 do before they post.
        let sent = text.replace("\\n", "\\\\n").replace('\n', "\\n");
        let body: String = form_urlencoded::Serializer::new(String::new()).append_pair("d", &sent).finish();
        prop_assert_eq!(read_form(body.as_bytes()), Ok(text));
    }
}
