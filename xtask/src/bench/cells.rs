//! What is measured.

use super::stats::field;

/// What a server is asked to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Echo,
    FanOut,
    Idle,
    Handshakes,
}

/// One row of the tables.
pub(super) struct Cell {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) kind: Kind,
    /// The generator's mode and options.
    pub(super) load: &'static str,
    /// Memory settles at once: no need of many rounds.
    pub(super) rounds: usize,
}

pub(super) const CELLS: &[Cell] = &[
    Cell {
        name: "echo-p1",
        what: "echo, 128 B, 100 connections, 1 message in flight on each",
        kind: Kind::Echo,
        load: "echo -c 100 -s 128 -p 1",
        rounds: usize::MAX,
    },
    Cell {
        name: "echo-p16",
        what: "echo, 128 B, 100 connections, 16 messages in flight on each",
        kind: Kind::Echo,
        load: "echo -c 100 -s 128 -p 16",
        rounds: usize::MAX,
    },
    Cell {
        name: "fanout-100-w16",
        what: "one publisher to 100 connections, 128 B, 16 messages in flight in all",
        kind: Kind::FanOut,
        load: "fanout -c 100 -s 128 --pubs 1 --window 16",
        rounds: usize::MAX,
    },
    Cell {
        name: "fanout-1000-w16",
        what: "one publisher to 1,000 connections, 128 B, 16 messages in flight in all",
        kind: Kind::FanOut,
        load: "fanout -c 1000 -s 128 --pubs 1 --window 16",
        rounds: usize::MAX,
    },
    Cell {
        name: "fanout-1000-w1",
        what: "one publisher to 1,000 connections, 128 B, 1 message in flight",
        kind: Kind::FanOut,
        load: "fanout -c 1000 -s 128 --pubs 1 --window 1",
        rounds: usize::MAX,
    },
    Cell {
        name: "idle",
        what: "resident bytes of the server for each of 10,000 idle connections (less is better)",
        kind: Kind::Idle,
        load: "idle -c 10000 --sources 8 --hold 1",
        rounds: 3,
    },
    Cell {
        name: "handshakes",
        what: "opening handshakes, 32 under way at once",
        kind: Kind::Handshakes,
        load: "connect -c 32 --sources 8",
        rounds: usize::MAX,
    },
];

impl Cell {
    /// The figure that is compared, from the generator's line.
    pub(super) fn value(&self, line: &str) -> Option<f64> {
        if self.kind == Kind::Idle {
            return field(line, "bytes_per_idle_conn");
        }
        field(line, "srv_cpu_s_per_million").filter(|cost| *cost > 0.0).map(|cost| 1e6 / cost)
    }

    pub(super) fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Echo => "messages per CPU second",
            Kind::FanOut => "deliveries per CPU second",
            Kind::Idle => "bytes per connection",
            Kind::Handshakes => "handshakes per CPU second",
        }
    }

    pub(super) fn less_is_better(&self) -> bool {
        self.kind == Kind::Idle
    }
}
