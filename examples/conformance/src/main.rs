//! What the outside judges drive. It grows with each door; now it echoes text and binary at `/`,
//! with compression and messages of up to 64 MiB, and drives our client against a fuzzing server.

mod client;

use clap::Parser;
use madang::{OutboxLimits, Server, ws};

/// A server, or a client, for conformance suites.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// How many workers.
    #[arg(long)]
    workers: Option<usize>,
    /// Instead of serving, run our client through all cases of an Autobahn fuzzing server.
    #[arg(long, value_name = "URL")]
    client: Option<String>,
}

pub(crate) const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// The suites send more than a hundred control frames in a second.
pub(crate) fn limits() -> ws::Limits {
    ws::Limits { max_message: MAX_MESSAGE, max_control_per_second: 0, ..ws::Limits::default() }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    if let Some(url) = arguments.client {
        return client::run(&url).await;
    }
    let mut outbox = OutboxLimits::default();
    outbox.max_bytes = 2 * MAX_MESSAGE;
    let mut server = Server::new()
        .listen(format!("127.0.0.1:{}", arguments.port))
        .limits(limits())
        .outbox(outbox)
        .inline("/", |reply, kind, message| reply.send(kind, message));
    if let Some(workers) = arguments.workers {
        server = server.workers(workers);
    }
    println!("ws://127.0.0.1:{}/", arguments.port);
    Ok(server.run().await?)
}
