//! TLS, and everything that may be wrong with it.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use tokio_rustls::rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};

use super::{
    bed::{Bed, Case, check},
    certificates::{Authority, File, Leaf, Wrong, self_signed},
    wire::{self, Server},
};

fn config(
    leaf: &Leaf,
    clients: Option<&str>,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match clients {
        Some(root) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(leaf.chain.clone(), leaf.key()).unwrap()
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Speaks TLS and a good WebSocket on it.
pub(crate) fn talk(leaf: &Leaf, stream: &mut TcpStream) {
    talk_as(Arc::new(config(leaf, None, BOTH)), stream.try_clone().unwrap());
}

fn talk_as(config: Arc<ServerConfig>, stream: TcpStream) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    if let Some(head) = wire::head(&mut stream) {
        if head.header("upgrade").is_none() {
            wire::say(&mut stream, "200 OK\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT", "");
            stream.conn.send_close_notify();
            drop(stream.flush());
        } else if wire::upgrade(&mut stream, &head, &wire::Answering::default()) {
            wire::speak(&mut stream, |_, _| Some(Vec::new()));
        }
    } else {
        // An alert, if there is one.
        drop(stream.flush());
        wire::listen(&mut stream.sock);
    }
}

/// Like a server of `wss` without a handler for anything else: no answer.
pub(crate) fn only_upgrades(leaf: &Leaf, stream: &mut TcpStream) {
    let config = Arc::new(config(leaf, None, BOTH));
    let mut tls =
        StreamOwned::new(ServerConnection::new(config).unwrap(), stream.try_clone().unwrap());
    if wire::head(&mut tls).is_some() {
        wire::listen(&mut tls);
    }
}

pub(crate) fn echo(leaf: &Leaf) -> Server {
    with(config(leaf, None, BOTH))
}

fn with(config: ServerConfig) -> Server {
    let config = Arc::new(config);
    Server::new(move |stream, _| talk_as(Arc::clone(&config), stream))
}

/// The doctor at this server, by the name `localhost`, trusting the leaf's root.
fn at(server: Server, leaf: &Leaf) -> Bed {
    let ca = leaf.ca();
    let url = format!("wss://localhost:{}/ws", server.port());
    Bed::new(&[&url, "--ca", ca.path(), "--resolve", "127.0.0.1"]).keep(ca).keep(server)
}

fn server_with(leaf: &Leaf) -> Bed {
    at(echo(leaf), leaf)
}

/// Trusts another root than the one that has signed.
fn untrusted(leaf: &Leaf) -> Bed {
    let other = Authority::named("Other Root", "Other Intermediate").server(&["localhost"]);
    at(echo(leaf), &other)
}

fn years(from: i32, to: i32) -> Wrong {
    Wrong { years: Some((from, to)), ..Wrong::default() }
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "certificate expired",
        codes: &["D10"],
        exit: 20,
        make: || Some(server_with(&Authority::new().wrong(&["localhost"], &years(2020, 2021)))),
    },
    Case {
        name: "certificate not yet valid",
        codes: &["D10"],
        exit: 20,
        make: || Some(server_with(&Authority::new().wrong(&["localhost"], &years(2090, 2091)))),
    },
    Case {
        name: "intermediate certificate expired",
        codes: &["D10"],
        exit: 20,
        make: || Some(server_with(&Authority::of_years(2015, 2020).server(&["localhost"]))),
    },
    Case {
        name: "certificate of another name",
        codes: &["D11"],
        exit: 20,
        make: || Some(server_with(&Authority::new().server(&["other.example", "*.example.net"]))),
    },
    Case {
        name: "self-signed certificate",
        codes: &["D12"],
        exit: 20,
        make: || Some(untrusted(&self_signed(&["localhost"]))),
    },
    Case {
        name: "no intermediate certificate",
        codes: &["D12"],
        exit: 20,
        make: || Some(server_with(&Authority::new().server(&["localhost"]).without_intermediate())),
    },
    Case {
        name: "no intermediate certificate, and the address of it",
        codes: &["D12"],
        exit: 20,
        make: || {
            let authority = Authority::new();
            let intermediate = authority.intermediate();
            let store = Server::new(move |mut stream, _| {
                if wire::head(&mut stream).is_some() {
                    let length = intermediate.len();
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                    drop(stream.write_all(&[head.as_bytes(), &intermediate].concat()));
                }
            });
            let url = format!("http://127.0.0.1:{}/issuer.crt", store.port());
            let wrong = Wrong { issuer_url: Some(url), ..Wrong::default() };
            Some(
                server_with(&authority.wrong(&["localhost"], &wrong).without_intermediate())
                    .keep(store),
            )
        },
    },
    Case {
        name: "unknown authority",
        codes: &["D12"],
        exit: 20,
        make: || Some(untrusted(&Authority::new().server(&["localhost"]))),
    },
    Case {
        name: "an authority that was made anew under the same name",
        codes: &["D12"],
        exit: 20,
        make: || {
            let before = Authority::new().server(&["localhost"]);
            Some(at(echo(&Authority::new().server(&["localhost"])), &before))
        },
    },
    Case {
        name: "expired, of another name, and of an unknown authority",
        codes: &["D10", "D11", "D12"],
        exit: 20,
        make: || Some(untrusted(&Authority::new().wrong(&["other.example"], &years(2020, 2021)))),
    },
    Case {
        name: "TLS inspection",
        codes: &["D14"],
        exit: 20,
        make: || {
            let authority = Authority::named("Zscaler Root CA", "Zscaler Intermediate Root CA");
            Some(untrusted(&authority.server(&["localhost"])))
        },
    },
    Case {
        name: "client certificate asked (TLS 1.3)",
        codes: &["D15"],
        exit: 20,
        make: || {
            let leaf = Authority::new().server(&["localhost"]);
            let server = with(config(&leaf, Some(&leaf.root), &[&TLS13]));
            Some(at(server, &leaf))
        },
    },
    Case {
        name: "client certificate asked (TLS 1.2)",
        codes: &["D15"],
        exit: 20,
        make: || {
            let leaf = Authority::new().server(&["localhost"]);
            let server = with(config(&leaf, Some(&leaf.root), &[&TLS12]));
            Some(at(server, &leaf))
        },
    },
    Case {
        name: "only old TLS: alert protocol_version",
        codes: &["D16"],
        exit: 20,
        make: || {
            let server = Server::new(|mut stream, _| {
                let mut hello = [0; 512];
                if stream.read(&mut hello).unwrap_or(0) > 0 {
                    drop(stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]));
                }
            });
            Some(at(server, &Authority::new().server(&["localhost"])))
        },
    },
    Case {
        name: "only HTTP/2 by ALPN",
        codes: &["D16"],
        exit: 20,
        make: || {
            let leaf = Authority::new().server(&["localhost"]);
            let mut config = config(&leaf, None, BOTH);
            config.alpn_protocols = vec![b"h2".to_vec()];
            Some(at(with(config), &leaf))
        },
    },
    Case {
        name: "HTTP/2 without asking",
        codes: &["D16"],
        exit: 20,
        make: || {
            let leaf = Authority::new().server(&["localhost"]);
            let config = Arc::new(config(&leaf, None, BOTH));
            let server = Server::new(move |stream, _| {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                if wire::head(&mut stream).is_some() {
                    // SETTINGS, then GOAWAY with PROTOCOL_ERROR.
                    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
                    let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
                    drop(stream.write_all(&[&settings[..], &goaway].concat()));
                    drop(stream.flush());
                }
            });
            Some(at(server, &leaf))
        },
    },
    Case {
        name: "the ClientHello is swallowed",
        codes: &["D05"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| wire::listen(&mut stream));
            Some(at(server, &Authority::new().server(&["localhost"])).and(&["--timeout", "1s"]))
        },
    },
    Case {
        name: "closed after the ClientHello",
        codes: &["D06"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                let mut hello = [0; 2048];
                drop(stream.read(&mut hello));
            });
            Some(at(server, &Authority::new().server(&["localhost"])))
        },
    },
];

