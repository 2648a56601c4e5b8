//! A connection on its byte stream: reads, writes and wakes the state machine of `madang-ws`.

use std::borrow::Cow;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use madang_ws::deflate::Agreement;
use madang_ws::{CloseCode, Closed, ClosedBy, Connection, Input, Payload, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

use super::buffer::{self, Output};
use super::wakers::{Side, Wakers};
use super::{Error, Event, Keepalive, Message, Options};

/// More unwritten bytes than this, and no message is taken before some are written.
const HIGH_WATER: usize = 64 * 1024;
/// A payload of at least this much that lies whole in what was read is handed out as a part of it;
/// a shorter one is copied, so that it does not hold a buffer of up to 64 KiB.
const SHARE: usize = 8 * 1024;

/// A connection, its byte stream, and what is between the two.
///
/// The verbs are `poll_*` functions that lose nothing when a caller stops polling: an event leaves
/// only with `Poll::Ready`, and a message is taken whole or not at all.
pub(super) struct Engine<S> {
    pub(super) io: S,
    conn: Connection,
    /// Read and not parsed.
    input: BytesMut,
    output: Output,
    /// Something was written that `io` may hold back.
    unflushed: bool,
    /// The last write found no room.
    blocked: bool,
    /// Writing has failed. What the peer has sent may still be read.
    broken: Option<Error>,
    phase: Phase,
    /// To be given out once, after the last event.
    failure: Option<Error>,
    closed: Option<Closed>,
    close_timeout: Duration,
    /// We began to close: the end of the stream is no surprise.
    closing: bool,
    keepalive: Option<Keepalive>,
    /// When bytes came last.
    heard: Instant,
    /// When a ping was sent that nothing has followed yet.
    pinged: Option<Instant>,
    /// Armed for the deadline or for a time before it.
    alarm: Option<Pin<Box<Sleep>>>,
    wakers: Arc<Wakers>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Events may come.
    Open,
    /// The last event came. What is left is written, and the byte stream is closed.
    Ending {
        deadline: Instant,
        shut: bool,
        eof: bool,
    },
    Done,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Engine<S> {
    pub(super) fn new(
        io: S,
        role: Role,
        deflate: Option<Agreement>,
        options: &Options,
        early: BytesMut,
    ) -> Self {
        Self {
            io,
            conn: Connection::new(role, &options.limits, deflate),
            input: early,
            output: Output::default(),
            unflushed: false,
            blocked: false,
            broken: None,
            phase: Phase::Open,
            failure: None,
            closed: None,
            close_timeout: options.limits.close_timeout,
            closing: false,
            keepalive: options.keepalive,
            heard: now(),
            pinged: None,
            alarm: None,
            wakers: Arc::default(),
        }
    }

    /// The next event; `None` when the connection is over and the byte stream closed.
    pub(super) fn poll_event(
        &mut self,
        side: Side,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Event, Error>>> {
        if let Some(event) = self.next_event() {
            return Poll::Ready(Some(Ok(event)));
        }
        let waker = self.waker(side, cx);
        let mut cx = Context::from_waker(&waker);
        let event = ready!(self.poll_turn(&mut cx));
        self.wakers.clear(side);
        if self.phase == Phase::Done {
            // The other half may wait for the end, or for room that will never be.
            self.wakers.wake_side(Side::Read);
            self.wakers.wake_side(Side::Write);
        }
        Poll::Ready(event)
    }

    /// Drops events until the connection is over.
    pub(super) fn poll_closed(&mut self, side: Side, cx: &Context<'_>) -> Poll<Closed> {
        loop {
            if self.phase == Phase::Done
                && let Some(closed) = &self.closed
            {
                return Poll::Ready(closed.clone());
            }
            // A failure is told by `closed`, too.
            let _ = ready!(self.poll_event(side, cx));
        }
    }

    /// Waits until a message may be taken.
    pub(super) fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            self.check_sendable()?;
            if self.output.len() < HIGH_WATER {
                return Poll::Ready(Ok(()));
            }
            let waker = self.waker(Side::Write, cx);
            let drained = self.poll_drain(&mut Context::from_waker(&waker));
            if drained.is_pending() && self.output.len() >= HIGH_WATER {
                return Poll::Pending;
            }
        }
    }

    /// Takes a message, which leaves with the next flush.
    pub(super) fn take(&mut self, message: &Message) -> Result<(), Error> {
        self.check_sendable()?;
        let conn = &mut self.conn;
        let (kind, payload) = (message.kind(), message.as_bytes());
        Ok(self.output.append(|out| conn.send(kind, payload, out))?)
    }

    /// Takes a ping, which leaves with the next flush.
    pub(super) fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.check_sendable()?;
        let conn = &mut self.conn;
        Ok(self.output.append(|out| conn.ping(payload, out))?)
    }

    /// Writes all that was taken.
    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(error) = &self.broken {
            return Poll::Ready(Err(error.clone()));
        }
        let waker = self.waker(Side::Write, cx);
        let result = ready!(self.poll_drain(&mut Context::from_waker(&waker)));
        self.wakers.clear(Side::Write);
        Poll::Ready(result)
    }

    /// Queues a close frame, unless the connection is closing already.
    pub(super) fn begin_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let was_open = self.conn.is_open();
        self.conn.close(code, reason, now())?;
        if was_open {
            self.closing = true;
            // Its deadline has changed.
            self.wakers.wake_side(Side::Read);
        }
        Ok(())
    }

    fn check_sendable(&self) -> Result<(), Error> {
        match &self.broken {
            Some(error) => Err(error.clone()),
            None if self.conn.can_send() => Ok(()),
            None => Err(Error::Closed),
        }
    }

    fn waker(&self, side: Side, cx: &Context<'_>) -> Waker {
        self.wakers.register(side, cx.waker());
        Waker::from(Arc::clone(&self.wakers))
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        loop {
            if let Some(event) = self.next_event() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.phase != Phase::Open {
                ready!(self.poll_end(cx));
                return Poll::Ready(self.failure.take().map(Err));
            }
            // An error is remembered: what the peer sent before it is still to be read.
            let _ = self.poll_drain_for_both(cx);
            if self.poll_read(cx).is_ready() {
                if let Some(event) = self.next_event() {
                    return Poll::Ready(Some(Ok(event)));
                }
                // A peer that never stops sending must not keep a closing connection alive.
                if !self.conn.is_open() {
                    self.conn.handle_timeout(self.heard);
                }
                continue;
            }
            ready!(self.poll_alarm(cx));
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(buffer::poll_read(&mut self.io, cx)) {
            Ok(bytes) if !bytes.is_empty() => {
                self.input = bytes;
                self.heard = now();
                self.pinged = None;
            }
            Ok(_) => self.cut(Error::Cut),
            Err(error) => self.cut(error.into()),
        }
        Poll::Ready(())
    }

    /// The byte stream has ended.
    fn cut(&mut self, error: Error) {
        if !self.closing {
            self.failure = Some(error);
        }
        self.conn.handle_eof();
    }

    /// The next event of what was read, or of the end.
    fn next_event(&mut self) -> Option<Event> {
        loop {
            let parsed = if self.input.is_empty() {
                own(self.conn.poll_event()?)
            } else {
                match parse(&mut self.conn, &mut self.input, self.heard) {
                    Some(parsed) => parsed,
                    None => continue,
                }
            };
            match parsed {
                Parsed::Event(event) => {
                    self.answer(&event);
                    return Some(event);
                }
                Parsed::Closed(closed) => self.end(closed),
            }
        }
    }

    /// Puts the answer to a ping in front of whatever the program sends from now on.
    // RFC 6455 §5.5.3: of pings that wait, the newest may be answered alone. `conn` sees to that while
    // it keeps its pongs, which is while the socket takes nothing; and so a peer that pings and does
    // not read makes nothing grow.
    fn answer(&mut self, event: &Event) {
        let due = match event {
            Event::Ping(_) => !self.blocked,
            Event::Message(_) => self.blocked && self.output.len() < HIGH_WATER,
            Event::Pong(_) => false,
        };
        if due && self.broken.is_none() {
            self.transmit();
        }
    }

    /// Takes from `conn` what leaves by itself.
    fn transmit(&mut self) {
        let conn = &mut self.conn;
        let _ = self.output.append(|out| conn.poll_transmit(out));
    }

    fn end(&mut self, closed: Closed) {
        match closed.by {
            ClosedBy::Failure(error) => self.failure = Some(Error::Failed(error)),
            ClosedBy::Cut if !self.closing => {
                self.failure.get_or_insert(Error::Cut);
            }
            _ => {}
        }
        if closed.by == ClosedBy::Cut {
            self.finish(self.failure.clone().unwrap_or(Error::Closed));
        } else {
            let deadline = after(now(), self.close_timeout);
            self.phase = Phase::Ending { deadline, shut: false, eof: false };
        }
        self.closed = Some(closed);
        // One that waits to send does so in vain.
        self.wakers.wake_side(Side::Write);
    }

    /// Writes what is left, closes the byte stream and reads it to its end, so that the close frame
    /// is not lost to a reset.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Ending { deadline, mut shut, mut eof } = self.phase else {
            return Poll::Ready(());
        };
        let drained = self.poll_drain_for_both(cx).is_ready();
        // Looked at between reads, too: a peer that never stops sending leaves the timer no turn.
        while !eof && now() < deadline {
            match buffer::poll_read(&mut self.io, cx) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => {}
                Poll::Ready(_) => eof = true,
                Poll::Pending => break,
            }
        }
        // RFC 6455 §7.1.1: the server closes TCP first, and the client waits for that.
        if drained && !shut && (eof || self.conn.role() == Role::Server) {
            shut = Pin::new(&mut self.io).poll_shutdown(cx).is_ready();
        }
        self.phase = Phase::Ending { deadline, shut, eof };
        if !(shut && eof) && now() < deadline {
            ready!(self.poll_until(deadline, cx));
        }
        self.finish(Error::Closed);
        Poll::Ready(())
    }

    /// Nothing is read or written from now on. Who waits for a write must not wait for ever, nor
    /// believe that it was done.
    fn finish(&mut self, error: Error) {
        self.phase = Phase::Done;
        if self.output.len() > 0 || self.unflushed {
            self.output.clear();
            self.unflushed = false;
            self.broken.get_or_insert(error);
        }
    }

    /// Writes everything, and tells the half that may wait for that.
    fn poll_drain_for_both(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let waiting = self.output.len() > 0 || self.unflushed;
        let drained = self.poll_drain(cx);
        if drained.is_ready() && waiting {
            self.wakers.wake_side(Side::Write);
        }
        drained
    }

    /// Writes everything, pongs and the close frame included.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(error) = &self.broken {
            return Poll::Ready(Err(error.clone()));
        }
        if self.phase == Phase::Done {
            return Poll::Ready(Ok(()));
        }
        loop {
            if !self.blocked {
                self.transmit();
            }
            if self.output.len() == 0 {
                break;
            }
            match Pin::new(&mut self.io).poll_write(cx, self.output.unwritten()) {
                Poll::Ready(Ok(0)) => return self.break_off(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    self.output.advance(n);
                    self.unflushed = true;
                    self.blocked = false;
                }
                Poll::Ready(Err(error)) => return self.break_off(error),
                Poll::Pending => {
                    self.blocked = true;
                    return Poll::Pending;
                }
            }
        }
        if self.unflushed {
            match ready!(Pin::new(&mut self.io).poll_flush(cx)) {
                Ok(()) => self.unflushed = false,
                Err(error) => return self.break_off(error),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn break_off(&mut self, error: io::Error) -> Poll<Result<(), Error>> {
        let error = Error::from(error);
        self.output.clear();
        self.blocked = false;
        self.broken = Some(error.clone());
        Poll::Ready(Err(error))
    }

    /// Waits for the next deadline and does what it asks for.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = [self.conn.poll_timeout(), self.keepalive_due()].into_iter().flatten().min();
        let Some(due) = due else { return Poll::Pending };
        ready!(self.poll_until(due, cx));
        let now = now();
        self.conn.handle_timeout(now);
        if self.keepalive_due().is_some_and(|due| due <= now) {
            self.keep_alive(now);
        }
        Poll::Ready(())
    }

    fn keepalive_due(&self) -> Option<Instant> {
        let keepalive = self.keepalive.filter(|_| self.conn.is_open())?;
        match self.pinged {
            None => self.heard.checked_add(keepalive.interval),
            Some(at) => at.checked_add(keepalive.timeout),
        }
    }

    fn keep_alive(&mut self, now: Instant) {
        if self.pinged.is_some() {
            return self.cut(Error::Silent);
        }
        match self.ping(&[]) {
            // Counted from now on, even when the socket is blocked.
            Ok(()) => self.pinged = Some(now),
            Err(error) => self.cut(error),
        }
    }

    fn poll_until(&mut self, when: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let when = tokio::time::Instant::from_std(when);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(when)));
        if alarm.deadline() > when {
            alarm.as_mut().reset(when);
        }
        loop {
            ready!(alarm.as_mut().poll(cx));
            // Deadlines move on with every read; the timer only when it has fired.
            if alarm.deadline() >= when {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(when);
        }
    }
}

