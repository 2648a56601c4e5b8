//! Answers to the upgrade.

use std::io::Write as _;

use super::{
    bed::{Bed, Case, check},
    wire::{self, Answering, Server, always, head, say, upgrade},
};

/// The doctor at `/ws` of a server that says the same to all.
fn says(answer: &'static str, body: &'static str) -> Option<Bed> {
    let server = always(answer, body);
    Some(Bed::new(&[&server.url("/ws")]).keep(server))
}

const SHELL: &str = "<!doctype html><html><head><title>App</title></head><body><div id=\"root\"></div><script src=\"/main.js\"></script></body></html>";

/// A good WebSocket at one path, and `other` at all others.
fn good_at(path: &'static str, other: (&'static str, &'static str)) -> Server {
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if head.path() != path {
            say(&mut stream, other.0, other.1);
        } else if upgrade(&mut stream, &head, &Answering::default()) {
            wire::speak(&mut stream, |_, _| Some(Vec::new()));
        }
    })
}

/// A 101 with these headers, and nothing else right.
fn only_101(headers: &'static str) -> Option<Bed> {
    let server = Server::new(move |mut stream, _| {
        if head(&mut stream).is_some() {
            drop(stream.write_all(
                format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n").as_bytes(),
            ));
            wire::listen(&mut stream);
        }
    });
    Some(Bed::new(&[&server.url("/ws")]).keep(server))
}

/// Refuses unless `may` says yes to the request.
fn guarded(may: fn(&wire::Head) -> bool, refusal: (&'static str, &'static str)) -> Server {
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if !may(&head) {
            say(&mut stream, refusal.0, refusal.1);
        } else if upgrade(&mut stream, &head, &Answering::default()) {
            wire::speak(&mut stream, |_, _| Some(Vec::new()));
        }
    })
}

/// A proxy that forgets hop-by-hop headers, in front of `backend`.
fn forgetful(backend: std::net::SocketAddr) -> Server {
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        let mut behind = std::net::TcpStream::connect(backend).unwrap();
        let mut text = format!("{} {} HTTP/1.0\r\n", head.method, head.target);
        for (name, value) in &head.headers {
            if !["upgrade", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        behind.write_all(format!("{text}\r\n").as_bytes()).unwrap();
        drop(std::io::copy(&mut behind, &mut stream));
    })
}

