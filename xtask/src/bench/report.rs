//! The page that a run leaves: method, machine, versions, tables.

use super::cells::Cell;
use super::gates;
use super::page::Section;
use super::peers::Peers;
use super::stats::{grouped, median};
use super::{Measured, Options, Place};
use crate::process::output;
use std::fmt::Write as _;
use std::fs;

const METHOD: &str = "\
One line of `cargo xtask bench` made this page. The server under test runs on core 0 with one worker, the
load generator (`wsload`, one thread, raw epoll) on core 1, over loopback. A server is started anew for each
run, and the servers take turns within each round. No compression, TCP_NODELAY, text frames. Cells whose
names begin with `tls-` are over TLS (`bench/tlsload`; TLS 1.3, rustls and aws-lc on both ends, self-signed
certificates on P-256, no session is resumed), all others are not.

The unit is **messages per second of server CPU time** (user and system, the process's CPU clock): what one
full core would carry. It moves less than messages a second when others use the machine. Given is the median
of the rounds with the lowest and the highest, and Madang's median over the peer's with a 90 % bootstrap
interval of that ratio. A difference under 15 % says nothing. Where less is better, the ratio is the peer's
median over Madang's: above 1, Madang is ahead in every row.

User and system microseconds are for one message; the kernel samples how they divide. Cells that begin with
`workers-` put Madang with two workers beside itself with one, both on cores 0 and 1, of which the generator
takes a part. Compression is in the micro-benchmarks only: `wsload` does not compress.

- *madang*: echo is the example `conformance` at `/`; the rest is `madang serve --workers 1 --log off`, fan-out at
  `/ws/bench`, with history and everything else that it does by default.
- *tokio-tungstenite*, *fastwebsockets*, *ws*: the programs in `bench/peers`, a task for each connection.
  tokio-tungstenite is \"batched\": it forwards what is ready and flushes once, and drains its broadcast channel
  and flushes once per wake-up. fastwebsockets and `ws` write each message by itself; that is what their interfaces do.
  *fastwebsockets-tls* is the same on tokio-rustls.
- *uwebsockets*: where it appears, uWebSockets built outside this repository (g++ -O3 -march=native, no
  zlib, epoll, one thread): echo by `send`, fan-out by `publish` to a topic.
";

/// What the cells `sse-` are.
const EVENTS: &str = "\
Cells whose names begin with `sse-` are Server-Sent Events (`bench/sseload`, one thread, raw epoll): one more
connection publishes by POST, its requests pipelined (RFC 9112 §9.3.2), and a message is in flight until every
reader has it. The cost of the requests is in the figures.

- *madang*: `madang serve --workers 1 --log off`, `POST /topics/bench` and `GET /topics/bench/sse`.
- *axum-sse*, *better-sse*: the programs in `bench/peers`. axum's `Sse` over a broadcast channel of tokio, on one
  thread; an event is made once and cloned for each reader, and hyper writes at once what is ready. npm
  better-sse on express, which makes each event anew for each reader.
";

/// What the cells `sio-` are.
const SOCKET_IO: &str = "\
Cells whose names begin with `sio-` are Socket.IO 5 on Engine.IO 4, over WebSocket from the start (`bench/sioload`,
one thread, raw epoll). All servers have one application: whoever connects is sent `auth`; `message` is answered by
`message-back` with the same string; `everyone` is sent to the whole namespace as `said`. An event is in flight
until the session that sent it has its own copy or answer; the others' copies are checked for number and order.
Pings are 25 s apart, as is the default everywhere, so that no run sees one.

- *madang*: the example `conformance` at `/socket.io/`, one worker.
- *socketioxide*, *socket.io*: the programs in `bench/peers`. socketioxide in axum, on one thread, its handlers async as
  it asks for. npm socket.io as it comes: `ws` without its native add-ons, no compression.
";

/// The section of a run of one set alone.
pub(super) fn section(
    section: Section,
    place: &Place,
    options: &Options,
    peers: &Peers,
    measured: &Measured,
) -> String {
    let (title, method) = match section {
        Section::Events => ("Server-Sent Events", EVENTS),
        Section::SocketIo => ("Socket.IO", SOCKET_IO),
    };
    let set = section.set();
    let mut text = format!(
        "## {title}\n\nMeasured by itself (`cargo xtask bench --set {set}`), otherwise as the cells above.\n\
         {method}\n### Machine and versions of this section\n\n{}\n",
        machine(place, options)
    );
    let tables = gates::table(&options.cells, measured) + &tables(options, peers, measured);
    text.push_str(&tables.replace("## ", "### "));
    // Writing to a string does not fail.
    let _ = writeln!(text, "Each run's line is in `bench/results/{set}.jsonl`.");
    text
}

