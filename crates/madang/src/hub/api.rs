//! What goes in and out of a hub.

use std::sync::Arc;

use madang_proto::{
    Body, Cursor, Position, Presence,
    publication::{Exact, Except},
    session::Present,
};

use super::{Published, TopicKey};

/// Names and values that a sender attached.
pub type Headers = Arc<[(Box<str>, Box<str>)]>;

/// What somebody wants published.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The event's name; `None` is `message`.
    pub event: Option<Arc<str>>,
    /// The payload. History keeps it for minutes: it must not be a small slice of a large buffer.
    pub body: Body,
    /// The sender's own headers; their limits are the door's to check.
    pub headers: Option<Headers>,
    /// The user who publishes, where one is known.
    pub publisher: Option<Arc<str>>,
    /// What doors of the publisher's kind get in place of the payload.
    pub exact: Option<Arc<Exact>>,
    /// Members that it is not for.
    pub except: Option<Arc<Except>>,
}

impl Draft {
    /// A payload and nothing else.
    pub fn new(body: impl Into<Body>) -> Self {
        let body = body.into();
        Self { event: None, body, headers: None, publisher: None, exact: None, except: None }
    }
}

impl From<Body> for Draft {
    fn from(body: Body) -> Self {
        Self::new(body)
    }
}

/// A text.
impl From<String> for Draft {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A text.
impl From<&str> for Draft {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Why a publication was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// See [`HubConfig::max_topics`](super::HubConfig::max_topics).
    #[error("there are too many topics")]
    TooManyTopics,
}

/// How a member joins.
#[derive(Debug, Clone)]
pub struct Join {
    /// Names the member among its endpoint's: the session, and its occupancy of the slot.
    pub member: u64,
    /// From where it reads.
    pub from: Cursor,
    /// Whether it is told of joins and leaves.
    pub watch: bool,
    /// Whether and how it is present.
    pub present: Option<Attendance>,
}

/// How a member shows in a topic's presence.
#[derive(Debug, Clone)]
pub struct Attendance {
    /// Its name, and the key by which it may come back.
    pub who: Present,
    /// The door that it came in by.
    pub door: &'static str,
}

/// A member has joined.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The topic's incarnation, as its mail names it.
    pub key: TopicKey,
    /// The place in the topic where the member joined: mail whose
    /// [`order`](super::Mail::order) is not greater belongs to the time before, and is to be
    /// skipped. This and not `at` is what deliveries are compared with.
    pub order: u64,
    /// Where the topic stood, as a cursor for the client. (While nothing was published, it names no
    /// incarnation: it still holds when the topic goes and comes back.)
    pub at: Position,
    /// Something between the cursor and `history` has been lost.
    pub gap: bool,
    /// What followed the cursor, up to `at`.
    pub history: Vec<Arc<Published>>,
    /// How many are present, this member included if it is.
    pub count: usize,
    /// Who is present, for a member that watches; of more than [`MAX_LISTED`], any so many.
    pub present: Vec<Presence>,
}

/// Why a member cannot join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// See [`HubConfig::max_topics`](super::HubConfig::max_topics).
    #[error("there are too many topics")]
    TooManyTopics,
    /// See [`HubConfig::max_present`](super::HubConfig::max_present).
    #[error("too many are present in this topic")]
    TooManyPresent,
    /// The presence key is longer than [`MAX_KEY`] bytes.
    #[error("a presence key has at most {MAX_KEY} bytes")]
    KeyTooLong,
    /// The name is longer than [`MAX_NAME`] characters.
    #[error("a name has at most {MAX_NAME} characters")]
    NameTooLong,
}

/// How many of those present a newcomer is told the names of.
pub const MAX_LISTED: usize = 200;
/// The longest presence key, in bytes.
pub const MAX_KEY: usize = 64;
/// The longest name in presence, in characters.
pub const MAX_NAME: usize = 64;

/// A part of a topic's history.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// Oldest first.
    pub messages: Vec<Arc<Published>>,
    /// The cursor for the next page.
    pub next: Position,
    /// Something between the cursor and `messages` has been lost.
    pub gap: bool,
}

/// What a hub holds just now, and what it has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Topics that exist.
    pub topics: usize,
    /// Endpoints that are attached.
    pub endpoints: usize,
    /// Bytes of history, with bookkeeping and rendered forms.
    pub history_bytes: u64,
    /// Publications taken since the start, other nodes' included.
    pub published: u64,
    /// Publications that left the history early because of
    /// [`HistoryConfig::max_bytes`](super::HistoryConfig::max_bytes).
    pub evicted: u64,
}
