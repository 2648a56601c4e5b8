//! What a value may be, and how it is read from text and from TOML.

use std::fmt;

use toml::de::DeValue;

/// The kind of a key's value.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A whole number within bounds.
    Number(u64, u64),
    /// A time in whole seconds, so many at least.
    Seconds(u64),
    /// A size in bytes that is not zero, such as 65536, "64KiB" or "1MiB".
    Bytes,
    /// A size of so many bytes at most.
    BytesTo(u64),
    /// Yes or no; the flag says yes.
    Switch,
    /// Yes or no; the flag, which is called `no-…`, says no.
    Off,
    /// A text of some form: what its place is called in the help, and what is wrong with a bad one.
    Text(&'static str, Check),
    /// Several of them.
    List(&'static str, Check),
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// Says what is wrong with a text.
pub(crate) type Check = fn(&str) -> Result<(), String>;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Switch(bool),
    Text(String),
    List(Vec<String>),
}

impl Kind {
    /// What stands for the value in a flag's help; none for a switch.
    pub(crate) fn place(self) -> Option<&'static str> {
        Some(match self {
            Self::Number(..) => "N",
            Self::Seconds(_) => "SECONDS",
            Self::Bytes | Self::BytesTo(_) => "BYTES",
            Self::Switch | Self::Off => return None,
            Self::Text(name, _) | Self::List(name, _) => name,
            Self::Choice(_) => "POLICY",
        })
    }

    /// Reads one value of a flag, or one of an environment variable.
    pub(crate) fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Number(least, most) => number(text, least, most).map(Value::Number),
            Self::Seconds(least) => number(text, least, u64::from(u32::MAX))
                .map(Value::Number)
                .map_err(|_| format!("write a whole number of seconds, {least} at least")),
            Self::Bytes => bytes(text).map(Value::Number),
            Self::BytesTo(most) => match bytes(text)? {
                size if size > most => Err(format!("write a size of at most {most} bytes")),
                size => Ok(Value::Number(size)),
            },
            Self::Switch | Self::Off => match text {
                "true" | "1" | "yes" => Ok(Value::Switch(true)),
                "false" | "0" | "no" => Ok(Value::Switch(false)),
                _ => Err("write true or false".into()),
            },
            Self::Text(_, check) => check(text).map(|()| Value::Text(text.to_owned())),
            Self::List(_, check) => check(text).map(|()| Value::List(vec![text.to_owned()])),
            Self::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::Choice(words) => Err(format!("write one of {}", words.join(", "))),
        }
    }

    /// Reads the value of an environment variable; lists have commas.
    pub(crate) fn read_variable(self, text: &str) -> Result<Value, String> {
        let Self::List(..) = self else { return self.read(text) };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| self.read(part).map(|_| part.to_owned()))
            .collect::<Result<_, _>>()
            .map(Value::List)
    }

    /// Reads a value of a file.
    pub(crate) fn read_toml(self, value: &DeValue<'_>) -> Result<Value, String> {
        match (self, value) {
            (Self::Switch | Self::Off, DeValue::Boolean(yes)) => Ok(Value::Switch(*yes)),
            (
                Self::Number(..) | Self::Seconds(_) | Self::Bytes | Self::BytesTo(_),
                DeValue::Integer(number),
            ) => self.read(number.as_str()),
            (
                Self::Bytes | Self::BytesTo(_) | Self::Text(..) | Self::Choice(_),
                DeValue::String(text),
            ) => self.read(text),
            (Self::List(..), DeValue::Array(items)) => {
                let mut list = Vec::new();
                for item in items {
                    let DeValue::String(text) = item.get_ref() else { return Err(self.form()) };
                    self.read(text)?;
                    list.push(text.clone().into_owned());
                }
                Ok(Value::List(list))
            }
            _ => Err(self.form()),
        }
    }

    /// How a value of this kind is written in a file.
    fn form(self) -> String {
        match self {
            Self::Number(least, most) => format!("write a whole number from {least} to {most}"),
            Self::Seconds(least) => format!("write a whole number of seconds, {least} at least"),
            Self::Bytes | Self::BytesTo(_) => {
                "write a size like 65536, \"64KiB\" or \"1MiB\"".into()
            }
            Self::Switch | Self::Off => "write true or false".into(),
            Self::Text(..) => "write a text in quotes".into(),
            Self::List(..) => "write a list of texts: [\"…\", \"…\"]".into(),
            Self::Choice(words) => format!("write one of \"{}\"", words.join("\", \"")),
        }
    }
}

impl fmt::Display for Value {
    /// As it is written in TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Switch(yes) => write!(f, "{yes}"),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(list) => {
                let list: Vec<_> = list.iter().map(|text| quoted(text)).collect();
                write!(f, "[{}]", list.join(", "))
            }
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                out.extend(format!("\\u{:04X}", letter as u32).chars());
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// Reads a whole number within bounds.
fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("write a whole number from {least} to {most}"))
}

