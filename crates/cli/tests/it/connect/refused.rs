//! Handshakes that are refused.

use std::io::Write as _;

use super::ws::head;
use crate::{
    Serving,
    peer::{Peer, Program, taken},
};

/// What is told of an answer; it ends with code 3.
fn told(answer: &str, flags: &[&str]) -> String {
    let peer = Peer::new();
    let url = format!("{}/chat?token=query-secret", peer.url().replace("http", "ws"));
    let program = Program::start(&[&["connect", &url], flags].concat());
    let mut stream = peer.connection();
    head(&mut stream);
    stream.write_all(answer.as_bytes()).unwrap();
    drop(stream);
    let (code, output, errors) = program.end();
    assert_eq!((code, &*output), (Some(3), ""), "{errors}");
    let port = peer.url().rsplit(':').next().unwrap().to_owned();
    errors.replace(&port, "PORT")
}

#[test]
fn status_headers_and_body_are_shown_and_secrets_are_not() {
    let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"yard\"\r\n\
                  Set-Cookie: sid=1234567; HttpOnly\r\nContent-Length: 53\r\n\r\n\
                  no: token-9876 and query-secret\r\n\x1b[2J eyJh.eyJi.c-_d\n";
    let errors = told(answer, &["--token", "token-9876"]);
    let is = "madang: the server answered 401 Unauthorized instead of opening a WebSocket\n\n  \
              HTTP/1.1 401 Unauthorized\n  \
              www-authenticate: Bearer realm=\"yard\"\n  \
              set-cookie: sid=[hidden]; HttpOnly\n  \
              content-length: 53\n\n  \
              no: [hidden] and [hidden]\n  \
              \\u001b[2J [hidden]\n\n\
              D27: the server refuses this client (`madang explain D27` says more)\n\n\
              For a diagnosis (with what is [hidden]):\n  \
              madang doctor 'ws://127.0.0.1:PORT/chat?token=[hidden]' --token '[hidden]'\n";
    assert_eq!(errors, is);
}

#[test]
fn a_page_is_cut_and_a_wrong_101_is_named() {
    let page = "<!doctype html><div id=root></div>".repeat(500);
    let length = page.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{page}"
    );
    let errors = told(&answer, &[]);
    assert!(errors.contains("content-type: text/html") && errors.contains("id=root"), "{errors}");
    assert!(
        errors.len() < 3_000 && errors.contains(&format!("({length} bytes in all)")),
        "{errors}"
    );
    let errors = told("HTTP/1.1 101 Switching Protocols\r\nX-By: a cache\r\n\r\n", &[]);
    for part in [
        "madang: the answer has no Upgrade: websocket\n\n  HTTP/1.1 101 Switching Protocols\n",
        "  x-by: a cache\n",
        "\nD35: ",
        "madang doctor",
    ] {
        assert!(errors.contains(part), "{part:?} is not in {errors}");
    }
}

#[test]
fn a_code_of_madang_is_explained() {
    let serving = Serving::local(&[]);
    let url = format!("ws://{}/ws", serving.address());
    let program = Program::start(&["connect", &url, "--origin", "https://evil.example"]);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(3));
    for part in
        ["madang-code: M401", "\nM401: the page of another origin", "What to do: Name the page"]
    {
        assert!(errors.contains(part), "{part:?} is not in {errors}");
    }
    assert!(
        errors.ends_with(&format!(
            "For a diagnosis:\n  madang doctor {url} --origin https://evil.example\n"
        )),
        "{errors}"
    );
}

#[test]
fn an_answer_that_does_not_come_has_a_diagnosis() {
    let peer = Peer::new();
    let url = peer.url().replace("http", "ws");
    let told = |answer: &[u8]| {
        let program = Program::start(&["connect", &url]);
        let mut stream = peer.connection();
        head(&mut stream);
        stream.write_all(answer).unwrap();
        drop(stream);
        let (code, _, errors) = program.end();
        assert_eq!(code, Some(2), "{errors}");
        errors
    };
    let errors = told(b"");
    assert!(errors.contains("closed the connection without an answer\nD06: "), "{errors}");
    let errors = told(b"HTTP/1.1 200");
    assert!(errors.contains("breaks off") && !errors.contains("D06"), "{errors}");
}

#[test]
fn a_proxy_that_fails_is_named() {
    let told = |proxy: &str| {
        let proxy = proxy.rsplit('/').next().unwrap();
        let program = Program::start(&["connect", "ws://h.example/ws", "--proxy", proxy]);
        (program, proxy.to_owned())
    };
    let (_held, url) = taken();
    let (program, proxy) = told(&url);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(2), "{errors}");
    let is = format!("madang: the proxy {proxy} cannot be reached: cannot connect to {proxy}: ");
    assert!(errors.starts_with(&is), "{errors}");
    let peer = Peer::new();
    let (program, proxy) = told(&peer.url());
    drop(peer.connection());
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(2), "{errors}");
    let is = format!("madang: through the proxy {proxy}, whose doing it may be: ");
    assert!(errors.starts_with(&is), "{errors}");
}
