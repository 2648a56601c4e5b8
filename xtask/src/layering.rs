//! Imports point downwards.
//!
//! `madang-ws` and `madang-proto` know neither each other nor a runtime; inside `madang` the order
//! is server ▶ drive ▶ app ▶ hub ▶ broker ▶ websocket; in `madang-proto` no protocol knows another, except
//! that Socket.IO rides Engine.IO. Read are manifests, `use` lines and paths written in full.

mod paths;
#[cfg(test)]
mod tests;

use crate::process::Log;
use crate::project::Project;
use crate::steps::Outcome;
use paths::{Source, exports};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What one crate may know.
struct Rules {
    /// The crate's folder.
    dir: &'static str,
    /// Crates that it must not name, in its manifest (tests excepted) or in its code.
    strangers: &'static [&'static str],
    /// Modules from the highest layer to the lowest; each may use those after it.
    layers: &'static [&'static str],
    /// Modules that must not know each other, nor be known by the crate's other modules.
    siblings: &'static [&'static str],
    /// Pairs of siblings of which the first may use the second.
    allowed: &'static [(&'static str, &'static str)],
    /// Modules besides the crate's root that list the siblings.
    registries: &'static [&'static str],
}

const RULES: &[Rules] = &[
    Rules {
        dir: "crates/ws",
        strangers: &["tokio", "hyper", "hyper-util", "madang", "madang-proto", "madang-cli"],
        layers: &[],
        siblings: &[],
        allowed: &[],
        registries: &[],
    },
    Rules {
        dir: "crates/proto",
        strangers: &["tokio", "hyper", "hyper-util", "madang", "madang-ws", "madang-cli"],
        layers: &[],
        siblings: &["raw", "topics", "engineio", "socketio", "sockjs", "stomp", "wamp"],
        allowed: &[("socketio", "engineio")],
        registries: &["protocol"],
    },
    Rules {
        dir: "crates/madang",
        strangers: &["madang-cli"],
        layers: &["server", "drive", "app", "hub", "broker", "websocket", "tls", "codes"],
        siblings: &[],
        allowed: &[],
        registries: &[],
    },
];

pub(crate) fn run(project: &Project, _: &[String]) -> Result<bool, String> {
    let found = check(&project.root)?;
    for line in &found {
        println!("{line}");
    }
    println!("layering: {} wrong imports", found.len());
    Ok(found.is_empty())
}

pub(crate) fn step(project: &Project, log: &Log) -> Result<Outcome, String> {
    let found = check(&project.root)?;
    for line in &found {
        log.line(line);
    }
    match found.len() {
        0 => Ok(Outcome::passed()),
        n => Err(format!("{n} wrong imports")),
    }
}

/// All wrong imports below `root`, as `file:line: why`.
fn check(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for rules in RULES {
        let manifest = format!("{}/Cargo.toml", rules.dir);
        let text = read(&root.join(&manifest))?;
        found.extend(
            rules
                .manifest(&text)
                .into_iter()
                .map(|(line, why)| format!("{manifest}:{line}: {why}")),
        );
        let src = root.join(rules.dir).join("src");
        let aliases = exports(&read(&src.join("lib.rs"))?);
        let mut files = Vec::new();
        rust_files(&src, &mut files)?;
        for file in files {
            let text = read(&file)?;
            let module = module_path(file.strip_prefix(&src).unwrap_or(&file));
            let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            let wrong = rules.source(&module, &text, &aliases);
            found.extend(wrong.into_iter().map(|(line, why)| format!("{shown}:{line}: {why}")));
        }
    }
    Ok(found)
}

impl Rules {
    /// Strangers among the dependencies; those of tests are free.
    fn manifest(&self, text: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut section = "";
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
                // `[dependencies.tokio]` names its crate in the head.
                if let Some((head, name)) = section.rsplit_once("dependencies.")
                    && !head.ends_with("dev-")
                    && self.strangers.contains(&name)
                {
                    found.push((at + 1, self.stranger(name)));
                }
                continue;
            }
            if !section.ends_with("dependencies") || section.ends_with("dev-dependencies") {
                continue;
            }
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if self.strangers.contains(&name) {
                found.push((at + 1, self.stranger(name)));
            }
        }
        found
    }

    /// Wrong imports of a file that is module `module`. `aliases` are the names which the crate's
    /// root re-exports, each with the module it comes from.
    fn source(
        &self,
        module: &[String],
        text: &str,
        aliases: &HashMap<String, String>,
    ) -> Vec<(usize, String)> {
        let source = Source::read(module, text);
        let mut found = Vec::new();
        for (line, name) in &source.crates {
            let name = name.replace('_', "-");
            if self.strangers.contains(&name.as_str()) {
                found.push((*line, self.stranger(&name)));
            }
        }
        for reference in &source.modules {
            let to = aliases.get(&reference.to).unwrap_or(&reference.to);
            if let Some(why) = self.judge(&reference.from, to) {
                found.push((reference.line, why));
            }
        }
        found
    }

    /// Why module `from` of the crate must not use module `to`.
    fn judge(&self, from: &str, to: &str) -> Option<String> {
        let layer = |name: &str| self.layers.iter().position(|l| *l == name);
        if let (Some(own), Some(used)) = (layer(from), layer(to))
            && used < own
        {
            let order = self.layers.join(" ▶ ");
            return Some(format!("`{from}` uses `{to}`, which is above it ({order})"));
        }
        let (own, used) = (self.siblings.contains(&from), self.siblings.contains(&to));
        if own && used && from != to && !self.allowed.contains(&(from, to)) {
            return Some(format!("`{from}` uses `{to}`: protocols do not know each other"));
        }
        if !own && used && !from.is_empty() && !self.registries.contains(&from) {
            return Some(format!("`{from}` uses the protocol `{to}`, which is above it"));
        }
        None
    }

    fn stranger(&self, name: &str) -> String {
        format!("{} must not know `{name}`", self.dir)
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .map_err(|e| format!("{}: {e}", dir.display()))?
        .flatten()
        .map(|e| e.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// `hub/topic.rs` is module `hub::topic`; `lib.rs` is the root.
fn module_path(file: &Path) -> Vec<String> {
    let mut path: Vec<String> =
        file.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
    if path.last().is_some_and(|name| name == "mod" || name == "lib") {
        path.pop();
    }
    path
}
