//! The servers that are compared.

use super::Place;
use super::cells::{Cell, Field, Kind};
use crate::process::Log;
use crate::project::Project;
use crate::tools::{Stop, npm_package};
use std::env;

/// A server, and how to start it.
pub(super) struct Peer {
    pub(super) name: String,
    /// The command that echoes, with `{port}`.
    echo: Vec<String>,
    /// The command that sends to everybody.
    fanout: Vec<String>,
    echo_path: String,
    fanout_path: String,
    /// Idle connections and handshakes are those of the fan-out server, not of the echo.
    ours: bool,
}

impl Peer {
    /// The same with more arguments.
    fn with(mut self, more: &str) -> Self {
        self.echo.push(more.to_owned());
        self.fanout.push(more.to_owned());
        self
    }

    /// The command line for a cell of this kind.
    pub(super) fn argv(&self, kind: Kind, port: u16) -> Vec<String> {
        let echo = kind == Kind::Echo || (kind != Kind::FanOut && !self.ours);
        let argv = if echo { &self.echo } else { &self.fanout };
        argv.iter().map(|arg| arg.replace("{port}", &port.to_string())).collect()
    }

    pub(super) fn path(&self, kind: Kind) -> &str {
        match kind {
            Kind::FanOut => &self.fanout_path,
            Kind::Idle if self.ours => "/ws/idle",
            Kind::Handshakes if self.ours => "/ws/handshakes",
            _ => &self.echo_path,
        }
    }

    /// A server that has Server-Sent Events of a topic, published by `POST /topics/bench`.
    fn events(name: &str, argv: Vec<String>) -> Self {
        Self { fanout_path: "/topics/bench/sse".into(), ..Self::both(name, argv) }
    }

    /// A server of Socket.IO with the application that `bench/sioload` asks for.
    fn socketio(name: &str, argv: Vec<String>) -> Self {
        let path = || String::from("/socket.io/");
        Self { echo_path: path(), fanout_path: path(), ..Self::both(name, argv) }
    }

    /// A server that echoes at `/` and sends to everybody at `/ws/bench`.
    fn both(name: &str, argv: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            echo: argv.clone(),
            fanout: argv,
            echo_path: "/".into(),
            fanout_path: "/ws/bench".into(),
            ours: false,
        }
    }
}

/// All servers, each list begun by Madang.
pub(super) struct Peers {
    plain: Vec<Peer>,
    tls: Vec<Peer>,
    events: Vec<Peer>,
    socketio: Vec<Peer>,
    workers: Vec<Peer>,
}

impl Peers {
    /// Builds Madang and the peers asked for, all when `wanted` is empty.
    pub(super) fn build(place: &Place, log: &Log, wanted: &[String]) -> Result<Self, Stop> {
        println!("building madang …");
        let project = &place.project;
        let args = ["build", "--release", "--package", "madang-cli", "--package", "conformance"];
        place.cargo(&args, &project.root, &project.target, log)?;
        let takes = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
        let mut plain = vec![madang(project, 1)];
        let mut tls = vec![madang(project, 1).with("--tls-self-signed")];
        let rust = ["tokio-tungstenite", "fastwebsockets"];
        let mut events = vec![Peer::events("madang", madang(project, 1).fanout)];
        let mut socketio = vec![madang_socketio(project)];
        if rust.iter().copied().chain([FAST_TLS, AXUM_SSE, SOCKETIOXIDE]).any(takes) {
            let target = project.scratch("bench-build/peers")?;
            place.build(&project.root.join("bench/peers"), &target, log)?;
            let argv = |program: &str| {
                let program = target.join("release").join(program).to_string_lossy().into_owned();
                vec![program, "{port}".into()]
            };
            let peer = |name: &str, program: &str| Peer::both(name, argv(program));
            plain.extend(rust.into_iter().filter(|name| takes(name)).map(|name| peer(name, name)));
            if takes(FAST_TLS) {
                tls.push(peer(FAST_TLS, "fastwebsockets").with("tls"));
            }
            if takes(AXUM_SSE) {
                events.push(Peer::events(AXUM_SSE, argv(AXUM_SSE)));
            }
            if takes(SOCKETIOXIDE) {
                socketio.push(Peer::socketio(SOCKETIOXIDE, argv(SOCKETIOXIDE)));
            }
        }
        let node = |name: &str| -> Result<Vec<String>, Stop> {
            let script = npm_package(project, &format!("bench/peers/{name}"), log)?;
            let script = script.join("server.mjs").to_string_lossy().into_owned();
            Ok(vec!["node".into(), script, "{port}".into()])
        };
        if takes("ws") {
            plain.push(Peer::both("ws", node("ws")?));
        }
        if takes(BETTER_SSE) {
            events.push(Peer::events(BETTER_SSE, node(BETTER_SSE)?));
        }
        if takes(SOCKET_IO) {
            socketio.push(Peer::socketio(SOCKET_IO, node("socketio")?));
        }
        plain.extend(from_environment().into_iter().filter(|p| takes(&p.name)));
        let mut workers = vec![madang(project, 2), madang(project, 1)];
        workers[1].name = "madang, one worker".into();
        let all = Self { plain, tls, events, socketio, workers };
        let known = [&all.plain, &all.tls, &all.events, &all.socketio];
        let is_known = |name: &str| known.into_iter().flatten().any(|p| p.name == name);
        match wanted.iter().find(|name| !name.is_empty() && !is_known(name)) {
            Some(name) => Err(Stop::Failed(format!("there is no peer `{name}`"))),
            None => Ok(all),
        }
    }

