//! Real nginx, `HAProxy` and Apache, each in a folder of its own.

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
    bed::Bed,
    wire::{self, Server},
    yard::Yard,
};

/// A proxy that runs, in a folder of its own.
pub(crate) struct Proxy {
    pub(crate) child: Child,
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

    pub(crate) fn url(&self, path: &str) -> String {
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

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder with files.
pub(crate) fn folder(files: &[(&str, &str)]) -> PathBuf {
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
pub(crate) fn found(name: &str) -> String {
    let there = Path::new("/usr/sbin").join(name);
    if there.exists() { there.to_str().unwrap().to_owned() } else { name.to_owned() }
}

/// `PORT` and `DIR` stand for what they say. `http` goes into the http block.
pub(crate) fn nginx(http: &str, files: &[(&str, &str)]) -> Option<Proxy> {
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

pub(crate) fn haproxy(text: &str, files: &[(&str, &str)]) -> Option<Proxy> {
    let port = free_port();
    let dir = folder(&[files, &[("empty", "")]].concat());
    let at = dir.to_str().unwrap();
    let text = text.replace("PORT", &port.to_string()).replace("DIR", at);
    let defaults =
        "defaults\n mode http\n timeout connect 2s\n timeout client 20s\n timeout server 20s\n";
    std::fs::write(dir.join("haproxy.cfg"), format!("{defaults}{text}\n")).unwrap();
    Proxy::start(&found("haproxy"), &["-db", "-f", &format!("{at}/haproxy.cfg")], dir.clone(), port)
}

/// What a configuration of Apache needs before anything else.
pub(crate) fn apache_modules() -> String {
    let modules = [
        "mpm_event",
        "authz_core",
        "dir",
        "env",
        "mime",
        "proxy",
        "proxy_http",
        "proxy_wstunnel",
        "proxy_balancer",
        "lbmethod_byrequests",
        "slotmem_shm",
        "ssl",
        "socache_shmcb",
        "headers",
        "proxy_connect",
        "auth_basic",
        "authn_core",
        "authn_file",
        "authz_user",
    ];
    modules
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat()
}

pub(crate) fn apache(site: &str, files: &[(&str, &str)]) -> Option<Proxy> {
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
    let mut text = apache_modules();
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
pub(crate) fn at(proxy: Option<Proxy>, backend: impl Send + 'static) -> Option<Bed> {
    let proxy = proxy?;
    Some(Bed::new(&[&proxy.url("/ws")]).keep(proxy).keep(backend))
}

/// A location of nginx that passes to the yard, with what else is given.
pub(crate) fn passing(yard: &Yard, more: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{}; {more} }} }}",
        yard.address
    )
}

pub(crate) const UPGRADING: &str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_set_header Host $http_host;";

/// Apache as the proxy of a network: who has logged in gets a tunnel to the port.
pub(crate) fn tunnels(port: u16) -> Option<Proxy> {
    let site = format!(
        "ProxyRequests On\nAllowCONNECT {port}\n<Proxy \"*\">\nAuthType Basic\nAuthName \"network\"\n\
         AuthUserFile DIR/users\nRequire valid-user\n</Proxy>"
    );
    // The SHA-1 of "secret", as `htpasswd -s` writes it.
    apache(&site, &[("users", "ana:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")])
}

pub(crate) fn mute() -> Server {
    Server::new(|mut stream, _| wire::listen(&mut stream))
}

#[test]
fn a_tunnel_through_apache_is_well() {
    let yard = Yard::start(&[]);
    let Some(proxy) = tunnels(yard.address.port()) else { return };
    let through = format!("http://ana:secret@127.0.0.1:{}", proxy.port);
    for (url, door) in [(yard.url("/ws"), "raw"), (yard.url("/"), "socketio")] {
        let told = super::bed::examine(
            &[&url, "--as", door, "--proxy", &through, "--direct", &url].map(str::to_owned),
        );
        assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
        assert_eq!(
            told.json["evidence"]["dials"][0]["address"],
            through["http://ana:secret@".len()..]
        );
        let text = told.json.to_string();
        assert!(!text.contains("secret") && !text.contains("YW5hOnNlY3JldA"), "{text}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args(["connect", &yard.url("/ws/kitchen"), "--proxy", &through, "--wait", "0"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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

/// As the lines for affinity say.
#[test]
fn a_balancer_with_affinity_is_well() {
    let (a, b) = (super::doors::node("aaaa"), super::doors::node("bbbb"));
    let (one, other) = (a.address, b.address);
    let location = format!("location / {{ proxy_pass http://nodes; {UPGRADING} }}");
    for rule in ["ip_hash", "hash $remote_addr consistent"] {
        let text = format!(
            "upstream nodes {{ {rule}; server {one}; server {other}; }} server {{ listen 127.0.0.1:PORT; {location} }}"
        );
        let Some(proxy) = nginx(&text, &[]) else { return };
        let told = super::bed::examine(&[proxy.url("/"), "--as".into(), "socketio".into()]);
        assert_eq!((told.exit, told.codes.len()), (0, 0), "{rule}: {}", told.json);
    }
    let site = format!(
        "Header add Set-Cookie \"ROUTE=.%{{BALANCER_WORKER_ROUTE}}e; path=/\" env=BALANCER_ROUTE_CHANGED\n\
         <Proxy \"balancer://madang\">\nBalancerMember \"http://{one}\" route=a upgrade=websocket\nBalancerMember \"http://{other}\" route=b upgrade=websocket\n\
         ProxySet stickysession=ROUTE\n</Proxy>\nProxyPass \"/\" \"balancer://madang/\""
    );
    let Some(proxy) = apache(&site, &[]) else { return };
    let told = super::bed::examine(&[proxy.url("/"), "--as".into(), "socketio".into()]);
    let polls: Vec<_> = told.json["evidence"]["polls"].as_array().unwrap().iter().collect();
    assert!(polls.iter().all(|poll| poll["came"]["Answer"]["status"] == 200), "{}", told.json);
}
