//! The servers that are compared.

use super::build;
use super::cells::Kind;
use crate::checks;
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
    pub(super) fn with(mut self, more: &str) -> Self {
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

    /// A server that echoes at `/` and sends to everybody at `/ws/bench`.
    pub(super) fn both(name: &str, argv: Vec<String>) -> Self {
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

/// Builds Madang and the peers asked for (all when `wanted` is empty), Madang first.
pub(super) fn all(project: &Project, log: &Log, wanted: &[String]) -> Result<Vec<Peer>, Stop> {
    println!("building madang …");
    checks::build(project, log)?;
    let mut peers = vec![madang(project)];
    let takes = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let rust = ["tokio-tungstenite", "fastwebsockets"];
    if rust.iter().any(|name| takes(name)) {
        let target = project.scratch("bench-build/peers")?;
        build(&project.root.join("bench/peers"), &target, log)?;
        for name in rust.into_iter().filter(|name| takes(name)) {
            let program = target.join("release").join(name).to_string_lossy().into_owned();
            peers.push(Peer::both(name, vec![program, "{port}".into()]));
        }
    }
    if takes("ws") {
        let script = npm_package(project, "bench/peers/ws", log)?.join("server.mjs");
        let argv = vec!["node".into(), script.to_string_lossy().into_owned(), "{port}".into()];
        peers.push(Peer::both("ws", argv));
    }
    peers.extend(from_environment().into_iter().filter(|p| takes(&p.name)));
    if let Some(name) = wanted.iter().find(|name| !peers.iter().any(|p| p.name == **name)) {
        return Err(Stop::Failed(format!("there is no peer `{name}`")));
    }
    Ok(peers)
}

pub(super) fn madang(project: &Project) -> Peer {
    let program = |name: &str| project.release_binary(name).to_string_lossy().into_owned();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut echo = vec![program("conformance")];
    echo.extend(words("--port {port}"));
    let mut fanout = vec![program("madang")];
    fanout.extend(words("serve --listen 127.0.0.1:{port} --workers 1 --log off"));
    Peer {
        name: "madang".into(),
        echo,
        fanout,
        echo_path: "/".into(),
        fanout_path: "/ws/bench".into(),
        ours: true,
    }
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
