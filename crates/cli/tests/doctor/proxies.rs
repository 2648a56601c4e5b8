//! Real nginx, `HAProxy` and Apache, with the mistakes that people make.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    bed::{Bed, Case, check},
    certificates::{Authority, self_signed},
    wire::{self, Server},
    yard::Yard,
};

/// A proxy that runs, in a folder of its own.
pub(crate) struct Proxy {
    child: Child,
    dir: PathBuf,
    pub(crate) port: u16,
}

impl Proxy {
    /// Only where `MADANG_BED` says that they are installed, as `cargo xtask test` does.
    fn start(program: &str, arguments: &[&str], dir: PathBuf, port: u16) -> Option<Self> {
        if std::env::var_os("MADANG_BED").is_none() {
            drop(std::fs::remove_dir_all(&dir));
            return None;
        }
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let limit = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || std::fs::read_to_string(dir.join("log")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "{program} ended: {}", log());
            assert!(Instant::now() < limit, "{program} does not listen: {}", log());
            std::thread::yield_now();
        }
        // Its workers run, too, once it has answered or hung up.
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        drop(stream.set_read_timeout(Some(Duration::from_secs(2))));
        drop(stream.write_all(b"GET /started HTTP/1.0\r\n\r\n"));
        drop(std::io::Read::read(&mut stream, &mut [0]));
        Some(Self { child, dir, port })
    }

    fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its workers end with it.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder with files.
fn folder(files: &[(&str, &str)]) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("madang-bed-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    let dir = std::env::temp_dir().join(name);
    for (path, text) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

/// In `sbin` for those whose path has it not.
fn found(name: &str) -> String {
    let there = Path::new("/usr/sbin").join(name);
    if there.exists() { there.to_str().unwrap().to_owned() } else { name.to_owned() }
}

/// `PORT` and `DIR` stand for what they say. `http` goes into the http block.
fn nginx(http: &str, files: &[(&str, &str)]) -> Option<Proxy> {
    let port = free_port();
    let dir =
        folder(&[files, &[("www/index.html", "<!doctype html><div id=\"root\"></div>")]].concat());
    let at = dir.to_str().unwrap();
    let http = http.replace("PORT", &port.to_string()).replace("DIR", at);
    let text = format!(
        "daemon off;\nworker_processes 1;\nworker_shutdown_timeout 1s;\npid {at}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\ntypes {{ text/html html; }}\n\
         client_body_temp_path {at}/b;\nproxy_temp_path {at}/p;\nfastcgi_temp_path {at}/f;\nuwsgi_temp_path {at}/u;\nscgi_temp_path {at}/s;\n{http}\n}}\n"
    );
    // Its workers are another user's.
    std::fs::write(dir.join("nginx.conf"), format!("user root;\n{text}")).unwrap();
    Proxy::start(
        &found("nginx"),
        &["-p", at, "-c", &format!("{at}/nginx.conf"), "-e", "stderr"],
        dir.clone(),
        port,
    )
}

fn haproxy(text: &str, files: &[(&str, &str)]) -> Option<Proxy> {
    let port = free_port();
    let dir = folder(&[files, &[("empty", "")]].concat());
    let at = dir.to_str().unwrap();
    let text = text.replace("PORT", &port.to_string()).replace("DIR", at);
    let defaults =
        "defaults\n mode http\n timeout connect 2s\n timeout client 20s\n timeout server 20s\n";
    std::fs::write(dir.join("haproxy.cfg"), format!("{defaults}{text}\n")).unwrap();
    Proxy::start(&found("haproxy"), &["-db", "-f", &format!("{at}/haproxy.cfg")], dir.clone(), port)
}

fn apache(site: &str, files: &[(&str, &str)]) -> Option<Proxy> {
    let port = free_port();
    let dir = folder(
        &[
            files,
            &[("www/index.html", "<!doctype html><div id=\"root\"></div>"), ("www/ws/x.txt", "x")],
        ]
        .concat(),
    );
    let at = dir.to_str().unwrap();
    let site = site.replace("PORT", &port.to_string()).replace("DIR", at);
    let modules = [
        "mpm_event",
        "authz_core",
        "dir",
        "mime",
        "proxy",
        "proxy_http",
        "proxy_wstunnel",
        "ssl",
        "socache_shmcb",
        "headers",
    ];
    let mut text = modules
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    text.push_str(&format!(
        "ServerName bed.example\nPidFile {at}/pid\nMutex file:{at}\nErrorLog /dev/stderr\nTypesConfig /etc/mime.types\n\
         User www-data\nGroup www-data\nListen 127.0.0.1:{port}\nDocumentRoot {at}/www\nStartServers 1\n<Directory {at}/www>\nRequire all granted\n</Directory>\n{site}\n"
    ));
    std::fs::write(dir.join("apache.conf"), text).unwrap();
    Proxy::start(
        &found("apache2"),
        &["-DFOREGROUND", "-f", &format!("{at}/apache.conf")],
        dir.clone(),
        port,
    )
}

/// The doctor at `/ws` of the proxy, by which `backend` is reached.
fn at(proxy: Option<Proxy>, backend: impl Send + 'static) -> Option<Bed> {
    let proxy = proxy?;
    Some(Bed::new(&[&proxy.url("/ws")]).keep(proxy).keep(backend))
}

/// A location of nginx that passes to the yard, with what else is given.
fn passing(yard: &Yard, more: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{}; {more} }} }}",
        yard.address
    )
}

const UPGRADING: &str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_set_header Host $http_host;";

fn mute() -> Server {
    Server::new(|mut stream, _| wire::listen(&mut stream))
}

pub(crate) const NGINX: &[Case] = &[
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
            let yard = Yard::start(&[]);
            let proxy = nginx(&passing(&yard, UPGRADING), &[])?;
            let pid = Pid::from_child(&proxy.child);
            std::thread::spawn(move || {
                // In the middle of what the doctor holds.
                std::thread::sleep(Duration::from_secs(4));
                let _ = kill_process(pid, Signal::HUP);
            });
            at(Some(proxy), yard).map(|bed| bed.and(&["--hold", "8s"]))
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
                "limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m; server { listen 127.0.0.1:PORT; location / { limit_req zone=z; root DIR/www; } }",
                &[],
            )?;
            // Its start was the one request of this minute.
            at(Some(proxy), ())
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

pub(crate) const HAPROXY: &[Case] = &[
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

pub(crate) const APACHE: &[Case] = &[
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
fn nginx_misconfigured() {
    check(NGINX);
}

#[test]
fn haproxy_misconfigured() {
    check(HAPROXY);
}

#[test]
fn apache_misconfigured() {
    check(APACHE);
}

/// As the lines of the diagnoses say, all is well.
#[test]
fn proxies_that_are_well() {
    let yard = Yard::start(&[]);
    let (address, head) =
        (yard.address, "listen l\n bind 127.0.0.1:PORT\n timeout tunnel 1h\n server s");
    let proxies = [
        nginx(&passing(&yard, UPGRADING), &[]),
        haproxy(&format!("{head} {address}"), &[]),
        apache(&format!("ProxyPass / http://{address}/ upgrade=websocket"), &[]),
    ];
    for proxy in proxies.into_iter().flatten() {
        let told = super::bed::examine(&[proxy.url("/ws"), "--hold".into(), "2s".into()]);
        assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
        let events = format!("http://127.0.0.1:{}/topics/kitchen/sse", proxy.port);
        let told = super::bed::examine(&[events, "--as".into(), "topics".into()]);
        assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
    }
}
