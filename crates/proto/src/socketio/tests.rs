//! Packets as clients write them, those of the official test suites and those that attack.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use proptest::prelude::*;

use super::{
    Ack, Args, AssembleError, Assembler, Connect, Event, JsonError, Limits, MAX_DEPTH, Packet,
    PacketError, Placeholder, PlaceholderError, Version, as_placeholder, fuzzing::fuzz_socketio,
    inline_binary, placeholders, query_as_json,
};
use Version::{V4, V5};

fn read(text: &str) -> Result<Packet<'_>, PacketError> {
    Packet::decode(V5, text, &Limits::default())
}

fn event(text: &str) -> Event<'_> {
    match read(text) {
        Ok(Packet::Event(event)) => event,
        other => panic!("{text}: {other:?}"),
    }
}

fn args(array: &str) -> Args<'_> {
    Args::from_array(array).unwrap()
}

fn written(packet: &Packet) -> String {
    let mut out = String::from("4");
    packet.encode(&mut out);
    out.split_off(1)
}

fn connect<'a>(namespace: &'a str, payload: Option<&'a str>) -> Packet<'a> {
    Packet::Connect(Connect { namespace, query: None, payload })
}

#[test]
fn connecting() {
    assert_eq!(read("0"), Ok(connect("/", None)));
    assert_eq!(read(r#"0{"token":"abc"}"#), Ok(connect("/", Some(r#"{"token":"abc"}"#))));
    assert_eq!(read("0/custom"), Ok(connect("/custom", None)));
    assert_eq!(read("0/custom,"), Ok(connect("/custom", None)));
    assert_eq!(read(r#"0/custom,{"a":1}"#), Ok(connect("/custom", Some(r#"{"a":1}"#))));
    assert_eq!(read("0/custom?a=1,"), Ok(connect("/custom?a=1", None)), "no query in version 5");
    for payload in ["0null", "0[]", "0\"a\"", "01", "0true"] {
        assert!(
            matches!(read(payload), Err(PacketError::Payload(_) | PacketError::UnexpectedId)),
            "{payload}"
        );
    }
    assert_eq!(read("0{"), Err(PacketError::Json(JsonError::Syntax(1))));
    assert_eq!(written(&connect("/", Some(r#"{"sid":"x"}"#))), r#"0{"sid":"x"}"#);
    assert_eq!(written(&connect("/custom", Some(r#"{"sid":"x"}"#))), r#"0/custom,{"sid":"x"}"#);
    assert_eq!(written(&connect("/", None)), "0");
    assert_eq!(written(&connect("/custom", None)), "0/custom,");
}

#[test]
fn connecting_in_version_4_has_a_query() {
    let text = "0/custom?token=a%2Cb&x=1,";
    let limits = Limits::default();
    let Ok(Packet::Connect(connect)) = Packet::decode(V4, text, &limits) else { panic!() };
    assert_eq!((connect.namespace, connect.query), ("/custom", Some("token=a%2Cb&x=1")));
    assert_eq!(written(&Packet::Connect(connect)), text);
    assert_eq!(query_as_json("token=a%2Cb&x=1&x=%222"), r#"{"token":"a,b","x":"\"2"}"#);
    assert_eq!(query_as_json(""), "{}");
    let long = format!("0/custom?{},", "x".repeat(limits.query + 1));
    assert_eq!(Packet::decode(V4, &long, &limits), Err(PacketError::LongQuery(limits.query)));
}

#[test]
fn refusing() {
    let payload = r#"{"message":"Invalid namespace"}"#;
    let packet = Packet::ConnectError { namespace: "/random", payload };
    assert_eq!(written(&packet), r#"44/random,{"message":"Invalid namespace"}"#[1..]);
    assert_eq!(read(r#"4/random,{"message":"Invalid namespace"}"#), Ok(packet));
    let text = Packet::ConnectError { namespace: "/", payload: "\"no\"" };
    assert_eq!(Packet::decode(V4, "4\"no\"", &Limits::default()), Ok(text));
    assert_eq!(read("4\"no\""), Err(PacketError::Payload("an object")));
    assert!(read("4").is_err());
}

#[test]
fn leaving() {
    for (text, namespace) in [("1", "/"), ("1/custom,", "/custom"), ("1/custom", "/custom")] {
        assert_eq!(read(text), Ok(Packet::Disconnect { namespace }));
    }
    assert!(matches!(read(r#"1{"a":1}"#), Err(PacketError::Payload(_))));
    assert_eq!(read("12"), Err(PacketError::UnexpectedId));
    assert_eq!(written(&Packet::Disconnect { namespace: "/custom" }), "1/custom,");
}

#[test]
fn events_keep_their_arguments_as_they_came() {
    let text = r#"2["message", 1.0 ,"2\u00e9",{"b":[ ], "a":{}},null]"#;
    let event = event(text);
    assert_eq!((event.namespace, event.id, event.name.as_ref()), ("/", None, "message"));
    assert_eq!(event.args.as_str(), r#"1.0 ,"2\u00e9",{"b":[ ], "a":{}},null"#);
    let each: Vec<_> = event.args.iter().collect();
    assert_eq!(each, ["1.0", r#""2\u00e9""#, r#"{"b":[ ], "a":{}}"#, "null"]);
    let expected = r#"2["message",1.0 ,"2\u00e9",{"b":[ ], "a":{}},null]"#;
    assert_eq!(written(&Packet::Event(event)), expected);
}

#[test]
fn events_have_ids_and_namespaces() {
    for (text, namespace, id) in [
        (r#"2["e"]"#, "/", None),
        (r#"20["e"]"#, "/", Some(0)),
        (r#"218446744073709551615["e"]"#, "/", Some(u64::MAX)),
        (r#"2/custom,5["e"]"#, "/custom", Some(5)),
        (r#"2/custom,["e"]"#, "/custom", None),
    ] {
        let event = event(text);
        assert_eq!((event.namespace, event.id), (namespace, id), "{text}");
        assert!(event.args.is_empty());
        assert_eq!(written(&Packet::Event(event)), text);
    }
    assert_eq!(read(r#"218446744073709551616["e"]"#), Err(PacketError::LargeId));
    assert_eq!(event(r#"2[",[/custom,"]"#).name, ",[/custom,");
    assert_eq!(event(r#"2[17,"x"]"#).name, "17");
    assert_eq!(event(r#"2["a\"b\u00e9"]"#).name, "a\"bé");
    assert_eq!(read(r#"2["\ud800"]"#), Err(PacketError::Name));
}

#[test]
fn acknowledgements() {
    let ack = |namespace, id, args| Packet::Ack(Ack { namespace, id, args, attachments: 0 });
    for (text, packet) in [
        ("33[]", ack("/", 3, Args::default())),
        (r#"3/custom,5["n"]"#, ack("/custom", 5, args(r#"["n"]"#))),
        (r#"3123456[1,"2",{"3":[false]}]"#, ack("/", 123_456, args(r#"[1,"2",{"3":[false]}]"#))),
        ("30[[],[]]", ack("/", 0, args("[[],[]]"))),
    ] {
        assert_eq!(written(&packet), text);
        assert_eq!(read(text), Ok(packet));
    }
    assert_eq!(read("3[]"), Err(PacketError::NoId));
    assert_eq!(read("31{}"), Err(PacketError::Payload("an array")));
    assert!(read("31").is_err());
}

#[test]
fn what_is_no_packet_is_refused() {
    assert_eq!(read(""), Err(PacketError::Empty));
    for text in ["8", "7", "abc", "-1", "é", " 2[\"a\"]"] {
        let first = text.chars().next().unwrap();
        assert_eq!(read(text), Err(PacketError::UnknownKind(first)), "{text}");
    }
    for text in [
        "2",
        r#"2/custom["a"]"#,
        "2{}",
        "2[]",
        "2[{}]",
        "2[null]",
        "2[true]",
        "2[[\"a\"]]",
        "2\"a\"",
    ] {
        assert!(matches!(read(text), Err(PacketError::Payload(_))), "{text}: {:?}", read(text));
    }
    for text in [
        r#"2["message""#,
        r#"2["message"],["b"]"#,
        r#"2["message"]x"#,
        r#"2["message",]"#,
        r#"2["message"}"#,
        r#"2["message",01]"#,
        r#"2["message","a"#,
        "2[\"a\nb\"]",
        r#"2["\x"]"#,
        r#"2["a",{"b"}]"#,
        r#"2["a",{1:2}]"#,
        r#"2["a",{"b":1,}]"#,
        r#"2["a" "b"]"#,
        r#"2["a",nul]"#,
        r#"2abc["message-with-ack",1]"#,
    ] {
        assert!(matches!(read(text), Err(PacketError::Json(_))), "{text}: {:?}", read(text));
    }
    for name in
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        assert_eq!(read(&format!(r#"2["{name}","x"]"#)), Err(PacketError::Reserved(name)));
    }
    assert_eq!(read(r#"2["c\u006fnnect"]"#), Err(PacketError::Reserved("connect")));
}

#[test]
fn counts_and_names_are_bounded() {
    for text in
        ["5[\"a\"]", "5-[\"a\"]", "5x-[\"a\"]", "51[\"a\"]", "5-1-[\"a\"]", "5+1-[\"a\"]", "5"]
    {
        assert_eq!(read(text), Err(PacketError::Attachments), "{text}");
    }
    let many = PacketError::TooManyAttachments(10);
    for text in ["511-[\"a\"]", "5999999999999-[\"a\"]", "599999999999999999999999-[\"a\"]"] {
        assert_eq!(read(text), Err(many), "{text}");
    }
    let name = format!("/{}", "n".repeat(255));
    assert_eq!(read(&format!("0{name},")), Ok(connect(&name, None)));
    assert_eq!(read(&format!("0{name}n,")), Err(PacketError::LongNamespace(256)));
    assert_eq!(read(&format!("0/{}", "n".repeat(100_000))), Err(PacketError::LongNamespace(256)));
}

#[test]
fn a_namespace_has_no_control_characters() {
    for text in ["0/a\u{1e}41,", "0/a\nb", "0/\u{7f}", "2/\0,[\"a\"]"] {
        assert_eq!(read(text), Err(PacketError::ControlInNamespace), "{text:?}");
    }
    let text = "0/a?b\u{1e}c,";
    let read = Packet::decode(V4, text, &Limits::default());
    assert_eq!(read, Err(PacketError::ControlInNamespace));
}

#[test]
fn every_byte_of_a_string_is_looked_at() {
    for byte in 0..0x80 {
        for at in 0..24 {
            let mut inner = [b'x'; 24];
            inner[at] = byte;
            let text = format!("2[\"{}\"]", std::str::from_utf8(&inner).unwrap());
            let is_json = serde_json::from_str::<Vec<String>>(&text[1..]).is_ok();
            assert_eq!(read(&text).is_ok(), is_json, "{text:?}");
        }
    }
}

#[test]
fn nesting_is_bounded_before_anything_is_built() {
    let nested =
        |levels: usize| format!("2[\"message\",{}{}]", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nested(63)).is_ok());
    assert_eq!(read(&nested(64)), Err(PacketError::Json(JsonError::TooDeep(64))));
    assert_eq!(read(&nested(1_000_000)), Err(PacketError::Json(JsonError::TooDeep(64))));
    let objects = format!("0{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
    assert_eq!(read(&objects), Err(PacketError::Json(JsonError::TooDeep(64))));
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    let deepest = nested(MAX_DEPTH - 1);
    assert!(Packet::decode(V5, &deepest, &limits).is_ok());
    let deeper = nested(MAX_DEPTH);
    let error = PacketError::Json(JsonError::TooDeep(MAX_DEPTH));
    assert_eq!(Packet::decode(V5, &deeper, &limits), Err(error));
    assert!(read(&format!("2[\"a{}\"]", "[{".repeat(1000))).is_ok(), "brackets in a string");
}

const TWO: &str =
    r#"52-/files,7["put",{"_placeholder":true,"num":0},{"thumb":{"num":1,"_placeholder":true}}]"#;

#[test]
fn attachments_come_behind_their_packet() {
    let mut assembler = Assembler::new(V5, Limits::default(), 1000);
    assert_eq!(assembler.text(TWO), Ok(None));
    assert!(assembler.is_waiting());
    assert_eq!(assembler.binary(Bytes::from_static(&[1, 2, 3])), Ok(None));
    let whole = assembler.binary(Bytes::from_static(&[])).unwrap().unwrap();
    assert!(!assembler.is_waiting());
    assert_eq!(whole.attachments(), [Bytes::from_static(&[1, 2, 3]), Bytes::new()]);
    let packet = whole.packet().unwrap();
    let Packet::Event(event) = &packet else { panic!("{packet:?}") };
    assert_eq!((event.namespace, event.id, event.attachments), ("/files", Some(7), 2));
    assert_eq!(event.name, "put");
    let each: Vec<_> = event.args.iter().map(|argument| as_placeholder(argument, 2)).collect();
    assert_eq!(each, [Some(0), None]);
    assert_eq!(written(&packet), TWO);
    let inline = inline_binary(event.args.as_str(), whole.attachments()).unwrap();
    assert_eq!(inline, r#""AQID",{"thumb":""}"#);
}

#[test]
fn binary_acknowledgements_and_packets_without_attachments() {
    let mut assembler = Assembler::new(V5, Limits::default(), 1000);
    assert_eq!(assembler.text(r#"61-789[{"_placeholder":true,"num":0}]"#), Ok(None));
    let whole = assembler.binary(Bytes::from_static(&[9])).unwrap().unwrap();
    let packet = whole.packet().unwrap();
    assert!(matches!(&packet, Packet::Ack(Ack { id: 789, attachments: 1, .. })), "{packet:?}");
    assert_eq!(written(&packet), r#"61-789[{"_placeholder":true,"num":0}]"#);
    let packet = assembler.text(r#"50-["none"]"#).unwrap().unwrap();
    assert_eq!(written(&packet), r#"2["none"]"#);
    assert!(!assembler.is_waiting());
    // In a packet that is not binary, a placeholder is what it looks like.
    let text = r#"2["a",{"_placeholder":true,"num":5}]"#;
    assert_eq!(written(&assembler.text(text).unwrap().unwrap()), text);
}

#[test]
fn what_comes_out_of_turn_is_refused() {
    let mut assembler = Assembler::new(V5, Limits::default(), 1000);
    assert_eq!(assembler.binary(Bytes::from_static(&[1])), Err(AssembleError::Unannounced));
    assembler.text(TWO).unwrap();
    assembler.binary(Bytes::from_static(&[1])).unwrap();
    assert_eq!(assembler.text("2[\"a\"]"), Err(AssembleError::TextBeforeAttachments(1)));
}

#[test]
fn a_packet_and_its_attachments_are_bounded_together() {
    let max = TWO.len() + 10;
    let mut assembler = Assembler::new(V5, Limits::default(), max);
    assembler.text(TWO).unwrap();
    assembler.binary(Bytes::from_static(&[0; 5])).unwrap();
    assert!(assembler.binary(Bytes::from_static(&[0; 5])).unwrap().is_some());
    assembler.text(TWO).unwrap();
    assembler.binary(Bytes::from_static(&[0; 5])).unwrap();
    let error = Err(AssembleError::TooLarge(max));
    assert_eq!(assembler.binary(Bytes::from_static(&[0; 6])), error);
    let long = format!("2[\"{}\"]", "a".repeat(max));
    assert_eq!(assembler.text(&long), Err(AssembleError::TooLarge(max)));
}

#[test]
fn placeholders_are_checked_before_anything_is_awaited() {
    use PlaceholderError::{Number, Repeated, Shape, Unplaced};
    for (args, error) in [
        (r#"{"_placeholder":true,"num":5}"#, Number(2)),
        (r#"{"_placeholder":true,"num":2}"#, Number(2)),
        (r#"{"_placeholder":true,"num":-1}"#, Number(2)),
        (r#"{"_placeholder":true,"num":0.5}"#, Number(2)),
        (r#"{"_placeholder":true,"num":1e0}"#, Number(2)),
        (r#"{"_placeholder":true,"num":99999999999999999999}"#, Number(2)),
        (r#"{"_placeholder":true,"num":"splice"}"#, Number(2)),
        (r#"{"_placeholder":true,"num":null}"#, Number(2)),
        (r#"{"_placeholder":true,"num":[0]}"#, Number(2)),
        (r#"{"_placeholder":true,"num":true}"#, Number(2)),
        (r#"{"_placeholder":true,"nun":0}"#, Number(2)),
        (r#"{"_placeholder":true}"#, Shape),
        (r#"{"_placeholder":true,"num":0,"x":1}"#, Shape),
        (r#"{"_placeholder":false,"_placeholder":true,"num":0}"#, Shape),
        (r#"{"\u005fplaceholder":true,"num":"0"}"#, Number(2)),
        (r#"{"_placeholder":true,"num":0},[{"num":0,"_placeholder":true}]"#, Repeated(0)),
        (r#"{"_placeholder":true,"num":1}"#, Unplaced { missing: 1 }),
        (r#""_placeholder",true,{"_placeholder":1,"num":0},{"num":1}"#, Unplaced { missing: 2 }),
        (
            r#"{"_placeholder":[true],"num":0},{"a":{"_placeholder":"true"}}"#,
            Unplaced { missing: 2 },
        ),
    ] {
        let mut assembler = Assembler::new(V5, Limits::default(), 1000);
        let text = format!("52-[\"message\",{args}]");
        assert_eq!(assembler.text(&text), Err(error.into()), "{args}");
        assert!(!assembler.is_waiting());
    }
    let mut assembler = Assembler::new(V5, Limits::default(), 1000);
    let none = assembler.text(r#"50-["m",{"_placeholder":true,"num":0}]"#);
    assert_eq!(none, Err(Number(0).into()));
}

#[test]
fn placeholders_say_where_they_stand() {
    let json =
        r#" { "num" : 1 , "_placeholder" : true } ,{"a":{"\u005fplaceholder":true,"n\u0075m":0}}"#;
    let found = placeholders(json, 2).unwrap();
    let at: Vec<_> = found
        .iter()
        .map(|Placeholder { start, end, number, .. }| (&json[*start..*end], *number))
        .collect();
    let expected = [
        (r#"{ "num" : 1 , "_placeholder" : true }"#, 1),
        (r#"{"\u005fplaceholder":true,"n\u0075m":0}"#, 0),
    ];
    assert_eq!(at, expected);
    assert_eq!(as_placeholder(r#" {"_placeholder":true,"num":0} "#, 1), Some(0));
    assert_eq!(as_placeholder(r#"[{"_placeholder":true,"num":0}]"#, 1), None);
    assert_eq!(placeholders("", 0), Ok(vec![]));
    assert!(matches!(placeholders("{", 0), Err(PlaceholderError::Json(_))));
}

#[test]
fn arguments_are_the_elements_of_an_array() {
    let each = |array| args(array).iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(each(" [ 1 , [2,3] ] "), ["1", "[2,3]"]);
    assert!(args("[ ]").is_empty() && args("[]").is_empty() && !args("[0]").is_empty());
    for text in ["", "{}", "1", "[1],[2]", "[1", "[1]]", "[,]", "[1,]"] {
        assert!(Args::from_array(text).is_err(), "{text}");
    }
}

/// JSON of all kinds, with spaces between here and there.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "null|true|false|-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?".boxed(),
        "([ -~]|€|🎡|\n|\u{2028}){0,30}"
            .prop_map(|text| serde_json::to_string(&text).unwrap())
            .boxed(),
        Just(r#"{"_placeholder":true,"num":0}"#.to_owned()).boxed(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4);
        let object = proptest::collection::vec(("[a-z]{0,3}", inner), 0..4);
        prop_oneof![
            list.prop_map(|items| format!("[ {} ]", items.join(" , "))),
            object.prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(k, v)| format!("\"{k}\" :{v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

#[test]
fn the_corpus_holds_the_laws() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/socketio");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        fuzz_socketio(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 39);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        namespace in "/|/[a-z?]{1,10}",
        id in proptest::option::of(any::<u64>()),
        name in "([ -~]|€|\n){0,10}",
        items in proptest::collection::vec(json(), 0..4),
        attachments in 0usize..11,
    ) {
        let array = format!("[{}]", items.join(","));
        let args = args(&array);
        prop_assert_eq!(args.iter().collect::<Vec<_>>(), items.iter().map(String::as_str).collect::<Vec<_>>());
        let event = Packet::Event(Event { namespace: &namespace, id, name: name.into(), args, attachments });
        let text = written(&event);
        prop_assert_eq!(read(&text), Ok(event));
        let ack = Packet::Ack(Ack { namespace: &namespace, id: id.unwrap_or(0), args, attachments });
        let text = written(&ack);
        prop_assert_eq!(read(&text), Ok(ack));
    }

    #[test]
    fn bytes_come_back_where_they_were(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..10)) {
        let parts: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
        // The last first: numbers need not be in order.
        let holders: Vec<_> = (0..parts.len()).rev().map(|n| format!("{{\"_placeholder\":true,\"num\":{n}}}")).collect();
        let text = format!("5{}-[\"e\",[{}]]", parts.len(), holders.join(","));
        let mut assembler = Assembler::new(V5, Limits::default(), 10_000);
        prop_assert_eq!(assembler.text(&text), Ok(None));
        let mut whole = None;
        for part in &parts {
            prop_assert!(whole.is_none());
            whole = assembler.binary(part.clone()).unwrap();
        }
        let whole = whole.unwrap();
        let inline = inline_binary(whole.packet().unwrap().args().as_str(), whole.attachments()).unwrap();
        let read: Vec<String> = serde_json::from_str(&inline).unwrap();
        let decoded: Vec<_> = read.iter().rev().map(|text| STANDARD.decode(text).unwrap()).collect();
        prop_assert_eq!(decoded, parts);
    }

    #[test]
    fn any_bytes_hold_the_laws(
        data: Vec<u8>,
        text in "[0-6](1-|2-|0-)?(/[a-z]{1,3},)?[0-9]?\\[(\"a\"|[0-9,]|\\{|\\}|\\[|\\]|:|\\\\u005f|\"num\"|\"_placeholder\":true|true|\\{\"_placeholder\":true,\"num\":[01]\\}){0,12}\\]",
        value in json(),
        parts in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        fuzz_socketio(&data);
        fuzz_socketio(text.as_bytes());
        fuzz_socketio(value.as_bytes());
        let mut messages = format!("51-[\"e\",{value}]").into_bytes();
        messages.extend_from_slice(&[0xff, 0]);
        messages.extend_from_slice(&parts);
        fuzz_socketio(&messages);
    }
}
