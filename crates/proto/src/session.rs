//! The one contract between a protocol and whatever drives it.
//!
//! A [`Session`] is handed an [`Input`] and the time, and leaves [`Intent`]s in an [`Out`]. It owns
//! no socket and no timer; the driver performs the intents in order and, where one can fail or
//! yields a value, answers its [`Token`] with [`Input::Done`].
//!
//! # Carriers and links
//!
//! A session's *carrier* takes what it sends, and what its topics bring it, in the forms that all
//! members share. A WebSocket or a streaming body is one from [`Input::Opened`] on, and when it is
//! gone, so is the session.
//!
//! A session that a [`Reception`](crate::Reception) began with an HTTP request has no carrier. It is
//! reached over *links*: a request that waits for its answer, a body that streams, a WebSocket that
//! came later. Each has a number, a [`Link`]; links come and go, the session stays until it says
//! [`Intent::Close`]. What its topics bring is handed to it one by one ([`Input::Delivery`]), for it
//! to say on whichever link it likes. With [`Intent::Switch`] it makes a WebSocket its carrier, which
//! is how a client that began with polling is in the end one like any other:
//!
//! ```text
//! Opened   Request(1)   Respond(1)                       the handshake
//! Request(2)                                             a poll, which waits
//! Attached(3)   Said(3, "2probe")   SendOn(3, "3probe")  a WebSocket asks to take over
//! Respond(2)                                             the poll ends
//! Said(3, "5")   Switch(3)                               from here on Text and Send, as everybody
//! ```

use std::{ops::Range, sync::Arc, time::Instant};

use bytes::Bytes;
use http::Response;

use crate::{Body, Cursor, Position, Presence, Publication, Request, Topic, publication::Exact};

/// A protocol's state for one client.
pub trait Session: Send {
    /// Takes one input and leaves intents in `out`.
    fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut Out);

    /// When [`Input::Timeout`] is due; asked after each call of [`Session::handle`].
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// What happens to a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The carrier is ready. Always first, and once.
    Opened,
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// An intent was carried out, or refused.
    Done(Token, Result<Outcome, Refusal>),
    /// What the topic held after the subscription's cursor has been handed to the client; what
    /// follows is new.
    CaughtUp(Token, Arrival),
    /// A publication of a topic that was joined with [`Form::EACH`], or any while the session has no
    /// carrier.
    Delivery(&'a Publication),
    /// The body of a request is on its way, which [`Input::Request`] will bring on this link. It is not
    /// said of one that is there at once.
    Announced(Link),
    /// A request that is to be answered, at once or later, with [`Intent::Respond`] or
    /// [`Intent::Stream`].
    Request(Link, &'a Request),
    /// A WebSocket has come to the session.
    Attached(Link),
    /// A message on a WebSocket that is not the carrier.
    Said(Link, Kind, &'a [u8]),
    /// A link has gone: its client hung up, or it was closed with [`Intent::CloseLink`]. It is not
    /// said of a request that was answered, nor of what became the carrier.
    Gone(Link, Farewell),
    /// The instant of [`Session::poll_timeout`] has come.
    Timeout,
    /// It has come, but the client has said something that is not read yet, and whatever the session
    /// waits for may be in that. What it is to do itself, as to ask whether the client is there, it does
    /// now; [`Input::Timeout`] follows, unless it wishes for a later time meanwhile.
    Unread,
    /// The carrier is gone; nothing can be sent any more. Always last, and once.
    Closed(Farewell),
}

/// Names one of the ways on which a session without a carrier is reached; no two of a session have
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link(pub u32);

/// How a carrier or a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// The peer said goodbye, or we did.
    Clean,
    /// The connection was cut.
    Cut,
}

/// Names an intent, so that its [`Input::Done`] can be told from others. The session chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u32);

/// What an intent yielded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A subscription is in force. What the topic held after the cursor follows, then what is new.
    Joined {
        /// Where the topic stood.
        at: Position,
        /// The cursor that what follows continues from: who resumes there gets all of it again.
        after: Position,
        /// Something between the cursor and what is held has been lost.
        gap: bool,
    },
    /// A publication was taken.
    Published(Position),
}

