//! sioload: a one-thread load generator for Socket.IO servers, on loopback.
//!
//! Engine.IO 4 and Socket.IO 5 over WebSocket only. The server says `auth` to whoever connects, answers
//! `message` by `message-back`, and says what it is sent as `everyone` to everybody, as `said`. The line
//! of JSON that a run ends with is like that of `wsload`.

mod broadcast;
mod crowd;
mod drive;
mod echo;
mod frames;
mod idle;
mod options;
mod packets;
mod proc;
mod session;

use std::process::ExitCode;

use options::{Mode, Options};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("sioload: {why}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let done = match options.mode {
        Mode::Echo => echo::run(&options),
        Mode::Broadcast => broadcast::run(&options),
        Mode::Idle => idle::run(&options),
    };
    match done {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sioload: {error}");
            ExitCode::FAILURE
        }
    }
}
