//! What an idle connection costs in memory.

use std::{io, thread};

use crate::{client, options::Options, proc};

pub fn run(options: &Options) -> io::Result<String> {
    let server = options.server.ok_or_else(|| io::Error::other("idle needs --server-pid"))?;
    let config = client::config();
    let before = proc::resident(server);
    let clients = (0..options.connections)
        .map(|_| client::Client::connect(options, &config))
        .collect::<io::Result<Vec<_>>>()?;
    thread::sleep(options.hold);
    let after = proc::resident(server);
    let each = after.saturating_sub(before) as f64 * 1024.0 / clients.len() as f64;
    Ok(format!(
        "{{\"mode\":\"idle\",\"label\":\"{}\",\"conns\":{},\"rss_before_kib\":{before},\
         \"rss_idle_kib\":{after},\"bytes_per_idle_conn\":{each:.0}}}",
        options.label,
        clients.len()
    ))
}
