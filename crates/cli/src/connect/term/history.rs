//! Lines that were typed before.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// So many lines are remembered.
const MAX_LINES: usize = 1_000;
/// So much is read of the file, from its end.
const MAX_FILE: u64 = 1 << 20;
/// A longer line is not remembered.
const MAX_LINE: usize = 16 << 10;

/// Lines in order, and the place of whoever walks through them.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: VecDeque<String>,
    /// Which line is shown; `None` is the one that is being typed.
    at: Option<usize>,
    /// What was typed before the walk began.
    draft: String,
    file: Option<PathBuf>,
}

impl History {
    /// With the lines of a file, where it can be read. New lines are added to it.
    pub(crate) fn load(path: PathBuf) -> Self {
        let mut history = Self::default();
        let (text, is_long) = tail(&path).unwrap_or_default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            history.remember(&unescaped(line));
        }
        if is_long || text.lines().count() > 2 * MAX_LINES {
            // What it cannot shorten stays long.
            drop(history.rewrite(&path));
        }
        history.file = Some(path);
        history
    }

    /// `$XDG_STATE_HOME/madang/connect_history`, or below `~/.local/state`.
    pub(crate) fn place() -> Option<PathBuf> {
        let folder = |name| std::env::var_os(name).map(PathBuf::from);
        // The XDG base directory specification: paths that are not absolute are ignored.
        let state = folder("XDG_STATE_HOME").filter(|path| path.is_absolute());
        let state = state.or_else(|| Some(folder("HOME")?.join(".local/state")))?;
        Some(state.join("madang").join("connect_history"))
    }

    /// Remembers a line that was entered. One that begins with a space is not remembered, as in
    /// shells, nor the same line twice in a row.
    pub(crate) fn add(&mut self, line: &str) {
        self.at = None;
        let is_same = self.lines.back().is_some_and(|last| last == line);
        if line.trim().is_empty() || line.starts_with(' ') || line.len() > MAX_LINE || is_same {
            return;
        }
        self.remember(line);
        if let Some(path) = &self.file {
            // The history is a comfort; that it cannot be kept is no reason to stop.
            if append(path, line).is_err() {
                self.file = None;
            }
        }
    }

    /// The line before the one that is shown; `typed` is what stands there now.
    pub(crate) fn older(&mut self, typed: &str) -> Option<String> {
        if self.at.is_none() {
            typed.clone_into(&mut self.draft);
        }
        let at = self.at.unwrap_or(self.lines.len()).checked_sub(1)?;
        self.at = Some(at);
        self.lines.get(at).cloned()
    }

    /// The line after the one that is shown, and at last what was being typed.
    pub(crate) fn newer(&mut self) -> Option<String> {
        let at = self.at? + 1;
        if let Some(line) = self.lines.get(at) {
            self.at = Some(at);
            return Some(line.clone());
        }
        self.at = None;
        Some(std::mem::take(&mut self.draft))
    }

    fn remember(&mut self, line: &str) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    fn rewrite(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = private().write(true).truncate(true).open(&new)?;
        for line in &self.lines {
            writeln!(file, "{}", escaped(line))?;
        }
        std::fs::rename(new, path)
    }
}

/// What may hold secrets is only for its owner.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // In one write, so that two programs do not mix their lines.
    private().append(true).open(path)?.write_all(format!("{}\n", escaped(line)).as_bytes())
}

/// The end of a file, and whether there is more before it.
fn tail(path: &Path) -> io::Result<(String, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(MAX_FILE);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if start == 0 {
        return Ok((text, false));
    }
    // The first line may be half a line.
    Ok((text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default(), true))
}

fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let c =
            if c == '\\' { chars.next().map(|c| if c == 'n' { '\n' } else { c }) } else { Some(c) };
        text.extend(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn lines_are_kept_for_the_next_time_and_have_a_bound() {
        let folder = std::env::temp_dir().join(format!("madang-history-{}", std::process::id()));
        let path = folder.join("madang/connect_history");
        let mut history = History::load(path.clone());
        for line in ["one", "one", "", "  ", " secret", "two\nlines \\n", &"x".repeat(MAX_LINE + 1)]
        {
            history.add(line);
        }
        assert_eq!(history.lines, ["one", "two\nlines \\n"]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(History::load(path.clone()).lines, history.lines);
        let long = (0..3_000).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        std::fs::write(&path, long).unwrap();
        let history = History::load(path.clone());
        assert_eq!((history.lines.len(), &*history.lines[0]), (MAX_LINES, "line 2000"));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), MAX_LINES);
        std::fs::write(&path, vec![b'y'; 3 << 20]).unwrap();
        assert!(History::load(path).lines.is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
