//! For scripts: lines in, messages out, exit codes.

use std::io::{BufRead as _, Write as _};

use super::ws::{BINARY, CLOSE, PING, PONG, TEXT, Ws};
use crate::{
    Serving,
    config::File,
    peer::{Peer, Program, taken},
};

fn connect(arguments: &[&str]) -> Program {
    Program::start(&[&["connect"], arguments].concat())
}

fn url(peer: &Peer) -> String {
    peer.url().replace("http", "ws")
}

fn kitchen(serving: &Serving) -> String {
    format!("ws://{}/ws/kitchen", serving.address())
}

#[test]
fn each_line_is_a_message_and_each_message_a_line() {
    let serving = Serving::local(&[]);
    let url = kitchen(&serving);
    // Madang says back what one publishes.
    let (code, output, errors) = connect(&[&url]).input("one\n\n둘\nhalf".as_bytes()).end();
    assert_eq!((code, &*output, &*errors), (Some(0), "one\n\n둘\nhalf\n", ""));
    // Commands are for people: in a pipe a slash is a slash.
    let (code, output, _) =
        connect(&[&url, "--json", "--count", "1"]).input(b"/help \"x\"\n").end();
    let line = "{\"kind\":\"text\",\"data\":\"/help \\\"x\\\"\"}\n";
    assert_eq!((code, &*output), (Some(0), line));
}

#[test]
fn many_lines_go_through_and_come_back_in_order() {
    let serving = Serving::local(&[]);
    let lines: Vec<_> = (0..20_000).map(|n| format!("{n} {}", "x".repeat(n % 200))).collect();
    let lines = lines.join("\n") + "\n";
    let mut program = connect(&[&kitchen(&serving), "--count", "20000"]);
    let mut writing = program.stdin();
    let text = lines.clone();
    let writer = std::thread::spawn(move || writing.write_all(text.as_bytes()).unwrap());
    let mut output = String::new();
    for _ in 0..20_000 {
        program.out().read_line(&mut output).unwrap();
    }
    writer.join().unwrap();
    assert!(output == lines);
    assert_eq!(program.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn nothing_is_too_little_to_be_a_message() {
    let peer = Peer::new();
    let program = connect(&[&url(&peer)]).input(&b"\n".repeat(40_000));
    let mut ws = Ws::accept(&peer, None);
    for _ in 0..40_000 {
        assert_eq!(ws.read(), (TEXT, Vec::new()));
    }
    ws.closed(1000);
    drop(ws);
    assert_eq!(program.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn what_a_connection_did_not_take_goes_to_the_next() {
    let peer = Peer::new();
    let mut program = connect(&[&url(&peer), "--reconnect"]);
    let mut input = program.stdin();
    let line = |n: usize| format!("{n} {}", "x".repeat(1_000));
    let writer = std::thread::spawn(move || {
        for n in 0..20_000 {
            writeln!(input, "{}", line(n)).unwrap();
        }
    });
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.text(), line(0));
    drop(ws);
    // What was on its way is lost, and that is told; what follows has no gap.
    let mut ws = Ws::accept(&peer, None);
    let first: usize = ws.text().split(' ').next().unwrap().parse().unwrap();
    for n in first + 1..20_000 {
        assert_eq!(ws.text(), line(n));
    }
    writer.join().unwrap();
    ws.closed(1000);
    drop(ws);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(0));
    assert!(errors.contains("; what was sent last may not have arrived; trying again"), "{errors}");
}

#[test]
fn an_end_before_all_was_sent_is_no_good_end() {
    let peer = Peer::new();
    let mut program = connect(&[&url(&peer)]);
    let mut input = program.stdin();
    // More than the buffers between us hold.
    let writer = std::thread::spawn(move || {
        let line = "x".repeat(1_000) + "\n";
        while input.write_all(line.as_bytes()).is_ok() {}
    });
    let mut ws = Ws::accept(&peer, None);
    while ws.read().0 != CLOSE {
        if ws.count == 100 {
            ws.send(CLOSE, &1000_u16.to_be_bytes());
        }
    }
    drop(ws);
    let (code, _, errors) = program.end();
    writer.join().unwrap();
    // Whether something waited at that moment is a matter of luck; nearly always it does.
    let is_told = errors.contains("messages that were not sent: ");
    assert_eq!(code, Some(if is_told { 5 } else { 0 }), "{errors}");
}

#[test]
fn what_the_flags_say_is_asked_of_the_server() {
    let peer = Peer::new();
    let arguments = ["--origin", "https://app.example", "--token", "s3cr3t-t0ken"];
    let more = ["--subprotocol", "a", "--subprotocol", "b", "--header", "X-Yard: 마당 1"];
    let program = connect(&[&[&*url(&peer)], &arguments[..], &more[..4]].concat()).input(b"");
    let mut ws = Ws::accept(&peer, Some("b"));
    assert_eq!(ws.header("origin"), Some("https://app.example"));
    assert_eq!(ws.header("authorization"), Some("Bearer s3cr3t-t0ken"));
    assert_eq!(ws.header("sec-websocket-protocol"), Some("a, b"));
    assert!(ws.header("user-agent").unwrap().starts_with("madang/"));
    ws.closed(1000);
    drop(ws);
    assert_eq!(program.end().0, Some(0));
    let file = File::new("token", "from-a-file\n");
    let program = connect(&[&url(&peer), "--token", &format!("@{}", file.path())]).input(b"");
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.header("authorization"), Some("Bearer from-a-file"));
    ws.closed(1000);
    drop(ws);
    assert_eq!(program.end().0, Some(0));
    // A browser would stop here; we say so.
    let program = connect(&[&url(&peer), "--subprotocol", "a", "--no-deflate"]).input(b"");
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.header("sec-websocket-extensions"), None);
    ws.closed(1000);
    drop(ws);
    let (code, _, errors) = program.end();
    assert!(code == Some(0) && errors.contains("took none of the subprotocols"), "{errors}");
    // What cannot be sent is told before anybody is asked.
    let program = connect(&[&url(&peer), more[4], more[5]]);
    let (code, _, errors) = program.end();
    assert!(code == Some(1) && errors.contains("only ASCII"), "{errors}");
}

