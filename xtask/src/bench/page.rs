//! `bench/RESULTS.md`: tables above, and below what a new measurement leaves alone.

use super::Measured;
use crate::project::Project;
use std::fs;

/// From here on the page is kept when the tables are made anew.
const KEPT: &str = "<!-- What follows is kept when the tables are made anew. -->";
const MICRO: (&str, &str) = ("<!-- micro -->", "<!-- /micro -->");

/// Writes the tables and the generator's lines.
pub(super) fn write(project: &Project, report: &str, measured: &Measured) -> Result<(), String> {
    let mut raw = String::new();
    for ((cell, _), lines) in measured {
        for line in lines {
            raw.push_str(&line.replacen('{', &format!("{{\"cell\":\"{cell}\","), 1));
            raw.push('\n');
        }
    }
    let results = project.root.join("bench/results");
    fs::create_dir_all(&results).map_err(|e| format!("bench/results: {e}"))?;
    fs::write(results.join("latest.jsonl"), raw).map_err(|e| format!("bench/results: {e}"))?;
    change(project, |page| with_tables(page, report))
}

/// Writes the micro-benchmarks in place of those that are there.
pub(super) fn write_micro(project: &Project, table: &str) -> Result<(), String> {
    change(project, |page| with_micro(page, table))
}

fn change(project: &Project, new: impl Fn(&str) -> String) -> Result<(), String> {
    let path = project.root.join("bench/RESULTS.md");
    let page = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, new(&page)).map_err(|e| format!("{}: {e}", path.display()))
}

fn with_tables(page: &str, report: &str) -> String {
    match page.split_once(KEPT) {
        Some((_, kept)) => format!("{report}\n{KEPT}{kept}"),
        None => report.to_owned(),
    }
}

fn with_micro(page: &str, table: &str) -> String {
    let section = format!("{}\n{table}{}", MICRO.0, MICRO.1);
    if let Some((front, rest)) = page.split_once(MICRO.0)
        && let Some((_, back)) = rest.split_once(MICRO.1)
    {
        return format!("{front}{section}{back}");
    }
    let mark = if page.contains(KEPT) { String::new() } else { format!("{KEPT}\n\n") };
    format!("{}\n\n{mark}{section}\n", page.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_tables_keep_what_is_below_and_micro_benchmarks_replace_their_own() {
        let page = with_micro("# Results\nold\n", "micro 1\n");
        let page = format!("{page}\n## Found\nnotes\n");
        let page = with_micro(&with_tables(&page, "# Results\nnew\n"), "micro 2\n");
        assert_eq!(
            page,
            format!(
                "# Results\nnew\n\n{KEPT}\n\n{}\nmicro 2\n{}\n\n## Found\nnotes\n",
                MICRO.0, MICRO.1
            )
        );
        assert_eq!(with_tables("no mark", "tables"), "tables");
    }
}
