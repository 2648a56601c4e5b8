//! Several packets in the body of a poll's answer, or of a POST.

use std::str::from_utf8;

use super::packet::{Data, Packet, PacketError, Revision};

/// Ends a packet within a payload of revision 4.
const SEPARATOR: u8 = 0x1e;
/// Ends a length within a binary payload.
const LENGTH_END: u8 = 0xff;
/// No length that fits a body has more digits.
const MAX_DIGITS: usize = 10;

/// How packets are joined to a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Revision 4: `4a␞4b`. The content type is text.
    V4,
    /// Revision 3, as text: `2:4a2:4b`.
    V3Text,
    /// Revision 3, as bytes. The content type is `application/octet-stream`.
    V3Binary,
}

impl Format {
    /// The format for an answer: bytes only for a client that takes them (one of revision 3 that did
    /// not say `b64=1`), and only if there are some to carry.
    pub fn choose<'p>(
        revision: Revision,
        takes_binary: bool,
        packets: impl IntoIterator<Item = &'p Packet<'p>>,
    ) -> Self {
        let is_binary = |packet: &Packet| matches!(packet.data, Data::Binary(_));
        match revision {
            Revision::V4 => Self::V4,
            Revision::V3 if takes_binary && packets.into_iter().any(is_binary) => Self::V3Binary,
            Revision::V3 => Self::V3Text,
        }
    }

    /// How many bytes `packet` takes in a payload, without the separator that revision 4 puts
    /// between two.
    pub fn size(self, packet: &Packet) -> usize {
        let length = self.packet_len(packet);
        match self {
            Self::V4 => length,
            Self::V3Text => digits(units(packet)).count() + 1 + length,
            Self::V3Binary => 1 + digits(length).count() + 1 + length,
        }
    }

    /// The packet's length in bytes, without anything in front.
    fn packet_len(self, packet: &Packet) -> usize {
        match self {
            Self::V4 => packet.text_len(Revision::V4),
            Self::V3Text => packet.text_len(Revision::V3),
            Self::V3Binary => packet.encoded_len(Revision::V3),
        }
    }
}

/// A payload that is being written.
#[derive(Debug, Clone)]
pub struct Payload {
    format: Format,
    bytes: Vec<u8>,
    packets: usize,
}

impl Payload {
    /// One without packets.
    pub fn new(format: Format) -> Self {
        Self { format, bytes: Vec::new(), packets: 0 }
    }

    /// How many packets it has.
    pub fn packets(&self) -> usize {
        self.packets
    }

    /// How many bytes it would have with `packet`.
    pub fn len_with(&self, packet: &Packet) -> usize {
        let separator = usize::from(self.format == Format::V4 && self.packets > 0);
        self.bytes.len() + separator + self.format.size(packet)
    }

    /// Appends a packet. In revision 4, text has no U+001E, as in JSON, where it is escaped; the
    /// protocol has no other way to send it by polling.
    pub fn push(&mut self, packet: &Packet) {
        let out = &mut self.bytes;
        match self.format {
            Format::V4 => {
                if self.packets > 0 {
                    out.push(SEPARATOR);
                }
                packet.encode_text(Revision::V4, out);
            }
            Format::V3Text => {
                out.extend(digits(units(packet)).map(|digit| b'0' + digit));
                out.push(b':');
                packet.encode_text(Revision::V3, out);
            }
            Format::V3Binary => {
                out.push(u8::from(matches!(packet.data, Data::Binary(_))));
                out.extend(digits(packet.encoded_len(Revision::V3)));
                out.push(LENGTH_END);
                packet.encode(Revision::V3, out);
            }
        }
        self.packets += 1;
    }

    /// The body. Without packets it is no legal one, in any format; send a noop.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The length of a packet as text, in UTF-16 units.
fn units(packet: &Packet) -> usize {
    match &packet.data {
        Data::Text(text) => {
            // A unit for each character, and one more for those beyond the basic plane (four bytes).
            let starts = text.bytes().filter(|byte| byte & 0xc0 != 0x80).count();
            1 + starts + text.bytes().filter(|byte| *byte >= 0xf0).count()
        }
        Data::Binary(_) => packet.text_len(Revision::V3),
    }
}

/// The decimal digits of a number, the highest first, as values.
fn digits(number: usize) -> impl Iterator<Item = u8> {
    let places = number.checked_ilog10().unwrap_or(0);
    (0..=places).rev().map(move |place| (number / 10usize.pow(place) % 10) as u8)
}

/// Why a body is no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// One of its packets is none.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// There are more packets than are taken at once.
    #[error("more than {0} packets in one body; send them in several")]
    TooMany(usize),
    /// A length is no number, or has no end.
    #[error("a packet's length is no number of at most {MAX_DIGITS} digits")]
    Length,
    /// A packet's length points behind the end of the body.
    #[error("the body ends within a packet; lengths of text count UTF-16 units, of bytes bytes")]
    Cut,
    /// A packet's length ends within a character.
    #[error("a packet ends within a character; its length counts UTF-16 units")]
    SplitCharacter,
    /// A binary body says that a packet is neither text nor binary.
    #[error("a packet in a binary body begins with {0:#04x}; it is 0 for text and 1 for bytes")]
    Marker(u8),
    /// A text packet of a binary body is no UTF-8.
    #[error("a text packet in a binary body is not UTF-8")]
    NotUtf8,
}

