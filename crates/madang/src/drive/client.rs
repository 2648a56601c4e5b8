//! The clients of one worker: what fan-out touches close together, the rest beside it.

use std::{os::fd::OwnedFd, time::Instant};

use madang_proto::Session;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{
    carrier::Carrier,
    doorstep::Guest,
    links::Links,
    mail::{ClientId, Pass},
    outbox::Outbox,
    stream::Tls,
};
use crate::hub::TopicKey;
use madang_proto::Topic;

/// The part of a client that a delivery touches.
pub(super) struct Hot {
    pub(super) socket: Option<OwnedFd>,
    pub(super) generation: u32,
    pub(super) outbox: Outbox,
    /// When something was last heard, in seconds of the worker's clock.
    pub(super) heard: u32,
    pub(super) flags: Flags,
}

/// What is true of a client, a bit each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags(u16);

impl Flags {
    /// It is in the list of those that the end of the turn flushes.
    pub(super) const DIRTY: u16 = 1;
    /// No message may be sent any more.
    pub(super) const MUTE: u16 = 1 << 1;
    /// Its session asked to read no more for now.
    pub(super) const PAUSED: u16 = 1 << 2;
    /// Too much waits behind its socket to read more from it.
    pub(super) const CHOKED: u16 = 1 << 3;
    /// The poller tells when its socket can be written.
    pub(super) const WANTS_WRITE: u16 = 1 << 4;
    /// The WebSocket is over; the socket closes when what waits is sent.
    pub(super) const ENDING: u16 = 1 << 5;
    /// A ping is unanswered.
    pub(super) const PINGED: u16 = 1 << 6;
    /// Our end is shut; what still comes is read and dropped until the peer's end.
    pub(super) const LINGERING: u16 = 1 << 7;
    /// The place has an occupant. Until the answer to its handshake is written, it has no socket.
    pub(super) const TAKEN: u16 = 1 << 9;
    /// It is a connection that has said nothing yet, with no client.
    pub(super) const DOORSTEP: u16 = 1 << 10;
    /// There is TLS over its socket.
    pub(super) const TLS: u16 = 1 << 11;
    /// It is a body of HTTP, whose client says nothing, or has no carrier.
    pub(super) const STREAM: u16 = 1 << 12;
    /// Bytes of it wait for a later turn.
    pub(super) const HUNGRY: u16 = 1 << 13;
    /// Its socket says and takes nothing more; what it said before is still heard.
    pub(super) const GONE: u16 = 1 << 14;
    /// Its connection waits for a time.
    pub(super) const TIMED: u16 = 1 << 8;
    /// It is a link of a session, which ends it as it ends itself.
    pub(super) const LINK: u16 = 1 << 15;

    #[inline]
    pub(super) fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }

    /// Sets the flag; true when it was not set.
    #[inline]
    pub(super) fn set(&mut self, flag: u16) -> bool {
        let news = self.0 & flag == 0;
        self.0 |= flag;
        news
    }

    #[inline]
    pub(super) fn clear(&mut self, flag: u16) {
        self.0 &= !flag;
    }
}

/// The part of a client that only its own traffic touches.
pub(super) struct Cold {
    pub(super) carrier: Carrier,
    /// `None` after it was told that it is closed.
    pub(super) session: Option<Box<dyn Session>>,
    /// The protocol's and the compression's part of a [`FormKey`](crate::hub::FormKey).
    pub(super) form_base: u32,
    /// Of a client that is [`Flags::TLS`].
    pub(super) tls: Option<Box<Tls>>,
    /// Names the session in the hub.
    pub(super) id: u64,
    pub(super) subscriptions: SmallVec<[Subscription; 1]>,
    /// When a socket that is ending is given up, in seconds of the worker's clock; 0 is never.
    pub(super) give_up: u32,
    /// Counts the connection for as long as it is held.
    pub(super) pass: Pass,
    /// What had been received when the session asked to read no more.
    pub(super) held: Option<Box<Held>>,
    /// Of a session that has a name.
    pub(super) links: Option<Box<Links>>,
    /// How fast it joins topics.
    pub(super) joins: Joins,
    /// When the worker looks at the session's time next.
    pub(super) due: Option<Instant>,
}

