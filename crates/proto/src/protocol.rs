//! What a line in [`PROTOCOLS`](crate::PROTOCOLS) points at.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{Form, Kind, PresenceChange, Publication, Reception, Session, session::Refusal};

/// A protocol: where it is mounted, how a session begins, how a publication looks.
#[derive(Debug)]
pub struct Protocol {
    /// Its name in logs, metrics and presence.
    pub name: &'static str,
    /// What carries it to its clients.
    pub carrier: Carrier,
    /// The WebSocket subprotocols that belong to it.
    pub subprotocols: &'static [&'static str],
    /// The paths at which it is found.
    pub mounts: &'static [Mount],
    /// Begins a session, or says why not.
    pub open: fn(&Opening<'_>) -> Result<Box<dyn Session>, Refusal>,
    /// Renders a publication for all subscribers of one form.
    pub render: fn(Form, &Publication) -> Rendered,
    /// Renders a change of presence.
    pub render_presence: fn(Form, &PresenceChange) -> Rendered,
}

/// What carries a protocol's messages.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Carrier {
    /// A WebSocket, both ways.
    WebSocket,
    /// The body of an answer to GET that does not end, of this media type. What the session sends is
    /// appended to it as it is; the client says nothing.
    Stream(&'static str),
    /// Whatever a [`Reception`] sorts to its sessions: requests of plain HTTP, and WebSockets. Its
    /// mounts are the paths below which it is asked; [`Protocol::open`] is not called.
    Links(fn() -> Arc<dyn Reception>),
}

/// A path that a protocol answers at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mount {
    /// The path, such as `/ws`. With [`Mount::segment`] one more segment follows.
    pub path: &'static str,
    /// The path is followed by one percent-encoded segment, the topic's name.
    pub segment: bool,
    /// What follows the segment, such as `/sse`; may be empty.
    pub tail: &'static str,
    /// What it is for, in the server's greeting and help.
    pub about: &'static str,
}

/// What is known when a client asks to come in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// The last segment of the path, percent-decoded, where the mount has one.
    pub segment: Option<&'a str>,
    /// The query string, without the question mark.
    pub query: &'a str,
    /// The header `Last-Event-ID`: where the client was cut (HTML, §9.2.4).
    pub last_event_id: Option<&'a str>,
}

impl<'a> Opening<'a> {
    /// The pairs of the query, percent-decoded (`+` is a space), in their order.
    pub fn query_pairs(
        &self,
    ) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)> {
        form_urlencoded::parse(self.query.as_bytes())
    }
}

/// A publication in its wire form, without the carrier's framing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Text or binary message.
    pub kind: Kind,
    /// The payload in pieces; a body that is carried as it is, is shared and not copied.
    pub segments: SmallVec<[Bytes; 2]>,
    /// Binary messages that follow it and belong to it.
    pub attachments: Vec<Bytes>,
}

impl Rendered {
    /// A message of one piece.
    pub fn new(kind: Kind, bytes: Bytes) -> Self {
        let mut segments = SmallVec::new();
        segments.push(bytes);
        Self { kind, segments, attachments: Vec::new() }
    }

    /// The length of the payload in bytes, without what follows it.
    pub fn len(&self) -> usize {
        self.segments.iter().map(Bytes::len).sum()
    }

    /// True when the payload has no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
