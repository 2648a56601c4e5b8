//! The receiving half: bytes into frames, frames into messages (RFC 6455 §5.2–5.5).

use std::borrow::Cow;
use std::mem;

use crate::config::{Limits, Role};
use crate::deflate::{Agreement, State};
use crate::error::{Error, PeerMisbehaved};
use crate::frame::{Header, MAX_CONTROL_PAYLOAD, MAX_HEADER, OpCode};
use crate::mask::{self, Key};
use crate::message::{Assembly, Event, Kind, Payload};
use crate::send::forgets;
use crate::utf8;

/// Bytes from the peer, read from the front. Payloads are unmasked in place and borrowed from it.
#[derive(Debug)]
pub struct Input<'b> {
    bytes: &'b mut [u8],
    /// Not yet seen by a connection.
    fresh: bool,
}

impl<'b> Input<'b> {
    /// All of `bytes`, in the order in which they came.
    #[inline]
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, fresh: true }
    }

    /// Bytes that were not consumed yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Whether this is the first look at it.
    #[inline]
    pub(crate) fn take_fresh(&mut self) -> bool {
        mem::take(&mut self.fresh)
    }

    /// Drops what is left.
    pub fn discard(&mut self) {
        self.bytes = &mut [];
    }

    /// Takes the first `n` bytes, or all when there are fewer.
    #[inline]
    fn take(&mut self, n: usize) -> &'b mut [u8] {
        let bytes = mem::take(&mut self.bytes);
        let (front, rest) = bytes.split_at_mut(n.min(bytes.len()));
        self.bytes = rest;
        front
    }
}

