//! One packet: its head, and what of its JSON is asked for.

use std::{borrow::Cow, fmt::Write as _};

use super::{
    args::{Args, Elements},
    json::{JsonError, Token, inside, single},
};
use crate::engineio;

/// Names that mean something to the programs on either side, so that no peer may send them.
pub(super) const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The main namespace, which packets do not name.
pub const MAIN: &str = "/";

/// The version of the protocol, which goes with the revision of Engine.IO below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// Clients of Socket.IO 1 and 2. A query may stand behind the namespace; type 4 is ERROR.
    V4,
    /// Clients of Socket.IO 3 and 4. CONNECT has a payload; type 4 is `CONNECT_ERROR`.
    V5,
}

impl From<engineio::Revision> for Version {
    fn from(revision: engineio::Revision) -> Self {
        match revision {
            engineio::Revision::V3 => Self::V4,
            engineio::Revision::V4 => Self::V5,
        }
    }
}

/// How much of a packet is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain numbers, set by whoever reads packets")]
pub struct Limits {
    /// Binary attachments of one packet.
    pub attachments: usize,
    /// Arrays and objects in one another, the packet's own array included; at most
    /// [`MAX_DEPTH`](super::MAX_DEPTH).
    pub depth: usize,
    /// Bytes of a namespace's name.
    pub namespace: usize,
    /// Bytes of the query behind it ([`Version::V4`]).
    pub query: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attachments: 10, depth: 64, namespace: 256, query: 8 * 1024 }
    }
}

/// A packet. Payloads and arguments are JSON texts that have been read once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these five, two of them with bytes")]
pub enum Packet<'a> {
    /// Joins a namespace, or says that it has been joined.
    Connect(Connect<'a>),
    /// Leaves a namespace.
    Disconnect {
        /// Which one.
        namespace: &'a str,
    },
    /// An event (EVENT, `BINARY_EVENT`).
    Event(Event<'a>),
    /// The answer to an event with an id (ACK, `BINARY_ACK`).
    Ack(Ack<'a>),
    /// A namespace is refused (ERROR in version 4).
    ConnectError {
        /// Which one.
        namespace: &'a str,
        /// Why: an object or, in version 4, any value.
        payload: &'a str,
    },
}

/// A CONNECT packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever sends one")]
pub struct Connect<'a> {
    /// The namespace, without a query.
    pub namespace: &'a str,
    /// What stood behind it after a `?`, in version 4. See [`query_as_json`].
    pub query: Option<&'a str>,
    /// A JSON object.
    pub payload: Option<&'a str>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever sends one")]
pub struct Event<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// Whoever sends one wants an acknowledgement with it.
    pub id: Option<u64>,
    /// The event's name. One that is a number is its text.
    pub name: Cow<'a, str>,
    /// What follows the name.
    pub args: Args<'a>,
    /// How many binary messages belong to it, for which there are placeholders in `args`.
    pub attachments: usize,
}

/// An acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever sends one")]
pub struct Ack<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The id of the event that it answers.
    pub id: u64,
    /// The answer.
    pub args: Args<'a>,
    /// How many binary messages belong to it, for which there are placeholders in `args`.
    pub attachments: usize,
}

