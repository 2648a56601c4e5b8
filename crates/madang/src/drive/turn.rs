//! What a turn does with one client's socket: receive, parse, write, end.

use std::io::{self, IoSlice};

use madang_proto::{Input as SessionInput, Out, session::Farewell};
use madang_ws::{ClosedBy, Event, Input, Kind, Payload};

use crate::codes::Code;

use super::{
    carrier::Carrier,
    client::{Cold, Flags, Held},
    doorstep::MAX_ACCEPTED,
    mail::ClientId,
    outbox::{Flushed, Outbox},
    poll::{Interest, Ready},
    stream,
    worker::Worker,
};

/// With so much waiting behind a socket, nothing more is read from it.
const CHOKE_AT: usize = 64 * 1024;
/// A turn that has heard messages of so many bytes, inflated, hears no more.
pub(super) const MAX_HEARD: usize = 4 * 1024 * 1024;
/// So much more of what earlier turns left.
const MAX_LEFTOVERS: usize = 4 * 1024 * 1024;
/// A client's part of it.
const SHARE: usize = 256 * 1024;
/// What a message counts beside its bytes.
const MESSAGE: usize = 64;
/// What it counts if it asks to join a topic: that takes so much longer, also where it is refused.
pub(super) const JOIN: usize = 4 * 1024;
/// How many seconds an ended connection may take to read our goodbye and close.
const LINGER: u32 = 2;

impl Worker {
    /// Serves a socket that is ready; how many bytes were received.
    pub(super) fn serve(&mut self, event: Ready) -> usize {
        let Some(slot) = self.clients.find(ClientId::of(event.token)) else {
            // Whoever is still in the queue makes no event: like a full buffer, a full share means
            // that there may be more.
            let is_full = self.knock(event.token) == MAX_ACCEPTED;
            return if is_full { self.buffer.len() } else { 0 };
        };
        if event.write {
            self.mark_dirty(slot);
        }
        let flags = self.clients.hot[slot].flags;
        if flags.has(Flags::PAUSED) || flags.has(Flags::CHOKED) || flags.has(Flags::HUNGRY) {
            // An event of an earlier turn may ask to read what is not to be read now. But as events
            // are level-triggered, nobody may be left with one that is not taken.
            if event.broken {
                self.lose(slot);
            }
            return 0;
        }
        if event.read || event.broken { self.receive(slot) } else { 0 }
    }