/// What the receiving half found.
pub(crate) enum Received<'b> {
    /// A message, ping or pong.
    Event(Event<'b>),
    /// A close frame's payload.
    Close(Cow<'b, [u8]>),
}

/// A frame whose header is read and whose payload is not.
#[derive(Debug)]
struct Frame {
    /// Payload bytes to come.
    remaining: u64,
    /// The masking key, turned so that its first byte meets the next payload byte; zero if unmasked.
    key: Key,
    opcode: OpCode,
    fin: bool,
}

/// The front of a control frame's payload that was cut.
#[derive(Debug)]
struct Cut {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    len: u8,
}

/// The receiving half of a connection.
#[derive(Debug)]
pub(crate) struct Receiver {
    max_message: usize,
    max_fragments: u32,
    /// The front of a header that was cut.
    header: [u8; MAX_HEADER - 1],
    header_len: u8,
    /// Who sends what this half reads.
    sender: Role,
    /// After our close frame only the peer's close frame matters.
    skip: bool,
    /// The inflater's state: there while a message is inflated, and longer if it must remember.
    state: Option<Box<State>>,
    frame: Option<Frame>,
    message: Option<Box<Assembly>>,
    control: Option<Box<Cut>>,
}

impl Receiver {
    pub(crate) fn new(role: Role, limits: &Limits) -> Self {
        Self {
            max_message: limits.max_message,
            max_fragments: limits.max_fragments,
            header: [0; MAX_HEADER - 1],
            header_len: 0,
            sender: role.peer(),
            skip: false,
            state: None,
            frame: None,
            message: None,
            control: None,
        }
    }

    /// From here on data frames, pings and pongs are read and dropped.
    pub(crate) fn skip_to_close(&mut self) {
        self.skip = true;
        self.message = None;
        self.state = None;
    }

    /// Frees what is held; nothing more will be read.
    pub(crate) fn release(&mut self) {
        self.frame = None;
        self.message = None;
        self.control = None;
        self.state = None;
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.message.as_ref().map_or(0, |message| size_of::<Assembly>() + message.held())
            + self.control.as_ref().map_or(0, |_| size_of::<Cut>())
            + self.state.as_ref().map_or(0, |_| size_of::<State>())
    }

    /// Whether a message or a control frame has begun and is not complete.
    #[inline]
    pub(crate) fn is_mid_message(&self) -> bool {
        self.frame.is_some() || self.message.is_some()
    }

    /// The common case: a message of its own, not compressed, that lies in `input` whole, unmasked in
    /// place. Anything else is left to [`next`](Self::next).
    #[inline]
    pub(crate) fn whole_message<'b>(
        &mut self,
        input: &mut Input<'b>,
    ) -> Option<(Kind, &'b mut [u8])> {
        if self.header_len != 0 || self.frame.is_some() {
            return None;
        }
        let Ok(Some((header, n))) = Header::decode(input.bytes, self.sender) else { return None };
        let follows = input.bytes.len() - n;
        if !self.is_whole_message(&header, follows) {
            return None;
        }
        input.take(n);
        Some(take_whole(&header, input))
    }

    /// The next whole thing in `input`, or `None` when more bytes are needed.
    pub(crate) fn next<'b>(
        &mut self,
        input: &mut Input<'b>,
        deflate: Option<&Agreement>,
    ) -> Result<Option<Received<'b>>, Error> {
        loop {
            if self.frame.is_none() {
                let Some(header) = self.header(input)? else { return Ok(None) };
                if self.is_whole_message(&header, input.bytes.len()) {
                    let (kind, bytes) = take_whole(&header, input);
                    return borrow_message(kind, bytes).map(|m| Some(Received::Event(m)));
                }
                self.begin(&header, deflate.is_some())?;
            }
            if let Some(received) = self.payload(input, deflate)? {
                return Ok(Some(received));
            }
            if input.bytes.is_empty() {
                return Ok(None);
            }
        }
    }

    /// The next header; a cut one is kept.
    fn header(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, Error> {
        if self.header_len == 0
            && let Some((header, n)) = Header::decode(input.bytes, self.sender)?
        {
            input.take(n);
            return Ok(Some(header));
        }
        self.cut_header(input)
    }

    /// Joins what is kept of a header with what came now.
    fn cut_header(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, Error> {
        let kept = usize::from(self.header_len);
        let mut joined = [0; MAX_HEADER];
        let n = input.bytes.len().min(MAX_HEADER - kept);
        joined[..kept].copy_from_slice(&self.header[..kept]);
        joined[kept..kept + n].copy_from_slice(&input.bytes[..n]);
        if let Some((header, len)) = Header::decode(&joined[..kept + n], self.sender)? {
            self.header_len = 0;
            input.take(len - kept);
            return Ok(Some(header));
        }
        // A header that is not complete has at most 13 bytes, and all of the input belongs to it.
        input.take(n);
        self.header[kept..kept + n].copy_from_slice(&joined[kept..kept + n]);
        self.header_len = (kept + n) as u8;
        Ok(None)
    }

    /// Whether the frame is a message of its own, not compressed, that lies in the `follows` bytes
    /// behind the header.
    #[inline]
    fn is_whole_message(&self, header: &Header, follows: usize) -> bool {
        header.fin
            && !header.rsv1
            && matches!(header.opcode, OpCode::Text | OpCode::Binary)
            && header.len <= follows.min(self.max_message) as u64
            && self.message.is_none()
            && !self.skip
    }

    /// Judges a header by what came before it.
    fn begin(&mut self, header: &Header, deflate: bool) -> Result<(), Error> {
        // RFC 7692 §6: RSV1 is set on a message's first frame only, and never on a control frame.
        let first = matches!(header.opcode, OpCode::Text | OpCode::Binary);
        if header.rsv1 && !(deflate && first) {
            return Err(PeerMisbehaved::ReservedBits.into());
        }
        if !header.opcode.is_control() && !self.skip {
            self.begin_data(header)?;
        }
        let key = header.mask.unwrap_or_default();
        let Header { fin, opcode, len: remaining, .. } = *header;
        self.frame = Some(Frame { remaining, key, opcode, fin });
        Ok(())
    }

    /// Counts a data frame in, and checks the limits before memory is taken.
    fn begin_data(&mut self, header: &Header) -> Result<(), Error> {
        let kind = match header.opcode {
            OpCode::Text => Some(Kind::Text),
            OpCode::Binary => Some(Kind::Binary),
            _ => None,
        };
        // RFC 6455 §5.4: the fragments of one message must not be interleaved with another's.
        let message = match (kind, &mut self.message) {
            (Some(kind), None) => self.message.insert(Box::new(Assembly::new(kind, header.rsv1))),
            (None, Some(message)) => {
                message.fragments += 1;
                message
            }
            (Some(_), Some(_)) => return Err(PeerMisbehaved::ExpectedContinuation.into()),
            (None, None) => return Err(PeerMisbehaved::UnexpectedContinuation.into()),
        };
        if message.fragments > self.max_fragments {
            return Err(Error::TooManyFragments);
        }
        let room = self.max_message.saturating_sub(message.len());
        if !message.compressed && header.len > room as u64 {
            return Err(Error::TooBig);
        }
        Ok(())
    }

    /// Reads payload of the frame that was begun.
    fn payload<'b>(
        &mut self,
        input: &mut Input<'b>,
        deflate: Option<&Agreement>,
    ) -> Result<Option<Received<'b>>, Error> {
        let Some(frame) = &mut self.frame else { return Ok(None) };
        let piece = input.take(usize::try_from(frame.remaining).unwrap_or(usize::MAX));
        mask::apply(piece, frame.key);
        frame.key = mask::advance(frame.key, piece.len());
        frame.remaining -= piece.len() as u64;
        let (opcode, fin, more) = (frame.opcode, frame.fin, frame.remaining);
        if more == 0 {
            self.frame = None;
        }
        if opcode.is_control() {
            return Ok(self.control(opcode, piece, more == 0));
        }
        let last = fin && more == 0;
        match (&mut self.message, deflate) {
            // Skipped.
            (None, _) => return Ok(None),
            (Some(message), Some(agreement)) if message.compressed => {
                let role = self.sender.peer();
                let state = self.state.get_or_insert_with(|| Box::new(State::new(role, agreement)));
                message.inflate(piece, last, state, self.max_message)?;
                if last && forgets(self.sender, agreement) {
                    self.state = None;
                }
            }
            (Some(message), _) => message.push(piece, more)?,
        }
        match self.message.take_if(|_| last) {
            Some(message) => Ok(Some(Received::Event(message.finish()?))),
            None => Ok(None),
        }
    }

    /// A piece of a control frame's payload.
    // RFC 6455 §5.4: control frames "MAY be injected in the middle of a fragmented message".
    fn control<'b>(&mut self, opcode: OpCode, piece: &'b [u8], done: bool) -> Option<Received<'b>> {
        if !done || self.control.is_some() {
            let cut = self.control.get_or_insert_with(|| Box::new(Cut::empty()));
            cut.push(piece);
        }
        if !done {
            return None;
        }
        let payload = match self.control.take() {
            Some(cut) => Cow::Owned(cut.as_bytes().to_vec()),
            None => Cow::Borrowed(piece),
        };
        match opcode {
            OpCode::Close => Some(Received::Close(payload)),
            _ if self.skip => None,
            OpCode::Ping => Some(Received::Event(Event::Ping(Payload::Binary(payload)))),
            _ => Some(Received::Event(Event::Pong(Payload::Binary(payload)))),
        }
    }
}

