//! What carries a session's messages to its client: a WebSocket, or the body of an answer over HTTP
//! that does not end; or nothing, where it is reached over links.

use std::time::Instant;

use madang_ws::{
    CloseCode, Closed, ClosedBy, Connection, Error, Event, Input, Kind, Limits, Misuse, Role,
    deflate::Agreement,
};

/// How a body is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// It ends with its connection: for HTTP/1.0, and where something else frames it.
    Bare,
    /// Chunks (RFC 9112 §7.1).
    Chunked,
}

/// What a newcomer comes with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CarrierKind {
    WebSocket(Option<Agreement>),
    Stream(Framing),
    /// The session has links, and no socket until one of them becomes its carrier.
    None,
}

/// The carrier of one client.
#[derive(Debug)]
pub(super) enum Carrier {
    WebSocket(Connection),
    Stream(Body),
    /// Only whether it is over.
    None(Body),
}

/// An answer's body. What its client says meanwhile is not read as anything.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// It is over, and somebody is to be told.
    Over(ClosedBy),
    Closed,
}

/// Bit of a form's low byte that says that it is of a stream.
const STREAM: u8 = 0x80;
/// The low byte of the forms of sessions without a carrier.
pub(super) const NONE: u8 = 0x40;

impl Framing {
    /// The carrier's part of a [`FormKey`](crate::hub::FormKey).
    fn bits(self) -> u8 {
        STREAM | u8::from(self == Self::Chunked)
    }

    /// The framing that a form asks for, if it is one of a stream.
    pub(super) fn of_bits(bits: u8) -> Option<Self> {
        let framing = if bits & 1 == 1 { Self::Chunked } else { Self::Bare };
        (bits & STREAM != 0).then_some(framing)
    }

    /// Appends a piece of a body that consists of `segments`. An empty one would end a chunked body,
    /// and is left out.
    pub(super) fn append(self, segments: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let length: usize = segments.iter().map(|segment| segment.as_ref().len()).sum();
        if length == 0 {
            return;
        }
        out.reserve(length + 20);
        if self == Self::Chunked {
            let first = (usize::BITS - length.leading_zeros()).div_ceil(4);
            let digits = (0..first).rev().map(|at| DIGITS[length >> (4 * at) & 0xf]);
            out.extend(digits);
            out.extend_from_slice(b"\r\n");
        }
        for segment in segments {
            out.extend_from_slice(segment.as_ref());
        }
        if self == Self::Chunked {
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl Carrier {
    pub(super) fn new(carrier: CarrierKind, limits: &Limits) -> Self {
        match carrier {
            CarrierKind::WebSocket(deflate) => {
                Self::WebSocket(Connection::new(Role::Server, limits, deflate))
            }
            CarrierKind::Stream(framing) => Self::Stream(Body { framing, state: State::Open }),
            CarrierKind::None => Self::None(Body { framing: Framing::Bare, state: State::Open }),
        }
    }

    /// The carrier's part of a [`FormKey`](crate::hub::FormKey).
    pub(super) fn form_bits(&self) -> u8 {
        match self {
            Self::WebSocket(ws) => ws.deflate().map_or(0, super::deliver::shared_window),
            Self::Stream(body) => body.framing.bits(),
            Self::None(_) => NONE,
        }
    }

    pub(super) fn is_websocket(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }

    /// See [`Connection::handle_input`].
    #[inline]
    pub(super) fn handle_input<'b>(
        &mut self,
        input: &mut Input<'b>,
        now: Instant,
    ) -> Option<Event<'b>> {
        match self {
            Self::WebSocket(ws) => ws.handle_input(input, now),
            Self::Stream(body) | Self::None(body) => {
                input.discard();
                body.poll_event()
            }
        }
    }

    pub(super) fn handle_eof(&mut self) {
        match self {
            Self::WebSocket(ws) => ws.handle_eof(),
            Self::Stream(body) | Self::None(body) => body.end(ClosedBy::Cut),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Self::WebSocket(ws) = self {
            ws.handle_timeout(now);
        }
    }

    #[inline]
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::WebSocket(ws) => ws.poll_timeout(),
            Self::Stream(_) | Self::None(_) => None,
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<Event<'static>> {
        match self {
            Self::WebSocket(ws) => ws.poll_event(),
            Self::Stream(body) | Self::None(body) => body.poll_event(),
        }
    }

    /// Appends a message, or a piece of a body.
    #[inline]
    pub(super) fn send(
        &mut self,
        kind: Kind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match self {
            Self::WebSocket(ws) => ws.send(kind, payload, out),
            Self::Stream(body) if body.state == State::Open => {
                body.framing.append(&[payload], out);
                Ok(())
            }
            Self::Stream(_) | Self::None(_) => Err(Misuse::Closing.into()),
        }
    }

    /// [`send`](Self::send), not compressed: it may come before others.
    pub(super) fn send_plain(
        &mut self,
        kind: Kind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match self {
            Self::WebSocket(ws) => ws.send_plain(kind, payload, out),
            Self::Stream(_) | Self::None(_) => self.send(kind, payload, out),
        }
    }

    pub(super) fn ping(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::WebSocket(ws) => ws.ping(b"", out),
            // Its session says something now and then.
            Self::Stream(_) | Self::None(_) => Ok(()),
        }
    }

