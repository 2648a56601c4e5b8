//! `deny.toml` as far as it is needed here, and licence expressions.

use std::collections::BTreeMap;

/// The one registry that packages may come from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) licence: String,
}

impl Package {
    /// From a line `name vVERSION (…)<TAB>LICENCE` of `cargo tree`; nothing for our own.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (package, licence) = line.split_once('\t')?;
        let mut words = package.split_whitespace();
        let name = words.next()?.to_owned();
        let version = words.next()?.to_owned();
        // A path in brackets: a package of this workspace, under its own licence.
        if words.any(|word| word.starts_with("(/")) {
            return None;
        }
        Some(Self { name, version, licence: licence.trim().to_owned() })
    }
}

#[derive(Debug, Default)]
pub(super) struct Policy {
    banned: Vec<String>,
    /// Crates of which two versions are refused.
    single: Vec<String>,
    licences: Vec<String>,
}

impl Policy {
    /// Reads the lists; lists only, one entry to a line, as the file is written.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut policy = Self::default();
        let (mut section, mut list) = ("", "");
        for line in text.lines().map(str::trim).filter(|l| !l.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').filter(|_| list.is_empty()) {
                section = name.trim_end_matches(']');
            } else if let Some((name, "[")) = line.split_once(" = ") {
                list = name;
            } else if line == "]" {
                list = "";
            } else if let Some(name) = line.split('"').nth(1).map(str::to_owned) {
                match (section, list) {
                    ("bans", "deny") if line.contains("deny-multiple-versions = true") => {
                        policy.single.push(name);
                    }
                    ("bans", "deny") => policy.banned.push(name),
                    ("licenses", "allow") => policy.licences.push(name),
                    _ => {}
                }
            }
        }
        if policy.banned.is_empty() || policy.single.is_empty() || policy.licences.is_empty() {
            return Err("deny.toml: a list of bans or licences is empty".into());
        }
        Ok(policy)
    }

    /// What is wrong with the packages.
    pub(super) fn packages(&self, packages: &[Package]) -> Vec<String> {
        let mut found = Vec::new();
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for Package { name, version, licence } in packages {
            let known = versions.entry(name).or_default();
            if !known.contains(&version.as_str()) {
                known.push(version);
            }
            if self.banned.contains(name) {
                found.push(format!("{name} {version} is banned (cargo tree -i {name})"));
            }
            if !self.allows(licence) {
                found.push(format!("{name} {version}: the licence `{licence}` is not on the list"));
            }
        }
        for name in &self.single {
            if let Some(many) = versions.get(name.as_str()).filter(|v| v.len() > 1) {
                found.push(format!(
                    "{name} is there in {} versions: {}",
                    many.len(),
                    many.join(", ")
                ));
            }
        }
        found
    }

    /// Packages of a lock file that come from elsewhere.
    pub(super) fn sources(lock: &str) -> Vec<String> {
        let sources = lock.lines().filter_map(|l| l.strip_prefix("source = "));
        let mut strange: Vec<String> = sources
            .map(|s| s.trim_matches('"'))
            .filter(|s| *s != CRATES_IO)
            .map(|s| format!("the source {s} is not crates.io"))
            .collect();
        strange.sort();
        strange.dedup();
        strange
    }

    /// True when an SPDX expression can be met with the licences on the list.
    pub(super) fn allows(&self, expression: &str) -> bool {
        // `MIT/Apache-2.0` is how older manifests write OR.
        let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut at = 0;
        self.either(&words, &mut at) && at == words.len()
    }

    fn either(&self, words: &[&str], at: &mut usize) -> bool {
        let mut met = self.both(words, at);
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            met |= self.both(words, at);
        }
        met
    }

    fn both(&self, words: &[&str], at: &mut usize) -> bool {
        let mut met = self.one(words, at);
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            met &= self.one(words, at);
        }
        met
    }

    fn one(&self, words: &[&str], at: &mut usize) -> bool {
        let Some(word) = words.get(*at) else { return false };
        *at += 1;
        if *word == "(" {
            let met = self.either(words, at);
            let closed = words.get(*at) == Some(&")");
            *at += 1;
            return met && closed;
        }
        let mut name = (*word).to_owned();
        if let (Some(&"WITH"), Some(exception)) = (words.get(*at), words.get(*at + 1)) {
            name = format!("{word} WITH {exception}");
            *at += 2;
        }
        self.licences.contains(&name)
    }
}
