//! What passes from door to door.

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;

use crate::Topic;

/// One message of a topic, as the hub keeps it and every door renders it.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The topic that it was published to.
    pub topic: Topic,
    /// Its place in the topic, in the order that everybody sees.
    pub id: Position,
    /// The event's name; `None` is `message`.
    pub event: Option<Arc<str>>,
    /// The payload, its bytes as they came.
    pub body: Body,
    /// The sender's own headers (at most 32, 8 KiB), for doors that have a place for them.
    pub headers: Option<Headers>,
    /// The user who published, where one is known.
    pub publisher: Option<Arc<str>>,
    /// When the hub took it, in milliseconds since 1970.
    pub time: u64,
    /// What only doors of the publisher's own kind can carry as it was meant.
    pub exact: Option<Arc<Exact>>,
    /// Members of the topic that it is not for.
    pub except: Option<Arc<Except>>,
}

/// The payload in full, where a protocol says more than one body: several arguments, bytes among
/// them. The body is the same as plain JSON, with bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by a door, read by doors of its kind")]
pub struct Exact {
    /// The kind of door that understands it, such as `socketio`.
    pub family: &'static str,
    /// JSON, in the family's own arrangement.
    pub json: Bytes,
    /// Bytes that belong into it.
    pub attachments: Box<[Bytes]>,
}

impl Exact {
    /// Its bytes.
    pub fn len(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// It has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Members of a topic that a publication is not for. Who reads the history reads it all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a condition of two parts")]
pub struct Except {
    /// A session, by its number in the process.
    pub session: Option<u64>,
    /// Whoever is in one of these topics, too.
    pub topics: Box<[Topic]>,
}

impl Publication {
    /// The event's name, `message` when none was given.
    pub fn event_name(&self) -> &str {
        self.event.as_deref().unwrap_or("message")
    }
}

/// A sender's own headers: names and values.
pub type Headers = Arc<[(Box<str>, Box<str>)]>;

/// A payload and its kind. The bytes are never re-encoded unless a door cannot carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// UTF-8 text. Whoever makes one has checked it.
    Text(Bytes),
    /// One JSON value in UTF-8.
    Json(Bytes),
    /// Any bytes.
    Binary(Bytes),
}

impl Body {
    /// The payload's bytes.
    pub fn bytes(&self) -> &Bytes {
        let (Self::Text(b) | Self::Json(b) | Self::Binary(b)) = self;
        b
    }
}

/// A text.
impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// A text.
impl From<&str> for Body {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// The place of a publication: the topic's incarnation and a number that counts up by one.
///
/// Its text is `epoch-seq`, the epoch in base 36, and clients treat it as opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// New and random for each incarnation of a topic.
    pub epoch: u64,
    /// Counts from 1; 0 is "before the first".
    pub seq: u64,
}

/// The text is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a position is written epoch-seq")]
pub struct PositionError;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 13 digits of base 36 hold any u64.
        let mut text = [b'0'; 13];
        let mut at = text.len();
        let mut rest = self.epoch;
        for digit in text.iter_mut().rev() {
            *digit = DIGITS[(rest % 36) as usize];
            rest /= 36;
            at -= 1;
            if rest == 0 {
                break;
            }
        }
        let epoch = std::str::from_utf8(&text[at..]).map_err(|_| fmt::Error)?;
        write!(f, "{epoch}-{}", self.seq)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (epoch, seq) = text.split_once('-').ok_or(PositionError)?;
        // `parse` and `from_str_radix` would take a leading plus.
        let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain(epoch) || !plain(seq) {
            return Err(PositionError);
        }
        Ok(Self {
            epoch: u64::from_str_radix(epoch, 36).map_err(|_| PositionError)?,
            seq: seq.parse().map_err(|_| PositionError)?,
        })
    }
}

/// One session's presence in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The name that the session goes by, where it gave one.
    pub user: Option<Arc<str>>,
    /// The door that it came in by: `websocket`, `sse`, …
    pub door: &'static str,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
}

/// Somebody came or went; told to those who asked for presence.
#[derive(Debug, Clone)]
pub struct PresenceChange {
    /// The topic.
    pub topic: Topic,
    /// True for a join, false for a leave.
    pub joined: bool,
    /// Who.
    pub presence: Presence,
    /// How many are present after the change.
    pub count: usize,
    /// The topic's position at the change: a reader that saw this has all up to here.
    pub at: Position,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_position_reads_back(epoch: u64, seq: u64) {
            let position = Position { epoch, seq };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }
    }

    #[test]
    fn text_that_is_no_position_is_refused() {
        for text in ["", "-", "a", "a-", "-1", "a-+1", "+a-1", "a-1-2", "zzzzzzzzzzzzzzzz-1", "é-1"]
        {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
    }
}
