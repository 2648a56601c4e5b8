//! Streams of events that end, or are held back.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{
    bed::{Bed, Case, check, examine},
    wire::{self, Server, head, say},
};

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

/// Waits, or less if the other side leaves.
fn quiet(stream: &mut TcpStream, time: Duration) {
    let until = Instant::now() + time;
    drop(stream.set_read_timeout(Some(time)));
    while Instant::now() < until {
        if std::io::Read::read(stream, &mut [0; 64]).is_ok_and(|length| length == 0) {
            return;
        }
    }
}

/// A stream at `/sse`; anything else is 404.
fn stream(then: impl Fn(&mut TcpStream, bool) + Send + Sync + 'static) -> Server {
    Server::new(move |mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if head.path() == "/sse" {
            let gzip = head.header("accept-encoding").is_some_and(|list| list.contains("gzip"));
            then(&mut stream, gzip);
        } else {
            say(&mut stream, "404 Not Found", "");
        }
    })
}

fn at(server: Server, more: &[&str]) -> Option<Bed> {
    let url = server.url("/sse").replace("ws://", "http://");
    Some(Bed::new(&[&url, "--as", "sse"]).and(more).keep(server))
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "not even the head of a stream comes",
        codes: &["D47"],
        exit: 50,
        make: || at(stream(|stream, _| wire::listen(stream)), &["--timeout", "1s"]),
    },
    Case {
        name: "a stream is cut when it is quiet",
        codes: &["D41"],
        exit: 40,
        make: || {
            let server = stream(|stream, _| {
                drop(stream.write_all(&[HEAD, &chunk("data: 1\n\n")].concat()));
                quiet(stream, Duration::from_millis(1_500));
            });
            at(server, &["--hold", "4s"])
        },
    },
    Case {
        name: "a stream ends at once",
        codes: &["D42"],
        exit: 40,
        make: || {
            let server = stream(|stream, _| {
                drop(stream.write_all(&[HEAD, b"0\r\n\r\n"].concat()));
            });
            at(server, &["--timeout", "1s"])
        },
    },
    Case {
        name: "gzip holds even the head back",
        codes: &["D47"],
        exit: 50,
        make: || {
            let server = stream(|stream, gzip| {
                if gzip {
                    return wire::listen(stream);
                }
                drop(stream.write_all(HEAD));
                while stream.write_all(&chunk("data: tick\n\n")).is_ok() {
                    quiet(stream, Duration::from_millis(200));
                }
            });
            at(server, &["--timeout", "2s"])
        },
    },
    Case {
        name: "gzip holds the events back",
        codes: &["D47"],
        exit: 50,
        make: || {
            let server = stream(|stream, gzip| {
                if gzip {
                    let coded = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n";
                    drop(stream.write_all(coded));
                    return wire::listen(stream);
                }
                drop(stream.write_all(HEAD));
                while stream.write_all(&chunk("data: tick\n\n")).is_ok() {
                    quiet(stream, Duration::from_millis(200));
                }
            });
            at(server, &["--timeout", "2s"])
        },
    },
];

#[test]
fn streams() {
    check(CASES);
}

/// `EventSource` follows redirects.
#[test]
fn a_redirect_to_a_stream_is_followed() {
    let server = Server::new(|mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        if head.path() == "/sse" {
            say(&mut stream, "301 Moved Permanently\r\nLocation: /sse/", "");
        } else {
            drop(stream.write_all(&[HEAD, &chunk("data: 1\n\n")].concat()));
            wire::listen(&mut stream);
        }
    });
    let url = server.url("/sse").replace("ws://", "http://");
    let told = examine(&[url, "--as".into(), "sse".into(), "--timeout".into(), "1s".into()]);
    assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json["steps"]);
}

