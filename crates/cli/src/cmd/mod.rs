//! The program's commands, one file each.

pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod explain;
mod greeting;
mod message;
mod pages;
pub(crate) mod publish;
pub(crate) mod serve;
pub(crate) mod shell;
mod socketio;
pub(crate) mod tail;

use std::{io::Write as _, process::ExitCode};

use madang::proto::Topic;
use tokio::runtime::{Builder, Runtime};

/// Why a command ended.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for cannot be done as it was asked; exit code 2, like a bad flag.
    Usage(String),
    /// It failed while it ran; exit code 1.
    Runtime(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Runtime(_) => ExitCode::FAILURE,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Usage(text) | Self::Runtime(text)) = self;
        f.write_str(text)
    }
}

/// A runtime for one thing at a time.
fn runtime() -> Result<Runtime, Failure> {
    let made = Builder::new_current_thread().enable_all().build();
    made.map_err(|error| Failure::Runtime(format!("cannot start: {error}")))
}

/// A topic's name on the command line.
fn topic(name: &str) -> Result<String, String> {
    Topic::new(name).map(|_| name.to_owned()).map_err(|error| error.to_string())
}

/// Writes to the standard output. Whoever reads no more of it has enough.
fn say(text: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(format!("cannot write to the standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Tells something on the standard error. If that is closed, nobody wants to know.
pub(crate) fn notice(text: &str) {
    drop(writeln!(std::io::stderr(), "madang: {text}"));
}
