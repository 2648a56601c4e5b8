//! Conversations as text, to be played and checked.
//!
//! Each line is a name, an arrow, and what goes or comes there:
//!
//! ```text
//! a → GET ?EIO=4&transport=polling
//! a ← 200 0{"sid":"[sid]",[rest]}           the whole answer; what is in brackets is noted
//! b → GET ?EIO=4&transport=polling&sid=[sid]   … and put in later
//! w → WS ?EIO=4&transport=websocket&sid=[sid]  a WebSocket
//! w → 2probe
//! w ← 3probe
//! w → <01 02>                               bytes
//! w ← close 1000
//! b → hang up
//! s ← 200 …                                 the head of an answer that goes on
//! s ← | o                                   a line of it
//! s ← end                                   its end
//! + 300ms                                   time passes
//! ```
//!
//! A POST has its body behind the target: `a → POST /x ["hello"]`. Empty lines, and what follows two
//! slashes at the start of a line, are for the reader.

use std::{collections::HashMap, time::Duration};

/// What a WebSocket has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no other")]
pub enum Heard {
    /// A message of text.
    Text(String),
    /// A message of bytes.
    Binary(Vec<u8>),
    /// Its end, with the code.
    Closed(u16),
    /// It was refused with this status.
    Refused(u16),
}

/// Who plays a script: each method is for the client of that name. What has not come in reasonable
/// time is `None`.
pub trait Player {
    /// Sends a request.
    fn call(&mut self, who: &str, method: &str, target: &str, body: &str);
    /// Opens a WebSocket.
    fn open(&mut self, who: &str, target: &str);
    /// Says something on it.
    fn say(&mut self, who: &str, message: Heard);
    /// Breaks off, whatever it is.
    fn hang_up(&mut self, who: &str);
    /// Lets time pass.
    fn pass(&mut self, time: Duration);
    /// The whole answer: status and body.
    fn answer(&mut self, who: &str) -> Option<(u16, String)>;
    /// The status of an answer that goes on.
    fn head(&mut self, who: &str) -> Option<u16>;
    /// The next line of its body; an empty `Some` is its end.
    fn line(&mut self, who: &str) -> Option<Option<String>>;
    /// What the WebSocket has brought next.
    fn heard(&mut self, who: &str) -> Option<Heard>;
}

/// A conversation.
#[derive(Debug)]
pub struct Script<'a>(&'a str);

/// What came is not what stands there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, `{text}`: {why}")]
#[non_exhaustive]
pub struct Wrong {
    /// Counted from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What came.
    pub why: String,
}

impl<'a> Script<'a> {
    /// One of this text.
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Plays it, up to the first line that goes wrong.
    pub fn play(&self, player: &mut impl Player) -> Result<(), Wrong> {
        let mut notes = HashMap::new();
        for (number, text) in self.0.lines().enumerate() {
            let line = text.trim();
            if line.is_empty() || line.starts_with("//") {
                continue;
            }
            step(line, player, &mut notes).map_err(|why| Wrong {
                line: number + 1,
                text: line.to_owned(),
                why,
            })?;
        }
        Ok(())
    }
}

type Notes = HashMap<String, String>;

fn step(line: &str, player: &mut impl Player, notes: &mut Notes) -> Result<(), String> {
    if let Some(time) = line.strip_prefix('+') {
        player.pass(duration(time.trim()).ok_or("this is no time")?);
        return Ok(());
    }
    if let Some((who, what)) = line.split_once(" → ") {
        go(who.trim(), &fill(what.trim(), notes), player);
        return Ok(());
    }
    let (who, what) = line.split_once(" ←").ok_or("there is no arrow in it")?;
    let got = come(who.trim(), what.trim(), player)?;
    let wanted = fill(what.trim(), notes);
    compare(&wanted, &got, notes).then_some(()).ok_or(format!("came `{got}`"))
}

