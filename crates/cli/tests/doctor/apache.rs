//! Apache, with the mistakes that people make.

use super::{
    bed::{Bed, Case, check},
    certificates::self_signed,
    proxies::{apache, at, free_port, tunnels},
    wire::{Server, head},
    yard::Yard,
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "Apache passes no upgrade",
        codes: &["D22"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let direct = yard.url("/ws");
            let proxy = apache(&format!("ProxyPass / http://{}/", yard.address), &[]);
            at(proxy, yard).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "Apache, and nothing behind it",
        codes: &["D33"],
        exit: 30,
        make: || at(apache(&format!("ProxyPass / http://127.0.0.1:{}/", free_port()), &[]), ()),
    },
    Case {
        name: "Apache, and a server behind it that dies of the request",
        codes: &["D33"],
        exit: 30,
        make: || {
            let server = Server::new(|mut stream, _| drop(head(&mut stream)));
            let site = format!("ProxyPass / http://{}/ upgrade=websocket", server.address);
            at(apache(&site, &[]), server)
        },
    },
    Case {
        name: "ws:// to the TLS port of Apache",
        codes: &["D08"],
        exit: 10,
        make: || {
            let leaf = self_signed(&["localhost"]);
            let files = [("c.pem", leaf.pem.as_str()), ("k.pem", leaf.key_pem.as_str())];
            at(
                apache(
                    "SSLEngine on\nSSLCertificateFile DIR/c.pem\nSSLCertificateKeyFile DIR/k.pem",
                    &files,
                ),
                (),
            )
        },
    },
    Case {
        name: "Apache gives an application's start page",
        codes: &["D20"],
        exit: 30,
        make: || {
            let bed = at(apache("FallbackResource /index.html", &[]), ())?;
            Some(Bed { arguments: vec![format!("{}-live", bed.arguments[0])], ..bed })
        },
    },
    Case {
        name: "Apache adds a slash by a redirect",
        codes: &["D28"],
        exit: 30,
        make: || at(apache("", &[]), ()),
    },
    Case {
        name: "a cookie too long for Apache",
        codes: &["D31"],
        exit: 30,
        make: || {
            let cookie = format!("Cookie: big={}", "x".repeat(3_000));
            at(apache("LimitRequestFieldSize 1024", &[]), ())
                .map(|bed| bed.and(&["--header", &cookie]))
        },
    },
    Case {
        name: "Apache cuts what is idle",
        codes: &["D41"],
        exit: 40,
        make: || {
            let yard = Yard::start(&[]);
            let proxy = apache(
                &format!("ProxyPass / http://{}/ upgrade=websocket\nTimeout 2", yard.address),
                &[],
            );
            at(proxy, yard).map(|bed| bed.and(&["--hold", "5s"]))
        },
    },
    Case {
        name: "Apache as the network's proxy, and no login",
        codes: &["D30"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let proxy = tunnels(yard.address.port())?;
            let through = format!("http://127.0.0.1:{}", proxy.port);
            let bed = Bed::new(&[&yard.url("/ws"), "--proxy", &through]);
            Some(bed.keep(proxy).keep(yard))
        },
    },
    Case {
        name: "Apache as the network's proxy, which allows only port 443",
        codes: &["D30"],
        exit: 30,
        make: || {
            let proxy = tunnels(443)?;
            let through = format!("http://ana:secret@127.0.0.1:{}", proxy.port);
            Some(Bed::new(&["wss://127.0.0.1:8443/ws", "--proxy", &through]).keep(proxy))
        },
    },
    Case {
        name: "Apache has nothing at the path",
        codes: &["D23"],
        exit: 30,
        make: || {
            let bed = at(apache("", &[]), ())?;
            Some(Bed { arguments: vec![format!("{}/live", bed.arguments[0])], ..bed })
        },
    },
];

#[test]
fn misconfigured() {
    check(CASES);
}
