//! The `madang` program.

mod client;
mod cmd;
mod config;
mod doctor;
mod log;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A real-time messaging server: one yard with every door.
#[derive(Debug, Parser)]
#[command(name = "madang", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server with a chat page and WebSockets on one port.
    Serve(Box<cmd::serve::Serve>),
    /// Publish a message on a server that runs.
    Publish(Box<cmd::publish::Publish>),
    /// Print what is published on a server that runs, as it comes.
    Tail(Box<cmd::tail::Tail>),
    /// Say what is wrong with a configuration.
    CheckConfig(cmd::config::CheckConfig),
    /// Say why a WebSocket, or another door, does not work, and what to do.
    Doctor(Box<cmd::doctor::Doctor>),
    /// Say what a code such as M204 or D22 means, and what to do.
    Explain(cmd::explain::Explain),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Serve(serve) => cmd::serve::run(*serve).map(|()| ExitCode::SUCCESS),
        Command::Publish(publish) => cmd::publish::run(*publish).map(|()| ExitCode::SUCCESS),
        Command::Tail(tail) => cmd::tail::run(*tail).map(|()| ExitCode::SUCCESS),
        Command::CheckConfig(arguments) => cmd::config::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Doctor(doctor) => cmd::doctor::run(&doctor),
        Command::Explain(arguments) => cmd::explain::run(&arguments).map(|()| ExitCode::SUCCESS),
    };
    match ended {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("madang: {failure}");
            failure.exit_code()
        }
    }
}
