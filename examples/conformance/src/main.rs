//! What the outside judges drive. It grows with each door: at `/` it echoes text and binary, with
//! compression and messages of up to 64 MiB; at `/engine.io/` Engine.IO echoes; at `/socket.io/` is the
//! application that judges of Socket.IO expect. Pages of every origin may ask.

mod client;
mod socketio;

use std::{sync::Arc, time::Duration};

use clap::Parser;
use madang::{OutboxLimits, Reply, Server, ws};

/// A server for conformance suites.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// How many workers.
    #[arg(long)]
    workers: Option<usize>,
    /// How often Engine.IO pings, in milliseconds.
    #[arg(long, default_value_t = 300, value_name = "MS")]
    ping_interval: u64,
    /// How long a client may leave that unanswered, in milliseconds.
    #[arg(long, default_value_t = 200, value_name = "MS")]
    ping_timeout: u64,
    /// How long a client of Socket.IO may take to enter its first namespace, in milliseconds.
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    connect_timeout: u64,
    /// Speak TLS with a certificate made now.
    #[arg(long)]
    tls_self_signed: bool,
    /// Be the client of the fuzzing server at this URL instead.
    #[arg(long, value_name = "URL")]
    client: Option<String>,
}

const MAX_MESSAGE: usize = 64 * 1024 * 1024;

fn echo(reply: &mut Reply<'_>, kind: madang::proto::Kind, message: &[u8]) {
    reply.send(kind, message);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    // Autobahn cuts 4 MiB into frames of 64 bytes and adds an empty one, may send more than a
    // hundred control frames in a second, and reads nothing while it is busy sending.
    let limits = ws::Limits {
        max_message: MAX_MESSAGE,
        max_fragments: 1 << 20,
        max_control_per_second: 0,
        ..ws::Limits::default()
    };
    let outbox = OutboxLimits {
        max_bytes: 2 * MAX_MESSAGE,
        max_stall: Duration::from_secs(100),
        ..OutboxLimits::default()
    };
    if let Some(url) = arguments.client {
        return client::run(&url, limits).await;
    }
    let heartbeat = socketio::Heartbeat {
        interval: Duration::from_millis(arguments.ping_interval),
        timeout: Duration::from_millis(arguments.ping_timeout),
    };
    let connect_timeout = Duration::from_millis(arguments.connect_timeout);
    let application = socketio::application(heartbeat, connect_timeout);
    let protocol = &madang::proto::socketio::PROTOCOL;
    let mut server = Server::new()
        .listen(format!("127.0.0.1:{}", arguments.port))
        .limits(limits)
        .outbox(outbox)
        .allowed_origin("*")
        .max_subscriptions(4_000)
        .inline("/", echo)
        .reception("/engine.io", protocol, Arc::new(socketio::echo(heartbeat)))
        .reception("/socket.io", protocol, Arc::new(application));
    if let Some(workers) = arguments.workers {
        server = server.workers(workers);
    }
    if arguments.tls_self_signed {
        server = server.tls(madang::tls::TlsConfig::self_signed([])?);
    }
    println!("ws://127.0.0.1:{}/", arguments.port);
    Ok(server.run().await?)
}
