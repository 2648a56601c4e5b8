//! Answers that look like others, and the words that are said about them.

use super::{
    bed::{Bed, Case, check, examine},
    wire::{self, Answering, Head, Server, always, head, say, upgrade},
};

/// The doctor at `path` of a server that says the same to all.
pub(crate) fn says(path: &str, answer: &'static str, body: &'static str) -> Option<Bed> {
    let server = always(answer, body);
    Some(Bed::new(&[&server.url(path)]).keep(server))
}

/// A WebSocket for those who ask rightly, and `other` for all others.
fn strict(right: fn(&Head) -> bool, other: (&'static str, &'static str)) -> Server {
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if !right(&head) {
            say(&mut stream, other.0, other.1);
        } else if upgrade(&mut stream, &head, &Answering::default()) {
            wire::speak(&mut stream, |_, _| Some(Vec::new()));
        }
    })
}

pub(crate) fn upgrades(head: &Head) -> bool {
    head.header("upgrade").is_some()
}

/// The server of an application: an ordinary GET of the WebSocket's path gets its 404.
pub(crate) fn application() -> Server {
    let page = "<!DOCTYPE html>\n<html lang=\"en\">\n<body>\n<pre>Cannot GET /ws</pre>\n</body>\n</html>\n";
    strict(upgrades, ("404 Not Found\r\nContent-Type: text/html", page))
}

/// What a proxy says by itself, before a server that is well.
fn before(server: Server, answer: &'static str, body: &'static str) -> Option<Bed> {
    let (proxy, direct) = (always(answer, body), server.url("/ws"));
    Some(Bed::new(&[&proxy.url("/ws"), "--direct", &direct]).keep(proxy).keep(server))
}

/// `SockJS`, whose WebSocket answers so.
pub(crate) fn sockjs(websocket: &'static str, answer: &'static str, body: &'static str) -> Server {
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if head.path().ends_with("/info") {
            let info = format!(
                "{{\"websocket\":{websocket},\"origins\":[\"*:*\"],\"cookie_needed\":false,\"entropy\":1}}"
            );
            say(&mut stream, "200 OK\r\nContent-Type: application/json", &info);
        } else {
            say(&mut stream, answer, body);
        }
    })
}

/// Engine.IO for polls; the WebSocket gets this.
fn polls_only(answer: &'static str, body: &'static str) -> Option<Bed> {
    let server = super::doors::engine(super::doors::ok, "", move |stream, _| {
        say(stream, answer, body);
    });
    Some(Bed::new(&[&server.url("/"), "--as", "socketio"]).keep(server))
}

fn events(answer: &'static str, body: &'static str) -> Option<Bed> {
    says("/sse", answer, body).map(|bed| bed.and(&["--as", "sse"]))
}

/// `--as socketio` with these headers, before a server that answers `OPTIONS` so.
fn preflight(options: &'static str, more: &[&str]) -> Option<Bed> {
    let server = Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if head.method == "OPTIONS" {
            say(&mut stream, options, "");
        } else {
            super::doors::engine_answer(
                &mut stream,
                &head,
                "Access-Control-Allow-Origin: https://app.example",
            );
        }
    });
    let bed = Bed::new(&[&server.url("/"), "--as", "socketio", "--origin", "https://app.example"]);
    Some(bed.and(more).keep(server))
}

