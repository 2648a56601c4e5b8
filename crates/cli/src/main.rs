//! The `madang` program.

mod client;
mod cmd;
mod config;
mod connect;
mod doctor;
mod log;
mod secrets;
mod version;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// A real-time messaging server: one yard with every door.
#[derive(Debug, Parser)]
#[command(
    name = "madang",
    version,
    long_version = version::LONG.as_str(),
    arg_required_else_help = true
)]
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
    /// Talk to a WebSocket by hand, or from a script.
    Connect(Box<connect::Connect>),
    /// Say what is wrong with a configuration.
    CheckConfig(cmd::config::CheckConfig),
    /// Say why a WebSocket, or another door, does not work, and what to do.
    Doctor(Box<cmd::doctor::Doctor>),
    /// Say what a code such as M204 or D22 means, and what to do.
    Explain(cmd::explain::Explain),
    /// Print completions for a shell.
    Completions(cmd::shell::Completions),
    /// Print a page for man.
    Man(cmd::shell::ManPage),
}

/// The definition of every command and flag.
fn program() -> clap::Command {
    Arguments::command()
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Its exit codes are of its own (`madang connect --help`).
        Err(error) if error.use_stderr() && is_connect() => {
            drop(error.print());
            return connect::Exit::Usage.code();
        }
        Err(error) => cmd::doctor::with_hint(error).exit(),
    };
    let ended = match arguments.command {
        Command::Serve(serve) => cmd::serve::run(*serve).map(|()| ExitCode::SUCCESS),
        Command::Publish(publish) => cmd::publish::run(*publish).map(|()| ExitCode::SUCCESS),
        Command::Tail(tail) => cmd::tail::run(*tail).map(|()| ExitCode::SUCCESS),
        Command::Connect(connect) => return connect::run(*connect),
        Command::CheckConfig(arguments) => cmd::config::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Doctor(doctor) => cmd::doctor::run(&doctor),
        Command::Explain(arguments) => cmd::explain::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Completions(shell) => {
            cmd::shell::completions(&shell, program()).map(|()| ExitCode::SUCCESS)
        }
        Command::Man(page) => cmd::shell::man(&page, program()).map(|()| ExitCode::SUCCESS),
    };
    match ended {
        Ok(code) => code,
        Err(failure) => {
            cmd::notice(&failure.to_string());
            failure.exit_code()
        }
    }
}

fn is_connect() -> bool {
    std::env::args_os().nth(1).is_some_and(|name| name == "connect")
}
