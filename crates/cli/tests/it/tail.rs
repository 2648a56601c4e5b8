//! `madang tail`, against a server that is played by hand.

use std::{io::Write as _, net::TcpStream, os::fd::OwnedFd, process::Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{
    Serving, madang,
    peer::{Client, Peer, Program, Request, STREAM, taken},
    run,
};

const FIRST: &str = "{\"topic\":\"t\",\"id\":\"7-1\",\"event\":\"message\",\"data\":\"one\"}\n";

/// The next connection, whose stream has begun.
fn streaming(peer: &Peer) -> (Client<TcpStream>, Request) {
    let (mut client, request) = peer.asked();
    client.send(STREAM);
    (client, request)
}

#[test]
fn a_stream_that_is_cut_goes_on_after_the_last_message() {
    let peer = Peer::new();
    let mut program = peer.program(&["tail", "a/b", "--limit", "4"]);
    let (mut client, request) = streaming(&peer);
    assert_eq!(request.line, "GET /topics/a%2Fb/stream?since=now");
    assert_eq!(request.header("accept"), Some("application/x-ndjson"));
    client.chunk(FIRST);
    client.chunk("\n");
    // A message in two chunks is one; half of one is none.
    client.chunk("{\"topic\":\"t\",\"id\":\"7-2\",\"event\":\"mess");
    client.chunk("age\",\"data\":{\"b\" : 1.50}}\n{\"topic\":\"t\",\"id\":\"7-3\",\"da");
    assert_eq!(program.line(), "one\n");
    assert_eq!(program.line(), "{\"b\":1.50}\n");
    drop(client);
    let (mut client, request) = streaming(&peer);
    assert_eq!(request.line, "GET /topics/a%2Fb/stream?since=7-2");
    client.chunk("{\"topic\":\"t\",\"id\":\"7-3\",\"event\":\"moved\",\"data\":\"\"}\n");
    // The end of a stream is a cut like any other, and its last line needs no end.
    client.chunk("{\"topic\":\"t\",\"id\":\"7 4\",\"data\":\"AAE=\",\"encoding\":\"base64\"}");
    client.send("0\r\n\r\n");
    assert_eq!(program.line(), "[t moved] \n");
    assert_eq!(program.line(), "<2 bytes>\n");
    let (code, rest, errors) = program.end();
    assert_eq!((code, rest.as_str()), (Some(0), ""));
    assert!(errors.contains("trying again in") && !errors.contains("not seen"), "{errors}");
}

#[test]
fn a_cut_before_any_message_says_what_may_be_lost() {
    let peer = Peer::new();
    let program = peer.program(&["tail", "t", "--limit", "1"]);
    drop(streaming(&peer));
    let (mut client, request) = streaming(&peer);
    assert_eq!(request.line, "GET /topics/t/stream?since=now");
    client.chunk(FIRST);
    let (code, output, errors) = program.end();
    assert_eq!((code, output.as_str()), (Some(0), "one\n"));
    assert!(errors.contains("what is published until then is not seen"), "{errors}");
}

#[test]
fn a_gap_is_a_warning_and_no_message() {
    let peer = Peer::new();
    let program = peer.program(&["tail", "t", "--limit", "1", "--since", "5-1"]);
    let (mut client, request) = streaming(&peer);
    assert_eq!(request.line, "GET /topics/t/stream?since=5-1");
    client.chunk("{\"topic\":\"t\",\"id\":\"7-0\",\"event\":\"gap\",\"gap\":true}\n");
    client.send("0\r\n\r\n");
    let (mut client, request) = streaming(&peer);
    assert_eq!(request.line, "GET /topics/t/stream?since=7-0");
    client.chunk(FIRST);
    let (code, output, errors) = program.end();
    assert_eq!((code, output.as_str()), (Some(0), "one\n"));
    assert!(errors.contains("messages of `t` are missing here"), "{errors}");
}

#[test]
fn several_topics_are_told_apart_and_go_on_from_next() {
    let peer = Peer::new();
    let program = peer.program(&["tail", "a", "b&c", "a", "--since", "earliest", "--limit", "2"]);
    let (mut client, request) = streaming(&peer);
    assert_eq!(request.line, "GET /stream?topic=a&topic=b%26c&since=earliest");
    client.chunk("{\"topic\":\"a\",\"id\":\"7-1\",\"next\":\"x+/=\",\"data\":\"one\"}\n");
    drop(client);
    let (mut client, request) = streaming(&peer);
    assert_eq!(request.line, "GET /stream?topic=a&topic=b%26c&since=x%2B%2F%3D");
    client.chunk("{\"topic\":\"b&c\",\"id\":\"9-1\",\"event\":\"message\",\"data\":[]}\n");
    let (code, output, _) = program.end();
    assert_eq!((code, output.as_str()), (Some(0), "[a message] one\n[b&c message] []\n"));
}

#[test]
fn json_is_printed_as_it_came() {
    let peer = Peer::new();
    let program = peer.program(&["tail", "t", "--json", "--limit", "1"]);
    let (mut client, _) = streaming(&peer);
    let gap = "{\"topic\":\"t\",\"id\":\"7-0\",\"event\":\"gap\",\"gap\":true}\n";
    let line = "{ \"data\":{\"b\":1e2, \"a\":\"\u{7f}\"},\"id\":\"7-1\", \"user\":\"ana\" }\n";
    client.chunk(&format!("\n{gap}\n{line}{FIRST}"));
    let (code, output, _) = program.end();
    assert_eq!((code, output), (Some(0), format!("{gap}{line}")));
}

#[test]
fn a_refusal_ends_it_and_a_server_in_trouble_is_asked_again() {
    let peer = Peer::new();
    let program = peer.program(&["tail", "t"]);
    let (mut client, _) = peer.asked();
    client.answer("403 Forbidden\r\nMadang-Code: M401", "M401: the page may not.\n");
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(1));
    assert!(errors.contains("403 Forbidden: M401: the page may not."), "{errors}");

    let program = peer.program(&["tail", "t", "--limit", "1"]);
    let (mut client, _) = peer.asked();
    client.answer("503 Service Unavailable\r\nRetry-After: 0\r\nMadang-Code: M504", "M504: going.");
    drop(client);
    let (mut client, _) = peer.asked();
    client.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    client.send(STREAM);
    client.chunk(FIRST);
    let (code, output, errors) = program.end();
    assert_eq!((code, output.as_str()), (Some(0), "one\n"), "{errors}");
    assert!(errors.contains("M504: going."), "{errors}");
}

