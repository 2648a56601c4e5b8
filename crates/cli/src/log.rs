//! What the program writes to its standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cmd::Failure;

/// Changes the filter of the log.
pub(crate) type Change = Box<dyn Fn(&str) -> Result<(), String>>;

/// Starts logging with a filter such as `info`, `off` or `madang=debug`.
pub(crate) fn start(filter: &str) -> Result<Change, Failure> {
    let filter = read(filter).map_err(|why| Failure::Usage(format!("--log: {why}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter_reloading();
    let handle = log.reload_handle();
    log.init();
    Ok(Box::new(move |filter| handle.reload(read(filter)?).map_err(|error| error.to_string())))
}

/// Says what is wrong with a filter.
pub(crate) fn check(filter: &str) -> Result<(), String> {
    read(filter).map(|_| ()).map_err(|why| {
        format!("no log filter ({why}); try off, error, warn, info, debug, trace or madang=debug")
    })
}

fn read(filter: &str) -> Result<EnvFilter, String> {
    // `MADANG_LOG=` in an environment means nothing in particular.
    let filter = if filter.trim().is_empty() { "info" } else { filter };
    for part in filter.split(',').map(str::trim) {
        // A lone word that is no level would be taken for a module, and a slip such as `inof`
        // would silence everything.
        let is_word = !part.contains(['=', '[', ':']);
        if is_word && !part.starts_with("madang") && part.parse::<LevelFilter>().is_err() {
            return Err(format!("`{part}` is no level"));
        }
    }
    EnvFilter::try_new(filter).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_slip_is_no_module() {
        for good in
            ["info", "off", "", "warn,madang=debug", "madang", "hyper::proto=trace", "DEBUG"]
        {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in ["inof", "a=b=c", "info,debgu", "madang=loud"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
