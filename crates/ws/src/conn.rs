//! `Connection`: both halves, the close handshake, and what happens by itself (RFC 6455 §5.5, §7).

use std::mem;
use std::time::{Duration, Instant};

use crate::close::{self, CloseCode, ClosePayload, Closed, ClosedBy};
use crate::config::{Limits, Role};
use crate::deflate;
use crate::error::{Error, Misuse};
use crate::frame::{MAX_CONTROL_PAYLOAD, OpCode};
use crate::message::{Event, Kind, Payload};
use crate::recv::{Input, Received, Receiver, borrow_message};
use crate::send::Sender;

/// One side of a WebSocket connection after its handshake: bytes in, events out, and back.
///
/// It has no socket and no clock. A driver feeds it what it read ([`handle_input`]), takes the
/// events, lets it append what is to be written to a buffer of the driver's own ([`send`],
/// [`poll_transmit`]), and wakes it at the time that it names ([`poll_timeout`]).
///
/// The value is small and holds no heap memory while no message is half-way.
///
/// [`handle_input`]: Self::handle_input
/// [`send`]: Self::send
/// [`poll_transmit`]: Self::poll_transmit
/// [`poll_timeout`]: Self::poll_timeout
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    state: State,
    /// When the message that is half-way, or the peer's close frame, must be complete.
    deadline: Option<Instant>,
    message_timeout: Millis,
    close_timeout: Millis,
    control: ControlRate,
    pending: Option<Box<Pending>>,
}

/// Where the close handshake is (RFC 6455 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Our close frame went first; only the peer's is awaited.
    Closing,
    /// Both close frames have passed, or the connection failed or was cut: input is discarded.
    Closed,
}

/// A time span in milliseconds; `u32::MAX` is no limit.
#[derive(Clone, Copy, Debug)]
struct Millis(u32);

impl Millis {
    fn new(span: Duration) -> Self {
        Self(u32::try_from(span.as_millis()).unwrap_or(u32::MAX))
    }

    fn after(self, now: Instant) -> Option<Instant> {
        match self.0 {
            u32::MAX => None,
            millis => now.checked_add(Duration::from_millis(u64::from(millis))),
        }
    }
}

/// Counts control frames in windows of one second.
#[derive(Debug)]
struct ControlRate {
    window: Option<Instant>,
    count: u32,
    /// 0 is no limit.
    max: u32,
}

impl ControlRate {
    fn count(&mut self, now: Instant) -> Result<(), Error> {
        if self.max == 0 {
            return Ok(());
        }
        match self.window {
            Some(start) if now.saturating_duration_since(start) < Duration::from_secs(1) => {
                self.count += 1;
            }
            _ => (self.window, self.count) = (Some(now), 1),
        }
        if self.count > self.max { Err(Error::TooManyControlFrames) } else { Ok(()) }
    }
}

/// What waits to leave; a connection seldom has any.
#[derive(Debug, Default)]
struct Pending {
    /// Pong frames.
    pongs: Vec<u8>,
    /// The pongs were there before the input that is being read.
    stale: bool,
    /// Our close frame.
    close: Vec<u8>,
    /// It says that we failed the connection.
    failed: bool,
    /// The last event.
    closed: Option<Closed>,
}

impl Connection {
    /// A connection whose handshake is done, with the extension that it agreed on.
    pub fn new(role: Role, limits: &Limits, deflate: Option<deflate::Agreement>) -> Self {
        Self {
            receiver: Receiver::new(role, limits),
            sender: Sender::new(role, deflate),
            state: State::Open,
            deadline: None,
            message_timeout: Millis::new(limits.message_timeout),
            close_timeout: Millis::new(limits.close_timeout),
            control: ControlRate { window: None, count: 0, max: limits.max_control_per_second },
            pending: None,
        }
    }

    /// The side that this is.
    pub fn role(&self) -> Role {
        self.sender.role()
    }

