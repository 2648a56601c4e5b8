//! `bench/RESULTS.md`: tables above, and below what a new measurement leaves alone.

use super::Measured;
use crate::project::Project;
use std::fs;

/// From here on the page is kept when the tables are made anew.
const KEPT: &str = "<!-- What follows is kept when the tables are made anew. -->";
const MICRO: (&str, &str) = ("<!-- micro -->", "<!-- /micro -->");

const EVENTS: (&str, &str) = ("<!-- sse -->", "<!-- /sse -->");

/// Writes the tables and the generator's lines.
pub(super) fn write(project: &Project, report: &str, measured: &Measured) -> Result<(), String> {
    write_lines(project, "latest.jsonl", measured)?;
    change(project, |page| with_tables(page, report))
}

/// Writes Server-Sent Events in place of those that are there, and leaves the rest alone.
pub(super) fn write_events(
    project: &Project,
    section: &str,
    measured: &Measured,
) -> Result<(), String> {
    write_lines(project, "sse.jsonl", measured)?;
    change(project, |page| with_section(page, EVENTS, section))
}

fn write_lines(project: &Project, name: &str, measured: &Measured) -> Result<(), String> {
    let mut raw = String::new();
    for ((cell, _), lines) in measured {
        for line in lines {
            raw.push_str(&line.replacen('{', &format!("{{\"cell\":\"{cell}\","), 1));
            raw.push('\n');
        }
    }
    let results = project.root.join("bench/results");
    fs::create_dir_all(&results).map_err(|e| format!("bench/results: {e}"))?;
    fs::write(results.join(name), raw).map_err(|e| format!("bench/results: {e}"))
}

/// Writes the micro-benchmarks in place of those that are there.
pub(super) fn write_micro(project: &Project, table: &str) -> Result<(), String> {
    change(project, |page| with_section(page, MICRO, table))
}

fn change(project: &Project, new: impl Fn(&str) -> String) -> Result<(), String> {
    let path = project.root.join("bench/RESULTS.md");
    let page = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, new(&page)).map_err(|e| format!("{}: {e}", path.display()))
}

fn with_tables(page: &str, report: &str) -> String {
    match page.split_once(KEPT) {
        Some((_, kept)) if report.contains("\n## sse-") => {
            // They are in the tables now.
            let (front, back) = around(kept, EVENTS).unwrap_or((kept, ""));
            format!("{report}\n{KEPT}{}{back}", front.trim_end_matches('\n'))
        }
        Some((_, kept)) => format!("{report}\n{KEPT}{kept}"),
        None => report.to_owned(),
    }
}

/// What is before and after the section between these marks.
fn around<'p>(page: &'p str, (begin, end): (&str, &str)) -> Option<(&'p str, &'p str)> {
    let (front, rest) = page.split_once(begin)?;
    Some((front, rest.split_once(end)?.1))
}

fn with_section(page: &str, marks: (&str, &str), text: &str) -> String {
    let section = format!("{}\n{text}{}", marks.0, marks.1);
    if let Some((front, back)) = around(page, marks) {
        return format!("{front}{section}{back}");
    }
    let mark = if page.contains(KEPT) { String::new() } else { format!("{KEPT}\n\n") };
    format!("{}\n\n{mark}{section}\n", page.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_tables_keep_what_is_below_and_sections_replace_their_own() {
        let page = with_section("# Results\nold\n", MICRO, "micro 1\n");
        let page = format!("{page}\n## Found\nnotes\n");
        let page = with_section(&with_tables(&page, "# Results\nnew\n"), MICRO, "micro 2\n");
        let expected = format!(
            "# Results\nnew\n\n{KEPT}\n\n{}\nmicro 2\n{}\n\n## Found\nnotes\n",
            MICRO.0, MICRO.1
        );
        assert_eq!(page, expected);
        assert_eq!(with_tables("no mark", "tables"), "tables");
        let page = with_section(&page, EVENTS, "sse 1\n");
        let page = with_section(&page, EVENTS, "sse 2\n");
        let section = format!("\n{}\nsse 2\n{}\n", EVENTS.0, EVENTS.1);
        assert_eq!(page, format!("{expected}{section}"));
        assert!(with_tables(&page, "# Results\n").ends_with(&section));
        // Measured with everything else, they need no section.
        let page = with_tables(&page, "# Results\n\n## sse-fanout\n");
        assert!(page.ends_with("notes\n") && !page.contains("sse 2"));
    }
}
