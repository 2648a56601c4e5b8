use std::time::{Duration, Instant};

use bytes::Bytes;
use madang::websocket::Message;

use super::{
    SocketIo,
    packet::{Kind, Packet, PacketError, arguments, event_name},
};
use crate::connect::{
    door::{Act, Door as _},
    show::{Body, Frame, Shown},
};

const OPEN: &str =
    r#"0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

fn told(door: &mut SocketIo, message: impl Into<Message>) -> Vec<Act> {
    let mut out = Vec::new();
    door.received(message.into(), Instant::now(), &mut out);
    out
}

fn asked(door: &mut SocketIo, name: &str, rest: &str) -> Result<Vec<Act>, String> {
    let mut out = Vec::new();
    door.command(name, rest, Instant::now(), &mut out).map(|()| out)
}

fn frame(acts: &[Act]) -> &Frame {
    match acts {
        [Act::Show(Shown::Frame(frame))] => frame,
        other => panic!("{other:?}"),
    }
}

fn connected() -> SocketIo {
    let mut door = SocketIo::new("/yard", Some("{\"token\":1}".into()));
    door.opened(Instant::now(), &mut Vec::new());
    assert_eq!(told(&mut door, OPEN), [Act::Send("40/yard,{\"token\":1}".into())]);
    assert!(!door.is_ready() && asked(&mut door, "/emit", "a").is_err());
    let note = told(&mut door, "40/yard,{\"sid\":\"s\"}");
    assert_eq!(note, [Act::Note("Socket.IO, namespace /yard, as s".into())]);
    assert!(door.is_ready());
    door
}