    /// The next event in `input`; call it until `None`, when all of `input` is consumed.
    ///
    /// A message whose frame lies in `input` whole is unmasked in place and borrowed from it. After
    /// the connection is closed, input is discarded.
    #[inline]
    pub fn handle_input<'b>(&mut self, input: &mut Input<'b>, now: Instant) -> Option<Event<'b>> {
        if input.take_fresh() {
            self.begin_turn();
        }
        if self.state == State::Open
            && let Some((kind, bytes)) = self.receiver.whole_message(input)
        {
            match borrow_message(kind, bytes) {
                Ok(event) => return Some(event),
                Err(error) => self.fail(error),
            }
        }
        self.handle_rest(input, now)
    }

    /// The byte stream has ended: nothing more comes from the peer. Makes
    /// [`poll_event`](Self::poll_event) worth calling.
    pub fn handle_eof(&mut self) {
        // RFC 6455 §7.1.5: without a close frame the code "is considered to be 1006".
        self.finish(CloseCode::ABNORMAL, String::new(), ClosedBy::Cut);
    }

    /// Time has passed. Fails the connection when the time that [`poll_timeout`](Self::poll_timeout)
    /// named is over; makes [`poll_event`](Self::poll_event) and
    /// [`poll_transmit`](Self::poll_transmit) worth calling.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.state {
            State::Open => self.fail(Error::TooSlow),
            State::Closing => self.finish(CloseCode::ABNORMAL, String::new(), ClosedBy::Cut),
            State::Closed => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. May change with every other call.
    #[must_use]
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// An event that no input bore: worth calling after [`handle_eof`](Self::handle_eof) and
    /// [`handle_timeout`](Self::handle_timeout), until `None`.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        let closed = self.pending.as_mut()?.closed.take()?;
        self.tidy();
        Some(Event::Closed(closed))
    }

    /// Appends a message to `out` as one frame, masked for a client, compressed when agreed and
    /// worth it. The text of a [`Kind::Text`] message must be UTF-8; it is not checked.
    ///
    /// # Errors
    /// [`Misuse::Closing`] after a close frame was sent or the connection ended.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        // RFC 6455 §5.5.1: no data frames after a Close frame.
        if self.state != State::Open {
            return Err(Misuse::Closing.into());
        }
        self.sender.message(kind, payload, out)
    }

    /// Appends a message to `out` as one frame that is not compressed, whatever was agreed, so that it
    /// may be put in front of messages that were appended before and have not left (RFC 7692 §7.2:
    /// only compressed messages are read in the light of those before them).
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_plain(
        &mut self,
        kind: Kind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if self.state != State::Open {
            return Err(Misuse::Closing.into());
        }
        self.sender.frame(kind.opcode(), payload, out)
    }

    /// Appends a ping to `out`.
    ///
    /// # Errors
    /// [`Misuse::Closing`] as for [`send`](Self::send); [`Misuse::LongControl`] when `payload` has
    /// more than 125 bytes.
    pub fn ping(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        if self.state != State::Open {
            return Err(Misuse::Closing.into());
        }
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(Misuse::LongControl.into());
        }
        self.sender.frame(OpCode::Ping, payload, out)
    }

    /// Begins the close handshake: queues a close frame for [`poll_transmit`](Self::poll_transmit),
    /// with as much of `reason` as fits into 123 bytes. [`CloseCode::NO_STATUS`] with an empty reason
    /// sends a close frame without a code. From now on messages of the peer are dropped, and it has
    /// [`Limits::close_timeout`] to answer. Does nothing when the connection is closing already.
    ///
    /// # Errors
    /// [`Misuse::ReservedCloseCode`] for a code that may not be sent.
    pub fn close(&mut self, code: CloseCode, reason: &str, now: Instant) -> Result<(), Error> {
        let payload = ClosePayload::new(code, reason)?;
        if self.state == State::Open {
            self.queue_close(&payload)?;
            self.receiver.skip_to_close();
            self.sender.release();
            self.state = State::Closing;
            self.deadline = self.close_timeout.after(now);
        }
        Ok(())
    }

    /// Appends what leaves by itself (pongs, the close frame) to `out`; whether there was any.
    ///
    /// To be called at the end of a turn, and not while the socket is blocked: pongs that wait since
    /// an earlier [`Input`] collapse to the newest.
    #[must_use]
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(pending) = &mut self.pending else { return false };
        let before = out.len();
        out.append(&mut mem::take(&mut pending.pongs));
        out.append(&mut mem::take(&mut pending.close));
        pending.failed = false;
        self.tidy();
        out.len() > before
    }

    /// Says why the connection failed in other words: replaces the reason of the close frame that a
    /// failure has queued, with as much of `reason` as fits into 123 bytes. To be called with the
    /// [`Event::Closed`] of a [`ClosedBy::Failure`](crate::ClosedBy::Failure), before
    /// [`poll_transmit`](Self::poll_transmit); without such a frame it does nothing.
    pub fn reword_close(&mut self, code: CloseCode, reason: &str) {
        let Some(pending) = self.pending.as_deref_mut().filter(|p| p.failed) else {
            return;
        };
        if self.state == State::Closed
            && let Ok(payload) = ClosePayload::new(code, reason)
        {
            pending.close.clear();
            // Without random bytes a client cannot mask, so it leaves without a word.
            let _ = self.sender.frame(OpCode::Close, payload.as_bytes(), &mut pending.close);
        }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) may have something: it need not be asked
    /// otherwise.
    #[inline]
    pub fn has_transmit(&self) -> bool {
        self.pending.is_some()
    }

    /// Neither side has begun to close.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether messages may still be sent.
    #[inline]
    pub fn can_send(&self) -> bool {
        self.state == State::Open
    }

    /// The close handshake is done, or the connection failed or was cut: once
    /// [`poll_transmit`](Self::poll_transmit) is written, the byte stream is to be closed.
    // RFC 6455 §7.1.1: the server closes TCP first, so that TIME_WAIT stays on its side.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Compression as it was agreed on.
    pub fn deflate(&self) -> Option<&deflate::Agreement> {
        self.sender.deflate()
    }

    /// To be called when a compressed message that another made, such as a frame shared by many
    /// members, is put on this connection: it enters the peer's window, but not ours.
    pub fn restart_compressor(&mut self) {
        self.sender.restart_compressor();
    }
}

