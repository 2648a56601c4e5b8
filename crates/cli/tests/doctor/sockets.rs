//! After the upgrade.

use std::{
    io::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    bed::{Bed, Case, check, examine},
    wire::{self, Answering, PONG, Server, TEXT, close, frame, opened},
};

/// Opens, and sends this at once.
fn sends(bytes: Vec<u8>) -> Option<Bed> {
    let server = opened(Answering::default(), move |stream, _| {
        drop(stream.write_all(&bytes));
        wire::listen(stream);
    });
    Some(Bed::new(&[&server.url("/ws"), "--timeout", "1s"]).keep(server))
}

/// Answers pings, and ends on messages longer than `most` with `end`.
fn limited(most: usize, end: Option<u16>) -> Option<Bed> {
    let server = opened(Answering::default(), move |stream, _| {
        let mut over = false;
        while let Some((first, payload)) = wire::read_frame(stream) {
            over |= first & 0x0F < 8 && payload.len() > most;
            if over {
                if let Some(code) = end {
                    drop(stream.write_all(&close(code, "message too big")));
                    wire::listen(stream);
                }
                return;
            }
            if first & 0x0F == 9 {
                drop(stream.write_all(&frame(PONG, &payload)));
            } else if first & 0x0F == 8 {
                drop(stream.write_all(&frame(wire::CLOSE, &payload)));
                return;
            }
        }
    });
    Some(Bed::new(&[&server.url("/ws"), "--max-size=100000"]).keep(server))
}

