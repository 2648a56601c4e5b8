//! What an idle session costs in memory.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    crowd::{Crowd, Silence},
    options::Options,
    proc,
};

pub fn run(options: &Options) -> io::Result<String> {
    let server = options.server.ok_or_else(|| io::Error::other("idle needs --server-pid"))?;
    let before = proc::resident(server);
    let mut crowd = Crowd::open(options)?;
    let until = Instant::now() + options.hold;
    let mut silence = Silence::default();
    // Pings may come, and are answered.
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left < Duration::from_micros(1) {
            break;
        }
        crowd.turn(left, &mut silence)?;
    }
    silence.check()?;
    let after = proc::resident(server);
    let each = after.saturating_sub(before) as f64 * 1024.0 / crowd.len() as f64;
    Ok(format!(
        "{{\"mode\":\"sio-idle\",\"label\":\"{}\",\"conns\":{},\"rss_before_kib\":{before},\
         \"rss_idle_kib\":{after},\"bytes_per_idle_conn\":{each:.0}}}",
        options.label,
        crowd.len()
    ))
}
