//! The page that a run leaves: method, machine, versions, tables.

use super::cells::Cell;
use super::stats::{median, ratio};
use super::{Measured, Options};
use crate::process::output;
use crate::project::Project;
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

- *madang*: echo is the example `conformance` at `/`; the rest is `madang serve --workers 1 --log off`, fan-out at
  `/ws/bench`, with history and everything else that it does by default.
- *tokio-tungstenite*, *fastwebsockets*, *ws*: the programs in `bench/peers`, a task for each connection.
  tokio-tungstenite is \"batched\": it forwards what is ready and flushes once, and drains its broadcast channel
  and flushes once per wake-up. fastwebsockets and `ws` write each message by itself; that is what their interfaces do.
  Over TLS, fastwebsockets stands on tokio-rustls.
";

/// The whole page.
pub(super) fn markdown(
    project: &Project,
    options: &Options,
    cells: &[&Cell],
    names: &[String],
    measured: &Measured,
) -> String {
    let mut page = format!(
        "# Results\n\n{METHOD}\n## Machine and versions\n\n{}\n",
        machine(project, options)
    );
    for cell in cells {
        page.push_str(&table(cell, names, measured));
    }
    page.push_str("Each run's line is in `bench/results/latest.jsonl`.\n");
    page
}

fn table(cell: &Cell, names: &[String], measured: &Measured) -> String {
    let values = |name: &String| -> Vec<f64> {
        let lines = measured.get(&(cell.name, name.clone()));
        lines.into_iter().flatten().filter_map(|line| cell.value(line)).collect()
    };
    let mut text = format!("## {}\n\n{} ({})\n\n", cell.name, cell.what, cell.unit());
    text.push_str("| server | rounds | median | lowest | highest | madang is … times as good |\n|---|---|---|---|---|---|\n");
    let ours = names.first().map(&values).unwrap_or_default();
    let has_part = |name: &&String| measured.contains_key(&(cell.name, (*name).clone()));
    for (at, name) in names.iter().filter(has_part).enumerate() {
        let theirs = values(name);
        let low = theirs.iter().copied().fold(f64::INFINITY, f64::min);
        let high = theirs.iter().copied().fold(0.0, f64::max);
        let compared = if at == 0 {
            String::from("–")
        } else {
            let (top, bottom) =
                if cell.less_is_better() { (&theirs, &ours) } else { (&ours, &theirs) };
            let (mid, from, to) = ratio(top, bottom);
            format!("**{mid:.2}** ({from:.2} to {to:.2})")
        };
        let cell_text = [median(&theirs), low, high].map(grouped).join(" | ");
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {} | {cell_text} | {compared} |", theirs.len());
    }
    text.push('\n');
    text
}

/// `1234567` as `1,234,567`.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

fn machine(project: &Project, options: &Options) -> String {
    let root = &project.root;
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
    let npm = fs::read_to_string(root.join("bench/peers/ws/package-lock.json")).unwrap_or_default();
    let npm = npm.split_once("node_modules/ws\"").and_then(|(_, rest)| rest.split('"').nth(3));
    format!(
        "- {} (UTC), commit {commit}, {} rounds of {} s\n\
         - {cores} × {model}, Linux {}, load averages at the end {load}\n\
         - {}; Node {}\n\
         - tokio-tungstenite {}, fastwebsockets {}, tokio {}, ws {}\n",
        ask("date", &["-u", "+%Y-%m-%d %H:%M"]),
        options.rounds,
        options.secs,
        ask("uname", &["-r"]),
        ask("rustc", &["--version"]),
        ask("node", &["--version"]),
        locked(&lock, "tokio-tungstenite"),
        locked(&lock, "fastwebsockets"),
        locked(&lock, "tokio"),
        npm.unwrap_or("unknown"),
    )
}

/// The version of a package in a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> &'a str {
    let found = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
    found.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown")
}
