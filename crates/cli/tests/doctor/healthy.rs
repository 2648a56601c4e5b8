//! Servers that are well: nothing may be found.

use std::{
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{
    bed::{Bed, examine},
    yard::Yard,
};

fn is_well(arguments: &[&str]) {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let told = examine(&arguments);
    let steps = serde_json::to_string_pretty(&told.json["steps"]).unwrap();
    assert_eq!((told.exit, told.codes.len()), (0, 0), "{arguments:?} {:?} {steps}", told.codes);
    // All steps were made.
    assert!(
        told.json["healthy"] == true && steps.contains("\"ok\": true") && !steps.contains("false"),
        "{steps}"
    );
}

#[test]
fn madang_is_well() {
    let yard =
        Yard::start(&["--subprotocol", "chat.v1", "--allowed-origin", "https://app.example"]);
    let (socket, http) = (yard.url("/ws/kitchen"), format!("http://{}", yard.address));
    is_well(&[&socket]);
    is_well(&[&yard.url("/ws")]);
    is_well(&[&socket, "--subprotocol", "chat.v1"]);
    is_well(&[&socket, "--origin", "https://app.example"]);
    is_well(&[&socket, "--hold", "2s"]);
    is_well(&[&socket, "--max-size=100000"]);
    is_well(&[&socket, "--direct", &socket]);
    is_well(&[&yard.url("/"), "--as", "socketio"]);
    is_well(&[&yard.url("/"), "--as", "socketio", "--origin", "https://app.example"]);
    is_well(&[&http, "--as", "topics"]);
    is_well(&[&http, "--as", "topics", "--origin", "https://app.example"]);
    is_well(&[&format!("{http}/topics/kitchen/sse"), "--as", "sse", "--timeout", "1s"]);
}

#[test]
fn madang_over_tls_is_well() {
    let leaf = super::certificates::Authority::new().server(&["localhost"]);
    let certificate = super::certificates::File::new("c.pem", &leaf.pem);
    let key = super::certificates::File::new("k.pem", &leaf.key_pem);
    let yard = Yard::start(&["--tls-cert", certificate.path(), "--tls-key", key.path()]);
    let (url, ca) = (format!("wss://localhost:{}/ws", yard.address.port()), leaf.ca());
    is_well(&[&url, "--ca", ca.path(), "--resolve", "127.0.0.1"]);
    is_well(&[&url, "--insecure", "--resolve", "127.0.0.1"]);
}

/// The limit of the server, found to the byte.
#[test]
fn the_limit_of_madang_is_found() {
    let yard = Yard::start(&["--max-message", "100000"]);
    let told = examine(&[yard.url("/ws"), "--max-size=200000".into()]);
    assert_eq!(told.codes, ["D44"]);
    assert_eq!(told.json["evidence"]["size"]["passes"], 100_000);
}

/// A program of the folder with packages of npm; it prints its port.
pub(crate) struct Node {
    child: Child,
    port: u16,
}

impl Node {
    /// `None` without the folder, which `cargo xtask test` names.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let dir = std::env::var_os("MADANG_BED_NODE").map(PathBuf::from)?;
        let mut child = Command::new("node")
            .args(arguments)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, port: line.trim().parse().unwrap() })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn npm_ws_is_well() {
    for arguments in [&["ws.mjs"][..], &["ws.mjs", "deflate"]] {
        let Some(node) = Node::start(arguments) else { return };
        is_well(&[&node.url("/")]);
        is_well(&[&node.url("/any?x=1"), "--max-size=70000"]);
        is_well(&[&node.url("/"), "--hold", "2s"]);
    }
}

#[test]
fn npm_socket_io_is_well() {
    let Some(node) = Node::start(&["socketio.mjs"]) else { return };
    is_well(&[&node.url("/"), "--as", "socketio"]);
    is_well(&[&node.url("/socket.io/"), "--as", "socketio", "--origin", "https://app.example"]);
    is_well(&[&node.url("/socket.io/?EIO=4&transport=websocket")]);
}

/// Engine.IO's own pings are answered while connections are held; polling may be switched off.
#[test]
fn other_kinds_of_socket_io_are_well() {
    let Some(quick) = Node::start(&["socketio.mjs", "quick"]) else { return };
    is_well(&[&quick.url("/"), "--as", "socketio", "--hold", "3s"]);
    let Some(node) = Node::start(&["socketio.mjs", "websocket"]) else { return };
    is_well(&[&node.url("/"), "--as", "socketio"]);
    is_well(&[&node.url("/socket.io/?EIO=4&transport=websocket"), "--as", "socketio"]);
}

#[test]
fn the_limit_of_socket_io_is_found() {
    let Some(node) = Node::start(&["socketio.mjs"]) else { return };
    let told =
        examine(&[node.url("/"), "--as".into(), "socketio".into(), "--max-size=1100000".into()]);
    assert_eq!(told.codes, ["D44"], "{}", told.json["steps"]);
    assert_eq!(told.json["evidence"]["size"]["passes"], 1_000_000);
}

#[test]
fn socket_io_that_lets_nobody_stay() {
    for kind in ["leaves", "stuck"] {
        let Some(node) = Node::start(&["socketio.mjs", kind]) else { return };
        let told = examine(&[node.url("/"), "--as".into(), "socketio".into()]);
        assert_eq!(told.codes, ["D51"], "{kind}: {}", told.json["steps"]);
    }
    let Some(node) = Node::start(&["socketio.mjs"]) else { return };
    // Engine.IO hangs up on WebSockets at other paths.
    let told = examine(&[node.url("/")]);
    assert_eq!((told.codes[0].as_str(), told.exit), ("D23", 30), "{}", told.json["steps"]);
    assert!(told.json["findings"][0].to_string().contains("/socket.io/?EIO=4&transport=websocket"));
}

