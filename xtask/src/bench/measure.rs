//! One run: a fresh server, the load generator, and the line that it prints.

use super::Place;
use super::cells::{Cell, Field};
use super::peers::Peer;
use super::stats::field;
use crate::process::{Log, Server, command, free_port};
use crate::tools::Stop;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a program on some cores with as many open files as are allowed. Each step is an `exec`, so
/// that the process started is the program itself.
const PINNED: &str = "ulimit -n \"$(ulimit -Hn)\"; exec taskset -c \"$0\" \"$@\"";

/// The programs that make the load.
pub(super) struct Generators {
    plain: PathBuf,
    /// Built when cells ask for them.
    tls: PathBuf,
    events: PathBuf,
    socketio: PathBuf,
}

impl Generators {
    /// Builds those that the cells need: wsload from a copy of the shared one, tlsload, sseload,
    /// sioload.
    pub(super) fn build(place: &Place, log: &Log, cells: &[Cell]) -> Result<Self, Stop> {
        let project = &place.project;
        let need = |field| cells.iter().any(|cell| cell.field == field);
        let build = |name: &str, source: Option<PathBuf>| -> Result<PathBuf, String> {
            let target = project.scratch(&format!("bench-build/{name}"))?;
            if let Some(source) = source {
                place.build(&source, &target, log)?;
            }
            Ok(target.join("release").join(name))
        };
        let own = |name: &str, field| {
            build(name, need(field).then(|| project.root.join("bench").join(name)))
        };
        let shared = (need(Field::Plain) || need(Field::Workers))
            .then(|| project.shared_copy("bench/wsload", "judges-bench/wsload"));
        Ok(Self {
            plain: build("wsload", shared.transpose().map_err(Stop::Missing)?)?,
            tls: own("tlsload", Field::Tls)?,
            events: own("sseload", Field::Events)?,
            socketio: own("sioload", Field::SocketIo)?,
        })
    }

    fn of(&self, cell: &Cell) -> &Path {
        match cell.field {
            Field::Tls => &self.tls,
            Field::Events => &self.events,
            Field::SocketIo => &self.socketio,
            Field::Plain | Field::Workers => &self.plain,
        }
    }
}

/// `argv` on these cores.
pub(super) fn pinned(cores: &str, argv: &[String], dir: &Path) -> Command {
    let mut command = command("bash", &["-c", PINNED, cores], dir);
    command.args(argv);
    command
}

/// The cores of a cell's server; the generator has core 1.
pub(super) fn cores(cell: &Cell) -> &'static str {
    if cell.field == Field::Workers { "0,1" } else { "0" }
}

/// One run of one cell against one freshly started server: the generator's line.
pub(super) fn run(
    place: &Place,
    log: &Log,
    generators: &Generators,
    cell: &Cell,
    peer: &Peer,
    secs: f32,
) -> Result<String, String> {
    let root = &place.project.root;
    let port = free_port()?;
    let server = Server::start(pinned(cores(cell), &peer.argv(cell.kind, port), root), port, log)
        .map_err(|e| format!("{} at {}: {e}", peer.name, cell.name))?;
    // Long enough for Node to have compiled what it runs.
    let line = load(place, log, generators, cell, peer, (&server, "1", secs))?;
    for fault in ["bad", "dead", "lost", "disorder"] {
        if let Some(count) = field(&line, fault).filter(|n| *n != 0.0) {
            println!("  {} at {}: {fault} {count}", peer.name, cell.name);
        }
    }
    Ok(match user_share(server.pid()) {
        Some(share) => line.replacen('{', &format!("{{\"srv_user_share\":{share:.4},"), 1),
        None => line,
    })
}

/// The generator against a server that runs: its line.
pub(super) fn load(
    place: &Place,
    log: &Log,
    generators: &Generators,
    cell: &Cell,
    peer: &Peer,
    (server, warmup, secs): (&Server, &str, f32),
) -> Result<String, String> {
    let scheme = match cell.field {
        Field::Tls => "wss",
        Field::Events | Field::SocketIo => "http",
        Field::Plain | Field::Workers => "ws",
    };
    let url = format!("{scheme}://127.0.0.1:{}{}", server.port, peer.path(cell.kind));
    let mut argv = vec![generators.of(cell).to_string_lossy().into_owned()];
    argv.extend(cell.load.split_whitespace().map(str::to_owned));
    let (pid, secs) = (server.pid().to_string(), secs.to_string());
    for (flag, value) in [
        ("--url", url.as_str()),
        ("--server-pid", &pid),
        ("--warmup", warmup),
        ("-d", &secs),
        ("--label", &peer.name),
    ] {
        argv.extend([flag.to_owned(), value.to_owned()]);
    }
    let out = pinned("1", &argv, &place.project.root)
        .output()
        .map_err(|e| format!("{}: {e}", argv[0]))?;
    let text = String::from_utf8_lossy(&out.stdout);
    log.line(&text);
    let line = text.lines().last().unwrap_or_default().to_owned();
    if !out.status.success() || cell.value(&line).is_none() {
        let why = String::from_utf8_lossy(&out.stderr);
        return Err(format!("{} at {}: {}: {line} {why}", peer.name, cell.name, out.status));
    }
    Ok(line)
}

/// Which part of a process's CPU time was spent outside the kernel. The kernel samples this, so
/// that it means something for a second and more.
fn user_share(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; user and system ticks are fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    let (user, system) = (next()?, next()?);
    (user + system > 0.0).then(|| user / (user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_process_that_only_computes_is_large() {
        let began = std::time::Instant::now();
        let mut sum = 0_u64;
        while began.elapsed() < std::time::Duration::from_millis(300) {
            sum = (0..100_000).fold(sum, |s, n| s.rotate_left(5) ^ n);
        }
        assert_ne!(std::hint::black_box(sum), 1);
        assert!(user_share(std::process::id()).is_some_and(|share| (0.3..=1.0).contains(&share)));
    }
}
