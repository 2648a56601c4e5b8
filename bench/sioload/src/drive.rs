//! Warm-up, measured time, and the wait for what is still under way.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    crowd::{Crowd, Load},
    options::Options,
    proc::Used,
};

/// How long may pass without anything before what lacks is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a wait for the sockets is at most, so that the time is seen.
const TICK: Duration = Duration::from_millis(20);

/// A load whose cost is measured.
pub trait Measured: Load {
    /// How much was received: what the cost is divided by.
    fn units(&self) -> u64;
    /// How much was asked for and has not come.
    fn under_way(&self) -> u64;
    /// Nothing more is to be sent.
    fn stop(&mut self);
    /// How long things took, in microseconds; it only grows.
    fn times(&self) -> &[u32];
}

/// A measurement under way.
struct Start {
    at: Instant,
    used: Used,
    units: u64,
    times: usize,
}

impl Start {
    fn now(options: &Options, load: &impl Measured) -> Self {
        let used = Used::now(options);
        Self { at: Instant::now(), used, units: load.units(), times: load.times().len() }
    }

    /// The part of the line that has what was measured since; `name` is that of a unit.
    fn end(&self, options: &Options, load: &impl Measured, name: &str) -> String {
        let wall = self.at.elapsed();
        let units = load.units() - self.units;
        let cost = Used::now(options).since(&self.used, wall, units);
        let mut times = load.times()[self.times..].to_vec();
        times.sort_unstable();
        let time = |percent: usize| {
            let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(at).copied().unwrap_or(0)
        };
        format!(
            "\"{name}_per_s\":{:.0},\"p50_us\":{},\"p99_us\":{},{cost}",
            units as f64 / wall.as_secs_f64(),
            time(50),
            time(99),
        )
    }
}

/// Drives the load for the time that the options say: the part of the line with its cost.
pub fn drive(
    options: &Options,
    crowd: &mut Crowd,
    load: &mut impl Measured,
    name: &str,
) -> io::Result<String> {
    let warm = Instant::now() + options.warmup;
    let mut progress = Instant::now();
    let (mut start, mut end) = (None::<Start>, None::<String>);
    crowd.begin(load)?;
    loop {
        let now = Instant::now();
        match (&start, &end) {
            (None, _) if now >= warm => start = Some(Start::now(options, load)),
            (Some(start), None) if now >= start.at + options.measured => {
                end = Some(start.end(options, load, name));
                load.stop();
            }
            (_, Some(line)) if load.under_way() == 0 || progress.elapsed() > PATIENCE => {
                return Ok(line.clone());
            }
            _ => {}
        }
        if crowd.turn(TICK, load)? {
            progress = Instant::now();
        }
    }
}
