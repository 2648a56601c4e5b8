//! Writing the configuration out.

use std::fmt::Write as _;

use super::{KEYS, Settings};

/// Every value with where it came from, as a file that could be read again.
pub(crate) fn effective(settings: &Settings) -> String {
    let mut out = String::new();
    let mut section = "";
    for key in KEYS {
        let name = head(&mut out, &mut section, key.name);
        // Writing to a string does not fail.
        let _ = match settings.values.get(key.name) {
            Some((value, origin)) => writeln!(out, "{name} = {value} # {origin}"),
            None => writeln!(out, "# {name} is not set"),
        };
    }
    out
}

/// A file with every key, its meaning and its default, all commented out.
pub(crate) fn sample() -> String {
    let mut out = String::from(
        "# A configuration of `madang serve`. Every key is here, with its default; take the # away\n\
         # from what you change. A variable (in brackets) goes before the file, and a flag before both.\n\
         # `madang check-config` says what is wrong, `madang serve --print-config` what is in force.\n\n",
    );
    let mut section = "";
    for key in KEYS {
        let name = head(&mut out, &mut section, key.name);
        for line in wrapped(&format!("{} ({}, --{})", key.about, key.variable(), key.flag)) {
            let _ = writeln!(out, "# {line}");
        }
        let default = if key.default.is_empty() { "…" } else { key.default };
        let _ = writeln!(out, "# {name} = {default}\n");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Begins a section when `full` is of another one; the name within it.
fn head<'a>(out: &mut String, section: &mut &'a str, full: &'a str) -> &'a str {
    let (new, name) = full.split_once('.').unwrap_or(("", full));
    if new != *section {
        let gap = if out.is_empty() || out.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(out, "{gap}[{new}]");
        *section = new;
    }
    name
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if lines.last().is_some_and(|line| line.len() + word.len() > 96) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            let gap = if line.is_empty() { "" } else { " " };
            let _ = write!(line, "{gap}{word}");
        }
    }
    lines
}
