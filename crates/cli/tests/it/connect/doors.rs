//! Protocols on top: Socket.IO of `madang serve`, STOMP played by hand.

use std::io::Write as _;

use super::{
    screen::Screen,
    ws::{TEXT, Ws},
};
use crate::{
    Serving,
    peer::{Peer, Program},
};

fn url(peer: &Peer) -> String {
    peer.url().replace("http", "ws")
}

fn connect(arguments: &[&str]) -> Program {
    Program::start(&[&["connect", "--timeout", "30s"], arguments].concat())
}

#[test]
fn socket_io_of_madang_meets_plain_websockets() {
    let serving = Serving::local(&[]);
    let yard = format!("ws://{}", serving.address());
    let socketio = format!("{yard}/?topic=kitchen");
    let mut ana = connect(&[&socketio, "--as", "socketio", "--json"]);
    let mut keys = ana.stdin();
    writeln!(keys, "/join garden").unwrap();
    assert_eq!(ana.line(), "{\"kind\":\"ack\",\"data\":[\"ok\"],\"id\":0,\"event\":\"join\"}\n");
    let ben = connect(&[&format!("{yard}/ws/garden"), "--count", "1"]).input("안녕\n".as_bytes());
    assert_eq!(ben.end().1, "안녕\n");
    assert_eq!(ana.line(), "{\"kind\":\"event\",\"data\":[\"안녕\"],\"event\":\"message\"}\n");
    let mut ben = connect(&[&format!("{yard}/ws/kitchen?envelope=json&since=earliest")]);
    writeln!(keys, "soup is ready\n/emit bell 3 {{\"table\":7.50}}").unwrap();
    assert!(ben.line().contains("\"event\":\"message\",\"data\":\"soup is ready\""));
    assert!(ben.line().contains("\"event\":\"bell\",\"data\":[3,{\"table\":7.50}]"));
    drop((keys, ben.stdin()));
    assert_eq!((ana.end().0, ben.end().0), (Some(0), Some(0)));
}

#[test]
fn socket_io_on_a_terminal() {
    let serving = Serving::local(&[]);
    let url = format!("ws://{}", serving.address());
    let mut screen = Screen::start(&[&url, "--as", "socketio"], (24, 80));
    screen.until_text("* Socket.IO, namespace /, as ");
    screen.keys("/jo\tgarden\r");
    screen.until_text("> /join garden\n< ack of join \"ok\"");
    screen.keys("hello\r");
    screen.until_text("> hello\n< message \"hello\"");
    screen.keys("/emit\r/help\r");
    screen.until_text("! say which event, such as /emit chat \"hello\"");
    screen.until_text("/publish ROOM EVENT JSON…  call the event publish");
    screen.keys("\x04");
    assert_eq!(screen.end().0, Some(0));
}

#[test]
fn a_close_before_the_login_is_no_success() {
    let peer = Peer::new();
    let program = connect(&[&url(&peer), "--as", "socketio"]);
    let mut ws = Ws::accept(&peer, None);
    ws.close(1000, "not you");
    drop(ws);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("its reason: not you, before it answered the login"), "{errors}");
}

/// The server's end of a STOMP connection, whose CONNECT has come.
fn stomp(peer: &Peer) -> (Ws, String) {
    let mut ws = Ws::accept(peer, Some("v12.stomp"));
    assert_eq!(ws.header("sec-websocket-protocol"), Some("v12.stomp"));
    let connect = ws.text();
    assert!(connect.starts_with("CONNECT\naccept-version:1.2\nhost:127.0.0.1\n"), "{connect}");
    (ws, connect)
}

const CONNECTED: &[u8] = b"CONNECTED\nversion:1.2\n\n\0";

#[test]
fn stomp_subscribes_again_after_a_cut_and_says_goodbye() {
    let peer = Peer::new();
    let auth = ["--auth", "{\"login\":\"ana\",\"passcode\":\"s3cr3t\"}"];
    let mut program =
        connect(&[&[&*url(&peer), "--as", "stomp", "--reconnect"], &auth[..]].concat());
    let mut input = program.stdin();
    let subscribe = "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:auto\n\n\0";
    // Lines wait until the login is done.
    writeln!(input, "/subscribe /topic/a").unwrap();
    let (mut ws, asked) = stomp(&peer);
    assert!(asked.contains("\nlogin:ana\npasscode:s3cr3t\n"), "{asked}");
    ws.send(TEXT, CONNECTED);
    assert_eq!(ws.text(), subscribe);
    drop(ws);
    let (mut ws, _) = stomp(&peer);
    ws.send(TEXT, CONNECTED);
    assert_eq!(ws.text(), subscribe);
    ws.send(TEXT, b"MESSAGE\ndestination:/topic/a\nmessage-id:1\nsubscription:1\n\nsoup\0");
    assert_eq!(program.line(), "/topic/a soup\n");
    drop(input);
    assert_eq!(ws.text(), "DISCONNECT\nreceipt:goodbye\n\n\0");
    ws.send(TEXT, b"RECEIPT\nreceipt-id:goodbye\n\n\0");
    ws.closed(1000);
    drop(ws);
    let (code, output, errors) = program.end();
    assert_eq!((code, &*output), (Some(0), ""), "{errors}");
}

#[test]
fn a_login_that_fails_has_a_code_of_its_own() {
    let answers: [(&[u8], i32, &str); 3] = [
        (
            b"ERROR\nmessage:no such user\n\nwho is ana?\0",
            8,
            "the server gave a STOMP error: no such user",
        ),
        (b"0{\"sid\":\"x\"}", 2, "no answer to the login in time"),
        (b"CONNECTED\nbroken\n\n\0", 7, "this is no STOMP: a header has no colon"),
    ];
    for (answer, exit, told) in answers {
        let peer = Peer::new();
        // Long enough for the answer, where there is one.
        let limit = if exit == 2 { "3s" } else { "30s" };
        let program = connect(&[&url(&peer), "--as", "stomp", "--connect-timeout", limit]);
        let (mut ws, _) = stomp(&peer);
        ws.send(TEXT, answer);
        ws.closed(1000);
        drop(ws);
        let (code, output, errors) = program.end();
        assert_eq!(code, Some(exit), "{errors}");
        assert!(errors.contains(told), "{told:?} is not in {errors}");
        assert_eq!(output.contains("who is ana?"), exit == 8, "{output}");
        let doctor = format!("\n  madang doctor {} --as stomp\n", url(&peer));
        assert_eq!(errors.ends_with(&doctor), exit == 8, "{errors}");
    }
}
