//! `HAProxy`, with the mistakes that people make.

use std::io::Write as _;

use super::{
    bed::{Bed, Case, check},
    certificates::{Authority, self_signed},
    proxies::{at, haproxy, mute},
    wire::{Answering, Server, head, speak, upgrade},
    yard::Yard,
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "HAProxy wants a PROXY header, and then TLS",
        codes: &["D06"],
        exit: 10,
        make: || {
            let leaf = self_signed(&["localhost"]);
            let both = format!("{}{}", leaf.pem, leaf.key_pem);
            at(
                haproxy(
                    "listen l\n bind 127.0.0.1:PORT accept-proxy ssl crt DIR/b.pem\n http-request return status 200",
                    &[("b.pem", &both)],
                ),
                (),
            )
        },
    },
    Case {
        name: "HAProxy, and no server behind it",
        codes: &["D33"],
        exit: 30,
        make: || {
            at(haproxy("listen l\n bind 127.0.0.1:PORT\n server s 127.0.0.1:1 disabled", &[]), ())
        },
    },
    Case {
        name: "HAProxy, and a mute server behind it",
        codes: &["D33"],
        exit: 30,
        make: || {
            let mute = mute();
            let text = format!(
                "listen l\n bind 127.0.0.1:PORT\n timeout server 1s\n server s {}",
                mute.address
            );
            at(haproxy(&text, &[]), mute)
        },
    },
    Case {
        name: "HAProxy cuts what is idle (timeout tunnel)",
        codes: &["D41"],
        exit: 40,
        make: || {
            let yard = Yard::start(&[]);
            let text = format!(
                "listen l\n bind 127.0.0.1:PORT\n timeout tunnel 2s\n server s {}",
                yard.address
            );
            at(haproxy(&text, &[]), yard).map(|bed| bed.and(&["--hold", "5s"]))
        },
    },
    Case {
        name: "HAProxy takes only PROXY headers",
        codes: &["D06"],
        exit: 10,
        make: || {
            let yard = Yard::start(&[]);
            let text =
                format!("listen l\n bind 127.0.0.1:PORT accept-proxy\n server s {}", yard.address);
            at(haproxy(&text, &[]), yard)
        },
    },
    Case {
        name: "HAProxy denies",
        codes: &["D27"],
        exit: 30,
        make: || at(haproxy("frontend f\n bind 127.0.0.1:PORT\n http-request deny", &[]), ()),
    },
    Case {
        name: "HAProxy takes the upgrade away",
        codes: &["D22"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let text = format!(
                "listen l\n bind 127.0.0.1:PORT\n http-request del-header Upgrade\n server s {}",
                yard.address
            );
            let direct = yard.url("/ws");
            at(haproxy(&text, &[]), yard).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "HAProxy closes after each answer",
        codes: &["D22"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let text = format!(
                "listen l\n bind 127.0.0.1:PORT\n http-request set-header Connection close\n server s {}",
                yard.address
            );
            let direct = yard.url("/ws");
            at(haproxy(&text, &[]), yard).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "HAProxy sends a PROXY header that nobody expects",
        codes: &["D34"],
        exit: 30,
        make: || {
            // Node's parser answers so to what is no HTTP.
            let server = Server::new(|mut stream, _| {
                let Some(head) = head(&mut stream) else { return };
                if head.method == "PROXY" {
                    drop(
                        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
                    );
                } else if upgrade(&mut stream, &head, &Answering::default()) {
                    speak(&mut stream, |_, _| Some(Vec::new()));
                }
            });
            let text =
                format!("listen l\n bind 127.0.0.1:PORT\n server s {} send-proxy", server.address);
            let direct = server.url("/ws");
            at(haproxy(&text, &[]), server).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "HAProxy speaks only HTTP/2",
        codes: &["D16"],
        exit: 20,
        make: || {
            let leaf = Authority::new().server(&["localhost"]);
            let both = format!("{}{}", leaf.pem, leaf.key_pem);
            let proxy = haproxy(
                "frontend f\n bind 127.0.0.1:PORT ssl crt DIR/both.pem alpn h2 proto h2\n http-request deny",
                &[("both.pem", &both)],
            )?;
            let (url, ca) = (format!("wss://localhost:{}/ws", proxy.port), leaf.ca());
            Some(
                Bed::new(&[&url, "--resolve", "127.0.0.1", "--ca", ca.path()]).keep(proxy).keep(ca),
            )
        },
    },
    Case {
        name: "HAProxy knows no certificate for the name (strict-sni)",
        codes: &["D11"],
        exit: 20,
        make: || {
            let leaf = Authority::new().server(&["other.example"]);
            let both = format!("{}{}", leaf.pem, leaf.key_pem);
            let proxy = haproxy(
                "frontend f\n bind 127.0.0.1:PORT ssl crt DIR/both.pem strict-sni\n http-request deny",
                &[("both.pem", &both)],
            )?;
            let url = format!("wss://chat.example:{}/ws", proxy.port);
            Some(Bed::new(&[&url, "--resolve", "127.0.0.1"]).keep(proxy))
        },
    },
    Case {
        name: "HAProxy sends polls to two nodes in turn",
        codes: &["D49"],
        exit: 50,
        make: || {
            let (a, b) = (super::doors::node("aaaa"), super::doors::node("bbbb"));
            let text = format!(
                "listen l\n bind 127.0.0.1:PORT\n balance roundrobin\n server a {}\n server b {}",
                a.address, b.address
            );
            let proxy = haproxy(&text, &[])?;
            Some(Bed::new(&[&proxy.url("/"), "--as", "socketio"]).keep(proxy).keep(a).keep(b))
        },
    },
];

#[test]
fn misconfigured() {
    check(CASES);
}
