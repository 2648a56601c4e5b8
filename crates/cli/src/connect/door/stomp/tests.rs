use std::time::{Duration, Instant};

use madang::websocket::Message;

use super::{
    Stomp,
    frame::{Frame, FrameError, Parser},
};
use crate::connect::{
    door::{Act, Door as _},
    show::{Body, Shown},
};

/// What the client sent, with `^` for the NUL.
fn sent(acts: &[Act]) -> Vec<String> {
    let text = |act: &Act| match act {
        Act::Send(message) => Some(String::from_utf8_lossy(message.as_bytes()).replace('\0', "^")),
        _ => None,
    };
    acts.iter().filter_map(text).collect()
}

fn connected(now: Instant) -> Stomp {
    let mut stomp = Stomp::new("yard", vec![("login".into(), "ana".into())]);
    let mut out = Vec::new();
    stomp.opened(now, &mut out);
    let is = "CONNECT\naccept-version:1.2\nhost:yard\nheart-beat:10000,10000\nlogin:ana\n\n^";
    assert_eq!(sent(&out), [is]);
    assert!(!stomp.is_ready() && stomp.line("x", now, &mut out).is_err());
    stomp.received("CONNECTED\nversion:1.2\nheart-beat:5000,20000\n\n\0".into(), now, &mut out);
    assert!(stomp.is_ready() && matches!(out.last(), Some(Act::Note(_))));
    stomp
}

fn asked(stomp: &mut Stomp, name: &str, rest: &str) -> Vec<String> {
    let mut out = Vec::new();
    stomp.command(name, rest, Instant::now(), &mut out).unwrap();
    sent(&out)
}

#[test]
fn a_conversation() {
    let now = Instant::now();
    let mut stomp = connected(now);
    assert!(stomp.line("where?", now, &mut Vec::new()).is_err());
    let subscribe = asked(&mut stomp, "/subscribe", "/topic/a:b");
    assert_eq!(subscribe, ["SUBSCRIBE\nid:1\ndestination:/topic/a\\cb\nack:auto\n\n^"]);
    assert!(stomp.command("/subscribe", "/topic/a:b", now, &mut Vec::new()).is_err());
    let send = asked(&mut stomp, "/send", "/topic/x -H a:1 -H b:2:3 soup  is {ready}");
    let is = "SEND\ndestination:/topic/x\na:1\nb:2\\c3\ncontent-type:text/plain;charset=utf-8\n\
              content-length:16\n\nsoup  is {ready}^";
    assert_eq!(send, [is]);
    let mut out = Vec::new();
    stomp.line("{\"n\":1}", now, &mut out).unwrap();
    let is =
        "SEND\ndestination:/topic/x\ncontent-type:application/json\ncontent-length:7\n\n{\"n\":1}^";
    assert_eq!(sent(&out), [is]);
    out.clear();
    let message = "MESSAGE\nsubscription:1\ndestination:/topic/a\\cb\ncontent-length:3\n\na\0b\0\n";
    for piece in message.as_bytes().chunks(7) {
        stomp.received(Message::binary(piece.to_vec()), now, &mut out);
    }
    let [Act::Show(Shown::Frame(shown))] = &out[..] else { panic!("{out:?}") };
    assert_eq!((shown.kind, &*shown.title, shown.counts), ("message", "/topic/a:b", true));
    assert_eq!(shown.body, [Body::Text("a\0b".into())]);
    assert_eq!(asked(&mut stomp, "/unsubscribe", "/topic/a:b"), ["UNSUBSCRIBE\nid:1\n\n^"]);
    assert!(stomp.command("/unsubscribe", "/topic/a:b", now, &mut Vec::new()).is_err());
    out.clear();
    stomp.leave(now, &mut out);
    assert_eq!(sent(&out), ["DISCONNECT\nreceipt:goodbye\n\n^"]);
    assert!(!stomp.is_gone());
    stomp.received("RECEIPT\nreceipt-id:goodbye\n\n\0".into(), now, &mut out);
    assert!(stomp.is_gone());
}

#[test]
fn heart_beats_are_sent_and_awaited_as_agreed() {
    let now = Instant::now();
    let mut stomp = connected(now);
    // They want one each 20 s; they can send each 5 s, we want each 10 s, and wait twice that.
    let at = |seconds| now + Duration::from_secs(seconds);
    assert_eq!(stomp.poll_timeout(), Some(at(20)));
    let mut out = Vec::new();
    stomp.received("\n".into(), at(15), &mut out);
    stomp.handle_timeout(at(20), &mut out);
    assert_eq!(out, [Act::Send("\n".into())]);
    assert_eq!(stomp.poll_timeout(), Some(at(35)));
    stomp.handle_timeout(at(35), &mut out);
    assert!(matches!(out.last(), Some(Act::Silent(_))));
    assert_eq!(stomp.poll_timeout(), None);
}

#[test]
fn an_error_ends_it_and_a_new_connection_subscribes_again() {
    let now = Instant::now();
    let mut stomp = connected(now);
    asked(&mut stomp, "/subscribe", "/topic/a");
    let mut out = Vec::new();
    stomp.received("ERROR\nmessage:no\\c way\n\nwhy\0".into(), now, &mut out);
    assert!(matches!(&out[1], Act::Refused(why) if why.ends_with("no: way")), "{out:?}");
    out.clear();
    stomp.opened(now, &mut out);
    stomp.received("CONNECTED\nversion:1.2\n\n\0".into(), now, &mut out);
    assert!(sent(&out)[1].starts_with("SUBSCRIBE\nid:1\ndestination:/topic/a\n"), "{out:?}");
    stomp.received("CONNECTED\nversion:1.2\n\n\0".into(), now, &mut out);
    assert!(matches!(out.last(), Some(Act::Broken(_))));
}

#[test]
fn what_is_no_frame_is_told_and_nothing_grows_without_end() {
    let of = |bytes: &[u8]| {
        let mut parser = Parser::new(16 << 20);
        parser.push(bytes);
        parser.next_frame()
    };
    let many = format!("A\n{}\n\0", "a:b\n".repeat(300));
    for (bytes, error) in [
        (&b"A\nb\n\n\0"[..], FrameError::NoColon),
        (b"A\nb:\\t\n\n\0", FrameError::Escape),
        (b"A\nb:\xff\n\n\0", FrameError::Utf8),
        (b"A\ncontent-length:x\n\n\0", FrameError::Length),
        (b"A\ncontent-length:99999999999\n\n", FrameError::LongFrame),
        (b"A\ncontent-length:1\n\nab\0", FrameError::NoEnd),
        (many.as_bytes(), FrameError::ManyHeaders),
        (&vec![b'a'; 100_000], FrameError::LongHead),
    ] {
        assert_eq!(
            of(bytes),
            Err(error),
            "{}",
            String::from_utf8_lossy(&bytes[..20.min(bytes.len())])
        );
    }
    let crlf = of(b"\r\n\nA\r\na:1\r\na:2\r\n\r\nbody\0").unwrap().unwrap();
    assert_eq!(crlf.header("a"), Some("1"));
    assert_eq!((&*crlf.command, &crlf.body[..]), ("A", &b"body"[..]));
    assert_eq!(of(b"A\n\n"), Ok(None));
    let frame = Frame::new("SEND", &[("a\\b:c\nd\re", "ü")]);
    assert_eq!(of(&frame.encode()), Ok(Some(frame)));
}
