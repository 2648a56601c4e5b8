//! `madang check-config`: what is wrong with a configuration, before a server is to run with it.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, say, serve};
use crate::config::{self, Flags, Problems};

/// Flags of `madang check-config`.
#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    /// The file [default: madang.toml, where there is one; also `MADANG_CONFIG`].
    file: Option<PathBuf>,

    /// Print a file with every key, its meaning and its default instead.
    #[arg(long)]
    sample: bool,
}

/// Reads what a server would read, and says all that is wrong with it.
pub(crate) fn run(arguments: CheckConfig) -> Result<(), Failure> {
    if arguments.sample {
        return say(config::sample().as_bytes());
    }
    let settings = config::load(&Flags::of_file(arguments.file)).map_err(problems)?;
    // The files that it names are read as `madang serve` reads them.
    let tls = serve::tls(&settings).map_err(serve::bad_tls)?;
    serve::build(&settings, tls)?;
    say(b"The configuration is good.\n")
}

/// All that is wrong, a line each.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
pub(super) fn problems(problems: Problems) -> Failure {
    Failure::Usage(problems.0.join("\nmadang: "))
}
