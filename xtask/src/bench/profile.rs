//! `cargo xtask bench --profile`: what Madang does for each message, counted: system calls by
//! perf's tracepoints, allocations by valgrind's DHAT.
//!
//! Each is counted in a short and in a long run; the difference over the difference in messages
//! leaves out start, connecting and end.

use super::Place;
use super::cells::Cell;
use super::measure::{Generators, cores, load, pinned};
use super::options::Options;
use super::peers::{Peer, Peers};
use super::stats::field;
use crate::process::{Log, Server, command, free_port, signal};
use crate::tools::{Stop, need};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

/// System calls that are told apart; the sum is of all.
const CALLS: &[&str] = &[
    "epoll_wait",
    "epoll_pwait",
    "epoll_ctl",
    "recvfrom",
    "recvmsg",
    "read",
    "readv",
    "sendto",
    "sendmsg",
    "write",
    "writev",
    "accept4",
    "close",
    "setsockopt",
    "futex",
    "ioctl",
];

/// The measured time of the short run; the long one's is longer by what was asked for.
const SHORT: f32 = 0.5;
/// How long perf may take to attach before the load begins.
const ATTACH: Duration = Duration::from_millis(500);

/// Counts by name, and the messages that they are for.
struct Counted {
    counts: BTreeMap<String, f64>,
    messages: f64,
}

struct Profiler<'a> {
    place: &'a Place,
    log: &'a Log,
    generators: &'a Generators,
}

pub(super) fn run(
    place: &Place,
    log: &Log,
    generators: &Generators,
    peers: &Peers,
    options: &Options,
) -> Result<bool, String> {
    let profiler = Profiler { place, log, generators };
    for tool in [("perf", "linux-perf"), ("valgrind", "valgrind")] {
        if let Err(Stop::Missing(why) | Stop::Failed(why)) = need(tool.0, &[tool.1], log) {
            return Err(why);
        }
    }
    let mut whole = true;
    for cell in &options.cells {
        let Some(madang) = peers.of(cell).first() else { continue };
        println!("\n## {}: {}\n", cell.name, cell.what);
        let long = SHORT + options.secs;
        let calls = |secs| profiler.calls(cell, madang, secs);
        let allocations = |secs| profiler.allocations(cell, madang, secs);
        for (what, runs) in [
            ("system calls", calls(SHORT).and_then(|short| Ok((short, calls(long)?)))),
            ("allocations", allocations(SHORT).and_then(|short| Ok((short, allocations(long)?)))),
        ] {
            match runs {
                Ok((short, long)) => print(what, &short, &long),
                Err(why) => {
                    whole = false;
                    println!("{what}: not counted: {why}");
                }
            }
        }
    }
    Ok(whole)
}

fn print(what: &str, short: &Counted, long: &Counted) {
    let messages = long.messages - short.messages;
    println!("{what}, for each of {messages:.0} messages:");
    for (name, count) in &long.counts {
        let each = (count - short.counts.get(name).unwrap_or(&0.0)) / messages;
        if each >= 0.0005 {
            println!("  {name:12} {each:9.3}");
        }
    }
}

