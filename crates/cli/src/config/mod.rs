//! The configuration: `madang.toml`, then `MADANG_…` variables, then flags. Each value remembers
//! where it came from.

mod file;
mod flags;
mod keys;
mod kind;
mod show;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

pub(crate) use flags::Flags;
use keys::{KEYS, Key, key, nearest};
use kind::Value;
pub(crate) use kind::{read_history_rule, read_size};
pub(crate) use show::{effective, sample};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File(PathBuf, usize),
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// All values that are set, by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, (Value, Origin)>,
}

/// Everything that is wrong with a configuration, a sentence each.
#[derive(Debug)]
pub(crate) struct Problems(pub(crate) Vec<String>);

/// The file that is read when it is there and no other is named.
pub(crate) const FILE: &str = "madang.toml";

/// Reads everything: defaults, file, environment, flags.
pub(crate) fn load(flags: &Flags) -> Result<Settings, Problems> {
    let variables: Vec<_> = std::env::vars().collect();
    let mut problems = Vec::new();
    let mut settings = Settings::defaults();
    let named = flags.file.clone().or_else(|| {
        let name = variables.iter().find(|(name, _)| name == "MADANG_CONFIG")?;
        Some(PathBuf::from(&name.1)).filter(|path| !path.as_os_str().is_empty())
    });
    let path = named.clone().unwrap_or_else(|| FILE.into());
    match std::fs::read_to_string(&path) {
        Ok(text) => file::read(&path, &text, &mut settings, &mut problems),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => problems.push(format!("{}: {error}", path.display())),
    }
    settings.take_variables(&variables, &mut problems);
    for (key, value) in &flags.values {
        settings.set(key, value.clone(), Origin::Flag(key.flag));
    }
    settings.check(&mut problems);
    if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
}

impl Settings {
    fn defaults() -> Self {
        let mut settings = Self::default();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            let line = format!("value = {}", key.default);
            let parsed = toml::de::DeTable::parse(&line).ok();
            let value = parsed.as_ref().and_then(|table| table.get_ref().get("value"));
            if let Some(Ok(value)) = value.map(|value| key.kind.read_toml(value.get_ref())) {
                settings.set(key, value, Origin::Default);
            }
        }
        settings
    }

    fn set(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.values.insert(key.name, (value, origin));
    }

    fn take_variables(&mut self, variables: &[(String, String)], problems: &mut Vec<String>) {
        let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
        for (name, text) in variables.iter().filter(|(name, _)| name.starts_with("MADANG_")) {
            let Some(at) = known.iter().position(|variable| variable == name) else {
                // Others may use the same beginning: Kubernetes describes a service of this name
                // with MADANG_SERVICE_HOST and the like. Only a likely slip is refused.
                let bare = |name: &str| name["MADANG_".len()..].to_owned();
                let names: Vec<String> = known.iter().map(|name| bare(name)).collect();
                let near = nearest(&bare(name), names.iter().map(String::as_str));
                if let Some(near) = near.filter(|_| name != "MADANG_CONFIG") {
                    problems.push(format!(
                        "{name}: there is no such variable; do you mean MADANG_{near}?"
                    ));
                }
                continue;
            };
            // An empty variable means nothing in particular.
            if text.trim().is_empty() {
                continue;
            }
            match KEYS[at].kind.read_variable(text) {
                Ok(value) => self.set(&KEYS[at], value, Origin::Variable(name.clone())),
                Err(why) => problems.push(format!("{name}: `{text}`: {why}")),
            }
        }
    }

    /// What keys ask of each other.
    fn check(&self, problems: &mut Vec<String>) {
        let mut needs = |is_set: bool, name: &str, other: &str| {
            if is_set {
                let origin = self.origin(name);
                let flag = |name| {
                    key(name).map_or_else(String::new, |key| {
                        let place =
                            key.kind.place().map_or_else(String::new, |p| format!(" <{p}>"));
                        format!("--{}{place} ({name})", key.flag)
                    })
                };
                problems.push(format!("{origin}: {} needs {}", flag(name), flag(other)));
            }
        };
        let has = |name| self.text(name).is_some();
        needs(has("tls.cert") && !has("tls.key"), "tls.cert", "tls.key");
        needs(has("tls.key") && !has("tls.cert"), "tls.key", "tls.cert");
        let is_secure = has("tls.cert") || self.switch("tls.self_signed");
        needs(has("tls.client_ca") && !is_secure, "tls.client_ca", "tls.cert");
        let optional = self.switch("tls.client_optional");
        needs(optional && !has("tls.client_ca"), "tls.client_optional", "tls.client_ca");
        let order = self.switch("websocket.subprotocol_server_order");
        let names = self.list("websocket.subprotocols");
        let order_name = "websocket.subprotocol_server_order";
        needs(order && names.is_empty(), order_name, "websocket.subprotocols");
        if has("tls.cert") && self.switch("tls.self_signed") {
            problems.push(format!(
                "{}: tls.self_signed and tls.cert cannot both be; take one away",
                self.origin("tls.self_signed")
            ));
        }
    }

    /// Where a value came from.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        self.values.get(name).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.values.get(name) {
            Some((Value::Number(number), _)) => Some(*number),
            _ => None,
        }
    }

    /// A number that has a default.
    pub(crate) fn size(&self, name: &str) -> usize {
        usize::try_from(self.number(name).unwrap_or_default()).unwrap_or(usize::MAX)
    }

    pub(crate) fn count(&self, name: &str) -> u32 {
        u32::try_from(self.number(name).unwrap_or_default()).unwrap_or(u32::MAX)
    }

    pub(crate) fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.number(name).unwrap_or_default())
    }

    pub(crate) fn switch(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some((Value::Switch(true), _)))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some((Value::Text(text), _)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some((Value::List(list), _)) => list,
            _ => &[],
        }
    }

    /// The keys whose values differ: those that a reload applies, and those that wait for a restart.
    pub(crate) fn changes(&self, new: &Self) -> (Vec<&'static str>, Vec<&'static str>) {
        let value = |settings: &Self, key: &Key| settings.values.get(key.name).map(|v| v.0.clone());
        let changed = KEYS.iter().filter(|key| value(self, key) != value(new, key));
        let (live, later): (Vec<_>, Vec<_>) = changed.partition(|key| key.live);
        let names = |keys: Vec<&Key>| keys.into_iter().map(|key| key.name).collect();
        (names(live), names(later))
    }
}
