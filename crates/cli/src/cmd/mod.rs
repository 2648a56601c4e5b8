//! The program's commands, one file each.

pub(crate) mod config;
pub(crate) mod explain;
mod greeting;
mod pages;
pub(crate) mod serve;

use std::process::ExitCode;

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