#[test]
fn a_refusal_in_the_stream_is_told_and_asked_again() {
    let peer = Peer::new();
    let program = peer.program(&["tail", "t", "--limit", "1", "--json"]);
    let (mut client, _) = streaming(&peer);
    client.chunk("\n{\"event\":\"refused\",\"reason\":\"too many topics\"}\n");
    let (mut client, _) = streaming(&peer);
    client.chunk(FIRST);
    let (code, output, errors) = program.end();
    assert_eq!((code, output.as_str()), (Some(0), FIRST));
    assert!(errors.contains("ended the stream: too many topics; trying again"), "{errors}");
}

#[test]
fn what_is_published_is_tailed() {
    let serving = Serving::local(&[]);
    let url = format!("http://{}", serving.address());
    let with = |arguments: &[&str]| Program::start(&[arguments, &["--url", &url]].concat());
    let (code, ids, errors) =
        with(&["publish", "부엌/a", "--lines", "--event", "x y"]).input(b"one\n\n").end();
    assert_eq!((code, ids.lines().count()), (Some(0), 2), "{errors}");
    let first = ids.lines().next().unwrap();
    let id = with(&["publish", "부엌/a", "{\"n\": 1.50}", "--json"]).end().1;
    let (code, output, errors) =
        with(&["tail", "부엌/a", "--since", "earliest", "--limit", "3"]).end();
    let shown = "[부엌/a x y] one\n[부엌/a x y] \n{\"n\":1.50}\n";
    assert_eq!((code, output.as_str()), (Some(0), shown), "{errors}");
    let (_, output, errors) =
        with(&["tail", "부엌/a", "--since", first, "--limit", "2", "--json"]).end();
    assert_eq!(errors, "");
    assert!(output.lines().last().unwrap().contains(id.trim()), "{output}");
    let (code, _, errors) = with(&["publish", "b", "x", "--event", "a\nb"]).end();
    assert_eq!(code, Some(1));
    assert!(errors.contains("400 Bad Request: M304: "), "{errors}");
}

#[test]
fn what_is_no_stream_is_not_followed() {
    for (answer, told) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx".to_owned(),
            "`text/html` instead",
        ),
        (format!("{STREAM}5\r\n<\u{1b}a>\n\r\n"), "no message: <\\u001ba>"),
        (format!("{STREAM}3\r\n[]\n\r\n"), "no message: []"),
    ] {
        let peer = Peer::new();
        let program = peer.program(&["tail", "t"]);
        let (mut client, _) = peer.asked();
        client.send(&answer);
        let (code, output, errors) = program.end();
        assert_eq!((code, output.as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains(told) && errors.contains("--url"), "{errors}");
    }
}

#[test]
fn a_line_without_an_end_ends_it() {
    let peer = Peer::new();
    let program = peer.program(&["tail", "t"]);
    let (mut client, _) = streaming(&peer);
    let part = "x".repeat(1 << 20);
    for _ in 0..17 {
        // It may hang up before the last of them.
        let sent = format!("{:x}\r\n{part}\r\n", part.len());
        if client.stream().write_all(sent.as_bytes()).is_err() {
            break;
        }
    }
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(1));
    assert!(errors.contains("a line of more than 16 MiB"), "{errors}");
}

