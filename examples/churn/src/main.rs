//! Keeps a running `madang serve` busy with clients that come and go: chatting ones, ones that are
//! cut in the middle of a message, slow readers, refused handshakes, fragments, compression. Every
//! ten seconds it writes a line with what the server holds, and it ends with 1 if that grows.
//!
//! ```console
//! $ cargo run --release -- serve --listen 127.0.0.1:9100 &
//! $ cargo run --release -p churn -- --port 9100 --pid $! --minutes 60
//! ```

mod clients;
mod holds;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use clap::Parser;
use clients::Counts;
use holds::Holds;

#[derive(Debug, Parser)]
struct Arguments {
    /// The server's port on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// The server's process.
    #[arg(long)]
    pid: u32,
    /// How long.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
}

const EVERY: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let counts = Arc::new(Counts::default());
    let before = Holds::of(arguments.pid)?;
    let end = Instant::now() + Duration::from_secs_f64(arguments.minutes * 60.0);
    let everybody = clients::start(arguments.port, &counts, end);
    println!(
        "seconds\trss_kib\tfds\tconnected\tmessages\tcut\trefused\tslow_closed\tlost\tworst_ms"
    );
    let start = Instant::now();
    let mut lines = Vec::new();
    while Instant::now() < end {
        tokio::time::sleep(EVERY.min(end.saturating_duration_since(Instant::now()))).await;
        let held = Holds::of(arguments.pid)?;
        println!("{}\t{}\t{}\t{counts}", start.elapsed().as_secs(), held.rss_kib, held.fds);
        counts.worst_ms.store(0, Ordering::Relaxed);
        lines.push(held);
    }
    for task in everybody {
        task.await?;
    }
    let after = Holds::settled(arguments.pid, before.fds).await?;
    println!("# before {before:?}, after {after:?}");
    let lost = counts.lost.load(Ordering::Relaxed);
    match holds::verdict(&lines, &before, &after, lost) {
        Ok(()) => println!("# flat: nothing grew, nothing was lost"),
        Err(why) => return Err(why.into()),
    }
    Ok(())
}
