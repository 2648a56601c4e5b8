//! tlsload: a one-thread load generator for WebSockets over TLS, on loopback.
//!
//! The modes, the flags and the line of JSON that it ends with are those of `wsload`, which does the
//! same without TLS, as far as both have them. It trusts whatever certificate it is shown, and
//! resumes no session.

mod client;
mod echo;
mod fanout;
mod idle;
mod options;
mod proc;

use std::process::ExitCode;

use options::{Mode, Options};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("tlsload: {why}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let run = match options.mode {
        Mode::Echo => echo::run,
        Mode::FanOut => fanout::run,
        Mode::Idle => idle::run,
    };
    match run(&options) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tlsload: {error}");
            ExitCode::FAILURE
        }
    }
}