impl Profiler<'_> {
    /// System calls of a server during a run.
    fn calls(&self, cell: &Cell, peer: &Peer, secs: f32) -> Result<Counted, String> {
        let root = &self.place.project.root;
        let port = free_port()?;
        let argv = peer.argv(cell.kind, port);
        let server = Server::start(pinned(cores(cell), &argv, root), port, self.log)?;
        let file = self.place.project.scratch("xtask")?.join("perf.csv");
        let mut perf = perf(server.pid(), &file, root)?;
        thread::sleep(ATTACH);
        let line = load(self.place, self.log, self.generators, cell, peer, (&server, "0", secs));
        signal("INT", &[perf.id()]);
        let ended = perf.wait().map_err(|e| format!("perf: {e}"));
        let line = line?;
        ended?;
        let text = fs::read_to_string(&file).map_err(|e| format!("perf: {e}"))?;
        let counts = perf_counts(&text);
        if counts.is_empty() {
            return Err(format!("perf counted nothing: {}", text.trim()));
        }
        Ok(Counted { counts, messages: messages(&line)? })
    }

    /// Allocations, and the bytes allocated, of a server from start to end.
    fn allocations(&self, cell: &Cell, peer: &Peer, secs: f32) -> Result<Counted, String> {
        let file = self.place.project.scratch("xtask")?.join("dhat.log");
        let mut argv: Vec<String> =
            ["valgrind", "--tool=dhat", "--dhat-out-file=/dev/null"].map(str::to_owned).into();
        argv.push(format!("--log-file={}", file.display()));
        let port = free_port()?;
        argv.extend(peer.argv(cell.kind, port));
        let root = &self.place.project.root;
        let server = Server::start(pinned(cores(cell), &argv, root), port, self.log)?;
        let line = load(self.place, self.log, self.generators, cell, peer, (&server, "0", secs))?;
        // Told to end, it writes its sums.
        drop(server);
        let text = fs::read_to_string(&file).map_err(|e| format!("valgrind: {e}"))?;
        let (bytes, blocks) =
            dhat_total(&text).ok_or_else(|| format!("valgrind gave no sums: {text}"))?;
        let counts = BTreeMap::from([("blocks".to_owned(), blocks), ("bytes".to_owned(), bytes)]);
        Ok(Counted { counts, messages: messages(&line)? })
    }
}

fn perf(pid: u32, file: &Path, dir: &Path) -> Result<Child, String> {
    let mut events = String::from("raw_syscalls:sys_enter");
    for call in CALLS.iter().filter(|call| has_tracepoint(call)) {
        events.push_str(",syscalls:sys_enter_");
        events.push_str(call);
    }
    let (pid, file) = (pid.to_string(), file.to_string_lossy().into_owned());
    command("perf", &["stat", "-x", ",", "-e", &events, "-p", &pid, "-o", &file], dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("perf: {e}"))
}

/// An event that the kernel does not know would make perf refuse all.
fn has_tracepoint(call: &str) -> bool {
    ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
        .iter()
        .any(|at| Path::new(at).join(format!("events/syscalls/sys_enter_{call}")).exists())
}

/// `123,,syscalls:sys_enter_read,…` for each event.
fn perf_counts(text: &str) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(',');
        let (Some(count), Some(event)) = (fields.next(), fields.nth(1)) else { continue };
        let Ok(count) = count.parse() else { continue };
        let name = event.rsplit_once("sys_enter_").map_or("all", |(_, call)| call);
        counts.insert(name.to_owned(), count);
    }
    counts
}

/// Bytes and blocks of DHAT's line `Total: 1,234 bytes in 56 blocks`.
fn dhat_total(text: &str) -> Option<(f64, f64)> {
    let line = text.lines().find_map(|line| line.split_once("Total:"))?.1;
    let mut numbers =
        line.split_whitespace().filter_map(|word| word.replace(',', "").parse::<f64>().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// How many messages the generator's line is about.
fn messages(line: &str) -> Result<f64, String> {
    let part = |name| field(line, name).filter(|n| *n > 0.0);
    let count = || Some(part("srv_cpu")? * part("wall_s")? * 1e6 / part("srv_cpu_s_per_million")?);
    count().ok_or_else(|| format!("no messages can be counted in this cell: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_print_is_read() {
        let perf = "# started\n\n2000,,raw_syscalls:sys_enter,1,100.00,,\n\
                    990,,syscalls:sys_enter_read,1,100.00,,\n<not counted>,,syscalls:sys_enter_futex,0,0.00,,\n";
        let counts = perf_counts(perf);
        assert_eq!(counts, BTreeMap::from([("all".into(), 2000.0), ("read".into(), 990.0)]));
        let dhat =
            "==1== DHAT\n==1== Total:     12,345 bytes in 67 blocks\n==1== At t-gmax: 1 bytes";
        assert_eq!(dhat_total(dhat), Some((12345.0, 67.0)));
        assert_eq!(dhat_total("==1== killed"), None);
    }

    #[test]
    fn messages_follow_from_cost_and_time() {
        let line = "{\"wall_s\":2.0,\"srv_cpu\":0.5,\"srv_cpu_s_per_million\":4.0}";
        assert_eq!(messages(line), Ok(250_000.0));
        assert!(messages("{\"bytes_per_idle_conn\":300}").is_err());
    }
}
