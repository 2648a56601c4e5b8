//! The command line.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

pub const USAGE: &str = "\
usage: sioload echo|broadcast|idle --url http://127.0.0.1:PORT/socket.io/ [options]
 -c N            sessions (default 100); the last of them publishes
 -s N            bytes of the event's string (default 128)
 -p N            echo: events in flight in each session (default 1)
 --window W      broadcast: events published whose copy the publisher lacks (default 16)
 -d SECS         measured time (default 2)     --warmup SECS (default 0.5)
 --hold SECS     idle: how long to hold before reading memory (default 2)
 --server-pid N  report the server's CPU time and memory
 --label TEXT    copied to the output";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Echo,
    Broadcast,
    Idle,
}

pub struct Options {
    pub mode: Mode,
    pub address: SocketAddrV4,
    pub path: String,
    pub sessions: usize,
    pub size: usize,
    pub depth: usize,
    pub window: usize,
    pub measured: Duration,
    pub warmup: Duration,
    pub hold: Duration,
    pub server: Option<u32>,
    pub label: String,
}

impl Options {
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mode = match args.next().as_deref() {
            Some("echo") => Mode::Echo,
            Some("broadcast") => Mode::Broadcast,
            Some("idle") => Mode::Idle,
            _ => return Err("the first argument is a mode".into()),
        };
        let mut options = Self {
            mode,
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9001),
            path: "/socket.io/".into(),
            sessions: 100,
            size: 128,
            depth: 1,
            window: 16,
            measured: Duration::from_secs(2),
            warmup: Duration::from_millis(500),
            hold: Duration::from_secs(2),
            server: None,
            label: String::new(),
        };
        while let Some(flag) = args.next() {
            let value = args.next().ok_or_else(|| format!("{flag} takes a value"))?;
            let number = || value.parse::<usize>().map_err(|error| format!("{flag}: {error}"));
            let seconds = || {
                let seconds = value.parse::<f64>().map_err(|error| format!("{flag}: {error}"))?;
                Ok::<_, String>(Duration::from_secs_f64(seconds.clamp(0.0, 300.0)))
            };
            match flag.as_str() {
                "--url" => (options.address, options.path) = url(&value)?,
                "-c" => options.sessions = number()?.max(1),
                "-s" => options.size = number()?,
                "-p" => options.depth = number()?.max(1),
                "--window" => options.window = number()?.max(1),
                "-d" => options.measured = seconds()?,
                "--warmup" => options.warmup = seconds()?,
                "--hold" => options.hold = seconds()?,
                "--server-pid" => {
                    options.server =
                        Some(value.parse().map_err(|error| format!("{flag}: {error}"))?);
                }
                "--label" => options.label = value,
                _ => return Err(format!("unknown option {flag}")),
            }
        }
        Ok(options)
    }
}

fn url(text: &str) -> Result<(SocketAddrV4, String), String> {
    let bad = || format!("{text} is not like http://127.0.0.1:PORT/socket.io/");
    let rest = text.strip_prefix("http://").ok_or_else(bad)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address: SocketAddrV4 = host.parse().map_err(|_| bad())?;
    if !address.ip().is_loopback() {
        return Err(format!("{host} is not on loopback"));
    }
    Ok((address, format!("/{path}")))
}
