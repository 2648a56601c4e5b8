//! `cargo xtask bench`: Madang beside other servers, in messages per second of server CPU time.
//!
//! The server under test has core 0 and the load generator core 1. Servers take turns within each
//! round, so that what else the machine does falls on all of them.

mod cells;
mod peers;
mod report;
mod secure;
mod stats;

use crate::process::{Log, Server, command, free_port, run as run_logged};
use crate::project::Project;
use crate::tools::{Stop, need};
use cells::{CELLS, Cell};
use peers::Peer;
use stats::field;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Runs a program on one core with as many open files as are allowed. Each step is an `exec`, so
/// that the process started is the program itself.
const PINNED: &str = "ulimit -n \"$(ulimit -Hn)\"; exec taskset -c \"$0\" \"$@\"";

/// What the arguments ask for.
struct Options {
    rounds: usize,
    secs: f32,
    cells: Vec<String>,
    peers: Vec<String>,
    /// Write the result files although not everything was measured.
    write: bool,
}

/// All lines of the generator, by cell and then by server.
type Measured = BTreeMap<(&'static str, String), Vec<String>>;

pub(crate) fn run(project: &Project, args: &[String]) -> Result<bool, String> {
    let Some(options) = parse(args)? else { return Ok(true) };
    let log = Log::create(project.scratch("xtask")?.join("bench.log"))?;
    let prepared = need("taskset", &["util-linux"], &log)
        .and_then(|()| generator(project, &log))
        .and_then(|wsload| Ok((wsload, peers::all(project, &log, &options.peers)?)));
    let (wsload, peers) = match prepared {
        Ok(ready) => ready,
        Err(Stop::Missing(why) | Stop::Failed(why)) => return Err(why),
    };
    let takes = |c: &&Cell| options.cells.is_empty() || options.cells.iter().any(|n| n == c.name);
    let cells: Vec<&Cell> = CELLS.iter().chain(secure::CELLS).filter(takes).collect();
    let (tlsload, secure_peers) = if cells.iter().any(|cell| secure::has(cell)) {
        (secure::generator(project, &log)?, secure::peers(project, &log, &options.peers)?)
    } else {
        Default::default()
    };
    let mut measured = Measured::new();
    for cell in &cells {
        let (generator, peers) =
            if secure::has(cell) { (&tlsload, &secure_peers) } else { (&wsload, &peers) };
        for round in 1..=cell.rounds.min(options.rounds) {
            for peer in peers {
                let line = measure(project, &log, generator, cell, peer, options.secs)?;
                let value = cell.value(&line).unwrap_or_default();
                println!(
                    "{:16} round {round}  {:20} {value:12.0} {}",
                    cell.name,
                    peer.name,
                    cell.unit()
                );
                measured.entry((cell.name, peer.name.clone())).or_default().push(line);
            }
        }
    }
    let names: Vec<String> = peers.iter().map(|p| p.name.clone()).collect();
    let report = report::markdown(project, &options, &cells, &names, &measured);
    println!("\n{report}");
    if options.write || (options.cells.is_empty() && options.peers.is_empty()) {
        write(project, &report, &measured)?;
    }
    Ok(true)
}

fn parse(args: &[String]) -> Result<Option<Options>, String> {
    let mut options =
        Options { rounds: 5, secs: 2.0, cells: Vec::new(), peers: Vec::new(), write: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if matches!(arg.as_str(), "--help" | "-h") {
            usage();
            return Ok(None);
        }
        if arg == "--write" {
            options.write = true;
            continue;
        }
        let value = args
            .next()
            .ok_or_else(|| format!("{arg} takes a value; see `cargo xtask bench --help`"))?;
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        let number = |e: &dyn std::fmt::Display| format!("{arg} {value}: {e}");
        match arg.as_str() {
            "--rounds" => options.rounds = value.parse().map_err(|e| number(&e))?,
            "--secs" => options.secs = value.parse().map_err(|e| number(&e))?,
            "--cells" => options.cells = list(),
            "--peers" => options.peers = list(),
            _ => return Err(format!("unknown option {arg}; see `cargo xtask bench --help`")),
        }
    }
    let is_known = |name: &&String| CELLS.iter().chain(secure::CELLS).any(|c| c.name == **name);
    if let Some(name) = options.cells.iter().find(|name| !is_known(name)) {
        return Err(format!("there is no cell `{name}`; see `cargo xtask bench --help`"));
    }
    Ok(Some(options))
}

fn usage() {
    println!(
        "usage: cargo xtask bench [--rounds N] [--secs S] [--cells CELL,…] [--peers NAME,…] [--write]\n"
    );
    println!("  --rounds N    rounds of each cell, servers taking turns (default 5)");
    println!("  --secs S      measured seconds of a run (default 2)");
    println!("  --cells …     only these cells; --peers … only these servers besides madang");
    println!("  --write       write bench/RESULTS.md although not everything was measured\n");
    println!(
        "PEER_<NAME>=command adds a server; {{port}} in it is replaced. It echoes at / and sends"
    );
    println!(
        "to everybody at /ws/bench; PEER_<NAME>_ECHO and PEER_<NAME>_FANOUT name other paths.\n"
    );
    for cell in CELLS.iter().chain(secure::CELLS) {
        println!("  {:16} {}", cell.name, cell.what);
    }
}

/// Builds the load generator from a copy of the shared one.
fn generator(project: &Project, log: &Log) -> Result<PathBuf, Stop> {
    let source =
        project.shared_copy("bench/wsload", "judges-bench/wsload").map_err(Stop::Missing)?;
    let target = project.scratch("bench-build/wsload")?;
    build(&source, &target, log)?;
    Ok(target.join("release/wsload"))
}

/// A release build of the package in `dir`.
fn build(dir: &Path, target: &Path, log: &Log) -> Result<(), String> {
    let mut cargo = command("cargo", &["build", "--release", "--bins"], dir);
    cargo.env("CARGO_TARGET_DIR", target);
    println!("building {} …", dir.display());
    run_logged(cargo, log, Duration::from_mins(30))
}

fn pinned(core: &str, argv: &[String], dir: &Path) -> Command {
    let mut command = command("bash", &["-c", PINNED, core], dir);
    command.args(argv);
    command
}

/// One run of one cell against one freshly started server: the generator's line.
fn measure(
    project: &Project,
    log: &Log,
    generator: &Path,
    cell: &Cell,
    peer: &Peer,
    secs: f32,
) -> Result<String, String> {
    let port = free_port()?;
    let server = Server::start(pinned("0", &peer.argv(cell.kind, port), &project.root), port, log)?;
    let mut argv = vec![generator.to_string_lossy().into_owned()];
    argv.extend(cell.load.split_whitespace().map(str::to_owned));
    // Long enough for Node to have compiled what it runs.
    argv.extend(["--warmup".to_owned(), "1".to_owned()]);
    let scheme = if secure::has(cell) { "wss" } else { "ws" };
    let url = format!("{scheme}://127.0.0.1:{port}{}", peer.path(cell.kind));
    let (pid, secs) = (server.pid().to_string(), secs.to_string());
    for (flag, value) in
        [("--url", &url), ("--server-pid", &pid), ("-d", &secs), ("--label", &peer.name)]
    {
        argv.push(flag.to_owned());
        argv.push(value.clone());
    }
    let out = pinned("1", &argv, &project.root)
        .output()
        .map_err(|e| format!("{}: {e}", generator.display()))?;
    let text = String::from_utf8_lossy(&out.stdout);
    log.line(&text);
    let line = text.lines().last().unwrap_or_default().to_owned();
    if !out.status.success() || cell.value(&line).is_none() {
        let why = String::from_utf8_lossy(&out.stderr);
        return Err(format!("{} at {}: {}: {line} {why}", peer.name, cell.name, out.status));
    }
    for fault in ["bad", "dead", "lost", "disorder"] {
        if let Some(count) = field(&line, fault).filter(|n| *n != 0.0) {
            println!("  {} at {}: {fault} {count}", peer.name, cell.name);
        }
    }
    Ok(line)
}

fn write(project: &Project, report: &str, measured: &Measured) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("bench/: {e}");
    let dir = project.root.join("bench");
    let mut raw = String::new();
    for ((cell, _), lines) in measured {
        for line in lines {
            raw.push_str(&line.replacen('{', &format!("{{\"cell\":\"{cell}\","), 1));
            raw.push('\n');
        }
    }
    fs::create_dir_all(dir.join("results")).map_err(fail)?;
    fs::write(dir.join("results/latest.jsonl"), raw).map_err(fail)?;
    fs::write(dir.join("RESULTS.md"), report).map_err(fail)
}
