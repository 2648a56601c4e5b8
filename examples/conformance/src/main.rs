//! What the outside judges drive. It grows with each door; now it echoes text and binary at `/`,
//! with compression and messages of up to 64 MiB.

use clap::Parser;
use madang::{Error, OutboxLimits, Server, ws};

/// A server for conformance suites.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// How many workers.
    #[arg(long)]
    workers: Option<usize>,
}

const MAX_MESSAGE: usize = 64 * 1024 * 1024;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let mut server = Server::new()
        .listen(format!("127.0.0.1:{}", arguments.port))
        .limits(ws::Limits { max_message: MAX_MESSAGE, ..ws::Limits::default() })
        .outbox(OutboxLimits { max_bytes: 2 * MAX_MESSAGE, ..OutboxLimits::default() })
        .inline("/", |reply, kind, message| reply.send(kind, message));
    if let Some(workers) = arguments.workers {
        server = server.workers(workers);
    }
    println!("ws://127.0.0.1:{}/", arguments.port);
    server.run().await
}
