//! The command line of `cargo xtask bench`.

use super::cells::{Cell, Field, all, matches};
use super::gates;
use super::page::Section;

/// What the arguments ask for.
pub(super) struct Options {
    pub(super) rounds: usize,
    pub(super) secs: f32,
    /// The cells to measure.
    pub(super) cells: Vec<Cell>,
    /// Only these servers besides Madang; all when empty.
    pub(super) peers: Vec<String>,
    /// Build for the processor that measures.
    pub(super) native: bool,
    /// Write the result files.
    pub(super) write: bool,
    /// What is written is a section of the page, and leaves its tables alone.
    pub(super) section: Option<Section>,
    pub(super) mode: Mode,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Compare,
    /// The micro-benchmarks.
    Micro,
    /// Madang alone, with its system calls and allocations counted.
    Profile,
}

/// Reads the arguments; nothing when they ask for help.
pub(super) fn parse(args: &[String]) -> Result<Option<Options>, String> {
    let mut options = Options {
        rounds: 9,
        secs: 2.0,
        cells: Vec::new(),
        peers: Vec::new(),
        native: false,
        write: false,
        section: None,
        mode: Mode::Compare,
    };
    let (mut patterns, mut set) = (Vec::new(), String::from("gate"));
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" | "-h" => {
                usage();
                return Ok(None);
            }
            "--write" => options.write = true,
            "--native" => options.native = true,
            "--micro" => options.mode = Mode::Micro,
            _ => {
                let value = args.next();
                let value = value.ok_or_else(|| format!("{arg} takes a value; see --help"))?;
                let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
                let wrong = |e: &dyn std::fmt::Display| format!("{arg} {value}: {e}");
                match arg.as_str() {
                    "--rounds" => options.rounds = value.parse().map_err(|e| wrong(&e))?,
                    "--secs" => options.secs = value.parse().map_err(|e| wrong(&e))?,
                    "--cells" => patterns = list(),
                    "--set" => set.clone_from(value),
                    "--peers" => options.peers = list(),
                    "--profile" => {
                        options.mode = Mode::Profile;
                        patterns = list();
                    }
                    _ => return Err(format!("unknown option {arg}; see --help")),
                }
            }
        }
    }
    options.cells = select(&patterns, &set)?;
    options.section = Section::of(&set).filter(|_| patterns.is_empty());
    let whole = patterns.is_empty() && options.peers.is_empty();
    options.write |= whole && options.mode == Mode::Compare;
    Ok(Some(options))
}

fn select(patterns: &[String], set: &str) -> Result<Vec<Cell>, String> {
    let mut cells = all();
    if let Some(none) =
        patterns.iter().find(|pattern| !cells.iter().any(|c| matches(pattern, &c.name)))
    {
        return Err(format!("there is no cell `{none}`; see `cargo xtask bench --help`"));
    }
    match set {
        _ if !patterns.is_empty() => {
            cells.retain(|c| patterns.iter().any(|pattern| matches(pattern, &c.name)));
        }
        "gate" => cells.retain(|c| gates::has(&c.name)),
        "sse" => cells.retain(|c| c.field == Field::Events),
        "sio" => cells.retain(|c| c.field == Field::SocketIo),
        "all" => {}
        _ => return Err(format!("--set {set}: there are `gate`, `sse`, `sio` and `all`")),
    }
    Ok(cells)
}

fn usage() {
    println!(
        "\
usage: cargo xtask bench [OPTIONS]

  --set gate|all   the cells that a release must show (default), or the whole matrix
  --set sse|sio    Server-Sent Events, or Socket.IO; each has a section of its own in bench/RESULTS.md
  --cells CELL,…   only these; `*` stands for any text
  --peers NAME,…   only these servers besides madang
  --rounds N       rounds of each cell, servers taking turns (default 9)
  --secs S         measured seconds of a run (default 2)
  --native         build everything for this processor (-C target-cpu=native)
  --write          write bench/RESULTS.md although cells or peers were chosen
  --micro          the micro-benchmarks instead; --write puts them on the page
  --profile CELL,… madang alone: system calls and allocations for each message

PEER_<NAME>=command adds a server; {{port}} in it is replaced. It echoes at / and sends to everybody
at /ws/bench; PEER_<NAME>_ECHO and PEER_<NAME>_FANOUT name other paths. It has no part in cells that
begin with tls-, sse- or sio-. The gates ask for PEER_UWEBSOCKETS, built with -O3 -march=native: use
--native with it.
"
    );
    for cell in all() {
        let mark = if gates::has(&cell.name) { '*' } else { ' ' };
        println!("{mark} {:22} {}", cell.name, cell.what);
    }
    println!("\n* in the set `gate`");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Options>, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_default_is_the_gate_set_in_nine_rounds() {
        let options = parsed("").unwrap().unwrap();
        assert_eq!((options.rounds, options.write, options.native), (9, true, false));
        assert_eq!(options.cells.len(), 20);
        assert!(options.section.is_none());
    }

    #[test]
    fn events_have_a_set_of_their_own() {
        let options = parsed("--set sse --rounds 3").unwrap().unwrap();
        assert_eq!(options.cells.len(), 4);
        assert!(options.cells.iter().all(|cell| cell.name.starts_with("sse-fanout-1")));
        assert_eq!((options.section, options.write), (Some(Section::Events), true));
        assert!(!parsed("--set sse --peers axum-sse").unwrap().unwrap().write);
        assert!(parsed("--set sse --cells sse-*").unwrap().unwrap().section.is_none());
    }

    #[test]
    fn socketio_has_a_set_of_its_own() {
        let options = parsed("--set sio").unwrap().unwrap();
        let names: Vec<&str> = options.cells.iter().map(|c| c.name.as_str()).collect();
        let echoes = ["sio-echo-128-c100-p16", "sio-echo-128-c1000-p16"];
        assert_eq!(names, [&echoes[..], &["sio-broadcast-1000-w16", "sio-idle"]].concat());
        assert_eq!((options.section, options.write), (Some(Section::SocketIo), true));
    }

    #[test]
    fn cells_are_chosen_by_pattern_and_unknown_ones_refused() {
        let options = parsed("--cells fanout-*-w16,idle --native").unwrap().unwrap();
        let names: Vec<&str> = options.cells.iter().map(|c| c.name.as_str()).collect();
        let fanouts = ["fanout-10-w16", "fanout-100-w16", "fanout-1000-w16", "fanout-5000-w16"];
        assert_eq!(names, [&fanouts[..], &["idle"]].concat());
        assert!(options.native && !options.write);
        assert!(!parsed("--micro").unwrap().unwrap().write);
        assert!(parsed("--cells nothing-*").is_err());
        assert!(parsed("--set most").is_err());
        assert!(parsed("--rounds many").is_err());
        assert!(parsed("--rounds").is_err());
    }
}
