//! What came, as it is shown to people and to programs.

use std::{borrow::Cow, fmt::Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use madang::websocket::{ByteString, Message};

use super::{hex, pretty, time};
use crate::client::{Keep, escaped};

/// So much of one text is shown on a terminal.
const MAX_SHOWN: usize = 64 << 10;

/// Something that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A message of a plain WebSocket.
    Plain(Message),
    /// What a protocol on top of it says.
    Frame(Frame),
}

/// One frame, packet or event of a protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What it is, for programs: `message`, `event`, `ack` …
    pub(crate) kind: &'static str,
    /// What stands before the body for people.
    pub(crate) title: String,
    /// Headers, shown with `--verbose`, and to programs under `headers`.
    pub(crate) headers: Vec<(String, String)>,
    /// Further members for programs: a name and JSON.
    pub(crate) members: Vec<(&'static str, String)>,
    pub(crate) body: Vec<Body>,
    /// Whether the body is a list for programs, however long.
    pub(crate) is_list: bool,
    /// Whether it counts for `--count`.
    pub(crate) counts: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Text(ByteString),
    Binary(Bytes),
    /// JSON as it came.
    Json(String),
}

impl From<Message> for Body {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl Shown {
    /// Whether it counts for `--count`.
    pub(crate) fn counts(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Frame(frame) => frame.counts,
        }
    }

    /// The bytes in it, each with where it stands in the list.
    pub(crate) fn binaries(&self) -> Vec<Bytes> {
        match self {
            Self::Plain(Message::Binary(bytes)) => vec![bytes.clone()],
            Self::Plain(Message::Text(_)) => Vec::new(),
            Self::Frame(frame) => {
                let bytes = |body: &Body| match body {
                    Body::Binary(bytes) => Some(bytes.clone()),
                    _ => None,
                };
                frame.body.iter().filter_map(bytes).collect()
            }
        }
    }
}

/// How it is to be shown.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    pub(crate) is_pretty: bool,
    pub(crate) is_verbose: bool,
    pub(crate) has_time: bool,
    pub(crate) is_json: bool,
}

impl Style {
    /// For people: lines whose first has no mark before it. `saved` are the files that the bytes
    /// in it were written to.
    pub(crate) fn for_people(self, shown: &Shown, saved: &[String]) -> String {
        let mut saved = saved.iter();
        match shown {
            Shown::Plain(message) => self.body(&message.clone().into(), saved.next()),
            Shown::Frame(frame) => {
                let mut text = escaped(&frame.title, Keep::None).into_owned();
                if self.is_verbose {
                    for (name, value) in &frame.headers {
                        let line = format!("{name}: {value}");
                        // Writing to a string does not fail.
                        let _ = write!(text, "\n{}", escaped(&line, Keep::None));
                    }
                }
                let glue = if self.is_verbose && !frame.headers.is_empty() { '\n' } else { ' ' };
                for (at, body) in frame.body.iter().enumerate() {
                    let is_bytes = matches!(body, Body::Binary(_));
                    let file = if is_bytes { saved.next() } else { None };
                    let body = self.body(body, file);
                    if body.is_empty() {
                        continue;
                    }
                    let glue = if body.contains('\n') {
                        '\n'
                    } else if at == 0 {
                        glue
                    } else {
                        ' '
                    };
                    text.push(glue);
                    text.push_str(&body);
                }
                text
            }
        }
    }

    fn body(self, body: &Body, saved: Option<&String>) -> String {
        match body {
            Body::Text(text) => self.text(text),
            Body::Json(json) => self.text(json),
            Body::Binary(bytes) => match saved {
                Some(file) => format!("<{} bytes in {file}>", bytes.len()),
                None => hex::dump(bytes),
            },
        }
    }

    fn text(self, text: &str) -> String {
        // Indentation can make much of little.
        let is_laid_out = self.is_pretty && text.len() <= MAX_SHOWN;
        let json = if is_laid_out { pretty::pretty(text) } else { None };
        people(json.as_deref().unwrap_or(text))
    }

    /// For programs: one line.
    pub(crate) fn for_programs(self, shown: &Shown, saved: &[String]) -> String {
        let text = if self.is_json { self.json(shown) } else { line(shown, saved) };
        if self.has_time && !self.is_json { format!("{} {text}", time::stamp()) } else { text }
    }

    fn json(self, shown: &Shown) -> String {
        let mut members = Vec::new();
        let (kind, data) = match shown {
            Shown::Plain(message @ Message::Text(_)) => ("text", value(&message.clone().into())),
            Shown::Plain(Message::Binary(bytes)) => {
                members.push(("encoding", "\"base64\"".into()));
                ("binary", string(&BASE64_STANDARD.encode(bytes)))
            }
            Shown::Frame(frame) => {
                members.extend(frame.members.clone());
                if !frame.headers.is_empty() {
                    members.push(("headers", object(&frame.headers)));
                }
                (frame.kind, list(frame, &mut members))
            }
        };
        if self.has_time {
            members.push(("time", string(&time::stamp())));
        }
        let mut json = format!("{{\"kind\":{},\"data\":{data}", string(kind));
        for (name, value) in members {
            // Writing to a string does not fail.
            let _ = write!(json, ",{}:{value}", string(name));
        }
        json.push('}');
        json
    }
}