#[test]
fn a_redirect_to_another_server_is_followed() {
    let there = stream(|stream, _| {
        drop(stream.write_all(&[HEAD, &chunk("data: 1\n\n")].concat()));
        wire::listen(stream);
    });
    let place = there.url("/sse").replace("ws://", "http://");
    let server = Server::new(move |mut stream, _| {
        if head(&mut stream).is_some() {
            say(&mut stream, &format!("307 Temporary Redirect\r\nLocation: {place}"), "");
        }
    });
    let url = server.url("/events").replace("ws://", "http://");
    let told = examine(&[url, "--as".into(), "sse".into(), "--timeout".into(), "1s".into()]);
    assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json["steps"]);
}

#[test]
fn each_place_of_a_redirect_must_let_the_page_in() {
    let there = stream(|stream, _| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nAccess-Control-Allow-Origin: *\r\nTransfer-Encoding: chunked\r\n\r\n";
        drop(stream.write_all(&[head.as_bytes(), &chunk("data: 1\n\n")].concat()));
        wire::listen(stream);
    });
    let place = there.url("/sse").replace("ws://", "http://");
    let server = Server::new(move |mut stream, _| {
        if head(&mut stream).is_some() {
            say(&mut stream, &format!("307 Temporary Redirect\r\nLocation: {place}"), "");
        }
    });
    let url = server.url("/events").replace("ws://", "http://");
    let page = ["--as", "sse", "--timeout", "1s", "--origin"];
    let told = |origin: &str| examine(&Bed::new(&[&url]).and(&page).and(&[origin]).arguments);
    assert_eq!(told("https://a.example").codes, ["D50"]);
    let own = server.url("").replace("ws://", "http://");
    assert_eq!(told(&own).codes, Vec::<String>::new());
}

#[test]
fn a_redirect_that_leads_nowhere_is_what_counts() {
    let nobody = Server::new(|_, _| {}).url("/sse").replace("ws://", "http://");
    for (place, code, words) in
        [(nobody.as_str(), "D34", "leads nowhere"), ("/login?next=/sse", "D20", "login page")]
    {
        let place = place.to_owned();
        let server = Server::new(move |mut stream, _| {
            let Some(head) = head(&mut stream) else { return };
            if head.path() == "/sse" {
                say(&mut stream, &format!("302 Found\r\nLocation: {place}"), "");
            } else {
                say(&mut stream, "200 OK\r\nContent-Type: text/html", "<html>Who are you?</html>");
            }
        });
        let url = server.url("/sse").replace("ws://", "http://");
        let told = examine(&Bed::new(&[&url, "--as", "sse", "--timeout", "1s"]).arguments);
        assert_eq!(told.codes, [code], "{}", told.json["steps"]);
        assert!(told.json["findings"].to_string().contains(words), "{}", told.json["findings"]);
    }
}

/// What proves who asks goes to the server that it was given for, and to no other.
#[test]
fn a_redirect_takes_no_secrets_along() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let there = {
        let heard = Arc::clone(&heard);
        Server::new(move |mut stream, _| {
            let Some(head) = head(&mut stream) else { return };
            heard.lock().unwrap().push(head);
            drop(stream.write_all(&[HEAD, &chunk("data: 1\n\n")].concat()));
            wire::listen(&mut stream);
        })
    };
    let place = there.url("/sse").replace("ws://", "http://");
    let server = Server::new(move |mut stream, _| {
        if head(&mut stream).is_some_and(|head| head.header("authorization").is_some()) {
            say(&mut stream, &format!("307 Temporary Redirect\r\nLocation: {place}"), "");
        }
    });
    let url = server.url("/events").replace("ws://", "http://");
    let secrets =
        ["--token", "s3cr3t-token", "--header", "Cookie: id=1", "--header", "X-Api-Key: k1"];
    let bed = Bed::new(&[&url, "--as", "sse", "--timeout", "1s"]).and(&secrets);
    assert_eq!(examine(&bed.arguments).codes, Vec::<String>::new());
    let heard = heard.lock().unwrap();
    assert!(!heard.is_empty());
    for head in heard.iter() {
        for name in ["authorization", "cookie", "x-api-key"] {
            assert_eq!(head.header(name), None, "{name}");
        }
    }
}