/// Why a text is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// There is nothing.
    #[error("a Socket.IO packet begins with its type, and this one is empty")]
    Empty,
    /// The type is none of the seven.
    #[error("{0:?} is no type of a Socket.IO packet; send one of 0 to 6")]
    UnknownKind(char),
    /// A binary packet does not say how many attachments it has.
    #[error("a binary packet says how many attachments it has: digits, then `-`")]
    Attachments,
    /// It has more than are taken.
    #[error("more than {0} attachments in a packet; send them in several")]
    TooManyAttachments(usize),
    /// The namespace has a name that is too long.
    #[error("the namespace's name has more than {0} bytes")]
    LongNamespace(usize),
    /// The namespace, or the query behind it, has characters that no name has. They would separate
    /// packets or lines elsewhere.
    #[error("the namespace has control characters in it; percent-encode them")]
    ControlInNamespace,
    /// The query behind it is too long.
    #[error("the query behind the namespace has more than {0} bytes")]
    LongQuery(usize),
    /// The id does not fit 64 bits.
    #[error("the packet's id is greater than 2^64 - 1; count from 0")]
    LargeId,
    /// An acknowledgement without id.
    #[error("an acknowledgement has the id of the event that it answers")]
    NoId,
    /// An id where none belongs.
    #[error("only events and acknowledgements have an id")]
    UnexpectedId,
    /// The payload is not what the type asks for.
    #[error("the payload is to be {0}")]
    Payload(&'static str),
    /// The payload is no JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The event's name is no text, because half a surrogate pair is in it.
    #[error("the event's name is no Unicode text")]
    Name,
    /// The event's name is reserved.
    #[error("{0:?} is a reserved name; call the event something else")]
    Reserved(&'static str),
}

impl<'a> Packet<'a> {
    /// Reads a packet from the text of an Engine.IO message.
    pub fn decode(version: Version, text: &'a str, limits: &Limits) -> Result<Self, PacketError> {
        let head = Head::read(version, text, limits)?;
        let Head { namespace, id, attachments, .. } = head;
        match head.kind {
            b'0' => head.connect(limits),
            b'1' if id.is_some() => Err(PacketError::UnexpectedId),
            b'1' if head.json.is_empty() => Ok(Self::Disconnect { namespace }),
            b'1' => Err(PacketError::Payload("absent: DISCONNECT has none")),
            b'2' | b'5' => head.event(limits),
            b'4' => head.connect_error(version, limits),
            // ACK and BINARY_ACK.
            _ => {
                let id = id.ok_or(PacketError::NoId)?;
                let elements = Elements::read(head.json, limits.depth)?;
                let elements = elements.ok_or(PacketError::Payload("an array"))?;
                Ok(Self::Ack(Ack { namespace, id, args: elements.all, attachments }))
            }
        }
    }

    /// The namespace.
    pub fn namespace(&self) -> &'a str {
        match self {
            Self::Connect(connect) => connect.namespace,
            Self::Event(event) => event.namespace,
            Self::Ack(ack) => ack.namespace,
            Self::Disconnect { namespace } | Self::ConnectError { namespace, .. } => namespace,
        }
    }

    /// How many binary messages belong to the packet.
    pub fn attachments(&self) -> usize {
        match self {
            Self::Event(event) => event.attachments,
            Self::Ack(ack) => ack.attachments,
            _ => 0,
        }
    }

    /// The arguments of an event or an acknowledgement.
    pub fn args(&self) -> Args<'a> {
        match self {
            Self::Event(event) => event.args,
            Self::Ack(ack) => ack.args,
            _ => Args::default(),
        }
    }

    /// Appends the packet as the text of an Engine.IO message; its attachments are messages of their
    /// own behind it. A namespace begins with `/` and has no comma; payloads are JSON.
    pub fn encode(&self, out: &mut String) {
        match self {
            Self::Connect(Connect { namespace, query, payload }) => {
                out.push('0');
                if *namespace != MAIN || query.is_some() {
                    out.push_str(namespace);
                    for part in query.iter().flat_map(|query| ["?", *query]) {
                        out.push_str(part);
                    }
                    out.push(',');
                }
                out.push_str(payload.unwrap_or_default());
            }
            Self::Disconnect { namespace } => encode_head(out, '1', 0, namespace, None),
            Self::Event(event) => {
                let kind = if event.attachments == 0 { '2' } else { '5' };
                encode_head(out, kind, event.attachments, event.namespace, event.id);
                out.push('[');
                push_string(out, &event.name);
                if !event.args.is_empty() {
                    out.push(',');
                    out.push_str(event.args.as_str());
                }
                out.push(']');
            }
            Self::Ack(ack) => {
                let kind = if ack.attachments == 0 { '3' } else { '6' };
                encode_head(out, kind, ack.attachments, ack.namespace, Some(ack.id));
                out.push('[');
                out.push_str(ack.args.as_str());
                out.push(']');
            }
            Self::ConnectError { namespace, payload } => {
                encode_head(out, '4', 0, namespace, None);
                out.push_str(payload);
            }
        }
    }
}

/// What stands before the JSON.
struct Head<'a> {
    kind: u8,
    attachments: usize,
    namespace: &'a str,
    query: Option<&'a str>,
    id: Option<u64>,
    json: &'a str,
}

