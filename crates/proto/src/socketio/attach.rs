//! Bytes in events: they travel as binary messages behind the packet, in whose JSON a placeholder
//! stands for each.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    json::{JsonError, MAX_DEPTH, Reader, Token, says},
    packet::{Limits, Packet, PacketError, Version},
};

/// A placeholder in a JSON text: `{"_placeholder":true,"num":0}`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placeholder {
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The number of the attachment that belongs there, from 0.
    pub number: usize,
}

/// Why placeholders are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceholderError {
    /// The text in which they stand is no JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Something else stands beside `_placeholder` and `num`.
    #[error("a placeholder is {{\"_placeholder\":true,\"num\":N}} and nothing else")]
    Shape,
    /// `num` is no number of an attachment.
    #[error("a placeholder's num is to be a whole number below {0}, the number of attachments")]
    Number(usize),
    /// Two placeholders have the same `num`.
    #[error("two placeholders stand for attachment {0}; send it twice")]
    Repeated(usize),
    /// Attachments have no placeholder.
    #[error("{missing} attachments have no placeholder")]
    Unplaced {
        /// How many.
        missing: usize,
    },
}

/// Why a message of the transport is refused where packets with attachments are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// The text is no packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// Its placeholders are wrong.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
    /// Text came where an attachment is due.
    #[error("a text message in the middle of a binary packet; send its {0} attachments first")]
    TextBeforeAttachments(usize),
    /// Bytes came that no packet announced.
    #[error("a binary message that no packet announced; send the packet first")]
    Unannounced,
    /// A packet and its attachments are too large.
    #[error("a packet and its attachments have more than {0} bytes")]
    TooLarge(usize),
}

/// Puts packets and their attachments together, in the order of arrival.
#[derive(Debug)]
pub struct Assembler {
    version: Version,
    limits: Limits,
    /// Bytes of a packet and its attachments.
    max_bytes: usize,
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    head: Box<str>,
    due: usize,
    bytes: usize,
    attachments: SmallVec<[Bytes; 2]>,
}

/// A packet whose attachments have all come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    version: Version,
    limits: Limits,
    head: Box<str>,
    attachments: SmallVec<[Bytes; 2]>,
}

impl Assembled {
    /// The packet. It has been read before, so the error does not come up.
    pub fn packet(&self) -> Result<Packet<'_>, PacketError> {
        Packet::decode(self.version, &self.head, &self.limits)
    }

    /// What belongs to its placeholders, by their numbers.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}

impl Assembler {
    /// `max_bytes` bounds what a packet and its attachments have together.
    pub fn new(version: Version, limits: Limits, max_bytes: usize) -> Self {
        Self { version, limits, max_bytes, waiting: None }
    }

    /// Whether attachments are due.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// A text message has come. Returns the packet if it is whole; one with attachments is checked,
    /// and kept until they are here.
    pub fn text<'a>(&mut self, text: &'a str) -> Result<Option<Packet<'a>>, AssembleError> {
        if let Some(waiting) = &self.waiting {
            let missing = waiting.due - waiting.attachments.len();
            return Err(AssembleError::TextBeforeAttachments(missing));
        }
        if text.len() > self.max_bytes {
            return Err(AssembleError::TooLarge(self.max_bytes));
        }
        let packet = Packet::decode(self.version, text, &self.limits)?;
        let due = packet.attachments();
        let is_binary = text.starts_with(['5', '6']);
        if is_binary {
            let placed = placeholders(packet.args().as_str(), due)?.len();
            if placed < due {
                return Err(PlaceholderError::Unplaced { missing: due - placed }.into());
            }
        }
        if due == 0 {
            return Ok(Some(packet));
        }
        let attachments = SmallVec::with_capacity(due);
        let waiting = Waiting { head: text.into(), due, bytes: text.len(), attachments };
        self.waiting = Some(Box::new(waiting));
        Ok(None)
    }

    /// A binary message has come. Returns the packet if this was its last attachment.
    pub fn binary(&mut self, bytes: Bytes) -> Result<Option<Assembled>, AssembleError> {
        let mut waiting = self.waiting.take().ok_or(AssembleError::Unannounced)?;
        waiting.bytes = waiting.bytes.saturating_add(bytes.len());
        if waiting.bytes > self.max_bytes {
            return Err(AssembleError::TooLarge(self.max_bytes));
        }
        waiting.attachments.push(bytes);
        if waiting.attachments.len() < waiting.due {
            self.waiting = Some(waiting);
            return Ok(None);
        }
        let Waiting { head, attachments, .. } = *waiting;
        Ok(Some(Assembled { version: self.version, limits: self.limits, head, attachments }))
    }
}