impl Connection {
    /// What is not a whole message in the open state.
    fn handle_rest<'b>(&mut self, input: &mut Input<'b>, now: Instant) -> Option<Event<'b>> {
        loop {
            if self.state == State::Closed {
                input.discard();
                return self.poll_event();
            }
            let received = match self.receiver.next(input, self.sender.deflate()) {
                Ok(Some(received)) => received,
                Ok(None) => {
                    self.end_turn(now);
                    return None;
                }
                Err(error) => {
                    self.fail(error);
                    continue;
                }
            };
            if self.state == State::Open && !self.receiver.is_mid_message() {
                self.deadline = None;
            }
            match received {
                Received::Event(event @ Event::Message { .. }) => return Some(event),
                control => {
                    if let Some(event) = self.control(control, now) {
                        return Some(event);
                    }
                }
            }
        }
    }

    fn begin_turn(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.stale = !pending.pongs.is_empty();
        }
    }

    fn end_turn(&mut self, now: Instant) {
        if self.state != State::Open {
            return;
        }
        if !self.receiver.is_mid_message() {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = self.message_timeout.after(now);
        }
    }

    /// Acts on a control frame.
    fn control<'b>(&mut self, received: Received<'b>, now: Instant) -> Option<Event<'b>> {
        if let Err(error) = self.control.count(now) {
            self.fail(error);
            return None;
        }
        match received {
            Received::Close(payload) => {
                self.closed_by_peer(&payload);
                None
            }
            Received::Event(event) => {
                if let Event::Ping(payload) = &event {
                    self.queue_pong(payload);
                }
                Some(event)
            }
        }
    }

    // RFC 6455 §5.5.2: a ping is answered with a pong "with identical Application data". §5.5.3: of
    // pings that were not answered yet, the newest may be answered alone.
    fn queue_pong(&mut self, payload: &Payload<'_>) {
        let pending = self.pending.get_or_insert_default();
        if mem::take(&mut pending.stale) {
            pending.pongs.clear();
        }
        if let Err(error) = self.sender.frame(OpCode::Pong, payload, &mut pending.pongs) {
            self.fail(error);
        }
    }

    fn queue_close(&mut self, payload: &ClosePayload) -> Result<(), Error> {
        let pending = self.pending.get_or_insert_default();
        self.sender.frame(OpCode::Close, payload.as_bytes(), &mut pending.close)
    }

    // RFC 6455 §5.5.1: an endpoint that gets a Close frame and has sent none "MUST send a Close frame
    // in response", and typically echoes the code.
    fn closed_by_peer(&mut self, payload: &[u8]) {
        let (code, reason) = match close::decode(payload) {
            Ok(read) => read,
            Err(error) => return self.fail(error.into()),
        };
        let by = if self.state == State::Open { ClosedBy::Peer } else { ClosedBy::Us };
        if by == ClosedBy::Peer {
            let echo = ClosePayload::new(code, "");
            if let Err(error) = echo.and_then(|echo| self.queue_close(&echo)) {
                return self.fail(error);
            }
        }
        self.finish(code, reason.to_owned(), by);
    }

    /// The one way to fail (RFC 6455 §7.1.7): says why in a close frame, unless one was sent already,
    /// and stops reading.
    #[cold]
    fn fail(&mut self, error: Error) {
        let (code, reason) = (error.close_code(), error.to_string());
        if self.state == State::Open
            && let Ok(payload) = ClosePayload::new(code, &reason)
        {
            // Without random bytes a client cannot mask, so it leaves without a word.
            let is_queued = self.queue_close(&payload).is_ok();
            self.pending.get_or_insert_default().failed = is_queued;
        }
        self.finish(code, reason, ClosedBy::Failure(error));
    }

    fn finish(&mut self, code: CloseCode, reason: String, by: ClosedBy) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        self.deadline = None;
        self.receiver.release();
        self.sender.release();
        self.pending.get_or_insert_default().closed = Some(Closed { code, reason, by });
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let pending = self
            .pending
            .as_ref()
            .map_or(0, |p| size_of::<Pending>() + p.pongs.capacity() + p.close.capacity());
        pending + self.receiver.held() + self.sender.held() + self.sender.held()
    }

    /// Frees the box of pending things when it is empty.
    fn tidy(&mut self) {
        let empty = |p: &Pending| p.pongs.is_empty() && p.close.is_empty() && p.closed.is_none();
        if self.pending.as_deref().is_some_and(empty) {
            self.pending = None;
        }
    }
}