impl Cut {
    fn empty() -> Self {
        Self { bytes: [0; MAX_CONTROL_PAYLOAD], len: 0 }
    }

    /// The header has promised no more than fits.
    fn push(&mut self, piece: &[u8]) {
        let len = usize::from(self.len);
        let n = piece.len().min(MAX_CONTROL_PAYLOAD - len);
        self.bytes[len..len + n].copy_from_slice(&piece[..n]);
        self.len += n as u8;
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Takes the payload of a message that lies in `input` whole: no copy, no allocation.
#[inline]
fn take_whole<'b>(header: &Header, input: &mut Input<'b>) -> (Kind, &'b mut [u8]) {
    let bytes = input.take(header.len as usize);
    if let Some(key) = header.mask {
        mask::apply(bytes, key);
    }
    (if header.opcode == OpCode::Text { Kind::Text } else { Kind::Binary }, bytes)
}

/// The message in `bytes`; text is checked.
#[inline]
pub(crate) fn borrow_message(kind: Kind, bytes: &mut [u8]) -> Result<Event<'_>, Error> {
    let payload = match kind {
        Kind::Text => Payload::Text(Cow::Borrowed(utf8::check(bytes)?)),
        Kind::Binary => Payload::Binary(Cow::Borrowed(bytes)),
    };
    Ok(Event::Message { kind, payload })
}