/// What a client has used of the joins that it may make: a bucket that leaks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Joins {
    used: u32,
    /// When the bucket was last looked at, in seconds of the worker's clock.
    at: u32,
}

impl Joins {
    /// Takes one of `burst`, of which `rate` come back each second; 0 is no limit.
    pub(super) fn take(&mut self, seconds: u32, burst: u32, rate: u32) -> bool {
        let leaked = seconds.saturating_sub(self.at).saturating_mul(rate);
        self.used = self.used.saturating_sub(leaked);
        self.at = seconds;
        let has_room = rate == 0 || self.used < burst;
        self.used += u32::from(has_room);
        has_room
    }
}

/// Bytes that a session has yet to read. They are rare, so their place in every client is one
/// pointer.
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    /// So many of them are read already.
    pub(super) at: usize,
}

/// A topic that a client is in.
pub(super) struct Subscription {
    pub(super) topic: Topic,
    pub(super) key: TopicKey,
    /// Its place in the worker's member table.
    pub(super) index: usize,
}

/// The table of clients. A place is used again only after the turn in which it was left, so that
/// an event that is already in hand never meets the next occupant.
#[derive(Default)]
pub(super) struct Clients {
    pub(super) hot: Vec<Hot>,
    pub(super) cold: Vec<Option<Box<Cold>>>,
    /// Of the places that are [`Flags::DOORSTEP`].
    pub(super) guests: FxHashMap<u32, Guest>,
    free: Vec<u32>,
    leaving: Vec<u32>,
    count: usize,
}

impl Clients {
    /// How many clients there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Makes a place; `cold` is to be filled before anything else happens to it.
    pub(super) fn reserve(&mut self, heard: u32) -> ClientId {
        self.count += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.hot.push(Hot {
                socket: None,
                generation: 0,
                outbox: Outbox::default(),
                heard,
                flags: Flags::default(),
            });
            self.cold.push(None);
            (self.hot.len() - 1) as u32
        });
        let hot = &mut self.hot[slot as usize];
        // Whatever came to the place since it was left was not for this client.
        hot.outbox = Outbox::default();
        hot.flags = Flags::default();
        hot.flags.set(Flags::TAKEN);
        hot.heard = heard;
        ClientId { slot, generation: hot.generation }
    }

    /// The client's place, if it is still the same client.
    pub(super) fn find(&self, id: ClientId) -> Option<usize> {
        let slot = id.slot as usize;
        let hot = self.hot.get(slot)?;
        (hot.generation == id.generation && hot.flags.has(Flags::TAKEN)).then_some(slot)
    }

    pub(super) fn id(&self, slot: usize) -> ClientId {
        ClientId { slot: slot as u32, generation: self.hot[slot].generation }
    }

    /// Empties a place: the socket closes now, the place is free after the turn.
    pub(super) fn remove(&mut self, slot: usize) {
        let hot = &mut self.hot[slot];
        if !hot.flags.has(Flags::TAKEN) {
            return;
        }
        if hot.flags.has(Flags::DOORSTEP) {
            self.guests.remove(&(slot as u32));
        }
        hot.socket = None;
        hot.generation = hot.generation.wrapping_add(1);
        hot.outbox = Outbox::default();
        hot.flags = Flags::default();
        self.cold[slot] = None;
        self.leaving.push(slot as u32);
        self.count -= 1;
    }

    /// The turn is over.
    pub(super) fn free_places(&mut self) {
        self.free.append(&mut self.leaving);
    }
}

// Idle memory is these two, the session, and its place in the hub.
const _: () = assert!(size_of::<Cold>() <= 304 && size_of::<Hot>() <= 48);
