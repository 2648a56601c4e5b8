//! Polling, streams, and the protocols on a WebSocket.

use std::{io::Write as _, time::Duration};

use super::{
    bed::{Bed, Case, check},
    wire::{self, Answering, Head, Server, TEXT, frame, head, say},
};

const OPEN: &str = "0{\"sid\":\"abcDEF_12\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";

/// Answers the polls of Engine.IO; the WebSocket is `socket`'s.
pub(crate) fn engine(
    post: fn(usize) -> (&'static str, &'static str),
    headers: &'static str,
    socket: impl Fn(&mut std::net::TcpStream, &Head) + Send + Sync + 'static,
) -> Server {
    let posts = std::sync::atomic::AtomicUsize::new(0);
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        let extra = if headers.is_empty() { String::new() } else { format!("\r\n{headers}") };
        if head.target.contains("transport=websocket") {
            socket(&mut stream, &head);
        } else if head.method == "OPTIONS" {
            say(&mut stream, &format!("204 No Content{extra}"), "");
        } else if head.method == "POST" {
            let at = posts.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let (status, body) = post(at);
            let mut byte = [0];
            drop(std::io::Read::read(&mut stream, &mut byte));
            say(&mut stream, &format!("{status}{extra}"), body);
        } else {
            say(
                &mut stream,
                &format!("200 OK\r\nContent-Type: text/plain; charset=UTF-8{extra}"),
                OPEN,
            );
        }
    })
}

/// A good answer of Engine.IO to whatever is asked.
pub(crate) fn engine_answer(stream: &mut std::net::TcpStream, head: &Head, headers: &str) {
    if head.target.contains("transport=websocket") {
        talks(OPEN, "40{\"sid\":\"x\"}")(stream, head);
    } else if head.method == "POST" {
        let mut byte = [0];
        drop(std::io::Read::read(stream, &mut byte));
        say(stream, &format!("200 OK\r\n{headers}"), "ok");
    } else {
        say(stream, &format!("200 OK\r\nContent-Type: text/plain\r\n{headers}"), OPEN);
    }
}

pub(crate) fn ok(_: usize) -> (&'static str, &'static str) {
    ("200 OK", "ok")
}

/// A good WebSocket that says `hello` first and answers the first text with `answer`.
fn talks(
    hello: &'static str,
    answer: &'static str,
) -> impl Fn(&mut std::net::TcpStream, &Head) + Send + Sync {
    move |stream, head| {
        let wanted = head.header("sec-websocket-protocol");
        let protocol = ["v12.stomp", "wamp.2.json"]
            .into_iter()
            .find(|name| wanted.is_some_and(|list| list.contains(name)));
        if wire::upgrade(stream, head, &Answering { protocol, ..Answering::default() }) {
            if !hello.is_empty() {
                drop(stream.write_all(&frame(TEXT, hello.as_bytes())));
            }
            wire::speak(stream, |_, _| Some(frame(TEXT, answer.as_bytes())));
        }
    }
}

fn says(answer: &'static str, door: &str) -> Option<Bed> {
    let talk = talks("", answer);
    let server = Server::new(move |mut stream, _| {
        if let Some(head) = head(&mut stream) {
            talk(&mut stream, &head);
        }
    });
    Some(Bed::new(&[&server.url("/ws"), "--as", door]).keep(server))
}

