//! `cargo xtask bench --micro`: the parts of the protocol without sockets, beside memory bandwidth.

use super::measure::pinned;
use super::{Place, page};
use crate::process::Log;
use std::fmt::Write as _;

/// Runs the harness in `crates/ws/benches` on core 0 and prints its table.
pub(super) fn run(place: &Place, log: &Log, write: bool) -> Result<bool, String> {
    let project = &place.project;
    let bench = ["bench", "--package", "madang-ws", "--bench", "micro", "--features", "testing"];
    println!("building the micro-benchmarks …");
    place.cargo(&[&bench[..], &["--no-run"]].concat(), &project.root, &project.target, log)?;
    let argv: Vec<String> = ["cargo"].iter().chain(&bench).map(|s| (*s).to_owned()).collect();
    let mut cargo = pinned("0", &argv, &project.root);
    cargo.env("CARGO_TARGET_DIR", &project.target);
    if place.native {
        cargo.env("RUSTFLAGS", "-C target-cpu=native");
    }
    let out = cargo.output().map_err(|e| format!("cargo bench: {e}"))?;
    let table = String::from_utf8_lossy(&out.stdout);
    log.line(&table);
    if !out.status.success() || !table.contains("| ") {
        return Err(format!("cargo bench: {}", String::from_utf8_lossy(&out.stderr)));
    }
    let mut text = String::from("## Micro-benchmarks\n\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "`cargo xtask bench --micro`, one core, {}. The best of many short rounds. The share is of the rate \
         at which `memcpy` copies as many bytes at a time.\n\n{table}",
        if place.native { "`-C target-cpu=native`" } else { "built for any processor" }
    );
    println!("{text}");
    if write {
        page::write_micro(project, &text)?;
    }
    Ok(true)
}
