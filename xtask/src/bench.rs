//! `cargo xtask bench`: Madang beside other servers, in messages per second of server CPU time.
//!
//! The server under test has core 0 and the load generator core 1. Servers take turns within each
//! round, so that what else the machine does falls on all of them.

mod cells;
mod gates;
mod measure;
mod micro;
mod options;
mod page;
mod peers;
mod profile;
mod report;
mod stats;

use crate::process::{Log, command, run as run_logged};
use crate::project::Project;
use crate::tools::{Stop, need};
use cells::Cell;
use measure::Generators;
use options::{Mode, Options};
use peers::{Peer, Peers};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// All lines of the generator, by cell and then by server.
type Measured = BTreeMap<(String, String), Vec<String>>;

/// A cold build of everything on two slow cores fits.
const BUILD: Duration = Duration::from_mins(30);

pub(crate) fn run(project: &Project, args: &[String]) -> Result<bool, String> {
    let Some(options) = options::parse(args)? else { return Ok(true) };
    let log = Log::create(project.scratch("xtask")?.join("bench.log"))?;
    // Valgrind does not know the newest instructions.
    let place = Place::new(project, options.native && options.mode != Mode::Profile);
    if options.mode == Mode::Micro {
        return micro::run(&place, &log, options.write);
    }
    let wanted = if options.mode == Mode::Profile { &[String::new()][..] } else { &options.peers };
    let prepared = need("taskset", &["util-linux"], &log)
        .and_then(|()| Generators::build(&place, &log, &options.cells))
        .and_then(|generators| Ok((generators, Peers::build(&place, &log, wanted)?)));
    let (generators, peers) = match prepared {
        Ok(ready) => ready,
        Err(Stop::Missing(why) | Stop::Failed(why)) => return Err(why),
    };
    if options.mode == Mode::Profile {
        return profile::run(&place, &log, &generators, &peers, &options);
    }
    compare(&place, &log, &generators, &peers, &options)
}

/// Where things are built, and how.
struct Place {
    project: Project,
    native: bool,
}

impl Place {
    /// Programs for this processor have a target folder of their own.
    fn new(project: &Project, native: bool) -> Self {
        let target =
            if native { project.target.join("bench-native") } else { project.target.clone() };
        Self { project: Project { root: project.root.clone(), target, ci: project.ci }, native }
    }

    /// `cargo` with `args` in `dir`, for the processor that was asked for.
    fn cargo(&self, args: &[&str], dir: &Path, target: &Path, log: &Log) -> Result<(), String> {
        let mut cargo = command("cargo", args, dir);
        cargo.env("CARGO_TARGET_DIR", target);
        if self.native {
            cargo.env("RUSTFLAGS", "-C target-cpu=native");
        }
        run_logged(cargo, log, BUILD)
    }

    /// A release build of the package in `dir`.
    fn build(&self, dir: &Path, target: &Path, log: &Log) -> Result<(), String> {
        println!("building {} …", dir.display());
        self.cargo(&["build", "--release", "--bins"], dir, target, log)
    }
}

/// Measures every cell, a round of all servers at a time. A run that fails is told and left out.
fn compare(
    place: &Place,
    log: &Log,
    generators: &Generators,
    peers: &Peers,
    options: &Options,
) -> Result<bool, String> {
    let runs = |cell: &Cell| cell.rounds.min(options.rounds) * peers.of(cell).len();
    let total: usize = options.cells.iter().map(runs).sum();
    let (mut done, mut failed) = (0, 0);
    let began = Instant::now();
    let mut measured = Measured::new();
    let report = |measured: &Measured| match options.section {
        Some(section) => report::section(section, place, options, peers, measured),
        None => report::markdown(place, options, peers, measured),
    };
    for cell in &options.cells {
        for round in 1..=cell.rounds.min(options.rounds) {
            for peer in in_turn(peers.of(cell), round) {
                done += 1;
                let run = measure::run(place, log, generators, cell, peer, options.secs);
                let left = left(began, done, total);
                match run {
                    Ok(line) => {
                        println!(
                            "{:22} round {round}  {:20} {:12.0} {}  [{done}/{total}, {left} left]",
                            cell.name,
                            peer.name,
                            cell.value(&line).unwrap_or_default(),
                            cell.unit()
                        );
                        let key = (cell.name.clone(), peer.name.clone());
                        measured.entry(key).or_default().push(line);
                    }
                    Err(why) => {
                        failed += 1;
                        println!("FAILED {why}  [{done}/{total}, {left} left]");
                    }
                }
            }
        }
        if options.write {
            // After each cell, so that a run that is broken off leaves what it has.
            let (project, text) = (&place.project, report(&measured));
            match options.section {
                Some(section) => page::write_section(section, project, &text, &measured)?,
                None => page::write(project, &text, &measured)?,
            }
        }
    }
    println!("\n{}", report(&measured));
    if failed > 0 {
        println!("{failed} of {total} runs failed; see {}", log.path.display());
    }
    Ok(failed == 0)
}

/// The servers, each round begun by another one.
fn in_turn(peers: &[Peer], round: usize) -> impl Iterator<Item = &Peer> {
    let (front, back) = peers.split_at(round % peers.len().max(1));
    back.iter().chain(front)
}

/// How long the runs that are left will take, from those that are done.
fn left(began: Instant, done: usize, total: usize) -> String {
    let each = began.elapsed().as_secs_f64() / f64::from(u32::try_from(done).unwrap_or(1).max(1));
    let seconds = each * f64::from(u32::try_from(total - done).unwrap_or(u32::MAX));
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}