/// Socket.IO itself, asked the wrong way.
#[test]
fn npm_socket_io_refuses() {
    let Some(node) = Node::start(&["socketio.mjs"]) else { return };
    for (path, code) in [
        ("/socket.io/?EIO=4&transport=nothing", "D24"),
        ("/socket.io/?EIO=4&transport=websocket&sid=unknown", "D24"),
        ("/socket.io/?EIO=3&transport=websocket", "D24"),
    ] {
        let told = examine(&[node.url(path)]);
        assert_eq!(told.codes, [code], "{path}: {}", told.json["steps"]);
    }
    let told = examine(&[
        node.url("/"),
        "--as".into(),
        "socketio".into(),
        "--origin".into(),
        "https://other.example".into(),
    ]);
    assert_eq!(told.codes, ["D50"], "{}", told.json["steps"]);
    let Some(node) = Node::start(&["deaf.mjs"]) else { return };
    let refused = Bed::new(&[&node.url("/"), "--as", "socketio", "--token", "wrong-token"]);
    let told = examine(&refused.arguments);
    assert_eq!(told.codes, ["D51"], "{}", told.json["steps"]);
    is_well(&[&node.url("/"), "--as", "socketio", "--token", "right"]);
}

/// A node of RabbitMQ with STOMP on WebSockets.
struct Rabbit {
    child: Child,
    dir: PathBuf,
    epmd: u16,
    port: u16,
}

impl Rabbit {
    /// Its ports are looked for first and taken later, so that somebody else may have come between.
    fn start() -> Option<Self> {
        let tries = (0..3).map(|_| Self::try_start());
        tries.take_while(Option::is_some).flatten().find_map(Result::ok)
    }

    /// The error is its log.
    fn try_start() -> Option<Result<Self, String>> {
        let program = PathBuf::from("/usr/sbin/rabbitmq-server");
        if std::env::var_os("MADANG_BED").is_none() || !program.exists() {
            return None;
        }
        let listeners: Vec<_> = (0..5).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> =
            listeners.iter().map(|one| one.local_addr().unwrap().port()).collect();
        drop(listeners);
        let dir = std::env::temp_dir().join(format!("madang-rabbit-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let at = |name: &str| dir.join(name);
        std::fs::write(at("plugins"), "[rabbitmq_web_stomp].").unwrap();
        let text = format!(
            "listeners.tcp.local = 127.0.0.1:{}\nstomp.listeners.tcp.1 = 127.0.0.1:{}\nweb_stomp.tcp.ip = 127.0.0.1\nweb_stomp.tcp.port = {}\n",
            ports[0], ports[1], ports[2]
        );
        std::fs::write(at("rabbitmq.conf"), text).unwrap();
        // It runs as its own user where root starts it.
        drop(Command::new("chown").args(["-R", "rabbitmq"]).arg(&dir).status());
        let child = Command::new(program)
            .env("RABBITMQ_NODENAME", format!("bed{}@localhost", std::process::id()))
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins"))
            .env("RABBITMQ_MNESIA_BASE", at("mnesia"))
            .env("RABBITMQ_LOG_BASE", at("log"))
            .env("RABBITMQ_DIST_PORT", ports[3].to_string())
            .env("ERL_EPMD_PORT", ports[4].to_string())
            .env("RABBITMQ_PID_FILE", at("pid"))
            .env("HOME", &dir)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(at("out")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut rabbit = Self { child, dir, epmd: ports[4], port: ports[2] };
        let limit = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(("127.0.0.1", rabbit.port)).is_err() {
            if rabbit.child.try_wait().unwrap().is_some() || Instant::now() > limit {
                let log = std::fs::read_to_string(rabbit.dir.join("out")).unwrap();
                eprintln!("RabbitMQ does not start: {log}");
                return Some(Err(log));
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        Some(Ok(rabbit))
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        // The script may have handed over to another user's process, which a signal to it does not reach.
        let node = std::fs::read_to_string(self.dir.join("pid")).ok();
        let node = node.and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
        for process in node.into_iter().chain([Pid::from_child(&self.child)]) {
            let _ = kill_process(process, Signal::TERM);
        }
        drop(self.child.wait());
        // Its port mapper does not go before it.
        let limit = Instant::now() + Duration::from_secs(30);
        while node.is_some_and(|node| test_kill_process(node).is_ok()) && Instant::now() < limit {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let port = self.epmd.to_string();
        drop(Command::new("epmd").arg("-kill").env("ERL_EPMD_PORT", port).output());
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

#[test]
fn rabbitmq_is_well() {
    let Some(rabbit) = Rabbit::start() else {
        let wanted = std::env::var_os("MADANG_BED").is_some();
        assert!(!wanted, "RabbitMQ did not start");
        return;
    };
    let url = format!("ws://127.0.0.1:{}/ws", rabbit.port);
    is_well(&[&url, "--as", "stomp", "--timeout", "10s"]);
    // The same server, spoken to in the wrong way.
    let told = examine(&[url.clone(), "--as".into(), "wamp".into()]);
    assert_eq!(told.codes, ["D37"], "{}", told.json["steps"]);
    let told = examine(&[url.replace("/ws", "/nothing"), "--as".into(), "stomp".into()]);
    assert_eq!(told.codes, ["D23"], "{}", told.json["steps"]);
}