#[test]
fn messages_of_all_kinds_are_lines() {
    let peer = Peer::new();
    let folder = std::env::temp_dir().join(format!("madang-binary-{}", std::process::id()));
    let to_folder = ["--binary-to", folder.to_str().unwrap()];
    for (flags, lines) in [
        (&[][..], "two\\nlines\\r\nAP8=\n"),
        (
            &["--json"],
            "{\"kind\":\"text\",\"data\":\"two\\nlines\\r\"}\n\
             {\"kind\":\"binary\",\"data\":\"AP8=\",\"encoding\":\"base64\"}\n",
        ),
        (&to_folder, "two\\nlines\\r\n@/000001.bin\n"),
    ] {
        let program = connect(&[&[&*url(&peer), "--count", "2"], flags].concat());
        let mut ws = Ws::accept(&peer, None);
        ws.send(TEXT, b"two\nlines\r");
        ws.send(BINARY, &[0, 255]);
        ws.closed(1000);
        drop(ws);
        let lines = lines.replace('@', to_folder[1]);
        assert_eq!(program.end(), (Some(0), lines, String::new()), "{flags:?}");
    }
    assert_eq!(std::fs::read(folder.join("000001.bin")).unwrap(), [0, 255]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn pings_are_answered_and_told_to_who_asks() {
    let peer = Peer::new();
    let mut program = connect(&[&url(&peer), "--verbose"]);
    let mut ws = Ws::accept(&peer, None);
    ws.send(PING, b"are you there");
    assert_eq!(ws.read(), (PONG, b"are you there".to_vec()));
    ws.send(PONG, b"\xff");
    ws.send(TEXT, b"x");
    assert_eq!(program.line(), "x\n");
    drop(program.stdin());
    ws.closed(1000);
    drop(ws);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(0));
    for told in
        ["ping \"are you there\", answered", "pong ff, which nobody asked for", "HTTP/1.1 101"]
    {
        assert!(errors.contains(told), "{errors}");
    }
}

#[test]
fn how_it_ends_is_told_by_the_exit_code_and_in_words() {
    type End = fn(&mut Ws);
    let cases: [(End, i32, &str); 7] = [
        (|ws| ws.close(1000, ""), 0, "the server closed: 1000, done"),
        (
            |ws| ws.close(1001, "bye"),
            0,
            "going away: the server stops, or the page was left; its reason: bye",
        ),
        (|ws| ws.close(1008, "M503 slow consumer"), 4, "`madang explain M503` says more"),
        (
            |ws| ws.close(4403, "\u{1b}[2J"),
            4,
            "4403, graphql-ws: forbidden; its reason: \\u001b[2J",
        ),
        (|ws| ws.close(1012, ""), 4, "1012, the server restarts"),
        (|_| {}, 5, "cut without a close frame"),
        // A server's frames have no mask (RFC 6455 §5.1).
        (
            |ws| {
                ws.bytes(&[0x81, 0x81, 0, 0, 0, 0, b'x']);
                assert_eq!(ws.read().0, CLOSE);
            },
            7,
            "the server broke the protocol (1002)",
        ),
    ];
    for (end, exit, told) in cases {
        let peer = Peer::new();
        let program = connect(&[&url(&peer), "--wait", "1h"]).input(b"hello\n");
        let mut ws = Ws::accept(&peer, None);
        assert_eq!(ws.text(), "hello");
        end(&mut ws);
        drop(ws);
        let (code, output, errors) = program.end();
        assert_eq!((code, &*output), (Some(exit), ""), "{told}: {errors}");
        assert!(errors.contains(told), "{told:?} is not in {errors}");
    }
}

#[test]
fn time_has_bounds() {
    let peer = Peer::new();
    for (flags, exit, told) in [
        (&["--timeout", "200ms", "--wait", "1h"][..], 6, "--timeout"),
        (&["--wait", "100ms", "--count", "3"], 6, "still waits for: 2"),
        (&["--wait", "100ms"], 0, ""),
    ] {
        let program = connect(&[&[&*url(&peer)], flags].concat()).input(b"");
        let mut ws = Ws::accept(&peer, None);
        ws.send(TEXT, b"one");
        ws.closed(1000);
        drop(ws);
        let (code, output, errors) = program.end();
        assert_eq!((code, &*output), (Some(exit), "one\n"), "{flags:?}: {errors}");
        assert!(errors.contains(told) && errors.is_empty() == told.is_empty(), "{errors}");
    }
    // Nobody answers the close frame.
    let program = connect(&[&url(&peer), "--timeout", "100ms"]);
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.read().0, CLOSE);
    assert_eq!(program.end().0, Some(6));
    drop(ws);
    // Nobody answers the handshake.
    let program = connect(&[&url(&peer), "--connect-timeout", "100ms"]);
    let _silent = peer.connection();
    let (code, _, errors) = program.end();
    assert!(code == Some(2) && errors.contains("no answer to the handshake in time"), "{errors}");
}