fn go(who: &str, what: &str, player: &mut impl Player) {
    let mut words = what.splitn(3, ' ');
    match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
        (method @ ("GET" | "POST" | "PUT" | "DELETE"), target) => {
            player.call(who, method, target, words.next().unwrap_or_default());
        }
        ("WS", target) => player.open(who, target),
        ("hang", "up") => player.hang_up(who),
        _ => player.say(who, message(what)),
    }
}

/// What has come, written as it would stand in a script.
fn come(who: &str, wanted: &str, player: &mut impl Player) -> Result<String, String> {
    const NOTHING: &str = "nothing came";
    if wanted.ends_with(" …") {
        return Ok(format!("{} …", player.head(who).ok_or(NOTHING)?));
    }
    if wanted.starts_with('|') || wanted == "end" {
        let line = player.line(who).ok_or(NOTHING)?;
        return Ok(line.map_or("end".into(), |line| format!("| {line}").trim_end().to_owned()));
    }
    let is_status = |word: &str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
    if is_status(wanted.split(' ').next().unwrap_or_default())
        && let Some((status, body)) = player.answer(who)
    {
        return Ok(format!("{status} {body}").trim_end().to_owned());
    }
    Ok(match player.heard(who).ok_or(NOTHING)? {
        Heard::Text(text) => text,
        Heard::Binary(bytes) => hex(&bytes),
        Heard::Closed(code) => format!("close {code}"),
        Heard::Refused(status) => format!("refused {status}"),
    })
}

fn message(text: &str) -> Heard {
    if let Some(code) = text.strip_prefix("close ").and_then(|code| code.parse().ok()) {
        return Heard::Closed(code);
    }
    let bytes = text.strip_prefix('<').and_then(|hex| hex.strip_suffix('>'));
    let bytes = bytes.map(|hex| hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16)));
    match bytes.and_then(|bytes| bytes.collect::<Result<Vec<u8>, _>>().ok()) {
        Some(bytes) => Heard::Binary(bytes),
        None => Heard::Text(text.to_owned()),
    }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("<{}>", bytes.join(" "))
}

fn duration(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return Some(Duration::from_millis(millis.trim().parse().ok()?));
    }
    Some(Duration::from_secs(text.strip_suffix('s')?.trim().parse().ok()?))
}

/// Puts in what was noted.
fn fill(text: &str, notes: &Notes) -> String {
    notes
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("[{name}]"), value))
}

/// Whether `got` is what is wanted; what stands in brackets is noted, up to the character that follows.
fn compare(wanted: &str, got: &str, notes: &mut Notes) -> bool {
    let Some((before, name, after)) = bracket(wanted) else { return wanted == got };
    let Some(rest) = got.strip_prefix(before) else { return false };
    let end = match after.chars().next() {
        Some(next) => rest.find(next),
        None => Some(rest.len()),
    };
    let Some((value, rest)) = end.map(|end| rest.split_at(end)) else { return false };
    notes.insert(name.to_owned(), value.to_owned());
    compare(after, rest, notes)
}

/// The first name in brackets, and what is around it.
fn bracket(text: &str) -> Option<(&str, &str, &str)> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    text.match_indices('[').find_map(|(at, _)| {
        let (name, after) = text[at + 1..].split_once(']')?;
        is_name(name).then_some((&text[..at], name, after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_brackets_is_noted() {
        let mut notes = Notes::new();
        assert!(compare(
            "200 0{\"sid\":\"[sid]\",[rest]}",
            "200 0{\"sid\":\"x1\",\"a\":1}",
            &mut notes
        ));
        assert_eq!((notes["sid"].as_str(), notes["rest"].as_str()), ("x1", "\"a\":1"));
        assert_eq!(fill("?sid=[sid]", &notes), "?sid=x1");
        assert!(compare("a[\"hello\"]", "a[\"hello\"]", &mut notes));
        assert!(!compare("a[sid]b", "axc", &mut notes));
    }
}