/// How a topic looked when a subscription came into force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrival {
    /// Where the topic stood.
    pub at: Position,
    /// How many were present, the newcomer included.
    pub count: usize,
    /// Who they were, for those who asked to be told of presence.
    pub present: Vec<Presence>,
}

/// Why an intent was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A sentence for the client.
    pub reason: String,
}

/// The two kinds of message that a WebSocket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

/// How a subscriber wants publications rendered; its meaning belongs to the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Form(pub u8);

impl Form {
    /// Nothing is rendered: each publication is handed to the session as [`Input::Delivery`]. For
    /// sessions whose messages are not the same for all; it costs each of them what the others share.
    pub const EACH: Self = Self(u8::MAX);
}

/// What a session wants done, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Intent {
    /// Send a message: bytes `range` of [`Out::bytes`].
    Send {
        /// Text or binary.
        kind: Kind,
        /// Where in [`Out::bytes`] it lies.
        range: Range<usize>,
    },
    /// Send a message that is not to wait behind others for a client that reads slowly, as a heartbeat
    /// is: it goes before what waits, behind others that did so. To whoever keeps up it comes in its
    /// turn. It is not compressed.
    SendAhead {
        /// Text or binary.
        kind: Kind,
        /// Where in [`Out::bytes`] it lies.
        range: Range<usize>,
    },
    /// Join a topic.
    Subscribe(Box<Subscribe>),
    /// Leave a topic.
    Unsubscribe(Topic),
    /// Publish to a topic.
    Publish(Box<Publish>),
    /// Answer a request.
    Respond {
        /// Which.
        link: Link,
        /// The whole answer.
        response: Box<Response<Bytes>>,
    },
    /// Answer a request with a body that goes on: what is sent on the link is appended to it.
    Stream {
        /// Which.
        link: Link,
        /// The answer's head.
        response: Box<Response<()>>,
    },
    /// Send on a link that is a WebSocket, or append to its body: bytes `range` of [`Out::bytes`].
    SendOn {
        /// Where.
        link: Link,
        /// Text or binary; to a body it is the same.
        kind: Kind,
        /// Where in [`Out::bytes`] it lies.
        range: Range<usize>,
    },
    /// Close a link: a WebSocket with this code and reason, a body by its end.
    CloseLink {
        /// Which.
        link: Link,
        /// A WebSocket close code.
        code: u16,
        /// At most 123 bytes of UTF-8 are sent.
        reason: String,
    },
    /// This link, a WebSocket, is the session's carrier from now on. What was sent on it before comes
    /// before. If it is gone already, the session hears [`Input::Closed`] after what the link said.
    Switch(Link),
    /// Close the carrier with this code and reason; a session without one ends, and its links with it.
    Close {
        /// A WebSocket close code.
        code: u16,
        /// At most 123 bytes of UTF-8 are sent.
        reason: String,
    },
    /// Read no more from this carrier until [`Intent::Resume`].
    Pause,
    /// Read again.
    Resume,
}

/// The wish to receive a topic.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// Answered with [`Outcome::Joined`].
    pub token: Token,
    /// Which topic.
    pub topic: Topic,
    /// From where.
    pub from: Cursor,
    /// How publications are rendered.
    pub form: Form,
    /// Tell of joins and leaves too.
    pub watch: bool,
    /// Be counted as present, under this name and key.
    pub present: Option<Present>,
}

/// How a session shows in a topic's presence.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// The name that others see.
    pub user: Option<Arc<str>>,
    /// A client's own key: a session that returns with it within the grace replaces the one that
    /// was cut, and nobody is told of a leave and a join.
    pub key: Option<Arc<str>>,
}

