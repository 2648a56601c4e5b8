//! sseload: a one-thread load generator for Server-Sent Events, on loopback.
//!
//! So many clients `GET` one path and stay; one more connection publishes by `POST`, so that a certain
//! number of messages is in flight. A message is done when every client has it. The line of JSON that
//! it ends with is like that of `wsload fanout`.

mod chunked;
mod events;
mod fanout;
mod options;
mod proc;
mod publisher;
mod subscriber;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("sseload: {why}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match fanout::run(&options) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sseload: {error}");
            ExitCode::FAILURE
        }
    }
}