    fn receive(&mut self, slot: usize) -> usize {
        let flags = self.clients.hot[slot].flags;
        if flags.has(Flags::PAUSED) || flags.has(Flags::CHOKED) {
            return 0;
        }
        let Some(socket) = &self.clients.hot[slot].socket else { return 0 };
        match stream::receive(socket, &mut self.buffer) {
            Ok(0) => {
                self.lose(slot);
                0
            }
            Ok(count) => {
                let seconds = self.seconds();
                let hot = &mut self.clients.hot[slot];
                hot.heard = seconds;
                hot.flags.clear(Flags::PINGED);
                if !hot.flags.has(Flags::LINGERING | Flags::DOORSTEP | Flags::TLS) {
                    self.feed(slot, count);
                } else if hot.flags.has(Flags::DOORSTEP) {
                    self.greet(slot, count);
                } else if !hot.flags.has(Flags::LINGERING) {
                    self.decrypt(slot, count);
                }
                count
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => 0,
            Err(_) => {
                self.lose(slot);
                0
            }
        }
    }

    /// Hands the first `count` bytes of the worker's buffer to a client's connection.
    pub(super) fn feed(&mut self, slot: usize, count: usize) {
        let Some(cold) = self.clients.cold[slot].as_deref_mut() else { return };
        if let Some(held) = &mut cold.held {
            // What came before is read before.
            held.bytes.extend_from_slice(&self.buffer[..count]);
            return self.feed_held(slot);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let left = self.parse(slot, &mut buffer[..count]);
        if left > 0 {
            let bytes = buffer[count - left..count].to_vec();
            self.hold(slot, Box::new(Held { bytes, at: 0 }));
        }
        self.buffer = buffer;
    }

    /// Hands bytes to a client's connection until its session reads no more; how many are left.
    fn parse(&mut self, slot: usize, bytes: &mut [u8]) -> usize {
        let Some(mut cold) = self.clients.cold[slot].take() else { return 0 };
        let mut input = Input::new(bytes);
        // What belongs to a read, and not to each of its messages, is done outside the loop.
        let mut out = std::mem::take(&mut self.out);
        while let Some(event) = cold.carrier.handle_input(&mut input, self.now) {
            match event {
                Event::Message { kind, payload } => {
                    self.message(slot, &mut cold, kind, &payload, &mut out);
                }
                other => self.event(slot, &mut cold, other),
            }
            if self.clients.hot[slot].flags.has(Flags::PAUSED) {
                break;
            }
            if self.heard >= MAX_HEARD && input.remaining() > 0 {
                self.starve(slot);
                break;
            }
        }
        self.out = out;
        let left = input.remaining();
        self.note_times(slot, &mut cold);
        self.transmit(slot, &mut cold);
        self.put_back(slot, cold);
        left
    }

    /// The turn has heard enough: what is left of a client's bytes is for a later one, and nothing
    /// more is read from it until then.
    pub(super) fn starve(&mut self, slot: usize) {
        if self.clients.hot[slot].flags.set(Flags::HUNGRY) {
            self.hungry.push_back(self.clients.id(slot));
            self.watch(slot);
        }
    }

    /// What was left unread while too much waited behind the socket is for the next turn.
    fn starve_held(&mut self, slot: usize) {
        if self.clients.cold[slot].as_deref().is_some_and(|cold| cold.held.is_some()) {
            self.starve(slot);
        }
    }

    /// Goes on with what earlier turns left, a share for each client.
    pub(super) fn feed_hungry(&mut self) {
        for _ in 0..self.hungry.len() {
            if self.heard >= MAX_HEARD + MAX_LEFTOVERS {
                return;
            }
            let Some(id) = self.hungry.pop_front() else { return };
            let Some(slot) = self.clients.find(id) else { continue };
            // Of each so much, and one message at least; one that is still hungry goes to the end.
            let heard = std::mem::replace(&mut self.heard, MAX_HEARD - SHARE);
            self.clients.hot[slot].flags.clear(Flags::HUNGRY);
            self.feed_held(slot);
            self.heard = heard + (self.heard - (MAX_HEARD - SHARE));
            if self.clients.find(id).is_some() && !self.clients.hot[slot].flags.has(Flags::HUNGRY) {
                self.watch(slot);
            }
        }
    }

    fn hold(&mut self, slot: usize, held: Box<Held>) {
        if let Some(cold) = self.clients.cold[slot].as_deref_mut() {
            cold.held = Some(held);
        }
    }

    /// What a paused session left unread goes on when it reads again.
    pub(super) fn feed_held(&mut self, slot: usize) {
        let Some(cold) = self.clients.cold[slot].as_deref_mut() else { return };
        let flags = self.clients.hot[slot].flags;
        if flags.has(Flags::PAUSED) || flags.has(Flags::CHOKED) || flags.has(Flags::HUNGRY) {
            return;
        }
        let Some(mut held) = cold.held.take() else { return };
        let count = held.bytes.len();
        let left = self.parse(slot, &mut held.bytes[held.at..]);
        if left > 0 {
            // It stays where it is: a slow session comes back often, and each time for little.
            held.at = count - left;
            self.hold(slot, held);
        } else if self.clients.hot[slot].flags.has(Flags::GONE) {
            self.end_of_stream(slot);
        }
    }

    /// A client's rare part goes back to its place, unless the place was emptied meanwhile.
    pub(super) fn put_back(&mut self, slot: usize, mut cold: Box<Cold>) {
        if self.clients.hot[slot].flags.has(Flags::TAKEN) {
            self.clients.cold[slot] = Some(cold);
        } else {
            self.farewell(slot, &mut cold, Farewell::Cut);
        }
    }

    /// Hands a message to a client's session.
    fn message(
        &mut self,
        slot: usize,
        cold: &mut Cold,
        kind: Kind,
        payload: &Payload<'_>,
        out: &mut Out,
    ) {
        // A ping that came before the message is answered before it.
        if cold.carrier.has_transmit() {
            self.transmit(slot, cold);
        }
        self.heard += payload.len() + MESSAGE;
        let input = match (kind, payload.as_str()) {
            (Kind::Text, Some(text)) => SessionInput::Text(text),
            _ => SessionInput::Binary(payload.as_bytes()),
        };
        self.tell_with(slot, cold, input, out);
    }

    /// Acts on what is not a message.
    pub(super) fn event(&mut self, slot: usize, cold: &mut Cold, event: Event<'_>) {
        let Event::Closed(closed) = event else { return };
        let (session, code) = (cold.id, closed.code.as_u16());
        tracing::debug!(session, code, reason = %closed.reason, by = ?closed.by, "closed");
        if let ClosedBy::Failure(error) = closed.by
            && let Some(code) = Code::of_failure(error)
        {
            tracing::debug!(session, code = code.counted(), "a WebSocket failed");
            cold.carrier.reword_close(closed.code, &code.reason(error));
        }
        let farewell = match closed.by {
            ClosedBy::Peer | ClosedBy::Us => Farewell::Clean,
            _ => Farewell::Cut,
        };
        self.farewell(slot, cold, farewell);
        if matches!(cold.carrier, Carrier::None(_)) {
            return self.clients.remove(slot);
        }
        self.clients.hot[slot].flags.set(Flags::ENDING);
        cold.give_up = self.seconds().saturating_add(LINGER);
        self.mark_dirty(slot);
    }

    /// Pongs and close frames follow what the session sent.
    pub(super) fn transmit(&mut self, slot: usize, cold: &mut Cold) {
        if let Carrier::Stream(body) = &mut cold.carrier {
            let Some(end) = body.poll_event() else { return };
            body.finish(self.clients.hot[slot].outbox.own(&mut self.pool));
            return self.event(slot, cold, end);
        }
        if let Carrier::None(state) = &mut cold.carrier {
            let Some(end) = state.poll_event() else { return };
            return self.event(slot, cold, end);
        }
        let hot = &mut self.clients.hot[slot];
        if !cold.carrier.is_open() {
            // A deadline is set for the peer's goodbye.
            hot.flags.set(Flags::MUTE);
            hot.flags.set(Flags::TIMED);
        }
        // While the socket is blocked, pongs collapse to the newest in the connection.
        if hot.outbox.is_blocked() && cold.carrier.is_open() {
            return;
        }
        if cold.carrier.poll_transmit(&mut self.scratch) {
            hot.outbox.own(&mut self.pool).append(&mut self.scratch);
            self.mark_dirty(slot);
        }
    }

    #[inline]
    pub(super) fn mark_dirty(&mut self, slot: usize) {
        if self.clients.hot[slot].flags.set(Flags::DIRTY) {
            self.dirty.push(slot as u32);
        }
    }

    pub(super) fn flush_dirty(&mut self) {
        // Ending a client can make others dirty; they are flushed in the same turn.
        while !self.dirty.is_empty() {
            let mut dirty = std::mem::take(&mut self.dirty);
            for slot in dirty.drain(..) {
                self.flush(slot as usize);
            }
            if self.dirty.is_empty() {
                self.dirty = dirty;
            }
        }
    }

    pub(super) fn flush(&mut self, slot: usize) {
        let hot = &mut self.clients.hot[slot];
        hot.flags.clear(Flags::DIRTY);
        if !hot.flags.has(Flags::TAKEN) {
            return;
        }
        if hot.flags.has(Flags::GONE) {
            hot.outbox = Outbox::default();
            return;
        }
        let was_blocked = hot.outbox.is_blocked();
        let flushed = if hot.flags.has(Flags::TLS) {
            self.clients.flush_secure(slot, &mut self.pool, self.now)
        } else {
            // A socket that has yet to come is one that takes nothing: the same bounds hold.
            hot.outbox.flush(&mut self.pool, self.now, &mut |slices: &[IoSlice<'_>]| match &hot
                .socket
            {
                Some(socket) => stream::send(socket, slices),
                None => Err(io::ErrorKind::WouldBlock.into()),
            })
        };
        match flushed {
            Ok(Flushed::Done) => {
                if was_blocked || self.clients.hot[slot].flags.has(Flags::WANTS_WRITE) {
                    self.unblock(slot);
                }
                if self.clients.hot[slot].flags.has(Flags::ENDING) {
                    self.shut(slot);
                }
            }
            Ok(Flushed::Blocked) => self.block(slot),
            Err(_) => self.lose(slot),
        }
    }

    fn block(&mut self, slot: usize) {
        let seconds = self.seconds();
        let hot = &mut self.clients.hot[slot];
        // A client that takes what we send is alive, even when we do not listen to it.
        if hot.outbox.stalled_since() == Some(self.now) {
            hot.heard = seconds;
        }
        let mut changed = hot.flags.set(Flags::WANTS_WRITE);
        let waiting = hot.outbox.backlog_bytes();
        if waiting >= CHOKE_AT {
            changed |= hot.flags.set(Flags::CHOKED);
        } else if waiting < CHOKE_AT / 2 && hot.flags.has(Flags::CHOKED) {
            hot.flags.clear(Flags::CHOKED);
            changed = true;
            self.starve_held(slot);
        }
        if changed {
            self.watch(slot);
        }
    }

    fn unblock(&mut self, slot: usize) {
        let hot = &mut self.clients.hot[slot];
        hot.flags.clear(Flags::WANTS_WRITE);
        if hot.flags.has(Flags::CHOKED) {
            hot.flags.clear(Flags::CHOKED);
            self.starve_held(slot);
        }
        self.watch(slot);
        // Pongs that waited can go now.
        if let Some(mut cold) = self.clients.cold[slot].take() {
            self.transmit(slot, &mut cold);
            self.put_back(slot, cold);
        }
    }

    /// Tells the poller what the client's flags want.
    pub(super) fn watch(&mut self, slot: usize) {
        if self.clients.hot[slot].flags.has(Flags::GONE) {
            return;
        }
        let token = self.clients.id(slot).token();
        let interest = self.interest(slot);
        if let Some(socket) = &self.clients.hot[slot].socket
            && let Err(error) = self.poller.modify(socket, token, interest)
        {
            tracing::warn!(%error, "a socket cannot be watched");
            self.cut(slot);
        }
    }

    pub(super) fn interest(&self, slot: usize) -> Interest {
        let flags = self.clients.hot[slot].flags;
        let read =
            !flags.has(Flags::PAUSED) && !flags.has(Flags::CHOKED) && !flags.has(Flags::HUNGRY);
        Interest { read, write: flags.has(Flags::WANTS_WRITE) }
    }

    pub(super) fn end_of_stream(&mut self, slot: usize) {
        if let Some(mut cold) = self.clients.cold[slot].take() {
            cold.carrier.handle_eof();
            while let Some(event) = cold.carrier.poll_event() {
                self.event(slot, &mut cold, event);
            }
            // One whose carrier was over before it became one.
            if cold.session.is_some() {
                self.farewell(slot, &mut cold, Farewell::Cut);
            }
            self.put_back(slot, cold);
        }
        self.clients.remove(slot);
    }

    /// A client's socket is at its end. What it had said before is heard before the client goes:
    /// who sends and leaves is an ordinary publisher.
    pub(super) fn lose(&mut self, slot: usize) {
        let cold = self.clients.cold[slot].as_deref();
        if cold.is_none_or(|cold| cold.held.is_none() || cold.session.is_none()) {
            return self.end_of_stream(slot);
        }
        let hot = &mut self.clients.hot[slot];
        if !hot.flags.set(Flags::GONE) {
            return;
        }
        hot.outbox = Outbox::default();
        hot.flags.clear(Flags::CHOKED);
        hot.flags.clear(Flags::WANTS_WRITE);
        if let Some(socket) = &hot.socket {
            drop(self.poller.delete(socket));
        }
        self.starve_held(slot);
    }

    /// The connection is given up.
    pub(super) fn cut(&mut self, slot: usize) {
        self.end_of_stream(slot);
    }

    /// Everything is sent: the server closes first (RFC 6455 §7.1.1). After a failure the peer may
    /// still be sending, and closing on unread bytes would reset the connection before it has read
    /// why; so our end is shut, and what comes is dropped until its end.
    fn shut(&mut self, slot: usize) {
        let hot = &mut self.clients.hot[slot];
        if !hot.flags.set(Flags::LINGERING) {
            return;
        }
        hot.flags.clear(Flags::PAUSED);
        self.clients.close_secure(slot);
        if let Some(socket) = &self.clients.hot[slot].socket
            && stream::shut(socket).is_err()
        {
            self.clients.remove(slot);
        } else {
            self.watch(slot);
        }
    }
}
