//! The same over TLS: another load generator, and the peers that speak it.

use super::build;
use super::cells::{Cell, Kind};
use super::peers::{self, Peer};
use crate::process::Log;
use crate::project::Project;
use std::path::PathBuf;

pub(super) const CELLS: &[Cell] = &[
    Cell {
        name: "tls-echo-p1",
        what: "TLS: echo, 128 B, 100 connections, 1 message in flight on each",
        kind: Kind::Echo,
        load: "echo -c 100 -s 128 -p 1",
        rounds: usize::MAX,
    },
    Cell {
        name: "tls-echo-p16",
        what: "TLS: echo, 128 B, 100 connections, 16 messages in flight on each",
        kind: Kind::Echo,
        load: "echo -c 100 -s 128 -p 16",
        rounds: usize::MAX,
    },
    Cell {
        name: "tls-fanout-100",
        what: "TLS: one publisher to 100 connections, 128 B, 16 messages in flight in all",
        kind: Kind::FanOut,
        load: "fanout -c 100 -s 128 --window 16",
        rounds: usize::MAX,
    },
    Cell {
        name: "tls-fanout-1000",
        what: "TLS: one publisher to 1,000 connections, 128 B, 16 messages in flight in all",
        kind: Kind::FanOut,
        load: "fanout -c 1000 -s 128 --window 16",
        rounds: usize::MAX,
    },
    Cell {
        name: "tls-idle",
        what: "TLS: resident bytes of the server for each of 5,000 idle connections (less is better)",
        kind: Kind::Idle,
        load: "idle -c 5000 --hold 1",
        rounds: 3,
    },
];

/// Whether a cell is one of these.
pub(super) fn has(cell: &Cell) -> bool {
    CELLS.iter().any(|own| own.name == cell.name)
}

/// Builds the load generator.
pub(super) fn generator(project: &Project, log: &Log) -> Result<PathBuf, String> {
    let target = project.scratch("bench-build/tlsload")?;
    build(&project.root.join("bench/tlsload"), &target, log)?;
    Ok(target.join("release/tlsload"))
}

/// Madang, which is built already, and those of the peers asked for that speak TLS.
pub(super) fn peers(project: &Project, log: &Log, wanted: &[String]) -> Result<Vec<Peer>, String> {
    let mut peers = vec![peers::madang(project).with("--tls-self-signed")];
    let name = "fastwebsockets";
    if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
        let target = project.scratch("bench-build/peers")?;
        build(&project.root.join("bench/peers"), &target, log)?;
        let program = target.join("release").join(name).to_string_lossy().into_owned();
        peers.push(Peer::both(name, vec![program, "{port}".into()]).with("tls"));
    }
    Ok(peers)
}