const PLAIN_BODY: &str = "websocket: the client is not using the websocket protocol: 'upgrade' token not found in 'Connection' header\n";

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "the start page of an application",
        codes: &["D20"],
        exit: 30,
        make: || says("200 OK\r\nContent-Type: text/html\r\nServer: nginx/1.25.3", SHELL),
    },
    Case {
        name: "an application's catch-all, and the WebSocket at /ws",
        codes: &["D20"],
        exit: 30,
        make: || {
            let server = good_at("/ws", ("200 OK\r\nContent-Type: text/html", SHELL));
            Some(Bed::new(&[&server.url("/socket")]).keep(server))
        },
    },
    Case {
        name: "a plain resource",
        codes: &["D20"],
        exit: 30,
        make: || says("200 OK\r\nContent-Type: application/json", "{\"status\":\"ok\"}"),
    },
    Case {
        name: "SockJS at its base",
        codes: &["D21"],
        exit: 30,
        make: || says("200 OK\r\nContent-Type: text/plain; charset=UTF-8", "Welcome to SockJS!\n"),
    },
    Case {
        name: "SockJS at /info",
        codes: &["D21"],
        exit: 30,
        make: || {
            says(
                "200 OK\r\nContent-Type: application/json; charset=UTF-8",
                "{\"websocket\":true,\"origins\":[\"*:*\"],\"cookie_needed\":false,\"entropy\":2391827}",
            )
        },
    },
    Case {
        name: "Engine.IO opens a session for polling",
        codes: &["D21"],
        exit: 30,
        make: || {
            says(
                "200 OK\r\nContent-Type: text/plain; charset=UTF-8",
                "0{\"sid\":\"lv_VI97HAXpY6yYWAAAC\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000}",
            )
        },
    },
    Case {
        name: "a stream of events",
        codes: &["D21"],
        exit: 30,
        make: || says("200 OK\r\nContent-Type: text/event-stream", "data: hello\n\n"),
    },
    Case {
        name: "a proxy forgets the upgrade, and the server behind is well",
        codes: &["D22"],
        exit: 30,
        make: || {
            let backend = wire::echo();
            let proxy = forgetful(backend.address);
            let direct = backend.url("/ws");
            Some(Bed::new(&[&proxy.url("/ws"), "--direct", &direct]).keep(proxy).keep(backend))
        },
    },
    Case {
        name: "a proxy's 404, and the server behind is well",
        codes: &["D22"],
        exit: 30,
        make: || {
            let backend = wire::echo();
            let proxy = always("404 Not Found\r\nServer: nginx/1.24.0", "");
            let direct = format!("ws://{}", backend.address);
            Some(Bed::new(&[&proxy.url("/ws"), "--direct", &direct]).keep(proxy).keep(backend))
        },
    },
    Case {
        name: "the server behind nginx misses the upgrade, and says so",
        codes: &["D22"],
        exit: 30,
        make: || says("400 Bad Request\r\nServer: nginx/1.24.0", PLAIN_BODY),
    },
    Case {
        name: "a path that is not there",
        codes: &["D23"],
        exit: 30,
        make: || says("404 Not Found\r\nContent-Type: text/plain", "404 page not found\n"),
    },
    Case {
        name: "another path opens",
        codes: &["D23"],
        exit: 30,
        make: || {
            let server = good_at("/cable", ("404 Not Found", ""));
            Some(Bed::new(&[&server.url("/socket")]).keep(server))
        },
    },
    Case {
        name: "Engine.IO: transport unknown",
        codes: &["D24"],
        exit: 30,
        make: || {
            let server = always(
                "400 Bad Request\r\nContent-Type: application/json",
                "{\"code\":0,\"message\":\"Transport unknown\"}",
            );
            let url = server.url("/socket.io/?EIO=4&transport=websocket");
            Some(Bed::new(&[&url]).keep(server))
        },
    },
    Case {
        name: "Engine.IO: session unknown",
        codes: &["D24"],
        exit: 30,
        make: || {
            says(
                "400 Bad Request\r\nContent-Type: application/json",
                "{\"code\":1,\"message\":\"Session ID unknown\"}",
            )
        },
    },
    Case {
        name: "Engine.IO: bad request",
        codes: &["D24"],
        exit: 30,
        make: || {
            says(
                "400 Bad Request\r\nContent-Type: application/json",
                "{\"code\":3,\"message\":\"Bad request\"}",
            )
        },
    },
    Case {
        name: "Engine.IO: forbidden",
        codes: &["D24"],
        exit: 30,
        make: || {
            says(
                "403 Forbidden\r\nContent-Type: application/json",
                "{\"code\":4,\"message\":\"Forbidden\"}",
            )
        },
    },
    Case {
        name: "Engine.IO: version of the protocol",
        codes: &["D24"],
        exit: 30,
        make: || {
            says(
                "400 Bad Request\r\nContent-Type: application/json",
                "{\"code\":5,\"message\":\"Unsupported protocol version\"}",
            )
        },
    },
    Case {
        name: "Sec-WebSocket-Key was stripped",
        codes: &["D25"],
        exit: 30,
        make: || {
            says(
                "400 Bad Request",
                "websocket: not a websocket handshake: 'Sec-WebSocket-Key' header must be Base64 encoded value of 16-byte in length: missing\n",
            )
        },
    },
    Case {
        name: "426 from a server that saw a GET",
        codes: &["D26"],
        exit: 30,
        make: || {
            says(
                "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
                "Upgrade Required",
            )
        },
    },
    Case {
        name: "426, another version",
        codes: &["D26"],
        exit: 30,
        make: || says("426 Upgrade Required\r\nSec-WebSocket-Version: 8, 7", ""),
    },
    Case {
        name: "an origin that is not allowed",
        codes: &["D27"],
        exit: 30,
        make: || {
            let server = guarded(|head| head.header("origin").is_none(), ("403 Forbidden", ""));
            Some(Bed::new(&[&server.url("/ws"), "--origin", "https://evil.example"]).keep(server))
        },
    },
    Case {
        name: "an origin that is not allowed, hidden behind 404 (as Rails does)",
        codes: &["D27"],
        exit: 30,
        make: || {
            let may = |head: &wire::Head| {
                head.header("origin").is_some_and(|it| it.contains("127.0.0.1"))
            };
            let server = guarded(may, ("404 Not Found", "Page not found"));
            Some(Bed::new(&[&server.url("/cable"), "--origin", "https://app.example"]).keep(server))
        },
    },
    Case {
        name: "a path that a Python framework does not know",
        codes: &["D27"],
        exit: 30,
        make: || says("403 Forbidden\r\nServer: uvicorn", ""),
    },
    Case {
        name: "an origin is required",
        codes: &["D27"],
        exit: 30,
        make: || {
            let server = guarded(|head| head.header("origin").is_some(), ("403 Forbidden", ""));
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "a login is required",
        codes: &["D27"],
        exit: 30,
        make: || {
            says(
                "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"chat\"",
                "{\"error\":\"no token\"}",
            )
        },
    },
    Case {
        name: "a stale cookie",
        codes: &["D27"],
        exit: 30,
        make: || {
            let server = guarded(|head| head.header("cookie").is_none(), ("403 Forbidden", ""));
            Some(Bed::new(&[&server.url("/ws"), "--header", "Cookie: session=old"]).keep(server))
        },
    },
    Case {
        name: "a bot wall",
        codes: &["D27"],
        exit: 30,
        make: || {
            says(
                "403 Forbidden\r\nServer: cloudflare\r\nCF-Mitigated: challenge\r\nContent-Type: text/html",
                "<!DOCTYPE html><title>Just a moment...</title>",
            )
        },
    },
    Case {
        name: "a CSRF token is missing",
        codes: &["D27"],
        exit: 30,
        make: || says("403 Forbidden", "Forbidden: CSRF verification failed."),
    },
    Case {
        name: "an expired token",
        codes: &["D53"],
        exit: 30,
        make: || {
            let server = always("401 Unauthorized", "");
            // {"alg":"none"}.{"exp":1500000000,"aud":"chat"}
            let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE1MDAwMDAwMDAsImF1ZCI6ImNoYXQifQ.c2ln";
            Some(Bed::new(&[&server.url("/ws"), "--token", token]).keep(server))
        },
    },
    Case {
        name: "a token that is not valid yet",
        codes: &["D53"],
        exit: 30,
        make: || {
            let server = always("403 Forbidden", "");
            // {"alg":"none"}.{"nbf":4500000000}
            let token = "eyJhbGciOiJub25lIn0.eyJuYmYiOjQ1MDAwMDAwMDB9.c2ln";
            Some(Bed::new(&[&server.url(&format!("/ws?access_token={token}"))]).keep(server))
        },
    },
    Case {
        name: "a redirect to https",
        codes: &["D28"],
        exit: 30,
        make: || says("301 Moved Permanently\r\nLocation: https://chat.example/ws", ""),
    },
    Case {
        name: "a redirect to a login page",
        codes: &["D28"],
        exit: 30,
        make: || says("302 Found\r\nLocation: /login?next=/ws", ""),
    },
    Case {
        name: "a path for POST",
        codes: &["D29"],
        exit: 30,
        make: || says("405 Method Not Allowed\r\nAllow: POST", ""),
    },
    Case {
        name: "a company's proxy wants a login",
        codes: &["D30"],
        exit: 30,
        make: || {
            says(
                "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"",
                "",
            )
        },
    },
    Case {
        name: "headers too large",
        codes: &["D31"],
        exit: 30,
        make: || says("431 Request Header Fields Too Large", ""),
    },
    Case {
        name: "too many requests",
        codes: &["D32"],
        exit: 30,
        make: || says("429 Too Many Requests\r\nRetry-After: 30\r\nServer: cloudflare", ""),
    },
    Case {
        name: "a server that is full",
        codes: &["D32"],
        exit: 30,
        make: || says("503 Service Unavailable\r\nRetry-After: 5", "too many connections"),
    },
    Case {
        name: "a bad gateway",
        codes: &["D33"],
        exit: 30,
        make: || {
            says(
                "502 Bad Gateway\r\nServer: awselb/2.0",
                "<html><head><title>502 Bad Gateway</title></head></html>",
            )
        },
    },
    Case {
        name: "Cloudflare 521",
        codes: &["D34"],
        exit: 30,
        make: || says("521 Unknown\r\nServer: cloudflare\r\nCF-RAY: 8d0-ICN", "error code: 521"),
    },
    Case {
        name: "an error of the application",
        codes: &["D34"],
        exit: 30,
        make: || says("500 Internal Server Error", "TypeError: undefined is not a function"),
    },
    Case {
        name: "101 without Upgrade",
        codes: &["D35"],
        exit: 30,
        make: || only_101("Connection: Upgrade\r\n"),
    },
    Case {
        name: "101 without Connection",
        codes: &["D35"],
        exit: 30,
        make: || only_101("Upgrade: websocket\r\nConnection: keep-alive\r\n"),
    },
    Case {
        name: "101 of another request",
        codes: &["D35"],
        exit: 30,
        make: || {
            only_101(
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Cache: HIT\r\n",
            )
        },
    },
    Case {
        name: "a subprotocol that nobody asked for",
        codes: &["D37"],
        exit: 30,
        make: || {
            let server = with_header("Sec-WebSocket-Protocol: graphql-ws");
            Some(Bed::new(&[&server.url("/ws"), "--subprotocol", "v12.stomp"]).keep(server))
        },
    },
    Case {
        name: "no subprotocol though asked",
        codes: &["D37"],
        exit: 30,
        make: || {
            let server = wire::echo();
            Some(Bed::new(&[&server.url("/ws"), "--subprotocol", "v12.stomp"]).keep(server))
        },
    },
    Case {
        name: "an extension that was not offered",
        codes: &["D38"],
        exit: 30,
        make: || {
            let server = with_header("Sec-WebSocket-Extensions: x-webkit-deflate-frame");
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
];

/// A good 101 with one more header.
fn with_header(line: &'static str) -> Server {
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        let mut answer = Vec::new();
        let head = wire::Head {
            headers: head
                .headers
                .into_iter()
                .filter(|(name, _)| !name.contains("Protocol"))
                .collect(),
            ..head
        };
        upgrade(&mut answer, &head, &Answering::default());
        let text = String::from_utf8(answer).unwrap();
        let text = text.trim_end().to_owned();
        drop(stream.write_all(format!("{text}\r\n{line}\r\n\r\n").as_bytes()));
        wire::listen(&mut stream);
    })
}

#[test]
fn handshake() {
    check(CASES);
}
