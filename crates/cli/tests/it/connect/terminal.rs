//! For people: a prompt that nothing tears.

use std::{io::Write as _, process::Stdio};

use rustix::process::Signal;

use super::{
    screen::{Folder, Screen},
    ws::{BINARY, CLOSE, PING, PONG, TEXT, Ws},
};
use crate::{Serving, peer::Peer};

const SIZE: (u16, u16) = (24, 60);

fn url(peer: &Peer) -> String {
    peer.url().replace("http", "ws")
}

/// A screen with a prompt, and the server's end.
fn talking(flags: &[&str]) -> (Peer, Screen, Ws) {
    let peer = Peer::new();
    let screen = Screen::start(&[&[&*url(&peer)], flags].concat(), SIZE);
    let ws = Ws::accept(&peer, None);
    screen.until_prompt("> ", 2);
    (peer, screen, ws)
}

#[test]
fn what_is_typed_stays_whole_below_what_comes() {
    let (_peer, mut screen, mut ws) = talking(&[]);
    // Keys and messages come at once, and in all orders.
    let typed = "마당 is a yard where people come in";
    let sender = std::thread::spawn(move || {
        for n in 0..500 {
            ws.send(TEXT, format!("message {n}").as_bytes());
        }
        ws
    });
    for key in typed.chars() {
        screen.keys(&key.to_string());
    }
    screen.keys("\x1b[D\x1b[D");
    let mut ws = sender.join().unwrap();
    ws.send(TEXT, b"last");
    screen.until_text("< last");
    screen.until_prompt(&format!("> {typed}"), 37 - 2);
    let all = screen.history();
    let came: Vec<_> = all.iter().filter(|row| row.starts_with("< ")).collect();
    let sent = (0..500).map(|n| format!("< message {n}")).chain(["< last".to_owned()]);
    assert!(came.iter().copied().eq(sent.collect::<Vec<_>>().iter()), "{all:#?}");
    // Nothing else is left: no half of a line, no second prompt.
    let rest: Vec<_> = all.iter().filter(|row| !row.starts_with("< ")).collect();
    assert_eq!(rest.len(), 3, "{rest:?}");
    assert!(rest[0].starts_with("* connected to ws://"), "{rest:?}");
    assert_eq!(
        (rest[1].trim(), &**rest[2]),
        ("/help lists the commands, Ctrl-D ends", &*format!("> {typed}"))
    );
    screen.keys("\r");
    assert_eq!(ws.text(), typed);
    screen.keys("\x04");
    ws.closed(1000);
    drop(ws);
    assert_eq!(screen.end().0, Some(0));
}

#[test]
fn of_many_lines_at_once_none_is_lost() {
    // More than are read at once, and no terminal that marks what is pasted.
    let (_peer, mut screen, mut ws) = talking(&[]);
    let lines: Vec<_> = (0..5_000).map(|n| format!("line {n}")).collect();
    let pasted = lines.join("\r") + "\r";
    let reader = std::thread::spawn(move || {
        for line in &lines {
            assert_eq!(ws.text(), *line);
        }
        ws
    });
    screen.keys(&pasted);
    let mut ws = reader.join().unwrap();
    screen.keys("\x04");
    ws.closed(1000);
    drop(ws);
    assert_eq!(screen.end().0, Some(0));
}

#[test]
fn a_server_that_reads_nothing_does_not_keep_ctrl_c_from_being_heard() {
    let (_peer, mut screen, ws) = talking(&[]);
    // More than the buffers between us and the program itself hold.
    let lines = (0..200).map(|n| format!("{n} {}\r", "x".repeat(500))).collect::<Vec<_>>().concat();
    while !screen.shows("! the server reads too slowly") {
        screen.keys(&lines);
    }
    screen.keys("not taken\r\x03");
    let (code, contents) = screen.end();
    assert_eq!(code, Some(5));
    assert!(contents.contains("! lines that were not taken: "), "{contents}");
    assert!(contents.contains("madang: messages that were not sent: "), "{contents}");
    assert!(!contents.contains("> not taken"), "{contents}");
    drop(ws);
}

#[test]
fn what_breaks_the_protocol_ends_the_prompt() {
    let (_peer, screen, mut ws) = talking(&[]);
    ws.send(TEXT, b"\xff");
    // It does not close.
    let (code, contents) = screen.end();
    assert_eq!(code, Some(7));
    assert!(contents.contains("the server broke the protocol (1007)"), "{contents}");
    drop(ws);
}