/// The wish to publish.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Answered with [`Outcome::Published`]; `None` where the session does not care.
    pub token: Option<Token>,
    /// Which topic.
    pub topic: Topic,
    /// The event's name; `None` is `message`.
    pub event: Option<Arc<str>>,
    /// The payload.
    pub body: Body,
    /// Who publishes.
    pub publisher: Option<Arc<str>>,
    /// What doors of the same kind get in place of the payload.
    pub exact: Option<Arc<Exact>>,
    /// Not for this session itself.
    pub not_me: bool,
    /// Nor for members of these topics.
    pub not_in: Box<[Topic]>,
}

impl Publish {
    /// A payload for a topic, and nothing else.
    pub fn new(topic: Topic, body: Body) -> Self {
        Self {
            token: None,
            topic,
            event: None,
            body,
            publisher: None,
            exact: None,
            not_me: false,
            not_in: Box::default(),
        }
    }
}

/// Where a session leaves what it wants done. The driver owns one and clears it after each call.
#[derive(Debug, Default)]
pub struct Out {
    /// The intents, in order.
    pub intents: Vec<Intent>,
    /// The bytes that [`Intent::Send`] points into.
    pub bytes: Vec<u8>,
}

impl Out {
    /// Sends a text message.
    pub fn text(&mut self, text: &str) {
        self.send(Kind::Text, text.as_bytes());
    }

    /// Sends a binary message.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.send(Kind::Binary, bytes);
    }

    /// Sends a message of either kind; the bytes of [`Kind::Text`] must be UTF-8.
    #[inline]
    pub fn send(&mut self, kind: Kind, bytes: &[u8]) {
        self.send_with(kind, |all| all.extend_from_slice(bytes));
    }

    /// Sends a message of either kind that `write` appends to the buffer it is given, and changes
    /// nothing else there.
    #[inline]
    pub fn send_with(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.intents.push(Intent::Send { kind, range: start..self.bytes.len() });
    }

    /// Sends a message before others that wait, see [`Intent::SendAhead`].
    pub fn send_ahead(&mut self, kind: Kind, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.intents.push(Intent::SendAhead { kind, range: start..self.bytes.len() });
    }

    /// Sends a message on a link, or appends it to the link's body.
    pub fn send_on(&mut self, link: Link, kind: Kind, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.intents.push(Intent::SendOn { link, kind, range: start..self.bytes.len() });
    }

    /// Answers a request.
    pub fn respond(&mut self, link: Link, response: Response<Bytes>) {
        self.intents.push(Intent::Respond { link, response: Box::new(response) });
    }

    /// Begins an answer that goes on.
    pub fn stream(&mut self, link: Link, response: Response<()>) {
        self.intents.push(Intent::Stream { link, response: Box::new(response) });
    }

    /// Closes a link.
    pub fn close_link(&mut self, link: Link, code: u16, reason: impl Into<String>) {
        self.intents.push(Intent::CloseLink { link, code, reason: reason.into() });
    }

    /// Joins a topic.
    pub fn subscribe(&mut self, wish: Subscribe) {
        self.intents.push(Intent::Subscribe(Box::new(wish)));
    }

    /// Publishes to a topic.
    pub fn publish(&mut self, wish: Publish) {
        self.intents.push(Intent::Publish(Box::new(wish)));
    }

    /// Closes the carrier.
    pub fn close(&mut self, code: u16, reason: impl Into<String>) {
        self.intents.push(Intent::Close { code, reason: reason.into() });
    }

    /// Forgets everything, and gives back memory that one large message took.
    #[inline]
    pub fn clear(&mut self) {
        const KEEP: usize = 256 * 1024;
        self.intents.clear();
        self.bytes.clear();
        if self.bytes.capacity() > KEEP {
            self.bytes.shrink_to(KEEP);
        }
    }
}