    /// Begins the end. A body has no place for a code.
    pub(super) fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        now: Instant,
    ) -> Result<(), Error> {
        match self {
            Self::WebSocket(ws) => ws.close(code, reason, now),
            Self::Stream(body) | Self::None(body) => {
                body.end(ClosedBy::Us);
                Ok(())
            }
        }
    }

    /// See [`Connection::reword_close`].
    pub(super) fn reword_close(&mut self, code: CloseCode, reason: &str) {
        if let Self::WebSocket(ws) = self {
            ws.reword_close(code, reason);
        }
    }

    #[inline]
    pub(super) fn has_transmit(&self) -> bool {
        match self {
            Self::WebSocket(ws) => ws.has_transmit(),
            Self::Stream(_) | Self::None(_) => false,
        }
    }

    /// See [`Connection::poll_transmit`].
    pub(super) fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::WebSocket(ws) => ws.poll_transmit(out),
            Self::Stream(_) | Self::None(_) => false,
        }
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::WebSocket(ws) => ws.is_open(),
            Self::Stream(body) | Self::None(body) => body.state == State::Open,
        }
    }
}

impl Body {
    /// What ends a body in good order: the last chunk (RFC 9112 §7.1).
    const LAST: &[u8] = b"0\r\n\r\n";

    fn end(&mut self, by: ClosedBy) {
        if self.state == State::Open {
            self.state = State::Over(by);
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<Event<'static>> {
        let State::Over(by) = self.state else { return None };
        self.state = State::Closed;
        let code = if by == ClosedBy::Us { CloseCode::NORMAL } else { CloseCode::ABNORMAL };
        Some(Event::Closed(Closed { code, reason: String::new(), by }))
    }

    /// Appends what ends the body, unless it was cut.
    pub(super) fn finish(&self, out: &mut Vec<u8>) {
        if self.framing == Framing::Chunked {
            out.extend_from_slice(Self::LAST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_written_as_in_the_rfc() {
        for (length, head) in [(1, "1"), (15, "f"), (16, "10"), (255, "ff"), (4096, "1000")] {
            let mut out = Vec::new();
            let text = "x".repeat(length);
            Framing::Chunked.append(&[&text[..length / 2], &text[length / 2..]], &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{head}\r\n{text}\r\n"));
        }
        let mut out = Vec::new();
        Framing::Chunked.append(&[""], &mut out);
        Framing::Bare.append(&["a", "b"], &mut out);
        assert_eq!(out, b"ab");
    }

    #[test]
    fn a_form_tells_its_carrier() {
        for framing in [Framing::Bare, Framing::Chunked] {
            assert_eq!(Framing::of_bits(framing.bits()), Some(framing));
        }
        // Windows of compression are no streams.
        assert!((0..=15).all(|bits| Framing::of_bits(bits).is_none() && bits & NONE == 0));
        assert!(Framing::of_bits(NONE).is_none());
    }

    #[test]
    fn a_body_ends_once() {
        let mut carrier = Carrier::new(CarrierKind::Stream(Framing::Chunked), &Limits::default());
        let mut out = Vec::new();
        carrier.send(Kind::Text, b"hi", &mut out).unwrap();
        carrier.close(CloseCode::NORMAL, "", Instant::now()).unwrap();
        assert!(carrier.send(Kind::Text, b"late", &mut out).is_err());
        assert!(
            matches!(carrier.poll_event(), Some(Event::Closed(closed)) if closed.by == ClosedBy::Us)
        );
        assert!(carrier.poll_event().is_none());
        let Carrier::Stream(body) = &carrier else { unreachable!("it is one") };
        body.finish(&mut out);
        assert_eq!(out, b"2\r\nhi\r\n0\r\n\r\n");
    }
}