/// The packets of a body, in order. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: Rest<'a>,
    taken: usize,
    limit: usize,
}

#[derive(Debug, Clone)]
enum Rest<'a> {
    V4(&'a str),
    V3Text(&'a str),
    V3Binary(&'a [u8]),
    Nothing,
}

impl<'a> Packets<'a> {
    /// Those of a text body, at most `limit` of them.
    pub fn of_text(revision: Revision, body: &'a str, limit: usize) -> Self {
        let rest = match revision {
            Revision::V4 => Rest::V4(body),
            Revision::V3 => Rest::V3Text(body),
        };
        Self { rest, taken: 0, limit }
    }

    /// Those of a binary body, which only revision 3 has, at most `limit` of them.
    pub fn of_binary(body: &'a [u8], limit: usize) -> Self {
        Self { rest: Rest::V3Binary(body), taken: 0, limit }
    }

    /// The next packet, and what follows it in `self.rest`.
    fn read(&mut self) -> Option<Result<Packet<'a>, PayloadError>> {
        match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::V4(body) => Some(self.read_v4(body)),
            Rest::V3Text(body) => self.read_v3_text(body).transpose(),
            Rest::V3Binary([]) | Rest::Nothing => None,
            Rest::V3Binary(body) => Some(self.read_v3_binary(body)),
        }
    }

    fn count(&mut self) -> Result<(), PayloadError> {
        if self.taken == self.limit {
            return Err(PayloadError::TooMany(self.limit));
        }
        self.taken += 1;
        Ok(())
    }

    fn read_v4(&mut self, body: &'a str) -> Result<Packet<'a>, PayloadError> {
        self.count()?;
        let (packet, rest) = match body.split_once(char::from(SEPARATOR)) {
            Some((packet, rest)) => (packet, Rest::V4(rest)),
            None => (body, Rest::Nothing),
        };
        let packet = Packet::from_text(Revision::V4, packet)?;
        self.rest = rest;
        Ok(packet)
    }

    fn read_v3_text(&mut self, mut body: &'a str) -> Result<Option<Packet<'a>>, PayloadError> {
        if body.is_empty() && self.taken == 0 {
            return Err(PacketError::Empty.into());
        }
        while !body.is_empty() {
            // What is empty counts, too, so that `0:0:0:…` ends as any other body does.
            self.count()?;
            let (length, rest) = length_of_text(body)?;
            let (packet, rest) = split_units(rest, length)?;
            if !packet.is_empty() {
                let packet = Packet::from_text(Revision::V3, packet)?;
                self.rest = Rest::V3Text(rest);
                return Ok(Some(packet));
            }
            body = rest;
        }
        Ok(None)
    }

    fn read_v3_binary(&mut self, body: &'a [u8]) -> Result<Packet<'a>, PayloadError> {
        self.count()?;
        let (marker, rest) = body.split_first().ok_or(PayloadError::Cut)?;
        let is_text = match marker {
            0 => true,
            1 => false,
            other => return Err(PayloadError::Marker(*other)),
        };
        let head = &rest[..rest.len().min(MAX_DIGITS + 1)];
        let end = memchr::memchr(LENGTH_END, head).ok_or(PayloadError::Length)?;
        let length = number(&rest[..end], 0)?;
        let (packet, rest) = rest[end + 1..].split_at_checked(length).ok_or(PayloadError::Cut)?;
        let packet = if is_text {
            let text = from_utf8(packet).map_err(|_| PayloadError::NotUtf8)?;
            Packet::from_text(Revision::V3, text)?
        } else {
            Packet::from_binary(Revision::V3, packet)?
        };
        self.rest = Rest::V3Binary(rest);
        Ok(packet)
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, PayloadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read()
    }
}

/// `12:…` becomes 12 and what follows the colon.
fn length_of_text(body: &str) -> Result<(usize, &str), PayloadError> {
    let head = &body.as_bytes()[..body.len().min(MAX_DIGITS + 1)];
    let colon = memchr::memchr(b':', head).ok_or(PayloadError::Length)?;
    Ok((number(&head[..colon], b'0')?, &body[colon + 1..]))
}

/// Decimal digits, the digit 0 written as the byte `zero`.
fn number(digits: &[u8], zero: u8) -> Result<usize, PayloadError> {
    if digits.is_empty() {
        return Err(PayloadError::Length);
    }
    let mut number = 0usize;
    for digit in digits {
        let value = digit.wrapping_sub(zero);
        if value > 9 {
            return Err(PayloadError::Length);
        }
        let shifted = number.checked_mul(10).and_then(|n| n.checked_add(usize::from(value)));
        number = shifted.ok_or(PayloadError::Length)?;
    }
    Ok(number)
}

/// Splits `text` after `units` UTF-16 units.
fn split_units(text: &str, units: usize) -> Result<(&str, &str), PayloadError> {
    // The usual text is ASCII, where a unit is a byte.
    if text.as_bytes().get(..units).is_some_and(<[u8]>::is_ascii) {
        return Ok(text.split_at(units));
    }
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Ok(text.split_at(at));
        }
        left = left.checked_sub(character.len_utf16()).ok_or(PayloadError::SplitCharacter)?;
    }
    if left == 0 { Ok((text, "")) } else { Err(PayloadError::Cut) }
}
