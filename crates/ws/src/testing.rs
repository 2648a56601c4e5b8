//! Two connections, a fake link and a fake clock, for tests of this crate and of code that builds on
//! it.
//!
//! ```
//! use madang_ws::testing::{Pair, in_every_split};
//! use madang_ws::{CloseCode, Kind, Role};
//!
//! in_every_split(|split| {
//!     let mut pair = Pair::new(split);
//!     pair.send(Role::Client, Kind::Text, "안녕".as_bytes());
//!     pair.settle();
//!     pair.assert_messages(Role::Server, &[(Kind::Text, "안녕".as_bytes())]);
//!     pair.close(Role::Server, CloseCode::GOING_AWAY, "bye");
//!     pair.settle();
//!     pair.assert_closed(Role::Client, CloseCode::GOING_AWAY);
//! });
//! ```
#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "panics are how a test fails")]

use std::mem;
use std::time::{Duration, Instant};

use crate::close::{CloseCode, Closed, ClosedBy};
use crate::config::{Limits, Role};
use crate::conn::Connection;
use crate::deflate::Agreement;
use crate::error::Error;
use crate::frame::{Header, OpCode};
use crate::mask;
use crate::message::{Event, Kind};
use crate::recv::Input;

/// How the link cuts what passes through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// All that waits arrives in one piece.
    Whole,
    /// One byte at a time.
    Bytewise,
    /// Pieces of random sizes, the same for the same seed.
    Random(u64),
}

/// Runs a test with the link in every manner: whole, one byte at a time, and cut at random.
pub fn in_every_split(test: impl Fn(Split)) {
    test(Split::Whole);
    test(Split::Bytewise);
    // Under Miri each takes a hundred times as long.
    let last = if cfg!(miri) { 1 } else { 8 };
    for seed in 1..=last {
        test(Split::Random(seed));
    }
}

/// Sizes of pieces.
#[derive(Clone, Debug)]
struct Sizes {
    split: Split,
    state: u64,
}