/// Reads a size such as `65536`, `64KiB` or `1MiB`.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1024),
        "m" | "mib" => Some(1024 * 1024),
        "g" | "gib" => Some(1024 * 1024 * 1024),
        _ => None,
    };
    factor
        .and_then(|factor| digits.parse::<u64>().ok()?.checked_mul(factor))
        .filter(|size| *size > 0 && usize::try_from(*size).is_ok())
        .ok_or_else(|| "write it like 65536, 64KiB or 1MiB".into())
}

/// Reads a size of what is held in memory.
pub(crate) fn read_size(text: &str) -> Result<usize, String> {
    bytes(text).and_then(|size| usize::try_from(size).map_err(|error| error.to_string()))
}

/// Any text.
#[expect(clippy::unnecessary_wraps, reason = "it is one of several checks")]
pub(crate) fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

pub(crate) fn origin(text: &str) -> Result<(), String> {
    let (scheme, host) = text.split_once("://").unwrap_or_default();
    let whole = !scheme.is_empty() && !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
    if whole || text == "*" || text == "null" {
        Ok(())
    } else {
        Err("write it like https://app.example or http://app.example:8080, without a path".into())
    }
}

/// An address, a network, or a word of [`madang::TrustedProxies`].
pub(crate) fn proxy(text: &str) -> Result<(), String> {
    text.parse::<madang::TrustedProxies>().map(|_| ()).map_err(|error| error.to_string())
}

/// A rule for the history of some topics, `PATTERN=COUNT` or `PATTERN=COUNT/SECONDS`.
pub(crate) fn history_rule(text: &str) -> Result<(), String> {
    read_history_rule(text).map(drop).ok_or_else(|| {
        "write it like chat.*=1000 or chat.*=1000/3600: a topic's name, with * at its end for all that \
         begin so, how many messages, and for how many seconds"
            .into()
    })
}

/// The pattern, the count, and the seconds where they are given. A topic's name may have `=` in it.
pub(crate) fn read_history_rule(text: &str) -> Option<(&str, usize, Option<u64>)> {
    let (pattern, bounds) = text.rsplit_once('=')?;
    let (count, seconds) = match bounds.split_once('/') {
        Some((count, seconds)) => (count, Some(seconds.parse().ok()?)),
        None => (bounds, None),
    };
    (!pattern.is_empty()).then_some(())?;
    Some((pattern, count.parse().ok()?, seconds))
}

/// RFC 6265 §4.1.1: a cookie's name is a token.
pub(crate) fn cookie_name(text: &str) -> Result<(), String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !text.is_empty() && text.bytes().all(is_token) {
        return Ok(());
    }
    Err("a cookie's name is made of letters, digits and -_.!#$%&'*+^`|~".into())
}

pub(crate) fn subprotocol(text: &str) -> Result<(), String> {
    // RFC 6455 §11.3.4: a token of RFC 9110.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(token) {
        Ok(())
    } else {
        Err("a subprotocol's name has letters, digits and !#$%&'*+-.^_`|~ only".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_rule_has_a_pattern_and_bounds() {
        assert_eq!(read_history_rule("chat.*=1000/60"), Some(("chat.*", 1000, Some(60))));
        assert_eq!(read_history_rule("a=b=0"), Some(("a=b", 0, None)));
        for bad in ["", "chat", "=1", "chat=", "chat=x", "chat=1/", "chat=1/x", "chat=-1"] {
            assert!(history_rule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("2m"), Ok(2 * 1024 * 1024));
        for bad in ["", "KiB", "1TB", "-1", "1.5M", "0", "99999999999999999G"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_may_have_a_bound() {
        let kind = Kind::BytesTo(1_048_576);
        assert_eq!(kind.read("1MiB"), Ok(Value::Number(1_048_576)));
        let error = kind.read("1048577").unwrap_err();
        assert!(error.contains("at most 1048576"), "{error}");
        assert!(kind.read("0").is_err() && kind.read("much").is_err());
    }

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        for good in ["https://app.example", "http://[::1]:8080", "*", "null"] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in ["app.example", "https://", "https://app.example/", "https://a b"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_of_the_environment_have_commas() {
        let kind = Kind::List("ORIGIN", origin);
        let list = Value::List(vec!["http://a".into(), "http://b".into()]);
        assert_eq!(kind.read_variable("http://a, http://b,"), Ok(list));
        assert!(kind.read_variable("http://a,b").is_err());
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        let text = Value::Text("a \"quoted\" \\ text\n".into());
        let shown = format!("key = {text}");
        let read = toml::de::DeTable::parse(&shown).unwrap();
        let value = read.get_ref().get("key").unwrap();
        assert_eq!(Kind::Text("TEXT", anything).read_toml(value.get_ref()), Ok(text));
    }
}
