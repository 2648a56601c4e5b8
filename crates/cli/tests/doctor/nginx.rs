//! nginx, with the mistakes that people make.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    answers::{application, sockjs},
    bed::{Bed, Case, check},
    certificates::{Authority, self_signed},
    proxies::{UPGRADING, at, free_port, mute, nginx, passing},
    wire::{Answering, Server, head, opened, speak},
    yard::Yard,
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "nginx passes no Upgrade",
        codes: &["D22"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let proxy = nginx(&passing(&yard, "proxy_http_version 1.1;"), &[]);
            at(proxy, yard)
        },
    },
    Case {
        name: "nginx speaks HTTP/1.0 to the server behind",
        codes: &["D22"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let direct = yard.url("/ws");
            let proxy = nginx(&passing(&yard, ""), &[]);
            at(proxy, yard).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "nginx passes Upgrade and no Connection",
        codes: &["D22"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let proxy = nginx(
                &passing(&yard, "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"),
                &[],
            );
            at(proxy, yard)
        },
    },
    Case {
        name: "nginx gives an application's start page",
        codes: &["D20"],
        exit: 30,
        make: || {
            at(
                nginx(
                    "server { listen 127.0.0.1:PORT; root DIR/www; location / { try_files $uri /index.html; } }",
                    &[],
                ),
                (),
            )
        },
    },
    Case {
        name: "nginx, and nothing behind it",
        codes: &["D33"],
        exit: 30,
        make: || {
            let port = free_port();
            at(
                nginx(
                    &format!(
                        "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}"
                    ),
                    &[],
                ),
                (),
            )
        },
    },
    Case {
        name: "nginx, and a mute server behind it",
        codes: &["D33"],
        exit: 30,
        make: || {
            let mute = mute();
            let text = format!(
                "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{}; proxy_read_timeout 1s; }} }}",
                mute.address
            );
            at(nginx(&text, &[]), mute)
        },
    },
    Case {
        name: "nginx cuts what is idle (proxy_read_timeout)",
        codes: &["D41"],
        exit: 40,
        make: || {
            let yard = Yard::start(&[]);
            let proxy = nginx(&passing(&yard, &format!("{UPGRADING} proxy_read_timeout 2s;")), &[]);
            at(proxy, yard).map(|bed| bed.and(&["--hold", "5s"]))
        },
    },
    Case {
        name: "nginx reloads",
        codes: &["D43"],
        exit: 40,
        make: || {
            // The first WebSocket is the doctor's look, the next two are those that it holds.
            let (nginx_id, count) = (Arc::new(OnceLock::new()), AtomicUsize::new(0));
            let known = Arc::clone(&nginx_id);
            let behind = opened(Answering::default(), move |stream, _| {
                if count.fetch_add(1, Ordering::SeqCst) == 2 {
                    let _ = kill_process(*known.wait(), Signal::HUP);
                }
                speak(stream, |_, _| Some(Vec::new()));
            });
            let text = format!(
                "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{}; {UPGRADING} }} }}",
                behind.address
            );
            let proxy = nginx(&text, &[])?;
            nginx_id.set(Pid::from_child(&proxy.child)).unwrap();
            at(Some(proxy), behind).map(|bed| bed.and(&["--hold", "8s"]))
        },
    },
    Case {
        name: "ws:// to the TLS port of nginx",
        codes: &["D08"],
        exit: 10,
        make: || {
            let leaf = self_signed(&["localhost"]);
            let files = [("c.pem", leaf.pem.as_str()), ("k.pem", leaf.key_pem.as_str())];
            at(
                nginx(
                    "server { listen 127.0.0.1:PORT ssl; ssl_certificate DIR/c.pem; ssl_certificate_key DIR/k.pem; }",
                    &files,
                ),
                (),
            )
        },
    },
    Case {
        name: "nginx speaks only TLS 1.1",
        codes: &["D16"],
        exit: 20,
        make: || {
            let leaf = self_signed(&["localhost"]);
            let files = [("c.pem", leaf.pem.as_str()), ("k.pem", leaf.key_pem.as_str())];
            let proxy = nginx(
                "server { listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.1; ssl_ciphers DEFAULT:@SECLEVEL=0; ssl_certificate DIR/c.pem; ssl_certificate_key DIR/k.pem; }",
                &files,
            )?;
            let url = format!("wss://localhost:{}/ws", proxy.port);
            Some(Bed::new(&[&url, "--resolve", "127.0.0.1"]).keep(proxy))
        },
    },
    Case {
        name: "nginx asks for a client certificate",
        codes: &["D15"],
        exit: 20,
        make: || {
            let leaf = Authority::new().server(&["localhost"]);
            let files = [
                ("c.pem", leaf.pem.as_str()),
                ("k.pem", leaf.key_pem.as_str()),
                ("ca.pem", leaf.root.as_str()),
            ];
            let proxy = nginx(
                "server { listen 127.0.0.1:PORT ssl; ssl_verify_client on; ssl_client_certificate DIR/ca.pem; ssl_certificate DIR/c.pem; ssl_certificate_key DIR/k.pem; }",
                &files,
            )?;
            let (url, ca) = (format!("wss://localhost:{}/ws", proxy.port), leaf.ca());
            Some(
                Bed::new(&[&url, "--resolve", "127.0.0.1", "--ca", ca.path()]).keep(proxy).keep(ca),
            )
        },
    },
    Case {
        name: "the default host of nginx answers with its certificate",
        codes: &["D11"],
        exit: 20,
        make: || {
            let leaf = Authority::new().server(&["other.example"]);
            let files = [("c.pem", leaf.pem.as_str()), ("k.pem", leaf.key_pem.as_str())];
            let proxy = nginx(
                "server { listen 127.0.0.1:PORT ssl default_server; server_name other.example; ssl_certificate DIR/c.pem; ssl_certificate_key DIR/k.pem; }",
                &files,
            )?;
            let (url, ca) = (format!("wss://chat.example:{}/ws", proxy.port), leaf.ca());
            Some(
                Bed::new(&[&url, "--resolve", "127.0.0.1", "--ca", ca.path()]).keep(proxy).keep(ca),
            )
        },
    },
    Case {
        name: "nginx knows no certificate for the name (ssl_reject_handshake)",
        codes: &["D11"],
        exit: 20,
        make: || {
            let proxy =
                nginx("server { listen 127.0.0.1:PORT ssl; ssl_reject_handshake on; }", &[])?;
            let url = format!("wss://chat.example:{}/ws", proxy.port);
            Some(Bed::new(&[&url, "--resolve", "127.0.0.1"]).keep(proxy))
        },
    },
    Case {
        name: "nginx speaks only HTTP/2 on a plain port",
        codes: &["D16"],
        exit: 20,
        make: || at(nginx("server { listen 127.0.0.1:PORT http2; return 404; }", &[]), ()),
    },
    Case {
        name: "nginx speaks plain HTTP to a TLS port behind it",
        codes: &["D33"],
        exit: 30,
        make: || {
            let leaf = self_signed(&["localhost"]);
            let files = [("c.pem", leaf.pem.as_str()), ("k.pem", leaf.key_pem.as_str())];
            let behind = nginx(
                "server { listen 127.0.0.1:PORT ssl; ssl_certificate DIR/c.pem; ssl_certificate_key DIR/k.pem; }",
                &files,
            )?;
            let text = format!(
                "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://127.0.0.1:{}; }} }}",
                behind.port
            );
            at(nginx(&text, &[]), behind)
        },
    },
    Case {
        name: "nginx redirects to https",
        codes: &["D28"],
        exit: 30,
        make: || {
            at(
                nginx(
                    "server { listen 127.0.0.1:PORT; return 301 https://chat.example$request_uri; }",
                    &[],
                ),
                (),
            )
        },
    },
    Case {
        name: "nginx hangs up (return 444)",
        codes: &["D06"],
        exit: 10,
        make: || at(nginx("server { listen 127.0.0.1:PORT; return 444; }", &[]), ()),
    },
    Case {
        name: "nginx takes only PROXY headers",
        codes: &["D06"],
        exit: 10,
        make: || {
            at(nginx("server { listen 127.0.0.1:PORT proxy_protocol; return 404; }", &[]), ())
                .map(|bed| bed.and(&["--timeout", "1s"]))
        },
    },
    Case {
        name: "a cookie too long for nginx",
        codes: &["D31"],
        exit: 30,
        make: || {
            let proxy = nginx(
                "server { client_header_buffer_size 1k; large_client_header_buffers 2 2k; listen 127.0.0.1:PORT; return 404; }",
                &[],
            );
            let cookie = format!("Cookie: big={}", "x".repeat(3_000));
            at(proxy, ()).map(|bed| bed.and(&["--header", &cookie]))
        },
    },
    Case {
        name: "the rate limit of nginx",
        codes: &["D32"],
        exit: 30,
        make: || {
            let proxy = nginx(
                "limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m; server { listen 127.0.0.1:PORT; location / { limit_req zone=z; limit_req_status 429; root DIR/www; } }",
                &[],
            )?;
            // Its start was the one request of this minute.
            at(Some(proxy), ())
        },
    },
    Case {
        name: "the rate limit of nginx, with its default 503",
        codes: &["D32"],
        exit: 30,
        make: || {
            let proxy = nginx(
                "limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m; server { listen 127.0.0.1:PORT; location / { limit_req zone=z; root DIR/www; } }",
                &[],
            )?;
            // Its start was the one request of this minute.
            at(Some(proxy), ())
        },
    },
    Case {
        name: "nginx gives a start page, and the server behind is well",
        codes: &["D20"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let direct = yard.url("/ws");
            let text = "server { listen 127.0.0.1:PORT; root DIR/www; location / { try_files $uri /index.html; } }";
            at(nginx(text, &[]), yard).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "nginx has no location for the path, and the server behind is well",
        codes: &["D23"],
        exit: 30,
        make: || {
            let server = application();
            let direct = server.url("/ws");
            let text = "server { listen 127.0.0.1:PORT; root DIR/www; }";
            at(nginx(text, &[]), server).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "nginx changes the path",
        codes: &["D23"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let direct = yard.url("/ws");
            let text = format!(
                "server {{ listen 127.0.0.1:PORT; location /ws {{ proxy_pass http://{}/nowhere; {UPGRADING} }} }}",
                yard.address
            );
            at(nginx(&text, &[]), yard).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "nginx passes no Upgrade to an application with a 404 of its own",
        codes: &["D22"],
        exit: 30,
        make: || {
            let server = application();
            let direct = server.url("/ws");
            let text = format!(
                "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{}; }} }}",
                server.address
            );
            at(nginx(&text, &[]), server).map(|bed| bed.and(&["--direct", &direct]))
        },
    },
    Case {
        name: "nginx passes no Upgrade to SockJS",
        codes: &["D55", "D22"],
        exit: 30,
        make: || {
            let server = sockjs("true", "400 Bad Request", "Not a valid websocket request");
            let text = format!(
                "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{}; }} }}",
                server.address
            );
            at(nginx(&text, &[]), server).map(|bed| bed.and(&["--as", "sockjs"]))
        },
    },
    Case {
        name: "nginx, and a server behind it that dies of the request",
        codes: &["D33"],
        exit: 30,
        make: || {
            let server = Server::new(|mut stream, _| drop(head(&mut stream)));
            let text = format!(
                "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{}; {UPGRADING} }} }}",
                server.address
            );
            at(nginx(&text, &[]), server)
        },
    },
    Case {
        name: "nginx wants a password",
        codes: &["D27"],
        exit: 30,
        make: || {
            at(
                nginx(
                    "server { listen 127.0.0.1:PORT; auth_basic chat; auth_basic_user_file DIR/users; }",
                    &[("users", "ana:{PLAIN}x\n")],
                ),
                (),
            )
        },
    },
    Case {
        name: "nginx changes Host, and the page's own origin is a stranger",
        codes: &["D27"],
        exit: 30,
        make: || {
            let yard = Yard::start(&["--trusted-proxy", "loopback"]);
            let upgrading = UPGRADING.replace("$http_host", "backend.internal");
            let proxy = nginx(&passing(&yard, &upgrading), &[])?;
            at(Some(proxy), yard).map(|bed| bed.and(&["--origin", "https://chat.example"]))
        },
    },
    Case {
        name: "nginx drops the subprotocol",
        codes: &["D37"],
        exit: 30,
        make: || {
            let yard = Yard::start(&["--subprotocol", "chat.v1"]);
            let proxy = nginx(
                &passing(
                    &yard,
                    &format!("{UPGRADING} proxy_set_header Sec-WebSocket-Protocol \"\";"),
                ),
                &[],
            );
            at(proxy, yard).map(|bed| bed.and(&["--subprotocol", "chat.v1"]))
        },
    },
    Case {
        name: "nginx drops Sec-WebSocket-Key",
        codes: &["D25"],
        exit: 30,
        make: || {
            let yard = Yard::start(&[]);
            let proxy = nginx(
                &passing(&yard, &format!("{UPGRADING} proxy_set_header Sec-WebSocket-Key \"\";")),
                &[],
            );
            at(proxy, yard)
        },
    },
    Case {
        name: "nginx gathers events (proxy_buffering)",
        codes: &["D47"],
        exit: 50,
        make: || {
            let events = super::doors::stream(1, "");
            let text = format!(
                "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{}; }} }}",
                events.address
            );
            let proxy = nginx(&text, &[])?;
            let url = format!("http://127.0.0.1:{}/events", proxy.port);
            let direct = format!("http://{}/events", events.address);
            Some(
                Bed::new(&[&url, "--as", "sse", "--hold", "3s", "--direct", &direct])
                    .keep(proxy)
                    .keep(events),
            )
        },
    },
];

#[test]
fn misconfigured() {
    check(CASES);
}