/// Title and bodies in one line.
fn line(shown: &Shown, saved: &[String]) -> String {
    let mut saved = saved.iter();
    let mut line = |body: &Body| match body {
        Body::Text(text) => one_line(text).into_owned(),
        Body::Json(json) => one_line(json).into_owned(),
        Body::Binary(bytes) => {
            saved.next().cloned().unwrap_or_else(|| BASE64_STANDARD.encode(bytes))
        }
    };
    match shown {
        Shown::Plain(message) => line(&message.clone().into()),
        Shown::Frame(frame) => {
            let title = one_line(&frame.title).into_owned();
            let parts = frame.body.iter().map(line);
            std::iter::once(title).chain(parts).collect::<Vec<_>>().join(" ")
        }
    }
}

/// The body of a frame as JSON.
fn list(frame: &Frame, members: &mut Vec<(&'static str, String)>) -> String {
    match frame.body.as_slice() {
        [] if !frame.is_list => "null".into(),
        [body] if !frame.is_list => {
            if matches!(body, Body::Binary(_)) {
                members.push(("encoding", "\"base64\"".into()));
            }
            value(body)
        }
        all => {
            let nested = |body: &Body| match body {
                Body::Binary(bytes) => {
                    format!("{{\"base64\":{}}}", string(&BASE64_STANDARD.encode(bytes)))
                }
                other => value(other),
            };
            format!("[{}]", all.iter().map(nested).collect::<Vec<_>>().join(","))
        }
    }
}

fn value(body: &Body) -> String {
    match body {
        Body::Text(text) => string(text),
        Body::Json(json) => one_line_json(json),
        Body::Binary(bytes) => string(&BASE64_STANDARD.encode(bytes)),
    }
}

/// Between the parts of JSON a line end is as good as a space; inside strings there is none.
fn one_line_json(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

fn object(headers: &[(String, String)]) -> String {
    let pairs = headers.iter().map(|(name, value)| format!("{}:{}", string(name), string(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// A string of JSON.
pub(crate) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Line ends within a message are written as `\n` and `\r`.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        Cow::Owned(text.replace('\n', "\\n").replace('\r', "\\r"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Safe for a terminal, and not endless.
fn people(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_SHOWN);
    let shown = escaped(text.get(..end).unwrap_or(text), Keep::Lines);
    if end == text.len() {
        return shown.into_owned();
    }
    format!("{shown}… ({} bytes in all; a pipe gets them whole)", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Style =
        Style { is_pretty: false, is_verbose: false, has_time: false, is_json: false };

    fn event() -> Shown {
        Shown::Frame(Frame {
            kind: "event",
            title: "chat".into(),
            members: vec![("event", "\"chat\"".into())],
            body: vec![Body::Json("{\"n\":1.50}".into()), Body::Binary(Bytes::from_static(b"\0a"))],
            is_list: true,
            ..Frame::default()
        })
    }

    #[test]
    fn a_line_for_programs() {
        let text = |text: &str| Shown::Plain(Message::text(text));
        assert_eq!(PROGRAM.for_programs(&text("a\nb\u{1b}"), &[]), "a\\nb\u{1b}");
        let bytes = Shown::Plain(Message::binary(vec![0, 255]));
        assert_eq!(PROGRAM.for_programs(&bytes, &[]), "AP8=");
        assert_eq!(PROGRAM.for_programs(&bytes, &["x/1.bin".into()]), "x/1.bin");
        assert_eq!(PROGRAM.for_programs(&event(), &[]), "chat {\"n\":1.50} AGE=");
        let json = Style { is_json: true, ..PROGRAM };
        for (shown, is) in [
            (text("a\n\"b"), r#"{"kind":"text","data":"a\n\"b"}"#),
            (bytes, r#"{"kind":"binary","data":"AP8=","encoding":"base64"}"#),
            (event(), r#"{"kind":"event","data":[{"n":1.50},{"base64":"AGE="}],"event":"chat"}"#),
        ] {
            assert_eq!(json.for_programs(&shown, &[]), is);
        }
    }

    #[test]
    fn for_people_nothing_drives_the_terminal() {
        let shown = Shown::Plain(Message::text("a\u{1b}[2J\nb"));
        assert_eq!(PROGRAM.for_people(&shown, &[]), "a\\u001b[2J\nb");
        let pretty = Style { is_pretty: true, ..PROGRAM };
        let shown = Shown::Plain(Message::text("{\"a\":[1]}"));
        assert_eq!(pretty.for_people(&shown, &[]), "{\n  \"a\": [\n    1\n  ]\n}");
        let shown = Shown::Plain(Message::text("x".repeat(MAX_SHOWN + 1)));
        assert!(PROGRAM.for_people(&shown, &[]).len() < MAX_SHOWN + 100);
        let file = ["d/1.bin".to_owned()];
        assert_eq!(PROGRAM.for_people(&event(), &file), "chat {\"n\":1.50} <2 bytes in d/1.bin>");
    }
}