#[test]
fn what_is_typed_is_sent() {
    let mut door = connected();
    for (name, rest, is) in [
        ("/emit", "chat \"hi\" {\"a\": 1.50} [2]", r#"42/yard,["chat","hi",{"a": 1.50},[2]]"#),
        ("/emit", "chat soup is ready", r#"42/yard,["chat","soup is ready"]"#),
        ("/emit", "\"two words\" 1 2", r#"42/yard,["two words",1,2]"#),
        ("/emit", "alone", r#"42/yard,["alone"]"#),
        ("/call", "ask 1", r#"42/yard,0["ask",1]"#),
        ("/join", "kitchen", r#"42/yard,1["join","kitchen"]"#),
        ("/publish", "kitchen soup true", r#"42/yard,2["publish","kitchen","soup",true]"#),
        ("/leave", "kitchen", r#"42/yard,3["leave","kitchen"]"#),
        ("/ack", "7 \"done\"", r#"43/yard,7["done"]"#),
    ] {
        if name == "/ack" {
            told(&mut door, "42/yard,7[\"sold\"]");
        }
        assert_eq!(asked(&mut door, name, rest), Ok(vec![Act::Send(is.into())]), "{name} {rest}");
    }
    for (name, rest) in [
        ("/emit", ""),
        ("/emit", "a {\"b"),
        ("/join", " "),
        ("/ack", "x"),
        ("/publish", "room"),
        // It has been answered; nobody asked; Socket.IO keeps the name.
        ("/ack", "7"),
        ("/ack", "99 1"),
        ("/emit", "disconnect"),
        ("/call", "newListener 1"),
    ] {
        assert!(asked(&mut door, name, rest).is_err(), "{name} {rest}");
    }
    let mut out = Vec::new();
    door.line("a \"line\"", Instant::now(), &mut out).unwrap();
    assert_eq!(out, [Act::Send(r#"42/yard,["message","a \"line\""]"#.into())]);
}

#[test]
fn what_comes_is_shown() {
    let mut door = connected();
    asked(&mut door, "/call", "ask").unwrap();
    let acts = told(&mut door, "43/yard,0[\"yes\",{\"n\":1.50}]");
    let shown = frame(&acts);
    assert_eq!((&*shown.title, shown.counts), ("ack of ask", false));
    assert_eq!(shown.body, [Body::Json("\"yes\"".into()), Body::Json("{\"n\":1.50}".into())]);
    let acts = told(&mut door, "42/yard,5[\"sold\",1]");
    assert_eq!(frame(&acts).title, "sold (wants an ack: /ack 5 JSON…)");
    assert!(frame(&acts).counts);
    let binary = "452-/yard,[\"pic\",{\"_placeholder\":true,\"num\":1},{\"a\":[{\"_placeholder\":true,\"num\":0}]},{\"_placeholder\":true,\"num\":9}]";
    assert_eq!(told(&mut door, binary), []);
    assert_eq!(told(&mut door, &b"\0\x01"[..]), []);
    let acts = told(&mut door, &b"two"[..]);
    let bytes = Body::Binary(Bytes::from_static(b"two"));
    let nested = Body::Json(r#"{"a":[{"base64":"AAE="}]}"#.into());
    assert_eq!(frame(&acts).body[..2], [bytes, nested]);
    assert_eq!(told(&mut door, "2probe")[0], Act::Send("3probe".into()));
    assert_eq!(told(&mut door, "6"), []);
    assert!(matches!(told(&mut door, "42[\"elsewhere\"]")[..], [Act::Detail(_)]));
    assert!(matches!(told(&mut door, "41/yard,")[..], [Act::Ended(_)]));
    assert!(door.is_gone() && told(&mut door, "42[\"late\"]").is_empty());
}

#[test]
fn a_refusal_says_why_and_a_new_connection_joins_again() {
    let mut door = connected();
    asked(&mut door, "/join", "kitchen").unwrap();
    door.opened(Instant::now(), &mut Vec::new());
    told(&mut door, OPEN);
    let acts = told(&mut door, "40/yard,{\"sid\":\"s\"}");
    assert_eq!(acts[1], Act::Send(r#"42/yard,1["join","kitchen"]"#.into()));
    door.opened(Instant::now(), &mut Vec::new());
    told(&mut door, OPEN);
    let acts = told(&mut door, "44/yard,{\"message\":\"no token\"}");
    assert_eq!(acts, [Act::Refused("the namespace /yard refuses us: no token".into())]);
    let mut door = connected().at_most(5);
    told(&mut door, "451-/yard,[\"pic\",{\"_placeholder\":true,\"num\":0}]");
    assert!(matches!(told(&mut door, &b"123456"[..])[..], [Act::TooBig(_)]));
}

#[test]
fn silence_has_an_end() {
    let now = Instant::now();
    let mut door = SocketIo::new("/", None);
    let mut out = Vec::new();
    door.received(OPEN.into(), now, &mut out);
    assert_eq!(out, [Act::Send("40".into())]);
    assert_eq!(door.poll_timeout(), Some(now + Duration::from_secs(45)));
    door.received("2".into(), now + Duration::from_secs(40), &mut out);
    out.clear();
    door.handle_timeout(now + Duration::from_secs(84), &mut out);
    assert!(out.is_empty());
    door.handle_timeout(now + Duration::from_secs(85), &mut out);
    assert!(matches!(out[..], [Act::Silent(_)]));
    let endless = OPEN.replace("25000", &u64::MAX.to_string());
    door.opened(now, &mut out);
    door.received(endless.into(), now, &mut out);
    assert!(door.poll_timeout().is_some());
}

#[test]
fn what_is_no_packet_ends_it() {
    for text in
        ["", "9", "5", "hello", "<html>", "0{}", "47[]", "451001-[]", "45-[]", "42{}", "43[]"]
    {
        let mut door = SocketIo::new("/", None);
        if !text.starts_with("0{") {
            told(&mut door, OPEN);
        }
        let acts = told(&mut door, text);
        assert!(matches!(acts.last(), Some(Act::Broken(_))), "{text}: {acts:?}");
        assert!(door.is_gone());
    }
    let mut door = connected();
    assert!(matches!(told(&mut door, &b"x"[..])[..], [Act::Broken(_)]));
    let mut door = connected();
    told(&mut door, "451-/yard,[\"a\"]");
    assert!(matches!(told(&mut door, "42/yard,[\"b\"]")[..], [Act::Broken(_)]));
}

#[test]
fn packets_are_read() {
    let packet = Packet::read("0/admin?token=1,{\"sid\":1}").unwrap();
    assert_eq!(
        (packet.kind, &*packet.namespace, &*packet.data),
        (Kind::Connect, "/admin", "{\"sid\":1}")
    );
    let packet = Packet::read("1/admin").unwrap();
    assert_eq!((packet.kind, &*packet.namespace), (Kind::Disconnect, "/admin"));
    assert_eq!(Packet::read("299999999999999999999[]"), Err(PacketError::Id));
    assert_eq!(arguments("1 2 x"), Ok(vec!["\"1 2 x\"".into()]));
    assert_eq!(arguments(""), Ok(vec![]));
    assert_eq!(event_name("\"a b\" 1"), Ok(("a b".into(), "1")));
    assert!(event_name("\"a b").is_err());
}
