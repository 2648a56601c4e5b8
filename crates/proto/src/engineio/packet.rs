//! One packet, and its form as a message of a WebSocket.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::STANDARD as BASE64,
    },
};

/// Some clients leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The revision of the protocol, `EIO=` in a client's query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Revision {
    /// `EIO=3`: clients of Socket.IO 1 and 2.
    V3,
    /// `EIO=4`: clients of Socket.IO 3 and 4.
    V4,
}

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has seven types; both revisions agree")]
pub enum Kind {
    /// The server's first packet: the session and its settings, in JSON.
    Open,
    /// The other side wants to end the session.
    Close,
    /// Are you there? With the data `probe`: does this transport work?
    Ping,
    /// The answer to a ping, with the same data.
    Pong,
    /// What the layer above says.
    Message,
    /// The client moves to the transport on which this comes.
    Upgrade,
    /// Nothing; lets a poll go.
    Noop,
}

impl Kind {
    /// The number of the type, 0 to 6.
    pub fn number(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Close => 1,
            Self::Ping => 2,
            Self::Pong => 3,
            Self::Message => 4,
            Self::Upgrade => 5,
            Self::Noop => 6,
        }
    }

    /// The type of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Open,
            1 => Self::Close,
            2 => Self::Ping,
            3 => Self::Pong,
            4 => Self::Message,
            5 => Self::Upgrade,
            6 => Self::Noop,
            _ => return None,
        })
    }

    fn digit(self) -> u8 {
        b'0' + self.number()
    }

    fn from_digit(digit: u8) -> Option<Self> {
        Self::from_number(digit.wrapping_sub(b'0'))
    }
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a frame is text or binary, and so is a packet")]
pub enum Data<'a> {
    /// Text, perhaps empty.
    Text(&'a str),
    /// Bytes; owned where they came as base64.
    Binary(Cow<'a, [u8]>),
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever sends one")]
pub struct Packet<'a> {
    /// What it is for. In revision 4, bytes are always a message.
    pub kind: Kind,
    /// What it carries.
    pub data: Data<'a>,
}

/// Which kind of WebSocket message a packet has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a message is text or binary")]
pub enum Frame {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
}

/// Why bytes are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// There is no type.
    #[error("an Engine.IO packet begins with its type, and this one is empty")]
    Empty,
    /// The type is none of the seven, with its character or byte.
    #[error("{0:?} is no type of an Engine.IO packet; send one of 0 to 6")]
    UnknownKind(char),
    /// What follows a `b` is no base64.
    #[error("bytes of an Engine.IO packet are not base64; encode them in the standard alphabet")]
    Base64,
}

impl<'a> Packet<'a> {
    /// A packet without data.
    pub fn bare(kind: Kind) -> Self {
        Self::text(kind, "")
    }

    /// A packet with text.
    pub fn text(kind: Kind, text: &'a str) -> Self {
        Self { kind, data: Data::Text(text) }
    }

    /// A message of bytes.
    pub fn binary(bytes: &'a [u8]) -> Self {
        Self { kind: Kind::Message, data: Data::Binary(Cow::Borrowed(bytes)) }
    }

    /// Reads a packet from text: a WebSocket's text message, or its part of a payload.
    pub fn from_text(revision: Revision, text: &'a str) -> Result<Self, PacketError> {
        let Some(first) = text.chars().next() else { return Err(PacketError::Empty) };
        let rest = &text[first.len_utf8()..];
        if first == 'b' {
            return Self::from_base64(revision, rest);
        }
        let kind = u8::try_from(first).ok().and_then(Kind::from_digit);
        let kind = kind.ok_or(PacketError::UnknownKind(first))?;
        Ok(Self::text(kind, rest))
    }

    /// Reads a packet from bytes: a WebSocket's binary message, or its part of a payload.
    pub fn from_binary(revision: Revision, bytes: &'a [u8]) -> Result<Self, PacketError> {
        let (kind, bytes) = match revision {
            Revision::V4 => (Kind::Message, bytes),
            Revision::V3 => {
                let (number, rest) = bytes.split_first().ok_or(PacketError::Empty)?;
                let kind = Kind::from_number(*number);
                (kind.ok_or(PacketError::UnknownKind(char::from(*number)))?, rest)
            }
        };
        Ok(Self { kind, data: Data::Binary(Cow::Borrowed(bytes)) })
    }

    /// After the `b`.
    fn from_base64(revision: Revision, text: &str) -> Result<Self, PacketError> {
        let (kind, text) = match revision {
            Revision::V4 => (Kind::Message, text),
            Revision::V3 => {
                let first = text.chars().next().ok_or(PacketError::Empty)?;
                let kind = u8::try_from(first).ok().and_then(Kind::from_digit);
                (kind.ok_or(PacketError::UnknownKind(first))?, &text[first.len_utf8()..])
            }
        };
        let bytes = LENIENT.decode(text).map_err(|_| PacketError::Base64)?;
        Ok(Self { kind, data: Data::Binary(Cow::Owned(bytes)) })
    }

    /// Appends the packet as a message of a WebSocket, and says of which kind that message is.
    pub fn encode(&self, revision: Revision, out: &mut Vec<u8>) -> Frame {
        match &self.data {
            Data::Text(_) => {
                self.encode_text(revision, out);
                Frame::Text
            }
            Data::Binary(bytes) => {
                if revision == Revision::V3 {
                    out.push(self.kind.number());
                }
                out.extend_from_slice(bytes);
                Frame::Binary
            }
        }
    }

    /// Appends the packet as text, bytes in base64: for payloads, and for a client that said `b64=1`.
    pub fn encode_text(&self, revision: Revision, out: &mut Vec<u8>) {
        match &self.data {
            Data::Text(text) => {
                out.push(self.kind.digit());
                out.extend_from_slice(text.as_bytes());
            }
            Data::Binary(bytes) => {
                out.push(b'b');
                if revision == Revision::V3 {
                    out.push(self.kind.digit());
                }
                let start = out.len();
                out.resize(start + base64_len(bytes.len()), 0);
                // The room is made to measure.
                let written = BASE64.encode_slice(bytes.as_ref(), &mut out[start..]);
                out.truncate(start + written.unwrap_or(0));
            }
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self, revision: Revision) -> usize {
        match &self.data {
            Data::Text(text) => 1 + text.len(),
            Data::Binary(bytes) => bytes.len() + usize::from(revision == Revision::V3),
        }
    }

    /// How many bytes [`encode_text`](Self::encode_text) appends.
    pub fn text_len(&self, revision: Revision) -> usize {
        match &self.data {
            Data::Text(text) => 1 + text.len(),
            Data::Binary(bytes) => {
                1 + usize::from(revision == Revision::V3) + base64_len(bytes.len())
            }
        }
    }
}

/// The length of `bytes` bytes in base64, with padding.
fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}
