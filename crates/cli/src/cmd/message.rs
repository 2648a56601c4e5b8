//! A line of a stream, as a message, and how it is shown to people.

use std::{borrow::Cow, io, io::Write};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::client::{Keep, escaped};

/// What is known of a line; members that are not listed are passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    topic: Option<String>,
    id: Option<String>,
    /// The cursor behind this line, where that is not the id.
    next: Option<String>,
    event: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    encoding: Option<String>,
    gap: Option<bool>,
    reason: Option<String>,
}

impl<'a> Message<'a> {
    /// Reads a line; `None` where it is no JSON object.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        // Serde would also take an array for a structure.
        let is_object = text.trim_ascii_start().starts_with('{');
        is_object.then(|| serde_json::from_str(text).ok()).flatten()
    }

    /// From where the stream goes on behind this line.
    pub(super) fn cursor(self) -> Option<String> {
        self.next.or(self.id)
    }

    /// Whether something was lost before this line. A message may be called `gap`, too.
    pub(super) fn is_gap(&self) -> bool {
        self.gap == Some(true) && self.event.as_deref() == Some("gap")
    }

    /// Why nothing follows this line. Messages have a topic, whatever their event is called.
    pub(super) fn refusal(&self) -> Option<Cow<'_, str>> {
        let is_one = self.topic.is_none() && self.event.as_deref() == Some("refused");
        let reason = self.reason.as_deref().filter(|_| is_one)?;
        Some(escaped(reason, Keep::None))
    }

    /// The topic, safe to be shown.
    pub(super) fn topic(&self) -> Cow<'_, str> {
        escaped(self.topic.as_deref().unwrap_or_default(), Keep::None)
    }

    /// Shows it: text as it is, JSON without spaces, of bytes how many. The topic and the event
    /// stand before it where they are not known anyway. For a terminal, control characters are
    /// escaped.
    pub(super) fn show(
        &self,
        out: &mut impl Write,
        is_one_of_many: bool,
        is_terminal: bool,
    ) -> io::Result<()> {
        let event = self.event.as_deref().unwrap_or("message");
        if is_one_of_many || event != "message" {
            write!(out, "[{} {}] ", self.topic(), escaped(event, Keep::None))?;
        }
        let data = self.data();
        let data = if is_terminal { escaped(&data, Keep::Lines) } else { Cow::Borrowed(&*data) };
        writeln!(out, "{data}")
    }

    fn data(&self) -> Cow<'_, str> {
        let Some(json) = self.data.map(RawValue::get) else { return Cow::Borrowed("") };
        // JSON that no string of Rust can hold, half of a surrogate pair, is shown as JSON.
        let Ok(text) = serde_json::from_str::<String>(json) else { return compact(json).into() };
        if self.encoding.as_deref() != Some("base64") {
            return text.into();
        }
        match BASE64_STANDARD.decode(&text) {
            Ok(bytes) => format!("<{} bytes>", bytes.len()).into(),
            Err(_) => "<bytes that are no Base64>".into(),
        }
    }
}

/// A `null` that is there is a value.
fn present<'de, D: Deserializer<'de>>(json: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(json).map(Some)
}

/// JSON without the spaces between its parts. Nothing else changes: not the order of members, not
/// the digits of numbers.
fn compact(json: &str) -> String {
    let (mut is_string, mut is_escape) = (false, false);
    let keep = |&c: &char| {
        let keeps = is_string || !c.is_ascii_whitespace();
        match c {
            _ if is_escape => is_escape = false,
            '\\' => is_escape = is_string,
            '"' => is_string = !is_string,
            _ => {}
        }
        keeps
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, is_one_of_many: bool, is_terminal: bool) -> String {
        let mut out = Vec::new();
        let message = Message::read(line.as_bytes()).unwrap();
        message.show(&mut out, is_one_of_many, is_terminal).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_are_shown_by_what_they_are() {
        for (line, is) in [
            (r#"{"topic":"t","id":"1-1","event":"message","data":"a\nb"}"#, "a\nb\n"),
            (
                r#"{"data":{"b" : [1 , 1.00e5],"a":" \" x\\"} }"#,
                "{\"b\":[1,1.00e5],\"a\":\" \\\" x\\\\\"}\n",
            ),
            (r#"{"data":"AAEC","encoding":"base64"}"#, "<3 bytes>\n"),
            (r#"{"data":"A","encoding":"base64"}"#, "<bytes that are no Base64>\n"),
            (r#"{"data":null}"#, "null\n"),
            (r#"{"topic":"t","event":"join"}"#, "[t join] \n"),
            (r#"{"data":"\ud800"}"#, "\"\\ud800\"\n"),
            (r#"{"topic":"t","event":"moved","data":1}"#, "[t moved] 1\n"),
            (r#"{"topic":"t\nu","event":"]\u001b","data":""}"#, "[t\\u000au ]\\u001b] \n"),
            (r#"{"data":"\u001b[2J"}"#, "\u{1b}[2J\n"),
        ] {
            assert_eq!(shown(line, false, false), is, "{line}");
        }
        assert_eq!(shown(r#"{"topic":"t","data":"x"}"#, true, false), "[t message] x\n");
        // The terminal is not the peer's.
        assert_eq!(shown(r#"{"data":"\u001b[2J\n"}"#, false, true), "\\u001b[2J\n\n");
        assert_eq!(shown("{\"data\":[\"\u{9b}\"]}", false, true), "[\"\\u009b\"]\n");
    }

    #[test]
    fn cursors_and_gaps() {
        let read = |line: &'static str| Message::read(line.as_bytes());
        let cursor = |line| read(line).unwrap().cursor();
        assert_eq!(cursor(r#"{"id":"1-2","next":"c"}"#).as_deref(), Some("c"));
        assert_eq!(cursor(r#"{"id":"1-2"}"#).as_deref(), Some("1-2"));
        assert_eq!(cursor(r#"{"data":1}"#), None);
        assert!(read(r#"{"event":"gap","gap":true}"#).unwrap().is_gap());
        // A message that somebody calls so is none.
        assert!(!read(r#"{"event":"gap","data":{"gap":true}}"#).unwrap().is_gap());
        let refusal = |line| read(line).unwrap().refusal().map(Cow::into_owned);
        assert_eq!(refusal(r#"{"event":"refused","reason":"full"}"#).as_deref(), Some("full"));
        assert_eq!(refusal(r#"{"topic":"t","event":"refused","reason":"full"}"#), None);
        for bad in ["", "[]", "null", "{", "{}x", "\"a\"", r#"{"id":1}"#] {
            assert!(read(bad).is_none(), "{bad}");
        }
        assert!(Message::read(b"{\"data\":\"\xff\"}").is_none());
    }
}
