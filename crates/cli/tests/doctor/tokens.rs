//! JSON Web Tokens, and who refuses them for what.

use super::{
    bed::{Bed, Case, check},
    wire::{self, Server, always, echo},
};

/// {"alg":"none"}.
const ALG: &str = "eyJhbGciOiJub25lIn0";
/// {"exp":1500000000,"aud":"chat"}.
const EXPIRED: &str = "eyJleHAiOjE1MDAwMDAwMDAsImF1ZCI6ImNoYXQifQ";
/// {"exp":4500000000000}.
const MILLIS: &str = "eyJleHAiOjQ1MDAwMDAwMDAwMDB9";
/// {"exp":4500000000,"aud":"chat"}.
const GOOD: &str = "eyJleHAiOjQ1MDAwMDAwMDAsImF1ZCI6ImNoYXQifQ";

fn token(claims: &str) -> String {
    format!("{ALG}.{claims}.c2ln")
}

fn refused(claims: &str, head: &'static str, body: &'static str) -> Option<Bed> {
    let server = always(head, body);
    Some(Bed::new(&[&server.url("/ws"), "--token", &token(claims)]).keep(server))
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a token with its date in milliseconds",
        codes: &["D53"],
        exit: 30,
        make: || refused(MILLIS, "401 Unauthorized", "invalid token"),
    },
    Case {
        name: "a token for somebody else",
        codes: &["D53"],
        exit: 30,
        make: || {
            let head = "401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"The audience is invalid\"";
            refused(GOOD, head, "")
        },
    },
    Case {
        name: "a token that is good, and refused",
        codes: &["D27"],
        exit: 30,
        make: || refused(GOOD, "401 Unauthorized", ""),
    },
    Case {
        name: "an expired token in a subprotocol",
        codes: &["D53"],
        exit: 30,
        make: || {
            let server = always("401 Unauthorized", "");
            let offer = ["--subprotocol", "chat", "--subprotocol", &token(EXPIRED)];
            Some(Bed::new(&[&server.url("/ws")]).and(&offer).keep(server))
        },
    },
    Case {
        name: "an expired token, which the server takes",
        codes: &["D53"],
        exit: 30,
        make: || {
            let server = echo();
            Some(Bed::new(&[&server.url("/ws"), "--token", &token(EXPIRED)]).keep(server))
        },
    },
];

#[test]
fn tokens() {
    check(CASES);
}

/// SockJS on two nodes, each with its own sessions.
#[test]
fn a_session_of_sockjs_on_two_nodes() {
    let server = |nodes: usize| {
        let opened = std::sync::Mutex::new(Vec::<(usize, String)>::new());
        Server::new(move |mut stream, at| {
            let Some(head) = wire::head(&mut stream) else { return };
            let Some((session, end)) = head.path().rsplit_once('/') else { return };
            let here = (at % nodes, session.to_owned());
            match end {
                "info" => {
                    let info = "{\"websocket\":true,\"origins\":[\"*:*\"],\"cookie_needed\":false,\"entropy\":1}";
                    wire::say(&mut stream, "200 OK\r\nContent-Type: application/json", info);
                }
                "xhr" => {
                    opened.lock().unwrap().push(here);
                    wire::say(&mut stream, "200 OK", "o\n");
                }
                "xhr_send" if opened.lock().unwrap().contains(&here) => {
                    wire::say(&mut stream, "204 No Content", "");
                }
                "websocket" => {
                    if wire::upgrade(&mut stream, &head, &wire::Answering::default()) {
                        drop(std::io::Write::write_all(
                            &mut stream,
                            &wire::frame(wire::TEXT, b"o"),
                        ));
                        wire::speak(&mut stream, |_, _| Some(Vec::new()));
                    }
                }
                _ => wire::say(&mut stream, "404 Not Found", ""),
            }
        })
    };
    for (nodes, codes) in [(1, &[][..]), (2, &["D49"])] {
        let server = server(nodes);
        let told =
            super::bed::examine(&Bed::new(&[&server.url("/echo"), "--as", "sockjs"]).arguments);
        assert_eq!(told.codes, codes, "{nodes} nodes: {}", told.json["steps"]);
    }
}