const START_PAGE: &str = "<!doctype html><html><body><div id=\"root\"></div></body></html>";
const POLICY: &str = "\"https://app.example is not an accepted origin.\"";

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a start page, and the server behind is well",
        codes: &["D20"],
        exit: 30,
        make: || {
            before(
                wire::echo(),
                "200 OK\r\nContent-Type: text/html\r\nServer: nginx/1.24.0",
                START_PAGE,
            )
        },
    },
    Case {
        name: "an empty 200 (Caddy without a route), and the server behind is well",
        codes: &["D20"],
        exit: 30,
        make: || before(wire::echo(), "200 OK\r\nServer: Caddy", ""),
    },
    Case {
        name: "the same empty 200 as the server behind gives to a GET",
        codes: &["D22"],
        exit: 30,
        make: || before(strict(upgrades, ("200 OK", "")), "200 OK\r\nServer: Caddy", ""),
    },
    Case {
        name: "an empty 400, and the server behind is well",
        codes: &["D34"],
        exit: 30,
        make: || before(wire::echo(), "400 Bad Request", ""),
    },
    Case {
        name: "the 404 that the server behind gives to a GET",
        codes: &["D22"],
        exit: 30,
        make: || {
            let page = "<!DOCTYPE html>\n<html lang=\"en\">\n<body>\n<pre>Cannot GET /ws</pre>\n</body>\n</html>\n";
            before(application(), "404 Not Found\r\nServer: nginx/1.24.0", page)
        },
    },
    Case {
        name: "a 404 behind a proxy, and nobody was asked directly",
        codes: &["D23"],
        exit: 30,
        make: || says("/ws", "404 Not Found\r\nServer: nginx/1.24.0", "Cannot GET /ws"),
    },
    Case {
        name: "503 of a proxy with nobody behind it",
        codes: &["D33"],
        exit: 30,
        make: || {
            says(
                "/ws",
                "503 Service Temporarily Unavailable\r\nServer: nginx",
                "<html><head><title>503 Service Temporarily Unavailable</title></head><body><hr><center>nginx</center></body></html>",
            )
        },
    },
    Case {
        name: "503 of a balancer without targets",
        codes: &["D33"],
        exit: 30,
        make: || says("/ws", "503 Service Temporarily Unavailable\r\nServer: awselb/2.0", ""),
    },
    Case {
        name: "503 of Heroku",
        codes: &["D33"],
        exit: 30,
        make: || {
            says(
                "/ws",
                "503 Service Unavailable\r\nServer: Heroku",
                "<title>Application error</title>",
            )
        },
    },
    Case {
        name: "503 of Varnish, which says when to come back",
        codes: &["D33"],
        exit: 30,
        make: || {
            says(
                "/ws",
                "503 Backend fetch failed\r\nServer: Varnish\r\nRetry-After: 5",
                "<h1>Error 503 Backend fetch failed</h1>",
            )
        },
    },
    Case {
        name: "503 of an application behind nginx",
        codes: &["D32"],
        exit: 30,
        make: || {
            let head = "503 Service Unavailable\r\nServer: nginx\r\nContent-Type: application/json";
            says("/ws", head, "{\"error\":\"maintenance\"}")
        },
    },
    Case {
        name: "503, and no more",
        codes: &["D32"],
        exit: 30,
        make: || says("/ws", "503 Service Unavailable", ""),
    },
    Case {
        name: "503 that speaks of a limit",
        codes: &["D32"],
        exit: 30,
        make: || says("/ws", "503 Service Unavailable", "connection limit reached"),
    },
    Case {
        name: "Rails wants its own host as origin, and none was sent",
        codes: &["D27"],
        exit: 30,
        make: || {
            let own = |head: &Head| {
                head.header("origin").is_some_and(|origin| {
                    Some(origin.trim_start_matches("http://")) == head.header("host")
                })
            };
            let server =
                strict(own, ("404 Not Found\r\nContent-Type: text/plain", "Page not found"));
            Some(Bed::new(&[&server.url("/cable")]).keep(server))
        },
    },
    Case {
        name: "SockJS sees no upgrade behind nginx",
        codes: &["D55", "D22"],
        exit: 30,
        make: || {
            let server = sockjs(
                "true",
                "400 Bad Request\r\nServer: nginx/1.24.0",
                "Not a valid websocket request",
            );
            Some(Bed::new(&[&server.url("/echo"), "--as", "sockjs"]).keep(server))
        },
    },
    Case {
        name: "SockJS with its WebSocket switched off",
        codes: &["D55", "D23"],
        exit: 30,
        make: || {
            let server = sockjs("false", "404 Not Found", "");
            Some(Bed::new(&[&server.url("/echo"), "--as", "sockjs"]).keep(server))
        },
    },
    Case {
        name: "Spring sees no Connection: Upgrade",
        codes: &["D26"],
        exit: 30,
        make: || says("/ws", "400 Bad Request", "\"Connection\" must be \"upgrade\"."),
    },
    Case {
        name: "Autobahn sees no Upgrade behind nginx",
        codes: &["D22"],
        exit: 30,
        make: || says("/ws", "400 Bad Request\r\nVia: 1.1 edge", "HTTP Upgrade header missing"),
    },
    Case {
        name: "gorilla says no more than Bad Request",
        codes: &["D22"],
        exit: 30,
        make: || {
            says(
                "/ws",
                "400 Bad Request\r\nServer: nginx/1.24.0\r\nSec-WebSocket-Version: 13",
                "Bad Request\n",
            )
        },
    },
    Case {
        name: "nginx passes the upgrade on, and not Sec-WebSocket-Key",
        codes: &["D25"],
        exit: 30,
        make: || {
            says(
                "/ws",
                "400 Bad Request\r\nServer: nginx/1.24.0\r\nSec-WebSocket-Version: 13",
                "websocket: not a websocket handshake: 'Sec-WebSocket-Key' header is missing or blank\n",
            )
        },
    },
    Case {
        name: "python-socketio does not take the origin",
        codes: &["D27"],
        exit: 30,
        make: || {
            let bed = says("/", "400 Bad Request\r\nContent-Type: text/plain", POLICY)?;
            Some(bed.and(&["--as", "socketio", "--origin", "https://app.example"]))
        },
    },
    Case {
        name: "python-socketio does not know the session",
        codes: &["D24"],
        exit: 30,
        make: || {
            says(
                "/socket.io/?EIO=4&transport=websocket&sid=abc",
                "400 Bad Request\r\nContent-Type: text/plain",
                "\"Invalid session abc\"",
            )
        },
    },
    Case {
        name: "python-socketio speaks another version",
        codes: &["D24"],
        exit: 30,
        make: || {
            says(
                "/socket.io/?EIO=4&transport=websocket",
                "400 Bad Request\r\nContent-Type: text/plain",
                "\"The client is using an unsupported version of the Socket.IO or Engine.IO protocols\"",
            )
        },
    },
    Case {
        name: "allowRequest of Engine.IO refuses the WebSocket alone",
        codes: &["D55", "D24"],
        exit: 30,
        make: || polls_only("400 Bad Request\r\nContent-Type: text/html", "Forbidden"),
    },
    Case {
        name: "allowRequest of Engine.IO says why",
        codes: &["D24"],
        exit: 30,
        make: || {
            let no = "403 Forbidden\r\nContent-Type: application/json";
            let bed = says("/", no, "{\"code\":4,\"message\":\"no such room\"}")?;
            Some(bed.and(&["--as", "socketio"]))
        },
    },
    Case {
        name: "Engine.IO, and no query",
        codes: &["D21"],
        exit: 30,
        make: || {
            says("/socket.io/", "400 Bad Request\r\nContent-Type: text/html", "Transport unknown")
        },
    },
    Case {
        name: "an application's own code 1",
        codes: &["D34"],
        exit: 30,
        make: || {
            says(
                "/rooms",
                "400 Bad Request\r\nContent-Type: application/json",
                "{\"code\":1,\"message\":\"missing room parameter\"}",
            )
        },
    },
    Case {
        name: "OPTIONS fails where a page asks about its own header",
        codes: &["D50"],
        exit: 50,
        make: || preflight("401 Unauthorized", &["--token", "abcdefgh"]),
    },
    Case {
        name: "OPTIONS does not allow the header that a page sends",
        codes: &["D50"],
        exit: 50,
        make: || {
            preflight(
                "204 No Content\r\nAccess-Control-Allow-Origin: https://app.example\r\nAccess-Control-Allow-Headers: *",
                &["--token", "abcdefgh"],
            )
        },
    },
    Case {
        name: "a wildcard beside credentials",
        codes: &["D50"],
        exit: 50,
        make: || {
            let server = Server::new(|mut stream, _| {
                let Some(head) = head(&mut stream) else { return };
                let both =
                    "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true";
                super::doors::engine_answer(&mut stream, &head, both);
            });
            let arguments =
                [&server.url("/"), "--as", "socketio", "--origin", "https://app.example"];
            Some(Bed::new(&arguments).keep(server))
        },
    },
    Case {
        name: "events as plain text",
        codes: &["D20"],
        exit: 30,
        make: || {
            events("200 OK\r\nContent-Type: text/plain\r\nServer: nginx/1.24.0", "data: one\n\n")
        },
    },
    Case {
        name: "a redirect of a stream of events to nowhere",
        codes: &["D34"],
        exit: 30,
        make: || events("301 Moved Permanently", ""),
    },
    Case {
        name: "204 to a stream of events",
        codes: &["D20"],
        exit: 30,
        make: || events("204 No Content", ""),
    },
];

#[test]
fn answers() {
    check(CASES);
}

/// Browsers ask nobody about what Engine.IO sends by itself.
#[test]
fn without_headers_of_its_own_a_page_does_not_ask_first() {
    for options in ["401 Unauthorized", "405 Method Not Allowed"] {
        let bed = preflight(options, &[]).unwrap();
        let told = examine(&bed.arguments);
        assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
    }
}
