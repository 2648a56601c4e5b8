//! Messages, and what the peer sent as the application sees it.

use std::borrow::Cow;
use std::mem;
use std::ops::Deref;

use crate::close::Closed;
use crate::deflate;
use crate::error::{Error, PeerMisbehaved};
use crate::frame::OpCode;
use crate::utf8::{self, Carry};

/// The kind of a message (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl Kind {
    /// The opcode of the first frame of such a message.
    #[inline]
    pub const fn opcode(self) -> OpCode {
        match self {
            Self::Text => OpCode::Text,
            Self::Binary => OpCode::Binary,
        }
    }
}

/// What came from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A whole message.
    Message {
        /// Text or binary.
        kind: Kind,
        /// Its bytes; checked UTF-8 when it is text.
        payload: Payload<'b>,
    },
    /// A ping. Its pong is already queued.
    Ping(Payload<'b>),
    /// A pong.
    Pong(Payload<'b>),
    /// The end: the last event of a connection, given exactly once.
    Closed(Closed),
}

/// The bytes of a message: borrowed from the input where a frame lay there whole, else owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'b> {
    /// Checked UTF-8.
    Text(Cow<'b, str>),
    /// Any bytes.
    Binary(Cow<'b, [u8]>),
}

impl Payload<'_> {
    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text of a text message, without checking it again; `None` for anything else.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The bytes, copied if they were borrowed.
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_owned().into_bytes(),
            Self::Binary(bytes) => bytes.into_owned(),
        }
    }

    /// The same without a borrow, copied if need be.
    pub fn into_owned(self) -> Payload<'static> {
        match self {
            Self::Text(text) => Payload::Text(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Payload::Binary(Cow::Owned(bytes.into_owned())),
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Event<'_> {
    /// The same without a borrow, copied if need be.
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::Message { kind, payload } => {
                Event::Message { kind, payload: payload.into_owned() }
            }
            Self::Ping(payload) => Event::Ping(payload.into_owned()),
            Self::Pong(payload) => Event::Pong(payload.into_owned()),
            Self::Closed(closed) => Event::Closed(closed),
        }
    }
}

/// So many bytes of an unfinished message stay compressed.
const HOLD: usize = 64 * 1024;

/// A message of which a part has arrived (RFC 6455 §5.4).
#[derive(Debug)]
pub(crate) struct Assembly {
    body: Body,
    /// Frames begun, the first one included.
    pub(crate) fragments: u32,
    /// RSV1 was set on the first frame (RFC 7692 §6).
    pub(crate) compressed: bool,
    /// What came of a compressed message and is not inflated yet: at first it costs no more than the
    /// peer has sent.
    deflated: Vec<u8>,
}

#[derive(Debug)]
enum Body {
    /// Text, and the character that it ends in so far, if that is not whole.
    Text(String, Carry),
    Binary(Vec<u8>),
    /// What a text was inflated to. The inflater wants to see what it wrote, so that it cannot be a
    /// `String`.
    InflatedText(Vec<u8>),
}

impl Assembly {
    pub(crate) fn new(kind: Kind, compressed: bool) -> Self {
        let body = match kind {
            Kind::Text if compressed => Body::InflatedText(Vec::new()),
            Kind::Text => Body::Text(String::new(), Carry::default()),
            Kind::Binary => Body::Binary(Vec::new()),
        };
        Self { body, fragments: 1, compressed, deflated: Vec::new() }
    }

    /// Bytes that have arrived, inflated.
    pub(crate) fn len(&self) -> usize {
        match &self.body {
            Body::Text(text, carry) => text.len() + carry.len(),
            Body::Binary(bytes) | Body::InflatedText(bytes) => bytes.len(),
        }
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        match &self.body {
            Body::Text(text, _) => text.capacity(),
            Body::Binary(bytes) | Body::InflatedText(bytes) => {
                bytes.capacity() + self.deflated.capacity()
            }
        }
    }

    /// Appends `piece`, after which `more` bytes of this frame are to come. Memory for them is
    /// taken at most in the amount that has arrived: what a header promises is not believed.
    pub(crate) fn push(&mut self, piece: &[u8], more: u64) -> Result<(), PeerMisbehaved> {
        let arrived = self.len() + piece.len();
        let room = piece.len() + usize::try_from(more).map_or(arrived, |more| more.min(arrived));
        match &mut self.body {
            Body::Text(text, carry) => {
                if text.capacity() - text.len() < piece.len() + carry.len() {
                    text.reserve_exact(room + carry.len());
                }
                carry.push(piece, text)
            }
            Body::Binary(bytes) | Body::InflatedText(bytes) => {
                if bytes.capacity() - bytes.len() < piece.len() {
                    bytes.reserve_exact(room);
                }
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Takes a piece of a compressed message, and inflates what is held once that is worth it, up to
    /// `limit` bytes in all.
    pub(crate) fn inflate(
        &mut self,
        piece: &[u8],
        last: bool,
        state: &mut deflate::State,
        limit: usize,
    ) -> Result<(), Error> {
        if !last && self.deflated.len() + piece.len() <= HOLD {
            self.deflated.extend_from_slice(piece);
            return Ok(());
        }
        let all = if self.deflated.is_empty() {
            Cow::Borrowed(piece)
        } else {
            self.deflated.extend_from_slice(piece);
            Cow::Owned(mem::take(&mut self.deflated))
        };
        let bytes = match &mut self.body {
            Body::Binary(bytes) | Body::InflatedText(bytes) => bytes,
            Body::Text(..) => return Err(PeerMisbehaved::BadDeflate.into()),
        };
        state.decompress(&all, last, limit, bytes).map_err(|error| match error {
            deflate::Error::TooBig => Error::TooBig,
            deflate::Error::Corrupt => PeerMisbehaved::BadDeflate.into(),
        })
    }

    /// The whole message.
    pub(crate) fn finish(self) -> Result<Event<'static>, PeerMisbehaved> {
        let text = match self.body {
            Body::Text(text, carry) => {
                carry.finish()?;
                text
            }
            // The inflater has left room; the copy has none.
            Body::InflatedText(bytes) => utf8::check(&bytes)?.to_owned(),
            Body::Binary(bytes) => {
                let payload = Payload::Binary(Cow::Owned(bytes));
                return Ok(Event::Message { kind: Kind::Binary, payload });
            }
        };
        Ok(Event::Message { kind: Kind::Text, payload: Payload::Text(Cow::Owned(text)) })
    }
}
