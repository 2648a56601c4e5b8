//! Scripts that ask for what cannot be, and servers that do.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use super::ws::{BINARY, CLOSE, TEXT, Ws};
use crate::peer::{Peer, Program};

fn connect(arguments: &[&str]) -> Program {
    Program::start(&[&["connect"], arguments].concat())
}

fn url(peer: &Peer) -> String {
    peer.url().replace("http", "ws")
}

#[test]
fn what_breaks_the_protocol_is_told_when_it_is_seen() {
    let peer = Peer::new();
    // A server that does not close, and a script that would wait.
    let program = connect(&[&url(&peer), "--wait", "1h"]).input(b"hello\n");
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.text(), "hello");
    ws.send(TEXT, b"before");
    ws.send(TEXT, b"\xff");
    let (code, output, errors) = program.end();
    assert_eq!((code, &*output), (Some(7), "before\n"), "{errors}");
    assert!(errors.contains("the server broke the protocol (1007)"), "{errors}");
    assert_eq!(ws.read().0, CLOSE);
    // Also where we have begun to close.
    let program = connect(&[&url(&peer), "--wait", "0"]).input(b"");
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.read().0, CLOSE);
    // A server's frames have no mask.
    ws.bytes(&[0x81, 0x81, 0, 0, 0, 0, b'x']);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(7), "{errors}");
    drop(ws);
}

#[test]
fn what_was_sent_before_a_bad_line_is_answered() {
    let peer = Peer::new();
    let program = connect(&[&url(&peer), "--wait", "1h"]).input(b"hi\nb\xffd\nmore\n");
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.text(), "hi");
    ws.send(TEXT, b"answer");
    ws.close(1000, "");
    drop(ws);
    let (code, output, errors) = program.end();
    assert_eq!((code, &*output), (Some(1), "answer\n"), "{errors}");
    assert!(errors.starts_with("madang: line 2: it is no text: what follows byte 1"), "{errors}");
}

#[test]
fn a_bad_command_ends_a_script_politely() {
    let peer = Peer::new();
    let script = b"/emit hello 1\n/emit\n/emit late\n";
    let arguments = [&*url(&peer), "--as", "socketio", "--wait", "1h", "--count", "1"];
    let program = connect(&arguments).input(script);
    let mut ws = Ws::accept(&peer, None);
    ws.send(TEXT, b"0{\"pingInterval\":25000,\"pingTimeout\":20000}");
    assert_eq!(ws.text(), "40");
    ws.send(TEXT, b"40{\"sid\":\"s\"}");
    assert_eq!(ws.text(), "42[\"hello\",1]");
    ws.send(TEXT, b"42[\"answer\"]");
    assert_eq!(ws.text(), "41");
    ws.closed(1000);
    drop(ws);
    let (code, output, errors) = program.end();
    assert_eq!((code, &*output), (Some(1), "answer\n"), "{errors}");
    assert!(errors.contains("line 2: say which event"), "{errors}");
    // What --count waits for may never come now.
    let program = connect(&[&url(&peer), "--count", "3", "--binary"]).input(b"AP8=\nno!\n");
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.read(), (BINARY, vec![0, 255]));
    ws.closed(1000);
    drop(ws);
    let (code, _, errors) = program.end();
    assert!(code == Some(1) && errors.contains("line 2: this is no Base64"), "{errors}");
}

