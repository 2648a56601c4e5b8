//! Names of topics, and places in their history.

use std::{fmt, str::FromStr, sync::Arc};

use crate::Position;

/// The name of a topic: UTF-8, 1 to 255 bytes, no control characters.
///
/// The hub does not look inside; `chat.lobby` is a convention. Cloning counts a reference.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

/// Why a name is no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// The name has no byte.
    #[error("a topic's name cannot be empty")]
    Empty,
    /// The name is longer than [`Topic::MAX_LEN`] bytes.
    #[error("a topic's name has at most {} bytes of UTF-8", Topic::MAX_LEN)]
    TooLong,
    /// The name has a control character (line ends and NUL among them).
    #[error("a topic's name cannot have control characters")]
    Control,
    /// The name begins with `madang.`, which is kept for the server's own topics.
    #[error("names that begin with `{}` are the server's own", Topic::RESERVED)]
    Reserved,
}

impl Topic {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 255;
    /// Topics under this prefix are the server's own; clients cannot name them.
    pub const RESERVED: &str = "madang.";

    /// Checks a name that came from a client.
    ///
    /// ```
    /// use madang_proto::Topic;
    /// assert_eq!(Topic::new("chat.lobby").unwrap().as_str(), "chat.lobby");
    /// assert!(Topic::new("two\nlines").is_err());
    /// ```
    pub fn new(name: &str) -> Result<Self, TopicError> {
        if name.is_empty() {
            return Err(TopicError::Empty);
        }
        if name.len() > Self::MAX_LEN {
            return Err(TopicError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(TopicError::Control);
        }
        if name.starts_with(Self::RESERVED) {
            return Err(TopicError::Reserved);
        }
        Ok(Self(name.into()))
    }

    /// One of the server's own, under [`Topic::RESERVED`]: what comes from a client may stand in
    /// `name`, as no door takes such a topic's name from one.
    pub fn reserved(name: &str) -> Result<Self, TopicError> {
        if name.chars().any(char::is_control) {
            return Err(TopicError::Control);
        }
        let name = format!("{}{name}", Self::RESERVED);
        if name.len() > Self::MAX_LEN {
            return Err(TopicError::TooLong);
        }
        Ok(Self(name.into()))
    }

    /// It is one of the server's own.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(Self::RESERVED)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(name: &str) -> Result<Self, TopicError> {
        Self::new(name)
    }
}

impl std::borrow::Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Where a reader of a topic starts. A position is exclusive: what follows it is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cursor {
    /// Everything that is still held.
    Earliest,
    /// Only what comes from now on.
    #[default]
    Now,
    /// What follows this publication.
    After(Position),
    /// Well-formed text that is no cursor of ours: a gap, and everything that is still held.
    Foreign,
}

impl Cursor {
    /// Reads `earliest`, `now` or `epoch-seq`; anything else is [`Cursor::Foreign`], because an
    /// unknown cursor must open the stream and tell of the gap, not refuse.
    pub fn parse(text: &str) -> Self {
        match text {
            "earliest" => Self::Earliest,
            "now" | "" => Self::Now,
            _ => text.parse().map_or(Self::Foreign, Self::After),
        }
    }
}