/// The whole page.
pub(super) fn markdown(
    place: &Place,
    options: &Options,
    peers: &Peers,
    measured: &Measured,
) -> String {
    let mut page = format!(
        "# Results\n\n{METHOD}\n{EVENTS}\n{SOCKET_IO}\n## Machine and versions\n\n{}\n",
        machine(place, options)
    );
    page.push_str(&gates::table(&options.cells, measured));
    page.push_str(&tables(options, peers, measured));
    page.push_str("Each run's line is in `bench/results/latest.jsonl`.\n");
    page
}

fn tables(options: &Options, peers: &Peers, measured: &Measured) -> String {
    let table_of = |cell| {
        let names = peers.of(cell).iter().map(|peer| peer.name.as_str());
        table(cell, &names.collect::<Vec<_>>(), measured)
    };
    options.cells.iter().map(table_of).collect()
}

fn table(cell: &Cell, names: &[&str], measured: &Measured) -> String {
    let lines = |name: &str| measured.get(&(cell.name.clone(), name.to_owned()));
    if !names.iter().any(|name| lines(name).is_some()) {
        return String::new();
    }
    let mut text = format!("## {}\n\n{} ({})\n\n", cell.name, cell.what, cell.unit());
    text.push_str("| server | rounds | median | lowest | highest | user + system µs | madang is … times as good |\n|---|---|---|---|---|---|---|\n");
    for name in names {
        let Some(lines) = lines(name) else { continue };
        let values: Vec<f64> = lines.iter().filter_map(|line| cell.value(line)).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(0.0, f64::max);
        let compared = match gates::compared(cell, name, measured) {
            Some((mid, from, to)) if *name != "madang" => {
                format!("**{mid:.2}** ({from:.2} to {to:.2})")
            }
            _ => String::from("–"),
        };
        let (user, system): (Vec<f64>, Vec<f64>) =
            lines.iter().filter_map(|line| cell.split(line)).unzip();
        let split = if user.is_empty() {
            String::from("–")
        } else {
            format!("{:.2} + {:.2}", median(&user), median(&system))
        };
        let cell_text = [median(&values), low, high].map(grouped).join(" | ");
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {} | {cell_text} | {split} | {compared} |", lines.len());
    }
    text.push('\n');
    text
}

fn machine(place: &Place, options: &Options) -> String {
    let root = &place.project.root;
    let ask = |program: &str, args: &[&str]| {
        output(program, args, root).unwrap_or_else(|| "unknown".into())
    };
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|l| l.strip_prefix("model name\t: ")).unwrap_or("unknown");
    let cores = cpuinfo.lines().filter(|l| l.starts_with("processor")).count();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let commit = ask("git", &["describe", "--always", "--dirty", "--abbrev=10"]);
    let lock = fs::read_to_string(root.join("bench/peers/Cargo.lock")).unwrap_or_default();
    let npm = |peer: &str, package: &str| {
        let lock = root.join(format!("bench/peers/{peer}/package-lock.json"));
        let lock = fs::read_to_string(lock).unwrap_or_default();
        let found = lock.split_once(&format!("node_modules/{package}\""));
        let version = found.and_then(|(_, rest)| rest.split('"').nth(3));
        version.unwrap_or("unknown").to_owned()
    };
    format!(
        "- {} (UTC), commit {commit}, {} rounds of {} s, {}\n\
         - {cores} × {model}, Linux {}, load averages at the end {load}\n\
         - {}; Node {}\n\
         - tokio-tungstenite {}, fastwebsockets {}, axum {}, tokio {}; ws {}, better-sse {}, express {};\n  \
         socketioxide {}, socket.io {}\n",
        ask("date", &["-u", "+%Y-%m-%d %H:%M"]),
        options.rounds,
        options.secs,
        if place.native {
            "all Rust programs built with `-C target-cpu=native`"
        } else {
            "built for any processor of the architecture"
        },
        ask("uname", &["-r"]),
        ask("rustc", &["--version"]),
        ask("node", &["--version"]),
        locked(&lock, "tokio-tungstenite"),
        locked(&lock, "fastwebsockets"),
        locked(&lock, "axum"),
        locked(&lock, "tokio"),
        npm("ws", "ws"),
        npm("better-sse", "better-sse"),
        npm("better-sse", "express"),
        locked(&lock, "socketioxide"),
        npm("socketio", "socket.io"),
    )
}

/// The version of a package in a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> &'a str {
    let found = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
    found.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown")
}
