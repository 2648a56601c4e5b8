//! What must be shown: ratios that a release has to reach.

use super::Measured;
use super::cells::Cell;
use super::stats::ratio;
use std::fmt::Write as _;

/// Madang must be so many times as good as a peer.
struct Gate {
    cell: &'static str,
    peer: &'static str,
    at_least: f64,
}

const fn gate(cell: &'static str, peer: &'static str, at_least: f64) -> Gate {
    Gate { cell, peer, at_least }
}

const UWS: &str = "uwebsockets";
const FAST_TLS: &str = "fastwebsockets-tls";
const AXUM_SSE: &str = "axum-sse";
const BETTER_SSE: &str = "better-sse";

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
    for Gate { cell: name, peer, at_least } in GATES {
        let Some(cell) = cells.iter().find(|c| c.name == *name) else { continue };
        let Some((mid, from, to)) = compared(cell, peer, measured) else { continue };
        let verdict = if to >= *at_least { "passed" } else { "**missed**" };
        // Writing to a string does not fail.
        let _ = writeln!(
            rows,
            "| {name} | {peer} | ≥ {at_least:.2} | {mid:.2} | {from:.2} to {to:.2} | {verdict} |"
        );
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "## Gates\n\nA gate passes when the 90 % interval of the ratio reaches it. For memory the ratio is the \
         peer's over Madang's.\n\n| cell | against | gate | ratio | 90 % interval | |\n|---|---|---|---|---|---|\n{rows}\n"
    )
}

/// Madang over a peer in a cell: the ratio, and its interval.
pub(super) fn compared(cell: &Cell, peer: &str, measured: &Measured) -> Option<(f64, f64, f64)> {
    let values = |name: &str| -> Option<Vec<f64>> {
        let lines = measured.get(&(cell.name.clone(), name.to_owned()))?;
        Some(lines.iter().filter_map(|line| cell.value(line)).collect())
    };
    let (ours, theirs) = (values("madang")?, values(peer)?);
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
}
