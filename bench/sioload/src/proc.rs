//! CPU time and memory from `/proc`.

use std::{fs, time::Duration};

use crate::options::Options;

/// The CPU time of all threads of a process, user and system.
///
/// The kernel brings it up to date at each switch and tick: some milliseconds may lack.
pub fn cpu(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let nanoseconds = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(nanoseconds)
}

/// Resident memory of a process, in KiB.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// What both sides had used at some time.
pub struct Used {
    own: Duration,
    server: Duration,
}

impl Used {
    pub fn now(options: &Options) -> Self {
        Self { own: cpu(std::process::id()), server: options.server.map(cpu).unwrap_or_default() }
    }

    /// The part of the result line that says what `units` have cost since `before`.
    pub fn since(&self, before: &Self, wall: Duration, units: u64) -> String {
        let wall = wall.as_secs_f64();
        let own = (self.own - before.own).as_secs_f64();
        let server = (self.server - before.server).as_secs_f64();
        let million = |cpu: f64| if units == 0 { 0.0 } else { cpu * 1e6 / units as f64 };
        format!(
            "\"wall_s\":{wall:.3},\"gen_cpu\":{:.3},\"srv_cpu\":{:.3},\
             \"srv_cpu_s_per_million\":{:.4},\"gen_cpu_s_per_million\":{:.4}",
            own / wall,
            server / wall,
            million(server),
            million(own)
        )
    }
}
