//! The command line.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

pub const USAGE: &str = "usage: sseload fanout --url http://127.0.0.1:PORT/PATH [options]
 -c N               clients (default 1000)
 -s N               payload bytes (default 128)
 --publish 'POST P' where messages are published (default POST /topics/bench)
 --window W         messages in flight in all (default 16)
 --unanswered N     requests sent before the first of them is answered (default: as the window)
 -d SECS            measured time (default 2)     --warmup SECS (default 0.5)
 --server-pid N     report the server's CPU time
 --label TEXT       copied to the output";

pub struct Options {
    pub address: SocketAddrV4,
    pub path: String,
    pub method: String,
    pub target: String,
    pub clients: usize,
    pub size: usize,
    pub window: usize,
    pub unanswered: usize,
    pub measured: Duration,
    pub warmup: Duration,
    pub server: Option<u32>,
    pub label: String,
}

impl Options {
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        if args.next().as_deref() != Some("fanout") {
            return Err("the first argument is a mode".into());
        }
        let mut options = Self {
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9001),
            path: "/".into(),
            method: "POST".into(),
            target: "/topics/bench".into(),
            clients: 1000,
            size: 128,
            window: 16,
            unanswered: usize::MAX,
            measured: Duration::from_secs(2),
            warmup: Duration::from_millis(500),
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
                "--publish" => {
                    let (method, target) = value
                        .split_once(' ')
                        .ok_or_else(|| format!("{flag} is like 'POST /topics/bench'"))?;
                    (options.method, options.target) = (method.into(), target.into());
                }
                "-c" => options.clients = number()?.max(1),
                "-s" => options.size = number()?,
                "--window" => options.window = number()?.max(1),
                "--unanswered" => options.unanswered = number()?.max(1),
                "-d" => options.measured = seconds()?,
                "--warmup" => options.warmup = seconds()?,
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
    let bad = || format!("{text} is not like http://127.0.0.1:PORT/PATH");
    let rest = text.strip_prefix("http://").ok_or_else(bad)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address: SocketAddrV4 = host.parse().map_err(|_| bad())?;
    if !address.ip().is_loopback() {
        return Err(format!("{host} is not on loopback"));
    }
    Ok((address, format!("/{path}")))
}