#[test]
fn our_own_limit_is_named() {
    let peer = Peer::new();
    let program = connect(&[&url(&peer), "--wait", "1h", "--max-message", "1KiB"]).input(b"");
    let mut ws = Ws::accept(&peer, None);
    ws.send(TEXT, &[b'x'; 1024]);
    ws.send(TEXT, &[b'x'; 1025]);
    let (opcode, payload) = ws.read();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1009_u16.to_be_bytes()[..]));
    drop(ws);
    let (code, output, errors) = program.end();
    assert_eq!((code, output.len()), (Some(5), 1025), "{errors}");
    assert!(errors.contains("larger than 1 KiB; --max-message BYTES"), "{errors}");
    assert!(errors.contains("closed with 1009"), "{errors}");
    // It is that of what is sent, too.
    for (flags, most) in [(&[][..], 1024), (&["--binary"], 1368)] {
        let lines = [&b"A".repeat(most)[..], b"\n", &b"A".repeat(most + 4), b"\n"].concat();
        let program = connect(&[&[&*url(&peer), "--max-message", "1KiB"], flags].concat());
        let program = program.input(&lines);
        let mut ws = Ws::accept(&peer, None);
        assert!(ws.read().1.len() > 1020);
        ws.closed(1000);
        drop(ws);
        let (code, _, errors) = program.end();
        assert_eq!(code, Some(1), "{errors}");
        let told = "line 2: it is larger than 1 KiB; --max-message BYTES takes it";
        assert!(errors.contains(told), "{errors}");
    }
}

#[test]
fn answers_that_stream_in_are_not_cut_off() {
    let peer = Peer::new();
    let mut program = connect(&[&url(&peer), "--wait", "200ms"]).input(b"hello\n");
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.text(), "hello");
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        ws.send(TEXT, b"answer");
        assert_eq!(program.line(), "answer\n");
    }
    ws.closed(1000);
    drop(ws);
    assert_eq!(program.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn a_close_frame_without_an_answer_is_no_failure() {
    let peer = Peer::new();
    for is_mute in [false, true] {
        let program = connect(&[&url(&peer), "--count", "1"]).input(b"hello\n");
        let mut ws = Ws::accept(&peer, None);
        assert_eq!(ws.text(), "hello");
        ws.send(TEXT, b"answer");
        assert_eq!(ws.read().0, CLOSE);
        let held = is_mute.then_some(ws);
        let (code, output, errors) = program.end();
        assert_eq!((code, &*output), (Some(0), "answer\n"), "{errors}");
        assert!(errors.contains("the server did not answer our close frame\n"), "{errors}");
        drop(held);
    }
}

#[test]
fn whoever_reads_no_more_has_enough_whatever_was_to_be_counted() {
    let peer = Peer::new();
    let mut program = connect(&[&url(&peer), "--count", "50"]);
    let mut ws = Ws::accept(&peer, None);
    ws.send(TEXT, b"one");
    assert_eq!(program.line(), "one\n");
    program.stop_reading();
    ws.send(TEXT, b"two");
    ws.closed(1000);
    drop(ws);
    assert_eq!(program.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn a_login_may_stand_in_a_file() {
    let file = crate::config::File::new("auth", "{\"token\":\"s3cr3t\"}\n");
    let peer = Peer::new();
    let auth = format!("@{}", file.path());
    let program = connect(&[&url(&peer), "--as", "socketio", "--auth", &auth]);
    let mut ws = Ws::accept(&peer, None);
    ws.send(TEXT, b"0{\"pingInterval\":25000,\"pingTimeout\":20000}");
    assert_eq!(ws.text(), "40{\"token\":\"s3cr3t\"}");
    ws.send(TEXT, b"44{\"message\":\"not you\",\"data\":{\"code\": 7}}");
    ws.closed(1000);
    drop(ws);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(8));
    assert!(errors.contains("refuses us: not you; its data: {\"code\": 7}"), "{errors}");
    // What is no path of Engine.IO may be a namespace.
    let admin = format!("{}/admin", url(&peer));
    for (answer, exit) in [("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 3), ("", 2)] {
        let program = connect(&[&admin, "--as", "socketio"]);
        let mut stream = peer.connection();
        super::ws::head(&mut stream);
        stream.write_all(answer.as_bytes()).unwrap();
        drop(stream);
        let (code, _, errors) = program.end();
        assert!(code == Some(exit) && errors.contains("--namespace /admin\n"), "{errors}");
    }
}
