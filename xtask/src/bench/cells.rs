//! What is measured: the matrix, made from short tables.

use super::stats::field;

/// What a server is asked to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Echo,
    FanOut,
    Idle,
    Handshakes,
}

/// Which servers a cell compares, and how they are reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Madang and the peers, one core for the server.
    Plain,
    /// The same over TLS, with the peers that speak it.
    Tls,
    /// Madang and the servers of Server-Sent Events.
    Events,
    /// Madang and the servers of Socket.IO.
    SocketIo,
    /// Madang with two workers and with one, on both cores.
    Workers,
}

/// One row of the tables.
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) what: String,
    pub(super) kind: Kind,
    pub(super) field: Field,
    /// The generator's mode and options.
    pub(super) load: String,
    /// Memory settles at once: no need of many rounds.
    pub(super) rounds: usize,
}

const SIZES: [(usize, &str, &str); 4] =
    [(16, "16", "16 B"), (128, "128", "128 B"), (1024, "1k", "1 KiB"), (16384, "16k", "16 KiB")];
const CONNECTIONS: [usize; 3] = [1, 100, 1000];
const MEMBERS: [usize; 4] = [10, 100, 1000, 5000];
const AT_ONCE: [usize; 2] = [1, 16];
/// More in flight than this and loopback buffers are measured.
const MOST_IN_FLIGHT: usize = 64 * 1024 * 1024;

/// Every cell.
pub(super) fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for size in SIZES {
        for connections in CONNECTIONS {
            let depths = AT_ONCE.iter().filter(|p| size.0 * connections * **p <= MOST_IN_FLIGHT);
            cells.extend(depths.map(|depth| echo(size, connections, *depth)));
        }
    }
    for members in MEMBERS {
        cells.extend(AT_ONCE.map(|window| fanout(members, window)));
    }
    cells.push(Cell::new(
        "idle",
        "resident bytes of the server for each of 10,000 idle connections (less is better)",
        Kind::Idle,
        "idle -c 10000 --sources 8 --hold 1",
    ));
    cells.push(Cell::new(
        "handshakes",
        "opening handshakes, 32 under way at once",
        Kind::Handshakes,
        "connect -c 32 --sources 8",
    ));
    cells.extend(over_tls());
    cells.extend(events());
    cells.extend(socketio());
    let workers = [echo(SIZES[1], 100, 1), echo(SIZES[1], 100, 16), fanout(1000, 16)];
    cells.extend(workers.map(|cell| cell.in_field(Field::Workers, "workers-", "Two workers: ")));
    cells
}

fn echo((size, short, long): (usize, &str, &str), connections: usize, depth: usize) -> Cell {
    Cell::new(
        &format!("echo-{short}-c{connections}-p{depth}"),
        &format!("echo, {long}, {} × {depth} in flight", counted(connections, "connection")),
        Kind::Echo,
        &format!("echo -c {connections} -s {size} -p {depth}"),
    )
}

fn fanout(members: usize, window: usize) -> Cell {
    Cell::new(
        &format!("fanout-{members}-w{window}"),
        &format!("one publisher to {members} connections, 128 B, {window} in flight in all"),
        Kind::FanOut,
        &format!("fanout -c {members} -s 128 --pubs 1 --window {window}"),
    )
}

fn over_tls() -> Vec<Cell> {
    let mut cells = Vec::new();
    for depth in AT_ONCE {
        cells.push(Cell::new(
            &format!("echo-p{depth}"),
            &format!("echo, 128 B, 100 connections × {depth} in flight"),
            Kind::Echo,
            &format!("echo -c 100 -s 128 -p {depth}"),
        ));
    }
    for members in [100, 1000] {
        cells.push(Cell::new(
            &format!("fanout-{members}-w16"),
            &format!("one publisher to {members} connections, 128 B, 16 in flight in all"),
            Kind::FanOut,
            &format!("fanout -c {members} -s 128 --window 16"),
        ));
    }
    cells.push(Cell::new(
        "idle",
        "resident bytes of the server for each of 5,000 idle connections (less is better)",
        Kind::Idle,
        "idle -c 5000 --hold 1",
    ));
    cells.into_iter().map(|cell| cell.in_field(Field::Tls, "tls-", "TLS: ")).collect()
}