impl Sizes {
    fn new(split: Split) -> Self {
        let seed = if let Split::Random(seed) = split { seed } else { 0 };
        Self { split, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// The size of the next piece, of `left` bytes.
    fn next(&mut self, left: usize) -> usize {
        let size = match self.split {
            Split::Whole => left,
            Split::Bytewise => 1,
            Split::Random(_) => {
                // xorshift64: no more than an even spread is needed.
                self.state ^= self.state << 13;
                self.state ^= self.state >> 7;
                self.state ^= self.state << 17;
                let most = [1, 3, 9, 40, 300, 5_000][(self.state >> 32) as usize % 6];
                1 + (self.state >> 40) as usize % most
            }
        };
        size.clamp(1, left.max(1))
    }
}

/// One side and what it has seen.
#[derive(Debug)]
struct Side {
    connection: Connection,
    /// Bytes on the way to this side.
    inbound: Vec<u8>,
    /// Events not yet taken by the test.
    events: Vec<Event<'static>>,
    /// Its socket takes no bytes.
    blocked: bool,
}

/// A client and a server, joined by a link that a test can look into.
#[derive(Debug)]
pub struct Pair {
    client: Side,
    server: Side,
    now: Instant,
    sizes: Sizes,
}

impl Pair {
    /// Default limits, no compression.
    pub fn new(split: Split) -> Self {
        Self::with(split, &Limits::default(), None)
    }

    /// Both sides with these limits, and compression as agreed.
    pub fn with(split: Split, limits: &Limits, deflate: Option<Agreement>) -> Self {
        let side = |role| Side {
            connection: Connection::new(role, limits, deflate),
            inbound: Vec::new(),
            events: Vec::new(),
            blocked: false,
        };
        Self {
            client: side(Role::Client),
            server: side(Role::Server),
            now: Instant::now(),
            sizes: Sizes::new(split),
        }
    }

    fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// The connection of one side.
    pub fn connection(&mut self, role: Role) -> &mut Connection {
        &mut self.side(role).connection
    }

    /// The time on the fake clock.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// `from` sends a message.
    #[track_caller]
    pub fn send(&mut self, from: Role, kind: Kind, payload: &[u8]) {
        let mut out = Vec::new();
        self.connection(from).send(kind, payload, &mut out).unwrap();
        self.inject(from.peer(), &out);
    }

    /// `from` sends a ping.
    #[track_caller]
    pub fn ping(&mut self, from: Role, payload: &[u8]) {
        let mut out = Vec::new();
        self.connection(from).ping(payload, &mut out).unwrap();
        self.inject(from.peer(), &out);
    }

    /// `from` begins to close.
    #[track_caller]
    pub fn close(&mut self, from: Role, code: CloseCode, reason: &str) {
        let now = self.now;
        self.connection(from).close(code, reason, now).unwrap();
        self.flush(from);
    }

    /// Puts bytes on the link, as if the peer of `to` had sent them.
    pub fn inject(&mut self, to: Role, bytes: &[u8]) {
        self.side(to).inbound.extend_from_slice(bytes);
    }

    /// Puts frames on the link; see [`frame`].
    pub fn inject_frames(&mut self, to: Role, frames: &[(u8, &[u8])]) {
        for (first, payload) in frames {
            self.inject(to, &frame(to.peer(), *first, payload));
        }
    }

    /// Takes the bytes that `from` has sent and that were not delivered.
    pub fn take_sent(&mut self, from: Role) -> Vec<u8> {
        mem::take(&mut self.side(from.peer()).inbound)
    }

    /// The socket of `role` takes no bytes any more, or takes them again.
    pub fn set_blocked(&mut self, role: Role, blocked: bool) {
        self.side(role).blocked = blocked;
        self.flush(role);
    }

    /// Delivers what is on the way to `to`, in pieces; `to` writes after each piece.
    pub fn deliver(&mut self, to: Role) {
        let mut bytes = mem::take(&mut self.side(to).inbound);
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at_mut(self.sizes.next(rest.len()));
            self.read(to, piece);
            rest = after;
        }
    }

    /// `to` reads one piece.
    fn read(&mut self, to: Role, piece: &mut [u8]) {
        let now = self.now;
        let side = self.side(to);
        let mut input = Input::new(piece);
        while let Some(event) = side.connection.handle_input(&mut input, now) {
            side.events.push(event.into_owned());
        }
        assert_eq!(input.remaining(), 0, "input is consumed when there are no more events");
        self.flush(to);
    }

    fn flush(&mut self, from: Role) {
        let side = self.side(from);
        let mut out = Vec::new();
        if !side.blocked && side.connection.poll_transmit(&mut out) {
            self.inject(from.peer(), &out);
        }
    }

    /// Delivers both ways until the link is empty.
    pub fn settle(&mut self) {
        while !self.client.inbound.is_empty() || !self.server.inbound.is_empty() {
            self.deliver(Role::Server);
            self.deliver(Role::Client);
        }
    }

    /// The byte stream towards `to` ends; what is on the way is lost.
    pub fn cut(&mut self, to: Role) {
        let side = self.side(to);
        side.inbound.clear();
        side.connection.handle_eof();
        side.events.extend(std::iter::from_fn(|| side.connection.poll_event()));
        self.flush(to);
    }

    /// The clock moves, and both sides see it.
    pub fn advance(&mut self, span: Duration) {
        self.now += span;
        let now = self.now;
        for role in [Role::Client, Role::Server] {
            let side = self.side(role);
            if side.connection.poll_timeout().is_some_and(|at| at <= now) {
                side.connection.handle_timeout(now);
            }
            side.events.extend(std::iter::from_fn(|| side.connection.poll_event()));
            self.flush(role);
        }
    }

    /// Takes the events that `role` has seen.
    pub fn events(&mut self, role: Role) -> Vec<Event<'static>> {
        mem::take(&mut self.side(role).events)
    }

