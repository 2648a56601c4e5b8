//! What must be shown: ratios that a release has to reach.

use super::Measured;
use super::cells::Cell;
use super::stats::{grouped, median, ratio};
use std::fmt::Write as _;

/// What Madang must reach in a cell.
struct Gate {
    cell: &'static str,
    bar: Bar,
}

enum Bar {
    /// So many times as good as a peer.
    Times(&'static str, f64),
    /// No more than this, whatever others have.
    AtMost(f64),
}

const fn gate(cell: &'static str, peer: &'static str, at_least: f64) -> Gate {
    Gate { cell, bar: Bar::Times(peer, at_least) }
}

const fn at_most(cell: &'static str, value: f64) -> Gate {
    Gate { cell, bar: Bar::AtMost(value) }
}

const UWS: &str = "uwebsockets";
const FAST_TLS: &str = "fastwebsockets-tls";
const AXUM_SSE: &str = "axum-sse";
const BETTER_SSE: &str = "better-sse";
const SOCKETIOXIDE: &str = "socketioxide";
const SOCKET_IO: &str = "socket.io";

const GATES: &[Gate] = &[
    gate("echo-128-c100-p1", UWS, 0.95),
    gate("echo-128-c1000-p1", UWS, 0.95),
    gate("echo-128-c100-p16", UWS, 0.9),
    gate("echo-128-c1000-p16", UWS, 0.9),
    gate("fanout-100-w16", UWS, 1.0),
    gate("fanout-1000-w16", UWS, 1.0),
    gate("fanout-5000-w16", UWS, 1.0),
    gate("handshakes", UWS, 0.85),
    gate("tls-echo-p1", FAST_TLS, 1.0),
    gate("tls-echo-p16", FAST_TLS, 1.0),
    gate("tls-fanout-100-w16", FAST_TLS, 5.0),
    gate("tls-fanout-1000-w16", FAST_TLS, 5.0),
    // At most 0.7 of its memory.
    gate("tls-idle", FAST_TLS, 1.0 / 0.7),
    gate("sse-fanout-1000-w16", AXUM_SSE, 1.5),
    gate("sse-fanout-1000-w16", BETTER_SSE, 5.0),
    gate("sio-echo-128-c100-p16", SOCKETIOXIDE, 1.5),
    gate("sio-echo-128-c1000-p16", SOCKETIOXIDE, 1.5),
    gate("sio-broadcast-1000-w16", SOCKETIOXIDE, 1.5),
    gate("sio-broadcast-1000-w16", SOCKET_IO, 15.0),
    at_most("sio-idle", 2500.0),
];

/// Cells that no gate asks for but that belong to the picture.
const BESIDE: &[&str] = &["fanout-1000-w1", "idle"];

/// Whether the set `gate` has this cell.
pub(super) fn has(cell: &str) -> bool {
    BESIDE.contains(&cell) || GATES.iter().any(|gate| gate.cell == cell)
}

/// The table of the gates whose cell and peer were measured; nothing when none was.
pub(super) fn table(cells: &[Cell], measured: &Measured) -> String {
    let mut rows = String::new();
    for Gate { cell: name, bar } in GATES {
        let Some(cell) = cells.iter().find(|c| c.name == *name) else { continue };
        let Some((text, passed)) = row(cell, bar, measured) else { continue };
        let verdict = if passed { "passed" } else { "**missed**" };
        // Writing to a string does not fail.
        let _ = writeln!(rows, "| {name} | {text} | {verdict} |");
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "## Gates\n\nA gate passes when the 90 % interval of the ratio reaches it. For memory the ratio is the \
         peer's over Madang's. Without a peer, Madang's median must not be above the gate; it is given with the \
         lowest and the highest round.\n\n| cell | against | gate | ratio | 90 % interval | |\n|---|---|---|---|---|---|\n{rows}\n"
    )
}

/// The columns of a gate that was measured, and whether it passed.
fn row(cell: &Cell, bar: &Bar, measured: &Measured) -> Option<(String, bool)> {
    match *bar {
        Bar::Times(peer, at_least) => {
            let (mid, from, to) = compared(cell, peer, measured)?;
            let text = format!("{peer} | ≥ {at_least:.2} | {mid:.2} | {from:.2} to {to:.2}");
            Some((text, to >= at_least))
        }
        Bar::AtMost(most) => {
            let values = values(cell, "madang", measured)?;
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(0.0, f64::max);
            let mid = median(&values);
            let [bar, mid_text, low, high] = [most, mid, low, high].map(grouped);
            Some((format!("– | ≤ {bar} | {mid_text} | {low} to {high}"), mid <= most))
        }
    }
}

/// What a server reached in each round of a cell.
fn values(cell: &Cell, server: &str, measured: &Measured) -> Option<Vec<f64>> {
    let lines = measured.get(&(cell.name.clone(), server.to_owned()))?;
    Some(lines.iter().filter_map(|line| cell.value(line)).collect())
}

/// Madang over a peer in a cell: the ratio, and its interval.
pub(super) fn compared(cell: &Cell, peer: &str, measured: &Measured) -> Option<(f64, f64, f64)> {
    let (ours, theirs) = (values(cell, "madang", measured)?, values(cell, peer, measured)?);
    Some(if cell.less_is_better() { ratio(&theirs, &ours) } else { ratio(&ours, &theirs) })
}

#[cfg(test)]
mod tests {
    use super::super::cells::all;
    use super::*;

    #[test]
    fn every_gate_names_a_cell() {
        let cells = all();
        let is_cell = |name: &&str| cells.iter().any(|c| c.name == **name);
        assert!(GATES.iter().map(|g| &g.cell).chain(BESIDE).all(is_cell));
    }

    #[test]
    fn a_gate_passes_when_the_interval_reaches_it() {
        let lines = |cost: &[f64]| -> Vec<String> {
            cost.iter().map(|c| format!("{{\"srv_cpu_s_per_million\":{c}}}")).collect()
        };
        let table_of = |ours: &[f64], theirs: &[f64]| {
            let cell = "fanout-100-w16".to_owned();
            let measured = Measured::from([
                ((cell.clone(), "madang".to_owned()), lines(ours)),
                ((cell, UWS.to_owned()), lines(theirs)),
            ]);
            table(&all(), &measured)
        };
        assert!(table_of(&[1.0; 9], &[1.0; 9]).contains("| 1.00 | 1.00 to 1.00 | passed |"));
        assert!(table_of(&[1.1; 9], &[1.0; 9]).contains("**missed**"));
        // Worse at the median, but the rounds differ by more than that.
        assert!(table_of(&[1.05, 0.8, 1.1], &[1.0, 0.9, 1.1]).contains("passed"));
        assert!(table(&all(), &Measured::new()).is_empty());
    }

    #[test]
    fn a_gate_without_a_peer_passes_when_the_median_is_not_above_it() {
        let table_of = |bytes: [u32; 3]| {
            let lines = bytes.map(|b| format!("{{\"bytes_per_idle_conn\":{b}}}")).to_vec();
            let cell = ("sio-idle".to_owned(), "madang".to_owned());
            table(&all(), &Measured::from([(cell, lines)]))
        };
        let row = "| sio-idle | – | ≤ 2,500 | 2,500 | 1,400 to 9,999 | passed |";
        assert!(table_of([9999, 1400, 2500]).contains(row));
        assert!(table_of([2501, 1400, 2501]).contains("**missed**"));
    }
}