#[test]
fn lines_are_edited_and_remembered() {
    let state = Folder::new("connect-state");
    let peer = Peer::new();
    let start = || {
        let screen = Screen::with(&[&url(&peer)], SIZE, |command| {
            command.env("XDG_STATE_HOME", &state.0);
        });
        let ws = Ws::accept(&peer, None);
        screen.until_prompt("> ", 2);
        (screen, ws)
    };
    let (mut screen, mut ws) = start();
    screen.keys("oup is\x01s\x05 ready\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x17not \r");
    assert_eq!(ws.text(), "soup not ready");
    screen.keys("second one\r");
    assert_eq!(ws.text(), "second one");
    screen.keys("draft\x1b[A\x1b[A");
    screen.until_prompt("> soup not ready", 16);
    screen.keys("\x1b[B\x1b[B");
    screen.until_prompt("> draft", 7);
    // Ctrl-U empties the line, Ctrl-C on an empty line ends it.
    screen.keys("\x15\x03");
    ws.closed(1000);
    drop(ws);
    assert_eq!(screen.end().0, Some(0));
    let (mut screen, mut ws) = start();
    screen.keys("\x1b[A\x1b[A");
    screen.until_prompt("> soup not ready", 16);
    screen.keys("\r");
    assert_eq!(ws.text(), "soup not ready");
}

#[test]
fn a_line_longer_than_the_window_stays_one_row() {
    let (_peer, mut screen, mut ws) = talking(&[]);
    let line = (0..30).map(|n| format!("{n:03}.")).collect::<Vec<_>>().concat();
    screen.keys(&line);
    // The part before the cursor is shown, and the last column stays free.
    let end = &line[line.len() - 56..];
    screen.until_prompt(&format!("> {end}"), 58);
    ws.send(TEXT, "가".repeat(50).as_bytes());
    screen.until_prompt(&format!("> {end}"), 58);
    screen.keys("\x01");
    screen.until_prompt(&format!("> {}", &line[..57]), 2);
    screen.resize(24, 20);
    screen.until_prompt(&format!("> {}", &line[..17]), 2);
    screen.resize(24, 80);
    screen.until_prompt(&format!("> {}", &line[..77]), 2);
    screen.keys("\r");
    assert_eq!(ws.text(), line);
}