#[test]
fn what_makes_no_sense_is_told_before_anything_is_asked() {
    let (_held, url) = taken();
    for (arguments, told) in [
        (&[][..], "<URL>"),
        (&["ftp://x"], "is not the URL of a WebSocket"),
        (&["ws://ana:secret-pw@x:y/"], "\"ws://[hidden]@x:y/\" is not the URL"),
        (&["ws://x", "--nonsense"], "--nonsense"),
        (&["ws://x", "--wait", "soon"], "write a time such as 500ms"),
        (&["ws://x", "--as", "carrier-pigeon"], "stomp, socketio"),
        (&["ws://x", "--auth", "{}"], "--as"),
        (&["ws://x", "--as", "stomp", "--auth", "[]"], "no JSON object"),
        (&["ws://x", "--as", "stomp", "--namespace", "/a"], "--as socketio"),
        (&["ws://x", "--token", "@/no/such/file"], "--token @/no/such/file"),
        (&["ws://x", "--token", "abc", "--header", "Authorization: x"], "twice"),
        (&["ws://x", "--token", ""], "--token: it is empty"),
        (&["ws://x", "--token", "@/dev/null"], "--token @/dev/null: the file is empty"),
        (&["wss://x", "--ca", "/no/such/file"], "/no/such/file"),
        (&["ws://x", "--ca", "/no/such/file"], "--ca is of no use without TLS"),
        (&["x", "--cert", "a", "--key", "b"], "--cert is of no use without TLS"),
        (&["wss://x", "--cert", "/no/such/file"], "--cert /no/such/file"),
        (&["ws://x/#room"], "has a fragment (#)"),
        (&["ws://x", "--max-message", "lots"], "64KiB"),
        (&["ws://x", "--as", "stomp", "--auth", "@/no/such/file"], "--auth @/no/such/file"),
        (&["ws://x", "--binary-to", "/dev/null/x"], "--binary-to /dev/null/x"),
    ] {
        let (code, output, errors) = connect(arguments).end();
        assert_eq!((code, &*output), (Some(1), ""), "{arguments:?}: {errors}");
        assert!(errors.contains(told), "{told:?} is not in {errors}");
        assert!(!errors.contains("secret-pw"), "{errors}");
    }
    let (code, _, errors) = connect(&[&url.replace("http", "ws")]).end();
    assert!(code == Some(2) && errors.contains("Connection refused"), "{errors}");
    let doctor = format!("  madang doctor {}\n", url.replace("http", "ws"));
    assert!(errors.ends_with(&doctor), "{errors}");
    let (code, _, errors) = connect(&["ws://no-such-host.invalid/"]).end();
    assert!(code == Some(2) && errors.contains("cannot find the address"), "{errors}");
}