impl<S> Engine<S> {
    pub(super) fn closed(&self) -> Option<&Closed> {
        self.closed.as_ref()
    }

    /// Bytes of memory that its buffers hold.
    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.input.capacity() + self.output.capacity()
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done && self.failure.is_none()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.conn
    }
}

enum Parsed {
    Event(Event),
    Closed(Closed),
}

/// The next event of `input`, which is consumed up to its end.
fn parse(conn: &mut Connection, input: &mut BytesMut, now: Instant) -> Option<Parsed> {
    let (start, len) = (input.as_ptr().addr(), input.len());
    let mut bytes = Input::new(input);
    let event = conn.handle_input(&mut bytes, now);
    let used = len - bytes.remaining();
    let parsed = match event {
        Some(madang_ws::Event::Message {
            payload: Payload::Binary(Cow::Borrowed(payload)),
            ..
        }) if payload.len() >= SHARE => {
            let at = payload.as_ptr().addr() - start;
            let shared = at..at + payload.len();
            let payload = input.split_to(used).freeze().slice(shared);
            Some(Parsed::Event(Event::Message(Message::Binary(payload))))
        }
        event => {
            let parsed = event.map(own);
            input.advance(used);
            parsed
        }
    };
    if input.is_empty() {
        // An idle socket holds no buffer.
        *input = BytesMut::new();
    }
    parsed
}