/// A stream of an event every 200 ms, let through `lump` at a time.
pub(crate) fn stream(lump: usize, server: &'static str) -> Server {
    Server::new(move |mut stream, _| {
        if head(&mut stream).is_none() {
            return;
        }
        let start = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{server}\r\n");
        if stream.write_all(start.as_bytes()).is_err() {
            return;
        }
        let mut kept = String::new();
        for at in 0..60 {
            kept.push_str(&format!("data: tick {at}\n\n"));
            if (at + 1) % lump == 0 {
                if stream.write_all(kept.as_bytes()).is_err() {
                    return;
                }
                kept.clear();
            }
            // What the case is about is time itself.
            std::thread::sleep(Duration::from_millis(200));
        }
    })
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "Socket.IO is spoken to a plain WebSocket server",
        codes: &["D26"],
        exit: 30,
        make: || {
            let server = wire::echo();
            Some(Bed::new(&[&server.url("/"), "--as", "socketio"]).keep(server))
        },
    },
    Case {
        name: "WAMP wants a ticket",
        codes: &["D51"],
        exit: 40,
        make: || says("[4,\"ticket\",{}]", "wamp"),
    },
    Case {
        name: "SockJS frames, and STOMP is spoken",
        codes: &["D51"],
        exit: 40,
        make: || says("o", "stomp"),
    },
    Case {
        name: "heart-beats ten minutes apart",
        codes: &["D52"],
        exit: 40,
        make: || says("CONNECTED\nversion:1.2\nheart-beat:600000,600000\n\n\0", "stomp"),
    },
    Case {
        name: "polls of one session reach two nodes",
        codes: &["D49"],
        exit: 50,
        make: || {
            let server = engine(
                |at| {
                    if at % 2 == 0 {
                        ("200 OK", "ok")
                    } else {
                        (
                            "400 Bad Request\r\nContent-Type: application/json",
                            "{\"code\":1,\"message\":\"Session ID unknown\"}",
                        )
                    }
                },
                "",
                talks("0{}", "40{\"sid\":\"x\"}"),
            );
            Some(Bed::new(&[&server.url("/"), "--as", "socketio"]).keep(server))
        },
    },
    Case {
        name: "a server of Socket.IO 2",
        codes: &["D24"],
        exit: 30,
        make: || {
            let server = wire::always(
                "200 OK\r\nContent-Type: text/plain; charset=UTF-8",
                "96:0{\"sid\":\"HxaMOTqNhoqp0bBTAAAA\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":5000}2:40",
            );
            Some(Bed::new(&[&server.url("/"), "--as", "socketio"]).keep(server))
        },
    },
    Case {
        name: "polling works, the WebSocket is refused",
        codes: &["D55", "D24"],
        exit: 30,
        make: || {
            let server = engine(ok, "", |stream, _| {
                say(
                    stream,
                    "400 Bad Request\r\nServer: nginx/1.24.0\r\nContent-Type: application/json",
                    "{\"code\":3,\"message\":\"Bad request\"}",
                );
            });
            Some(Bed::new(&[&server.url("/"), "--as", "socketio"]).keep(server))
        },
    },
    Case {
        name: "polling works, the WebSocket gets a page",
        codes: &["D55", "D20"],
        exit: 30,
        make: || {
            let server = engine(ok, "", |stream, _| {
                say(
                    stream,
                    "200 OK\r\nContent-Type: text/html",
                    "<!doctype html><div id=app></div>",
                );
            });
            Some(Bed::new(&[&server.url("/"), "--as", "socketio"]).keep(server))
        },
    },
    Case {
        name: "Socket.IO refuses the login",
        codes: &["D51"],
        exit: 40,
        make: || {
            let server = engine(ok, "", talks(OPEN, "44{\"message\":\"invalid token\"}"));
            Some(Bed::new(&[&server.url("/"), "--as", "socketio"]).keep(server))
        },
    },
    Case {
        name: "polls without CORS",
        codes: &["D50"],
        exit: 50,
        make: || {
            let server = engine(ok, "", talks(OPEN, "40{\"sid\":\"x\"}"));
            Some(
                Bed::new(&[
                    &server.url("/"),
                    "--as",
                    "socketio",
                    "--origin",
                    "https://app.example",
                ])
                .keep(server),
            )
        },
    },
    Case {
        name: "CORS of another origin",
        codes: &["D50"],
        exit: 50,
        make: || {
            let server = engine(
                ok,
                "Access-Control-Allow-Origin: https://other.example",
                talks(OPEN, "40{\"sid\":\"x\"}"),
            );
            Some(
                Bed::new(&[
                    &server.url("/"),
                    "--as",
                    "socketio",
                    "--origin",
                    "https://app.example",
                ])
                .keep(server),
            )
        },
    },
    Case {
        name: "a wildcard where cookies are sent",
        codes: &["D50"],
        exit: 50,
        make: || {
            let talk = talks("o", "");
            let server = Server::new(move |mut stream, _| {
                let Some(head) = head(&mut stream) else { return };
                if head.path().ends_with("/info") {
                    say(
                        &mut stream,
                        "200 OK\r\nAccess-Control-Allow-Origin: *",
                        "{\"websocket\":true,\"origins\":[\"*:*\"],\"cookie_needed\":true,\"entropy\":1}",
                    );
                } else {
                    talk(&mut stream, &head);
                }
            });
            Some(
                Bed::new(&[
                    &server.url("/sockjs"),
                    "--as",
                    "sockjs",
                    "--origin",
                    "https://app.example",
                ])
                .keep(server),
            )
        },
    },
    Case {
        name: "STOMP ERROR",
        codes: &["D51"],
        exit: 40,
        make: || {
            says(
                "ERROR\nmessage:Bad CONNECT\ncontent-type:text/plain\n\nAccess refused for user 'guest'\0",
                "stomp",
            )
        },
    },
    Case {
        name: "WAMP ABORT",
        codes: &["D51"],
        exit: 40,
        make: || says("[3,{\"message\":\"no such realm\"},\"wamp.error.no_such_realm\"]", "wamp"),
    },
    Case {
        name: "something else than STOMP",
        codes: &["D51"],
        exit: 40,
        make: || says("hello", "stomp").map(|bed| bed.and(&["--timeout", "1s"])),
    },
    Case {
        name: "STOMP without heart-beats",
        codes: &["D52"],
        exit: 40,
        make: || says("CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0", "stomp"),
    },
    Case {
        name: "events in lumps",
        codes: &["D47"],
        exit: 50,
        make: || {
            let server = stream(5, "Server: nginx/1.24.0\r\n");
            Some(
                Bed::new(&[
                    &server.url("/events").replace("ws:", "http:"),
                    "--as",
                    "sse",
                    "--hold",
                    "5s",
                ])
                .keep(server),
            )
        },
    },
    Case {
        name: "events in lumps, and one by one directly",
        codes: &["D47"],
        exit: 50,
        make: || {
            let (lumps, direct) = (stream(15, "Server: nginx/1.24.0\r\n"), stream(1, ""));
            let url = lumps.url("/events").replace("ws:", "http:");
            let behind = direct.url("/events").replace("ws:", "http:");
            Some(
                Bed::new(&[&url, "--as", "sse", "--hold", "4s", "--direct", &behind])
                    .keep(lumps)
                    .keep(direct),
            )
        },
    },
    Case {
        name: "a page in place of a stream",
        codes: &["D20"],
        exit: 30,
        make: || {
            let server = wire::always(
                "200 OK\r\nContent-Type: text/html",
                "<!doctype html><div id=\"root\"></div>",
            );
            Some(Bed::new(&[&server.url("/events"), "--as", "sse"]).keep(server))
        },
    },
];

