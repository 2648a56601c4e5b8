//! Reading `madang.toml`.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{KEYS, Origin, Settings, key, nearest};

/// Takes what a file sets. Each thing that is wrong is told with its line, and the rest is read.
pub(super) fn read(path: &Path, text: &str, settings: &mut Settings, problems: &mut Vec<String>) {
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            problems.push(format!("{}:{line}: {}", path.display(), error.message()));
            return;
        }
    };
    let mut reading = Reading { path, text, settings, problems };
    for (name, value) in table.get_ref() {
        let (name, at) = (name.get_ref().as_ref(), name.span().start);
        match value.get_ref() {
            DeValue::Table(section) if KEYS.iter().any(|key| in_section(key.name, name)) => {
                for (inner, value) in section {
                    let full = format!("{name}.{}", inner.get_ref());
                    reading.set(&full, value.get_ref(), inner.span().start);
                }
            }
            value => reading.set(name, value, at),
        }
    }
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    settings: &'a mut Settings,
    problems: &'a mut Vec<String>,
}

impl Reading<'_> {
    fn set(&mut self, name: &str, value: &DeValue<'_>, at: usize) {
        let line = line_of(self.text, at);
        let place = format!("{}:{line}", self.path.display());
        let Some(key) = key(name) else {
            let names = KEYS.iter().map(|key| key.name);
            // The right name in the wrong section is a likely slip, too.
            let last = name.rsplit('.').next().unwrap_or(name);
            let moved = names.clone().find(|known| known.rsplit('.').next() == Some(last));
            let hint = nearest(name, names).or(moved);
            let hint = hint.map_or_else(
                || "; `madang serve --print-config` shows all keys".to_owned(),
                |near| format!("; do you mean `{near}`?"),
            );
            self.problems.push(format!("{place}: there is no key `{name}`{hint}"));
            return;
        };
        match key.kind.read_toml(value) {
            Ok(value) => self.settings.set(key, value, Origin::File(self.path.to_owned(), line)),
            Err(why) => self.problems.push(format!("{place}: {name}: {why}")),
        }
    }
}

fn in_section(name: &str, section: &str) -> bool {
    name.split_once('.').is_some_and(|(first, _)| first == section)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