/// An array or an object that is open, as far as it could be a placeholder.
#[derive(Debug, Default)]
struct Open {
    start: usize,
    members: usize,
    is_placeholder: bool,
    number: Option<usize>,
}

/// The placeholders in `json`, in the order in which they stand. It is one JSON text or several with
/// commas between, such as [`Args::as_str`](super::Args::as_str). Each number is below `attachments`,
/// and none comes twice.
pub fn placeholders(json: &str, attachments: usize) -> Result<Vec<Placeholder>, PlaceholderError> {
    let mut reader = Reader::new(json, MAX_DEPTH);
    let mut found: Vec<Placeholder> = Vec::new();
    let mut open: SmallVec<[Open; 16]> = SmallVec::new();
    let mut seen = vec![false; attachments];
    let mut key = "";
    while let Some((token, range)) = reader.next()? {
        match token {
            Token::Array | Token::Object => {
                open.push(Open { start: range.start, ..Open::default() });
                key = "";
            }
            Token::End => {
                let closed = open.pop().unwrap_or_default();
                if closed.is_placeholder {
                    let (start, end) = (closed.start, range.end);
                    let number = closed.is_whole(attachments)?;
                    if std::mem::replace(&mut seen[number], true) {
                        return Err(PlaceholderError::Repeated(number));
                    }
                    found.push(Placeholder { start, end, number });
                }
                key = "";
            }
            Token::Key => {
                key = &json[range];
                if let Some(object) = open.last_mut() {
                    object.members += 1;
                }
            }
            Token::String | Token::Number | Token::True | Token::Other => {
                if let Some(object) = open.last_mut()
                    && !key.is_empty()
                {
                    object.member(key, token, &json[range]);
                }
                key = "";
            }
        }
    }
    Ok(found)
}

impl Open {
    fn member(&mut self, key: &str, token: Token, value: &str) {
        match token {
            Token::True => self.is_placeholder |= says(key, "_placeholder"),
            // As JavaScript writes whole numbers; `parse` alone would take no sign either.
            Token::Number if says(key, "num") => self.number = value.parse().ok(),
            _ => {}
        }
    }

    /// The number of a placeholder that is closed.
    fn is_whole(&self, attachments: usize) -> Result<usize, PlaceholderError> {
        if self.members != 2 {
            return Err(PlaceholderError::Shape);
        }
        let number = self.number.filter(|number| *number < attachments);
        number.ok_or(PlaceholderError::Number(attachments))
    }
}

/// `json` with a string of base64 in place of each placeholder, for those who cannot have bytes within
/// JSON. It is one JSON text or several with commas between, and so is what is returned.
pub fn inline_binary(json: &str, attachments: &[Bytes]) -> Result<String, PlaceholderError> {
    let found = placeholders(json, attachments.len())?;
    let bytes: usize = attachments.iter().map(|bytes| bytes.len().div_ceil(3) * 4).sum();
    let mut out = String::with_capacity(json.len() + bytes);
    let mut done = 0;
    for Placeholder { start, end, number } in found {
        out.push_str(&json[done..start]);
        out.push('"');
        BASE64.encode_string(&attachments[number], &mut out);
        out.push('"');
        done = end;
    }
    out.push_str(&json[done..]);
    Ok(out)
}

/// The number of the attachment that an argument as a whole stands for.
pub fn as_placeholder(argument: &str, attachments: usize) -> Option<usize> {
    match placeholders(argument, attachments).ok()?.as_slice() {
        [one]
            if argument[..one.start].trim().is_empty() && argument[one.end..].trim().is_empty() =>
        {
            Some(one.number)
        }
        _ => None,
    }
}
