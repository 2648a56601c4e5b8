//! What it greets with, and what it answers.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
};

use rustix::process::Signal;

use super::{Serving, ask, connect, run, upgraded};

#[test]
fn it_greets_with_addresses_that_answer() {
    let serving = Serving::start(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
    let pages = serving.pages();
    assert_eq!(pages.len(), 2, "{:?}", serving.greeting);
    assert_ne!(pages[0], pages[1]);
    for page in &pages {
        let (head, body) = ask(*page, "GET", "/");
        assert!(head.starts_with("http/1.1 200") && body.contains("<html"), "{head}");
    }
    let greeting = serving.greeting.join("\n");
    for mount in [format!("ws://{}/ws ", pages[0]), format!("ws://{}/ws/{{topic}} ", pages[0])] {
        assert!(greeting.contains(&mount), "{greeting}");
    }
    assert!(!greeting.contains("from outside"), "{greeting}");
}

#[test]
fn an_address_for_all_of_ipv4_names_no_ipv6() {
    let serving = Serving::start(&["--listen", "0.0.0.0:0"]);
    assert!(serving.address().ip().is_loopback());
    for line in serving.greeting.iter().filter(|line| line.contains("from outside")) {
        assert!(!line.contains('['), "{line}");
    }
    assert!(ask(serving.address(), "GET", "/healthz").0.starts_with("http/1.1 200"));
}

#[test]
fn requests_are_answered_with_what_helps() {
    let serving = Serving::local(&[]);
    for (method, path, status, help) in [
        ("GET", "/healthz", "200", "ok"),
        ("HEAD", "/healthz", "200", ""),
        ("HEAD", "/", "200", ""),
        ("GET", "/ws", "426", "new WebSocket("),
        ("GET", "/ws/kitchen", "426", "new WebSocket("),
        ("GET", "/nowhere", "404", "There is nothing at /nowhere"),
        ("POST", "/", "405", "GET or HEAD"),
        ("POST", "/healthz", "405", "GET or HEAD"),
    ] {
        let (head, body) = ask(serving.address(), method, path);
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{method} {path}: {head}");
        assert!(
            body.contains(help) && body.is_empty() == help.is_empty(),
            "{method} {path}: {body}"
        );
    }
}

#[test]
fn a_folder_is_served_before_the_chat_page() {
    let folder = std::env::temp_dir().join(format!("madang-static-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("hello.txt"), "안녕").unwrap();
    fs::write(folder.join("chat.css"), "/* mine */").unwrap();
    let serving = Serving::local(&["--static", folder.to_str().unwrap()]);
    let (head, body) = ask(serving.address(), "GET", "/hello.txt");
    assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
    assert_eq!(body, "안녕");
    assert_eq!(ask(serving.address(), "GET", "/chat.css").1, "/* mine */");
    assert!(ask(serving.address(), "GET", "/").1.contains("Madang"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn who_comes_when_all_places_are_taken_is_told_and_so_is_the_operator() {
    let mut serving = Serving::local(&["--max-connections", "1"]);
    let _held = upgraded(serving.address(), "/ws");
    let mut answer = String::new();
    connect(serving.address()).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("Retry-After: ") && answer.contains("M501"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{answer}");
    let log = BufReader::new(serving.child.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(log.contains("WARN") && log.contains("M501") && log.contains("limit=1"), "{log}");
}

#[test]
fn help_shows_every_flag_with_its_default() {
    let help = String::from_utf8(run(&["serve", "--help"]).stdout).unwrap();
    let flags = help.lines().map(str::trim).filter(|line| line.starts_with("--"));
    let readme = include_str!("../../../../README.md");
    let mut count = 0;
    for flag in flags {
        let name = flag.split(' ').next().unwrap();
        assert!(readme.contains(&format!("`{name}")), "the README says nothing of {name}");
        count += 1;
    }
    assert!(count >= 15, "{help}");
    assert!(help.contains("[default: 127.0.0.1:8000]") && help.contains("MADANG_LOG"), "{help}");
}

#[test]
fn pages_that_are_refused_again_and_again_are_one_short_line_of_the_log() {
    let serving = Serving::local(&["--log", "info"]);
    let path = format!("/ws/{}", "a".repeat(6_000));
    for _ in 0..30 {
        let mut stream = connect(serving.address());
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWFkYW5nIGlzIGEgeWFyZA==\r\n\
             Origin: https://evil.example/{}\r\n\r\n",
            "b".repeat(6_000)
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(status, *b"HTTP/1.1 403");
    }
    serving.signal(Signal::TERM);
    let (_, log) = serving.end();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("another origin")).collect();
    // They may have taken longer than the pause between two lines.
    assert!((1..=4).contains(&lines.len()), "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.len() < 1_000 && line.contains("https://evil.example")));
}

#[test]
fn who_believes_anybodys_proxy_header_is_warned() {
    for (flags, is_warned) in [(&[][..], true), (&["--trusted-proxy", "loopback"], false)] {
        let listen = ["--listen", "127.0.0.1:0?proxy-protocol=1", "--log", "warn"];
        let serving = Serving::start(&[&listen, flags].concat());
        serving.signal(Signal::TERM);
        let (_, log) = serving.end();
        assert_eq!(log.contains("--trusted-proxy"), is_warned, "{log}");
    }
}