#[test]
fn messages_of_all_kinds_are_shown_to_people() {
    let (_peer, mut screen, mut ws) = talking(&["--pretty", "--verbose"]);
    ws.send(TEXT, br#"{"soup":{"ready":true,"bowls":[3]}}"#);
    screen.until_text(
        "< {\n    \"soup\": {\n      \"ready\": true,\n      \"bowls\": [\n        3\n",
    );
    ws.send(BINARY, b"\0\xffABC");
    screen.until_text("< <5 bytes>\n  00000000  00 ff 41 42 43");
    ws.send(PING, b"x");
    assert_eq!(ws.read(), (PONG, b"x".to_vec()));
    screen.until_text("* ping \"x\", answered");
    // Nobody on the other side drives the terminal.
    ws.send(TEXT, b"a\x1b[2J\x1b]0;title\x07b\rc");
    screen.until_text("< a\\u001b[2J\\u001b]0;title\\u0007b\\u000dc");
    screen.keys("/ping hello\r");
    assert_eq!(ws.read(), (PING, b"hello".to_vec()));
    ws.send(PONG, b"hello");
    screen.until_text("* pong \"hello\" after ");
    screen.keys("/binary 00 ff\r//slash\r");
    assert_eq!(ws.read(), (BINARY, vec![0, 255]));
    assert_eq!(ws.text(), "/slash");
    screen.keys("/nonsense\r/close 1006\r");
    screen.until_text("! there is no command /nonsense; /help lists them");
    screen.until_text("! a code that may be sent is");
    screen.keys("/clo\t4000 enough\r");
    ws.closed(4000);
    drop(ws);
    let (code, contents) = screen.end();
    assert_eq!(code, Some(0));
    assert!(contents.contains("madang: closed with 4000 enough"), "{contents}");
}

#[test]
fn colours_and_times_come_as_asked_for() {
    let peer = Peer::new();
    let screen = Screen::with(&[&url(&peer), "--no-history", "--time"], SIZE, |command| {
        command.env_remove("NO_COLOR");
    });
    let mut ws = Ws::accept(&peer, None);
    ws.send(TEXT, b"hello");
    screen.until("time", |screen| {
        let contents = screen.contents();
        let row = contents.lines().find(|row| row.ends_with("< hello")).unwrap_or_default();
        let digits: String =
            row.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        digits == "00:00:00.000Z < hello"
    });
    assert!(screen.written().contains("\x1b[36m<\x1b[0m hello"), "{:?}", screen.written());
    let (_peer, screen, mut ws) = talking(&[]);
    ws.send(TEXT, b"hello");
    screen.until_text("< hello");
    assert!(!screen.written().contains("\x1b[36m"), "{:?}", screen.written());
}

#[test]
fn a_cut_is_told_and_the_line_survives_the_way_back() {
    let (peer, mut screen, ws) = talking(&["--reconnect"]);
    screen.keys("half a li");
    screen.until_prompt("> half a li", 11);
    drop(ws);
    screen.until_text("trying again in");
    let mut ws = Ws::accept(&peer, None);
    screen.until_prompt("> half a li", 11);
    screen.keys("ne\r");
    assert_eq!(ws.text(), "half a line");
    // Without a connection a line is not lost in silence.
    drop((ws, peer));
    screen.until_text("Connection refused");
    screen.keys("to nobody\r");
    screen.until_text("! not connected; this was not sent");
    screen.keys("\x04");
    assert_eq!(screen.end().0, Some(0));
}

#[test]
fn the_end_is_told_in_words_and_gives_the_terminal_back() {
    let (_peer, mut screen, mut ws) = talking(&[]);
    screen.keys("half");
    screen.until_prompt("> half", 6);
    ws.close(1013, "M503 later");
    drop(ws);
    let (code, contents) = screen.end();
    assert_eq!(code, Some(4));
    let last = "madang: the server closed: 1013, the server is overloaded; come back";
    assert!(contents.replace('\n', "").contains(last) && !contents.contains("half"), "{contents}");
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let (_peer, screen, mut ws) = talking(&[]);
        screen.signal(signal);
        ws.closed(1000);
        drop(ws);
        assert_eq!(screen.end().0, Some(0));
    }
}

#[test]
fn what_is_refused_is_told_without_a_prompt() {
    let peer = Peer::new();
    let screen = Screen::start(&[&url(&peer)], SIZE);
    let mut stream = peer.connection();
    super::ws::head(&mut stream);
    stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").unwrap();
    drop(stream);
    let (code, contents) = screen.end();
    assert_eq!(code, Some(3));
    assert!(
        contents.contains("  HTTP/1.1 403 Forbidden\n") && contents.contains("\n  no\n"),
        "{contents}"
    );
    assert!(contents.trim_end().ends_with(&format!("madang doctor {}", url(&peer))), "{contents}");
}

#[test]
fn a_dumb_terminal_has_no_prompt_but_works() {
    let serving = Serving::local(&[]);
    let url = format!("ws://{}/ws/kitchen", serving.address());
    let mut screen = Screen::with(&[&url, "--count", "1"], SIZE, |command| {
        command.env("TERM", "dumb");
    });
    screen.keys("hello\n");
    // The terminal's own echo, and what came back.
    screen.until_text("hello\nhello");
    let (code, _) = screen.end();
    assert_eq!(code, Some(0));
}

#[test]
fn a_server_that_does_not_answer_the_close_is_not_waited_for_by_who_asks_twice() {
    let (_peer, mut screen, mut ws) = talking(&[]);
    screen.keys("\x04");
    assert_eq!(ws.read().0, CLOSE);
    screen.keys("\x04");
    assert_eq!(screen.end().0, Some(0));
}

#[test]
fn a_pipe_that_ends_on_a_terminal_does_not_let_anybody_drive_it() {
    let peer = Peer::new();
    let screen = Screen::with(&[&url(&peer), "--wait", "1h"], SIZE, |command| {
        command.stdin(Stdio::null());
    });
    let mut ws = Ws::accept(&peer, None);
    ws.send(TEXT, b"a\x1b[2J\nb");
    screen.until_text("a\\u001b[2J\\nb");
    ws.close(1000, "");
    drop(ws);
    assert_eq!(screen.end().0, Some(0));
}