#[test]
fn a_silent_stream_is_dead() {
    let peer = Peer::new();
    let program = peer.program(&["tail", "t", "--limit", "2", "--idle-timeout", "1"]);
    let (mut silent, _) = streaming(&peer);
    silent.chunk(FIRST);
    let (mut client, request) = streaming(&peer);
    assert_eq!(request.line, "GET /topics/t/stream?since=7-1");
    client.chunk(FIRST);
    let (code, output, errors) = program.end();
    assert_eq!((code, output.as_str()), (Some(0), "one\none\n"));
    assert!(errors.contains("nothing came for 1 s"), "{errors}");
}

#[test]
fn without_reconnecting_an_end_is_an_end_and_a_cut_a_failure() {
    for (end, is) in [("0\r\n\r\n", 0), ("5\r\n{", 1)] {
        let peer = Peer::new();
        let program = peer.program(&["tail", "t", "--no-reconnect"]);
        let (mut client, _) = streaming(&peer);
        client.chunk(FIRST);
        client.send(end);
        drop(client);
        let (code, output, errors) = program.end();
        assert_eq!((code, output.as_str()), (Some(is), "one\n"), "{errors}");
        assert_eq!(errors.contains("the connection was lost"), is == 1, "{errors}");
    }
}

#[test]
fn a_server_that_was_never_there_is_told_at_once() {
    let (_held, url) = taken();
    for (arguments, code, hint) in [
        (&["t", "--url", &url][..], 1, "cannot be reached"),
        (&["t", "--limit", "0"], 2, "--limit"),
        (&["t", "--since", ""], 2, "--since"),
        (&[], 2, "<TOPIC>"),
        (&["madang.x"], 2, "server's own"),
    ] {
        let output = run(&[&["tail"], arguments].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(hint), "{arguments:?}: {errors}");
    }
}

#[test]
fn who_reads_no_more_has_enough() {
    let peer = Peer::new();
    let mut program = peer.program(&["tail", "t"]);
    let (mut client, _) = streaming(&peer);
    client.chunk(FIRST);
    assert_eq!(program.line(), "one\n");
    program.stop_reading();
    client.chunk(FIRST);
    assert_eq!(program.end(), (Some(0), String::new(), String::new()));
}

/// A program that has printed its first line.
fn following(peer: &Peer) -> (Program, Client<TcpStream>) {
    let mut program = peer.program(&["tail", "t"]);
    let (mut client, _) = streaming(peer);
    client.chunk(FIRST);
    assert_eq!(program.line(), "one\n");
    (program, client)
}

#[test]
fn ctrl_c_is_a_good_end() {
    let peer = Peer::new();
    let (program, _client) = following(&peer);
    program.interrupt();
    assert_eq!(program.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn ctrl_c_ends_it_while_nobody_reads() {
    const PIPE: u64 = 65_536;
    let peer = Peer::new();
    let (mut program, mut client) = following(&peer);
    let long = format!("{{\"id\":\"7-2\",\"data\":\"{}\"}}\n", "x".repeat(3 * 65_536));
    client.chunk(&long);
    // A full pipe, and there is more to be written.
    while rustix::io::ioctl_fionread(program.out().get_ref()).unwrap() < PIPE {
        std::thread::yield_now();
    }
    program.interrupt();
    let (code, _, errors) = program.without_reading();
    assert_eq!(code, Some(0), "{errors}");
}

#[test]
fn a_peer_does_not_drive_the_terminal() {
    let peer = Peer::new();
    let mut terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    for (flag, is) in [
        ("--since=now", "a\\u001b[2J\\u000db\r\n"),
        ("--json", "{\"id\":\"7-1\",\"data\":\"a\\u001b[2J\\rb\",\"x\":\"\\u009b\"}\r\n"),
    ] {
        let inner: OwnedFd =
            std::fs::File::options().read(true).write(true).open(&name).unwrap().into();
        let url = peer.url();
        let mut child = madang(&["tail", "t", "--limit", "1", "--url", &url, flag])
            .stdout(Stdio::from(inner))
            .spawn()
            .unwrap();
        let (mut client, _) = streaming(&peer);
        client.chunk("{\"id\":\"7-1\",\"data\":\"a\\u001b[2J\\rb\",\"x\":\"\u{9b}\"}\n");
        assert!(child.wait().unwrap().success());
        let mut shown = vec![0; is.len()];
        let mut at = 0;
        while at < shown.len() {
            at += rustix::io::read(&mut terminal, &mut shown[at..]).unwrap();
        }
        assert_eq!(String::from_utf8(shown).unwrap(), is);
    }
}
