//! The `madang` program.

mod cmd;
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
}

fn main() -> ExitCode {
    let Command::Serve(serve) = Arguments::parse().command;
    match cmd::serve::run(*serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("madang: {failure}");
            failure.exit_code()
        }
    }
}
