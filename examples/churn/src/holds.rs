//! What the server's process holds.

use std::{fs, io, time::Duration};

/// Memory and descriptors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holds {
    pub(crate) rss_kib: u64,
    pub(crate) fds: usize,
}

impl Holds {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let fds = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        Ok(Self { rss_kib: rss.unwrap_or(0), fds })
    }

    /// Once the server has closed what its clients left; half a minute at most.
    pub(crate) async fn settled(pid: u32, fds: usize) -> io::Result<Self> {
        for _ in 0..30 {
            let now = Self::of(pid)?;
            if now.fds <= fds {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Self::of(pid)
    }
}

/// Whether memory stayed flat from the second quarter of the time to the last, and the descriptors
/// came back.
pub(crate) fn verdict(
    lines: &[Holds],
    before: &Holds,
    after: &Holds,
    lost: u64,
) -> Result<(), String> {
    let quarter = lines.len() / 4;
    let mean = |part: &[Holds]| {
        part.iter().map(|line| line.rss_kib).sum::<u64>() / (part.len() as u64).max(1)
    };
    if quarter > 0 {
        let (second, last) =
            (mean(&lines[quarter..2 * quarter]), mean(&lines[lines.len() - quarter..]));
        if last > second + second / 20 + 4096 {
            return Err(format!("memory grew from {second} KiB to {last} KiB"));
        }
    }
    if after.fds > before.fds {
        return Err(format!("{} descriptors are left of {}", after.fds, before.fds));
    }
    if lost > 0 {
        return Err(format!("{lost} messages were lost"));
    }
    Ok(())
}