/// Server-Sent Events.
fn events() -> Vec<Cell> {
    let cell = |members: usize, window: usize| {
        Cell::new(
            &format!("fanout-{members}-w{window}"),
            &format!("one POST each to {members} readers, 128 B, {window} in flight in all"),
            Kind::FanOut,
            &format!("fanout -c {members} -s 128 --window {window}"),
        )
        .in_field(Field::Events, "sse-", "Server-Sent Events: ")
    };
    [100, 1000].iter().flat_map(|n| AT_ONCE.map(|window| cell(*n, window))).collect()
}

/// Socket.IO over WebSocket.
fn socketio() -> Vec<Cell> {
    let echo = |sessions: usize| {
        Cell::new(
            &format!("echo-128-c{sessions}-p16"),
            &format!("event echo, 128 B, {sessions} sessions × 16 in flight"),
            Kind::Echo,
            &format!("echo -c {sessions} -s 128 -p 16"),
        )
    };
    let broadcast = Cell::new(
        "broadcast-1000-w16",
        "one session's events to 1000, itself among them, 128 B, 16 in flight by its own copies",
        Kind::FanOut,
        "broadcast -c 1000 -s 128 --window 16",
    );
    let idle = Cell::new(
        "idle",
        "resident bytes of the server for each of 10,000 idle sessions (less is better)",
        Kind::Idle,
        "idle -c 10000 --hold 1",
    );
    let cells = [echo(100), echo(1000), broadcast, idle];
    cells.map(|cell| cell.in_field(Field::SocketIo, "sio-", "Socket.IO: ")).into()
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

impl Cell {
    fn new(name: &str, what: &str, kind: Kind, load: &str) -> Self {
        let rounds = if kind == Kind::Idle { 3 } else { usize::MAX };
        Self {
            name: name.into(),
            what: what.into(),
            kind,
            field: Field::Plain,
            load: load.into(),
            rounds,
        }
    }

    fn in_field(self, field: Field, name: &str, what: &str) -> Self {
        Self {
            name: format!("{name}{}", self.name),
            what: format!("{what}{}", self.what),
            field,
            ..self
        }
    }

    /// The figure that is compared, from the generator's line.
    pub(super) fn value(&self, line: &str) -> Option<f64> {
        if self.kind == Kind::Idle {
            return field(line, "bytes_per_idle_conn");
        }
        field(line, "srv_cpu_s_per_million").filter(|cost| *cost > 0.0).map(|cost| 1e6 / cost)
    }

    /// Microseconds of user and of system time for each message.
    pub(super) fn split(&self, line: &str) -> Option<(f64, f64)> {
        let cost = field(line, "srv_cpu_s_per_million").filter(|_| self.kind != Kind::Idle)?;
        let user = cost * field(line, "srv_user_share")?;
        Some((user, cost - user))
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

/// Whether `name` is what `pattern` means: `*` stands for any text.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((front, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(front) else { return false };
    name.char_indices()
        .map(|(at, _)| at)
        .chain([name.len()])
        .any(|at| name.get(at..).is_some_and(|tail| matches(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_matrix_has_the_cells_that_were_asked_for_once_each() {
        let cells = all();
        let names: HashSet<&str> = cells.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names.len(), cells.len());
        // 4 sizes × 3 × 2, without 16 KiB × 1,000 × 16; 4 × 2 fan-outs; idle, handshakes; TLS; events;
        // Socket.IO; workers.
        assert_eq!(cells.len(), 23 + 8 + 2 + 5 + 4 + 4 + 3);
        assert!(names.contains("sio-broadcast-1000-w16") && names.contains("sio-idle"));
        assert!(names.contains("echo-128-c1000-p16") && names.contains("fanout-5000-w16"));
        assert!(!names.contains("echo-16k-c1000-p16"));
    }

    #[test]
    fn stars_stand_for_any_text() {
        assert!(matches("echo-*-p16", "echo-128-c100-p16"));
        assert!(matches("*", "idle") && matches("idle", "idle") && matches("tls-*", "tls-idle"));
        assert!(!matches("echo-*-p1", "echo-128-c100-p16"));
        assert!(!matches("echo", "echo-128-c100-p16"));
    }
}