    /// `role` has seen these messages and nothing else.
    #[track_caller]
    pub fn assert_messages(&mut self, role: Role, expected: &[(Kind, &[u8])]) {
        let events = self.events(role);
        let seen: Vec<_> = events
            .iter()
            .map(|event| match event {
                Event::Message { kind, payload } => (*kind, payload.as_bytes()),
                other => panic!("not a message: {other:?}"),
            })
            .collect();
        assert_eq!(seen, expected);
    }

    /// The last event of `role` is its end; returns it.
    #[track_caller]
    pub fn assert_ended(&mut self, role: Role) -> Closed {
        let mut events = self.events(role);
        assert!(self.connection(role).is_closed(), "closed");
        let ends = events.iter().filter(|e| matches!(e, Event::Closed(_))).count();
        match events.pop() {
            Some(Event::Closed(closed)) if ends == 1 => closed,
            last => panic!("{ends} ends, last event {last:?}, before it {events:?}"),
        }
    }

    /// `role` has ended with this code, not by a failure.
    #[track_caller]
    pub fn assert_closed(&mut self, role: Role, code: CloseCode) {
        let closed = self.assert_ended(role);
        assert_eq!(closed.code, code);
        assert!(!matches!(closed.by, ClosedBy::Failure(_)), "{closed:?}");
    }

    /// `role` has failed the connection with `error`, and the last thing that it sent is a close
    /// frame that says so.
    #[track_caller]
    pub fn assert_failed(&mut self, role: Role, error: Error) {
        let closed = self.assert_ended(role);
        assert_eq!(closed.by, ClosedBy::Failure(error));
        assert_eq!(closed.code, error.close_code());
        self.assert_closing(role, error.close_code());
    }

    /// The last frame that `role` has sent, and that was not delivered, is a close frame with this
    /// code.
    #[track_caller]
    pub fn assert_closing(&mut self, role: Role, code: CloseCode) {
        let sent = self.take_sent(role);
        let frames = frames(role, &sent);
        let Some((header, payload)) = frames.last() else { panic!("nothing was sent") };
        assert_eq!(header.opcode, OpCode::Close);
        assert_eq!(payload.get(..2), Some(&code.as_u16().to_be_bytes()[..]), "close code");
    }
}

/// The key that [`frame`] masks with: the one in the examples of RFC 6455 §5.7.
pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame as `sender` would send it, right or wrong: `first` is the first byte (FIN, RSV1-3 and the
/// opcode), and a client's payload is masked with [`KEY`].
pub fn frame(sender: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = (sender == Role::Client).then_some(KEY);
    let mut bytes = Vec::new();
    let len = payload.len() as u64;
    crate::frame::encode_header(&mut bytes, false, false, OpCode::Continuation, len, mask);
    bytes[0] = first;
    let at = bytes.len();
    bytes.extend_from_slice(payload);
    mask::apply(&mut bytes[at..], mask.unwrap_or_default());
    bytes
}

/// Reads back the frames that `sender` has sent, unmasked.
#[track_caller]
pub fn frames(sender: Role, mut bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((header, n)) = Header::decode(bytes, sender).unwrap() {
        let end = n + usize::try_from(header.len).unwrap();
        let mut payload = bytes[n..end].to_vec();
        mask::apply(&mut payload, header.mask.unwrap_or_default());
        frames.push((header, payload));
        bytes = &bytes[end..];
    }
    assert!(bytes.is_empty(), "half a frame was sent: {bytes:x?}");
    frames
}

/// Masks or unmasks `bytes` as a connection does (RFC 6455 §5.3), for benchmarks.
pub fn apply_mask(bytes: &mut [u8], key: [u8; 4]) {
    mask::apply(bytes, key);
}

/// Whether `bytes` pass as a text message (RFC 6455 §8.1), for benchmarks.
pub fn is_text(bytes: &[u8]) -> bool {
    crate::utf8::check(bytes).is_ok()
}
