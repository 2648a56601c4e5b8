//! What the query of a raw client asks for.

use std::sync::Arc;

use crate::{Cursor, Opening, session::Refusal, who};

/// The query's options. Unknown ones are ignored: they may be the application's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `since`: where to start (default `now`).
    pub since: Cursor,
    /// `envelope=json`: every message in the JSON envelope.
    pub envelope: bool,
    /// `presence=1`: tell of joins and leaves.
    pub presence: bool,
    /// `name`: what others see, at most 64 characters.
    pub name: Option<Arc<str>>,
    /// `session`: a key of the client's own, by which it is known again after a cut.
    pub session: Option<Arc<str>>,
}

impl Options {
    /// Reads the query; an option that cannot be understood is refused with a sentence.
    pub fn read(opening: &Opening<'_>) -> Result<Self, Refusal> {
        let mut options = Self::default();
        for (key, value) in opening.query_pairs() {
            match &*key {
                "since" => options.since = Cursor::parse(&value),
                "envelope" => options.envelope = envelope(&value)?,
                "presence" => options.presence = flag(&value)?,
                "name" => options.name = who::name(&value)?,
                "session" => options.session = who::session(&value)?,
                _ => {}
            }
        }
        Ok(options)
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason: reason.into() })
}

fn envelope(value: &str) -> Result<bool, Refusal> {
    match value {
        "json" => Ok(true),
        "" | "none" => Ok(false),
        _ => refuse("envelope can only be `json`"),
    }
}

fn flag(value: &str) -> Result<bool, Refusal> {
    match value {
        "1" | "true" => Ok(true),
        "" | "0" | "false" => Ok(false),
        _ => refuse("presence can only be `1` or `0`"),
    }
}