/// Cuts what is silent for `limit`.
fn idle_limit(limit: Duration) -> Server {
    opened(Answering::default(), move |stream, _| {
        drop(stream.set_read_timeout(Some(limit)));
        wire::speak(stream, |_, _| Some(Vec::new()));
    })
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "any message is answered with 4400",
        codes: &["D40"],
        exit: 40,
        make: || {
            let server = opened(Answering::default(), |stream, _| {
                while let Some((first, payload)) = wire::read_frame(stream) {
                    let answer = match first & 0x0F {
                        8 => return,
                        9 => frame(PONG, &payload),
                        _ => close(4400, "what is this?"),
                    };
                    drop(stream.write_all(&answer));
                }
            });
            Some(Bed::new(&[&server.url("/ws"), "--max-size=1000"]).keep(server))
        },
    },
    Case {
        name: "any message is hung up on",
        codes: &["D40"],
        exit: 40,
        make: || limited(0, None),
    },
    Case {
        name: "500 to an offer of compression",
        codes: &["D45"],
        exit: 40,
        make: || {
            let server = Server::new(|mut stream, _| {
                let Some(head) = wire::head(&mut stream) else { return };
                if head.header("sec-websocket-extensions").is_some() {
                    wire::say(&mut stream, "500 Internal Server Error", "");
                } else if wire::upgrade(&mut stream, &head, &Answering::default()) {
                    wire::speak(&mut stream, |_, _| Some(Vec::new()));
                }
            });
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "hangs up on an offer of compression",
        codes: &["D45"],
        exit: 40,
        make: || {
            let server = Server::new(|mut stream, _| {
                let Some(head) = wire::head(&mut stream) else { return };
                if head.header("sec-websocket-extensions").is_none()
                    && wire::upgrade(&mut stream, &head, &Answering::default())
                {
                    wire::speak(&mut stream, |_, _| Some(Vec::new()));
                }
            });
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "a page in the open WebSocket",
        codes: &["D46"],
        exit: 40,
        make: || sends(b"<!doctype html><title>It works</title>".to_vec()),
    },
    Case {
        name: "a close frame with 1006",
        codes: &["D46"],
        exit: 40,
        make: || sends(close(1006, "")),
    },
    Case { name: "open, and dead", codes: &["D36"], exit: 40, make: || sends(Vec::new()) },
    Case {
        name: "dead through the proxy, alive directly",
        codes: &["D36"],
        exit: 40,
        make: || {
            let backend = wire::echo();
            let proxy = opened(Answering::default(), |stream, _| wire::listen(stream));
            Some(
                Bed::new(&[&proxy.url("/ws"), "--direct", &backend.url("/ws"), "--timeout", "1s"])
                    .keep(proxy)
                    .keep(backend),
            )
        },
    },
    Case {
        name: "closed with 1008",
        codes: &["D40"],
        exit: 40,
        make: || sends(close(1008, "token expired")),
    },
    Case { name: "closed with 1011", codes: &["D40"], exit: 40, make: || sends(close(1011, "")) },
    Case {
        name: "closed with 4401",
        codes: &["D40"],
        exit: 40,
        make: || sends(close(4401, "Unauthorized")),
    },
    Case {
        name: "closed with 3501, as Centrifugo does",
        codes: &["D40"],
        exit: 40,
        make: || sends(close(3501, "bad request")),
    },
    Case {
        name: "cut at once",
        codes: &["D40"],
        exit: 40,
        make: || {
            let server = opened(Answering::default(), |_, _| {});
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "text that is not UTF-8",
        codes: &["D46"],
        exit: 40,
        make: || sends(frame(TEXT, b"caf\xe9")),
    },
    Case {
        name: "frames that are masked",
        codes: &["D46"],
        exit: 40,
        make: || sends(vec![0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]),
    },
    Case {
        name: "compressed though nobody agreed",
        codes: &["D46"],
        exit: 40,
        make: || {
            let server = opened(Answering::default(), |stream, _| {
                drop(stream.write_all(&frame(0xC1, &[0xAA, 0x56, 0, 0])));
                wire::listen(stream);
            });
            Some(Bed::new(&[&server.url("/ws"), "--timeout", "1s"]).keep(server))
        },
    },
    Case {
        name: "the server says 1002 of us",
        codes: &["D46"],
        exit: 40,
        make: || sends(close(1002, "invalid frame")),
    },
    Case {
        name: "broken compression",
        codes: &["D45"],
        exit: 40,
        make: || {
            let server = Server::new(|mut stream, _| {
                let Some(head) = wire::head(&mut stream) else { return };
                let offered = head.header("sec-websocket-extensions").is_some();
                let how = Answering { deflate: offered, ..Answering::default() };
                if wire::upgrade(&mut stream, &head, &how) {
                    // RFC 1951 §3.2.3: a block of the type 11 is an error.
                    let hello =
                        if offered { frame(0xC1, &[0xFF; 8]) } else { frame(TEXT, b"hello") };
                    drop(stream.write_all(&hello));
                    wire::speak(&mut stream, |_, _| Some(Vec::new()));
                }
            });
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "compressed messages are not taken",
        codes: &["D45"],
        exit: 40,
        make: || {
            let server = Server::new(|mut stream, _| {
                let Some(head) = wire::head(&mut stream) else { return };
                if wire::upgrade(
                    &mut stream,
                    &head,
                    &Answering { deflate: true, ..Answering::default() },
                ) {
                    wire::speak(&mut stream, |first, _| (first & 0x40 == 0).then(Vec::new));
                }
            });
            Some(Bed::new(&[&server.url("/ws"), "--max-size=2000"]).keep(server))
        },
    },
    Case {
        name: "idle connections are cut after a second",
        codes: &["D41"],
        exit: 40,
        make: || {
            let server = idle_limit(Duration::from_secs(2));
            Some(Bed::new(&[&server.url("/ws"), "--hold", "5s"]).keep(server))
        },
    },
    Case {
        name: "every connection lives two seconds",
        codes: &["D42"],
        exit: 40,
        make: || {
            let server = opened(Answering::default(), |stream, _| {
                wire::live_for(stream, Duration::from_secs(2));
            });
            Some(Bed::new(&[&server.url("/ws"), "--hold", "6s"]).keep(server))
        },
    },
    Case {
        name: "closed with 4408 for want of a first message",
        codes: &["D40"],
        exit: 40,
        make: || {
            let server = opened(Answering::default(), |stream, _| {
                wire::live_for(stream, Duration::from_secs(2));
                drop(stream.write_all(&close(4408, "Connection initialisation timeout")));
                wire::listen(stream);
            });
            Some(Bed::new(&[&server.url("/graphql"), "--hold", "4s"]).keep(server))
        },
    },
    Case {
        name: "all are cut at one moment",
        codes: &["D43"],
        exit: 40,
        make: || {
            // Four seconds after the first handshake; the connection before that only shows that TCP opens.
            let moment: Arc<Mutex<Option<Instant>>> = Arc::default();
            let server = opened(Answering::default(), move |stream, at| {
                let end = {
                    let mut moment = moment.lock().unwrap();
                    if at == 1 {
                        *moment = Some(Instant::now() + Duration::from_secs(4));
                    }
                    *moment
                };
                let left = end.map_or(Duration::from_secs(20), |end| {
                    end.saturating_duration_since(Instant::now())
                });
                wire::live_for(stream, left);
            });
            Some(Bed::new(&[&server.url("/ws"), "--hold", "8s"]).keep(server))
        },
    },
    Case {
        name: "the token is taken once",
        codes: &["D54"],
        exit: 40,
        make: || {
            let over = AtomicBool::new(false);
            let server = Server::new(move |mut stream, _| {
                let Some(head) = wire::head(&mut stream) else { return };
                if over.load(Ordering::SeqCst) {
                    wire::say(&mut stream, "401 Unauthorized", "ticket used");
                } else if wire::upgrade(&mut stream, &head, &Answering::default()) {
                    drop(stream.set_read_timeout(Some(Duration::from_secs(2))));
                    let mut closed = false;
                    while let Some((first, payload)) = wire::read_frame(&mut stream) {
                        match first & 0x0F {
                            9 => drop(stream.write_all(&frame(PONG, &payload))),
                            8 => {
                                closed = true;
                                break;
                            }
                            _ => {}
                        }
                    }
                    // Cut for being idle: the ticket is used up.
                    over.fetch_or(!closed, Ordering::SeqCst);
                }
            });
            Some(Bed::new(&[&server.url("/ws?ticket=abcdef"), "--hold", "4s"]).keep(server))
        },
    },
    Case {
        name: "messages over 65,536 bytes are refused with 1009",
        codes: &["D44"],
        exit: 40,
        make: || limited(65_536, Some(1009)),
    },
    Case {
        name: "messages over 8,192 bytes cut the connection",
        codes: &["D44"],
        exit: 40,
        make: || limited(8_192, None),
    },
];

#[test]
fn sockets() {
    check(CASES);
}

#[test]
fn a_limit_is_found_to_the_byte() {
    for (most, end) in [(8_192, None), (65_536, Some(1009)), (33_333, Some(1009))] {
        let bed = limited(most, end).unwrap();
        let told = examine(&bed.arguments);
        assert_eq!(told.json["evidence"]["size"]["passes"], most, "{}", told.json);
    }
}

/// It was said to be idle and open all the time.
#[test]
fn a_connection_that_cannot_be_held_is_no_healthy_one() {
    let server = Server::new(|mut stream, at| {
        let Some(head) = wire::head(&mut stream) else { return };
        // The first knock only tries the port.
        if at > 1 {
            wire::say(&mut stream, "429 Too Many Requests", "one for each");
        } else if wire::upgrade(&mut stream, &head, &Answering::default()) {
            wire::speak(&mut stream, |_, _| Some(Vec::new()));
        }
    });
    let told = examine(&[server.url("/ws"), "--hold".into(), "1s".into()]);
    assert_eq!((told.exit, told.codes.as_slice()), (30, &["D32".to_owned()][..]));
}