    /// The servers that a cell compares.
    pub(super) fn of(&self, cell: &Cell) -> &[Peer] {
        match cell.field {
            Field::Plain => &self.plain,
            Field::Tls => &self.tls,
            Field::Events => &self.events,
            Field::SocketIo => &self.socketio,
            Field::Workers => &self.workers,
        }
    }
}

/// fastwebsockets on tokio-rustls.
const FAST_TLS: &str = "fastwebsockets-tls";
/// axum's `Sse`.
const AXUM_SSE: &str = "axum-sse";
/// npm better-sse on express.
const BETTER_SSE: &str = "better-sse";
/// socketioxide in axum.
const SOCKETIOXIDE: &str = "socketioxide";
/// npm socket.io.
const SOCKET_IO: &str = "socket.io";

fn madang(project: &Project, workers: u8) -> Peer {
    let program = |name: &str| project.release_binary(name).to_string_lossy().into_owned();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut echo = vec![program("conformance")];
    echo.extend(words(&format!("--port {{port}} --workers {workers}")));
    let mut fanout = vec![program("madang")];
    let serve = format!("serve --listen 127.0.0.1:{{port}} --workers {workers} --log off");
    fanout.extend(words(&serve));
    Peer {
        name: "madang".into(),
        echo,
        fanout,
        echo_path: "/".into(),
        fanout_path: "/ws/bench".into(),
        ours: true,
    }
}

/// The example `conformance`, with the pings that Socket.IO servers have by default: its own are too
/// close together for sessions that idle.
fn madang_socketio(project: &Project) -> Peer {
    let pings = ["--ping-interval", "25000", "--ping-timeout", "20000"].map(str::to_owned);
    Peer::socketio("madang", [madang(project, 1).echo, pings.to_vec()].concat())
}

/// Servers named in `PEER_<NAME>=command`.
fn from_environment() -> Vec<Peer> {
    let mut peers = Vec::new();
    for (key, value) in env::vars() {
        let Some(name) = key.strip_prefix("PEER_") else { continue };
        if name.ends_with("_ECHO") || name.ends_with("_FANOUT") {
            continue;
        }
        let argv = value.split_whitespace().map(str::to_owned).collect();
        let mut peer = Peer::both(&name.to_lowercase().replace('_', "-"), argv);
        if let Ok(path) = env::var(format!("{key}_ECHO")) {
            peer.echo_path = path;
        }
        if let Ok(path) = env::var(format!("{key}_FANOUT")) {
            peer.fanout_path = path;
        }
        peers.push(peer);
    }
    peers.sort_by(|a, b| a.name.cmp(&b.name));
    peers
}