#[test]
fn tls() {
    check(CASES);
}

#[test]
fn what_a_client_certificate_opens_is_well() {
    let authority = Authority::new();
    let leaf = authority.server(&["localhost"]);
    let client = authority.server(&["client.example"]);
    for version in BOTH {
        let server = with(config(&leaf, Some(&leaf.root), &[version]));
        let (certificate, key) =
            (File::new("client.pem", &client.pem), File::new("client.key", &client.key_pem));
        let bed = at(server, &leaf).and(&["--cert", certificate.path(), "--key", key.path()]);
        let told = super::bed::examine(&bed.arguments);
        assert_eq!((told.exit, told.codes.len()), (0, 0), "{version:?} {}", told.json);
    }
}

#[test]
fn a_good_certificate_and_insecure_are_well() {
    let bed = server_with(&Authority::new().server(&["localhost"]));
    let told = super::bed::examine(&bed.arguments);
    assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
    let leaf = self_signed(&["other.example"]);
    let server = echo(&leaf);
    let url = format!("wss://127.0.0.1:{}/ws", server.port());
    let told = super::bed::examine(&[url, "--insecure".into()]);
    assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
}

/// Whoever names it, trusts it; its names still count.
#[test]
fn one_that_has_signed_itself_is_good_by_ca() {
    let leaf = super::certificates::self_signed_authority(&["localhost"]);
    let (server, ca) = (echo(&leaf), leaf.ca());
    let url = |host: &str| format!("wss://{host}:{}/ws", server.port());
    let examine = |host: &str| {
        let trusting = ["--ca", ca.path(), "--resolve", "127.0.0.1"];
        super::bed::examine(&Bed::new(&[&url(host)]).and(&trusting).arguments)
    };
    assert_eq!((examine("localhost").exit, examine("other.example").exit), (0, 20));
    let connect = |host: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_madang"))
            .args(["connect", &url(host), "--ca", ca.path(), "--wait", "0"])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    };
    assert!(connect("localhost").status.success());
    assert!(!connect("127.0.0.1").status.success());
}
