//! `bench/RESULTS.md`: tables above, and below what a new measurement leaves alone.

use super::Measured;
use crate::project::Project;
use std::fs;

/// From here on the page is kept when the tables are made anew.
const KEPT: &str = "<!-- What follows is kept when the tables are made anew. -->";
const MICRO: (&str, &str) = ("<!-- micro -->", "<!-- /micro -->");

/// A set of cells that can be measured by itself, and then has a section of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Section {
    Events,
    SocketIo,
}

impl Section {
    const ALL: [Self; 2] = [Self::Events, Self::SocketIo];

    /// The name of the set, with which its cells begin.
    pub(super) fn set(self) -> &'static str {
        match self {
            Self::Events => "sse",
            Self::SocketIo => "sio",
        }
    }

    /// The section of this set, if it has one.
    pub(super) fn of(set: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.set() == set)
    }

    fn marks(self) -> (&'static str, &'static str) {
        match self {
            Self::Events => ("<!-- sse -->", "<!-- /sse -->"),
            Self::SocketIo => ("<!-- sio -->", "<!-- /sio -->"),
        }
    }
}

/// Writes the tables and the generator's lines.
pub(super) fn write(project: &Project, report: &str, measured: &Measured) -> Result<(), String> {
    write_lines(project, "latest.jsonl", measured)?;
    change(project, |page| with_tables(page, report))
}

/// Writes a section in place of the one that is there, and leaves the rest alone.
pub(super) fn write_section(
    section: Section,
    project: &Project,
    text: &str,
    measured: &Measured,
) -> Result<(), String> {
    write_lines(project, &format!("{}.jsonl", section.set()), measured)?;
    change(project, |page| with_section(page, section.marks(), text))
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
    let Some((_, kept)) = page.split_once(KEPT) else { return report.to_owned() };
    let mut kept = kept.to_owned();
    for section in Section::ALL {
        // Its cells are in the tables now.
        if report.contains(&format!("\n## {}-", section.set()))
            && let Some((front, back)) = around(&kept, section.marks())
        {
            kept = format!("{}{back}", front.trim_end_matches('\n'));
        }
    }
    format!("{report}\n{KEPT}{kept}")
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
        let (events, socketio) = (Section::Events.marks(), Section::SocketIo.marks());
        let page = with_section(&page, events, "sse 1\n");
        let page = with_section(&page, events, "sse 2\n");
        let section = format!("\n{}\nsse 2\n{}\n", events.0, events.1);
        assert_eq!(page, format!("{expected}{section}"));
        assert!(with_tables(&page, "# Results\n").ends_with(&section));
        // Measured with everything else, they need no section.
        let page = with_section(&page, socketio, "sio 1\n");
        let page = with_tables(&page, "# Results\n\n## sse-fanout\n");
        assert!(page.contains("notes\n") && !page.contains("sse 2"));
        assert!(page.ends_with(&format!("\n{}\nsio 1\n{}\n", socketio.0, socketio.1)));
        let page = with_tables(&page, "# Results\n\n## sio-idle\n");
        assert!(page.ends_with("notes\n"));
    }
}