/// A node of Engine.IO that knows its own sessions and no others.
pub(crate) fn node(name: &'static str) -> Server {
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if head.target.contains("transport=websocket") {
            talks(OPEN, "40{\"sid\":\"x\"}")(&mut stream, &head);
        } else if head.target.contains(&format!("sid={name}")) {
            let mut byte = [0];
            drop(std::io::Read::read(&mut stream, &mut byte));
            say(&mut stream, "200 OK", "ok");
        } else if head.target.contains("sid=") {
            let mut byte = [0];
            drop(std::io::Read::read(&mut stream, &mut byte));
            say(&mut stream, "400 Bad Request", "{\"code\":1,\"message\":\"Session ID unknown\"}");
        } else {
            say(&mut stream, "200 OK", &OPEN.replace("abcDEF_12", name));
        }
    })
}

#[test]
fn doors() {
    check(CASES);
}

#[test]
fn a_stream_of_single_events_is_well() {
    let server = stream(1, "");
    let told = super::bed::examine(&[server.url("/events"), "--as".into(), "sse".into()]);
    assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
}

#[test]
fn good_logins_are_well() {
    let stomp = says("CONNECTED\nversion:1.2\nheart-beat:10000,10000\n\n\0", "stomp").unwrap();
    let wamp = says("[2,1,{\"roles\":{\"broker\":{}}}]", "wamp").unwrap();
    let server = engine(
        ok,
        "Access-Control-Allow-Origin: https://app.example\r\nAccess-Control-Allow-Headers: Content-Type",
        talks(OPEN, "40{\"sid\":\"x\"}"),
    );
    let socketio =
        Bed::new(&[&server.url("/"), "--as", "socketio", "--origin", "https://app.example"]);
    for bed in [stomp, wamp, socketio] {
        let told = super::bed::examine(&bed.arguments);
        assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
    }
}