impl<'a> Head<'a> {
    /// `<type>[<attachments>-][<namespace>,][<id>]<json>`
    fn read(version: Version, text: &'a str, limits: &Limits) -> Result<Self, PacketError> {
        let first = text.chars().next().ok_or(PacketError::Empty)?;
        if !('0'..='6').contains(&first) {
            return Err(PacketError::UnknownKind(first));
        }
        let mut rest = &text[1..];
        let mut attachments = 0;
        if matches!(first, '5' | '6') {
            let (count, after) = split_digits(rest);
            rest = after.strip_prefix('-').ok_or(PacketError::Attachments)?;
            if count.is_empty() {
                return Err(PacketError::Attachments);
            }
            // What does not fit a number is over any limit.
            attachments = count.parse().unwrap_or(usize::MAX);
            if attachments > limits.attachments {
                return Err(PacketError::TooManyAttachments(limits.attachments));
            }
        }
        let (mut namespace, mut query) = (MAIN, None);
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
            if namespace.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(PacketError::ControlInNamespace);
            }
            if version == Version::V4
                && let Some((name, behind)) = namespace.split_once('?')
            {
                (namespace, query) = (name, Some(behind));
            }
        }
        if namespace.len() > limits.namespace {
            return Err(PacketError::LongNamespace(limits.namespace));
        }
        if query.is_some_and(|query| query.len() > limits.query) {
            return Err(PacketError::LongQuery(limits.query));
        }
        let (id, json) = split_digits(rest);
        let id = match id {
            "" => None,
            id => Some(id.parse().map_err(|_| PacketError::LargeId)?),
        };
        Ok(Self { kind: first as u8, attachments, namespace, query, id, json })
    }

    fn connect(self, limits: &Limits) -> Result<Packet<'a>, PacketError> {
        if self.id.is_some() {
            return Err(PacketError::UnexpectedId);
        }
        let payload = Some(self.json).filter(|json| !json.is_empty());
        if let Some(json) = payload
            && single(json, limits.depth)? != Token::Object
        {
            return Err(PacketError::Payload("an object, or absent"));
        }
        let Self { namespace, query, .. } = self;
        Ok(Packet::Connect(Connect { namespace, query, payload }))
    }

    fn connect_error(self, version: Version, limits: &Limits) -> Result<Packet<'a>, PacketError> {
        if self.id.is_some() {
            return Err(PacketError::UnexpectedId);
        }
        let is_object = single(self.json, limits.depth)? == Token::Object;
        if version == Version::V5 && !is_object {
            return Err(PacketError::Payload("an object"));
        }
        Ok(Packet::ConnectError { namespace: self.namespace, payload: self.json })
    }

    fn event(self, limits: &Limits) -> Result<Packet<'a>, PacketError> {
        const DUE: PacketError = PacketError::Payload("an array that begins with the event's name");
        let elements = Elements::read(self.json, limits.depth)?.ok_or(DUE)?;
        let name = match elements.first {
            Some((Token::String, quoted)) => {
                let name = unquote(quoted)?;
                if let Some(reserved) = RESERVED.into_iter().find(|reserved| *reserved == name) {
                    return Err(PacketError::Reserved(reserved));
                }
                name
            }
            Some((Token::Number, number)) => Cow::Borrowed(number),
            _ => return Err(DUE),
        };
        let Self { namespace, id, attachments, .. } = self;
        Ok(Packet::Event(Event { namespace, id, name, args: elements.rest, attachments }))
    }
}

/// The query behind a namespace as a JSON object, in place of a payload. Of a name that comes twice
/// the last value stands.
pub fn query_as_json(query: &str) -> String {
    let fields: serde_json::Map<_, _> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    serde_json::Value::Object(fields).to_string()
}

/// The ASCII digits at the beginning, and the rest.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(end)
}

/// A JSON string's text; borrowed if nothing in it is escaped.
fn unquote(quoted: &str) -> Result<Cow<'_, str>, PacketError> {
    let inner = inside(quoted);
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| PacketError::Name)
}

fn encode_head(out: &mut String, kind: char, attachments: usize, namespace: &str, id: Option<u64>) {
    out.push(kind);
    // A String takes all that is written to it.
    if attachments > 0 {
        let _ = write!(out, "{attachments}-");
    }
    if namespace != MAIN {
        out.push_str(namespace);
        out.push(',');
    }
    if let Some(id) = id {
        let _ = write!(out, "{id}");
    }
}

pub(super) fn push_string(out: &mut String, text: &str) {
    // A text always has a JSON form.
    out.push_str(&serde_json::to_string(text).unwrap_or_else(|_| "\"\"".into()));
}