fn own(event: madang_ws::Event<'_>) -> Parsed {
    let bytes = |payload: Payload<'_>| match payload {
        Payload::Binary(Cow::Borrowed(bytes)) => Bytes::copy_from_slice(bytes),
        payload => Bytes::from(payload.into_vec()),
    };
    match event {
        madang_ws::Event::Message { payload: Payload::Text(text), .. } => {
            let text = match text {
                Cow::Borrowed(text) => ByteString::from(text),
                Cow::Owned(text) => ByteString::from(text),
            };
            Parsed::Event(Event::Message(Message::Text(text)))
        }
        madang_ws::Event::Message { payload, .. } => {
            Parsed::Event(Event::Message(Message::Binary(bytes(payload))))
        }
        madang_ws::Event::Ping(payload) => Parsed::Event(Event::Ping(bytes(payload))),
        madang_ws::Event::Pong(payload) => Parsed::Event(Event::Pong(bytes(payload))),
        madang_ws::Event::Closed(closed) => Parsed::Closed(closed),
    }
}

/// The clock of the runtime, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// `span` after `at`; a span that is no limit ends in thirty years.
fn after(at: Instant, span: Duration) -> Instant {
    const FAR: Duration = Duration::from_hours(30 * 365 * 24);
    at + span.min(FAR)
}