#[test]
fn a_line_that_is_no_text_ends_it_with_its_number() {
    let peer = Peer::new();
    let program = connect(&[&url(&peer)]).input(b"one\ntwo\xff\nthree\n");
    let mut ws = Ws::accept(&peer, None);
    // What stands before it still leaves.
    assert_eq!(ws.text(), "one");
    ws.closed(1000);
    drop(ws);
    let (code, _, errors) = program.end();
    assert!(
        code == Some(1) && errors.contains("line 2: it is no text: what follows byte 3"),
        "{errors}"
    );
}

#[test]
fn who_reads_no_more_has_enough() {
    let peer = Peer::new();
    let mut program = connect(&[&url(&peer)]);
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
fn after_a_cut_it_comes_back_and_loses_no_line() {
    let peer = Peer::new();
    let mut program = connect(&[&url(&peer), "--reconnect"]);
    let mut input = program.stdin();
    let mut ws = Ws::accept(&peer, None);
    input.write_all(b"before\n").unwrap();
    assert_eq!(ws.text(), "before");
    drop(ws);
    let mut ws = Ws::accept(&peer, None);
    input.write_all(b"after\n").unwrap();
    assert_eq!(ws.text(), "after");
    ws.close(1012, "");
    drop(ws);
    let mut ws = Ws::accept(&peer, None);
    // That it is not welcome does not pass.
    ws.close(1008, "");
    drop(ws);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(4), "{errors}");
    assert_eq!(errors.matches("trying again in").count(), 2, "{errors}");
}

#[test]
fn a_silent_server_is_pinged() {
    let peer = Peer::new();
    let program = connect(&[&url(&peer), "--keepalive", "50ms", "--wait", "1h"]).input(b"");
    let mut ws = Ws::accept(&peer, None);
    assert_eq!(ws.read(), (PING, Vec::new()));
    ws.send(PONG, b"");
    assert_eq!(ws.read(), (PING, Vec::new()));
    drop(ws);
    assert_eq!(program.end().0, Some(5));
}
