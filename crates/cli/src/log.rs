//! What the program writes to its standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::cmd::Failure;

/// Starts logging with a filter such as `info`, `off` or `madang=debug`.
pub(crate) fn start(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::Usage(format!(
            "`{filter}` is no log filter ({error}); try off, error, warn, info, debug, trace or madang=debug"
        ))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}
