//! The way in: the worker takes connections itself, and answers the handshakes among the requests
//! that they bring.
//!
//! A connection that has said nothing yet is a place in the table like any client's, without a
//! buffer, a task or a timer. Its first bytes are shown to the [`Doorkeeper`]: a handshake that is
//! whole and right is answered at once, and the place becomes the client's; everything else is
//! handed to HTTP, with what was read.

use std::{io, net::SocketAddr, os::fd::OwnedFd};

use rustix::net::SocketFlags;

use super::{
    client::Flags,
    mail::{Newcomer, Pass},
    poll::Interest,
    worker::Worker,
};

/// Who decides at the door: the server above the worker.
pub(crate) trait Doorkeeper {
    /// A connection was taken from the listener with this number. Gives it a pass, or turns it
    /// away, or takes it over.
    fn admit(
        &mut self,
        listener: usize,
        stream: OwnedFd,
        peer: Option<SocketAddr>,
    ) -> Option<(OwnedFd, Pass)>;

    /// Looks at the first bytes of a connection.
    fn greet(&mut self, first: &[u8], stream: &OwnedFd, visitor: &Guest) -> Greeting;

    /// Takes over a connection that is no WebSocket, or not yet, with what it said.
    fn pass_on(&mut self, stream: OwnedFd, early: &[u8], visitor: Guest);
}

/// What a connection's first bytes are.
pub(crate) enum Greeting {
    /// A handshake: the client, the answer to be written, and how many bytes were the request's.
    Welcome { newcomer: Box<Newcomer>, answer: Vec<u8>, used: usize },
    /// Something for HTTP.
    Http,
}

/// A connection that waits on the doorstep.
pub(crate) struct Guest {
    /// Its address; a unix socket's peer has none.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) pass: Pass,
}

/// The sockets that a worker listens on, and who decides there.
pub(crate) struct Doors {
    pub(crate) listeners: Vec<OwnedFd>,
    pub(crate) keeper: Box<dyn Doorkeeper>,
}

/// Tokens of listeners count down from here; no client has a place with such a number.
const LISTENERS: u64 = u64::MAX - 1;
/// So many connections are taken from one listener in a turn.
pub(super) const MAX_ACCEPTED: usize = 64;

impl Worker {
    /// Takes connections from these sockets from now on.
    pub(crate) fn open(&mut self, doors: Doors) -> io::Result<()> {
        for (index, listener) in doors.listeners.iter().enumerate() {
            self.poller.add(listener, LISTENERS - index as u64, Interest::READ)?;
        }
        self.doors = Some(doors);
        Ok(())
    }

    /// A token that is no client's may be a listener's: takes the connections that wait there.
    /// How many there were, a turn's share at most.
    pub(super) fn knock(&mut self, token: u64) -> usize {
        let Some(mut doors) = self.doors.take() else { return 0 };
        let mut count = 0;
        let index = usize::try_from(LISTENERS.wrapping_sub(token)).unwrap_or(usize::MAX);
        if let Some(listener) = doors.listeners.get(index) {
            for _ in 0..MAX_ACCEPTED {
                match accept(listener) {
                    Ok(Some((stream, peer))) => {
                        count += 1;
                        if let Some((stream, pass)) = doors.keeper.admit(index, stream, peer) {
                            self.let_in(stream, Guest { peer, pass });
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        // Most likely there is no descriptor left, which is a matter of time. The
                        // listener stays ready, so nobody looks at it until the next sweep.
                        tracing::warn!(%error, "cannot take connections for a moment");
                        drop(self.poller.modify(listener, token, Interest::NONE));
                        self.deaf = true;
                        break;
                    }
                }
            }
        }
        self.doors = Some(doors);
        count
    }

    /// Whether somebody came since: nobody is to be left in a queue as the listeners close.
    pub(super) fn knock_at_all(&mut self) -> bool {
        let listeners = self.doors.as_ref().map_or(0, |doors| doors.listeners.len());
        let count: usize = (0..listeners).map(|index| self.knock(LISTENERS - index as u64)).sum();
        count > 0
    }

    /// Listens again after a failure.
    pub(super) fn listen_again(&mut self) {
        if !std::mem::take(&mut self.deaf) {
            return;
        }
        for (index, listener) in self.doors.iter().flat_map(|d| d.listeners.iter()).enumerate() {
            drop(self.poller.modify(listener, LISTENERS - index as u64, Interest::READ));
        }
    }

    fn let_in(&mut self, stream: OwnedFd, guest: Guest) {
        let id = self.clients.reserve(self.seconds());
        let slot = id.slot as usize;
        self.clients.hot[slot].flags.set(Flags::DOORSTEP);
        if let Err(error) = self.poller.add(&stream, id.token(), Interest::READ) {
            tracing::warn!(%error, "a socket cannot be watched");
            return self.clients.remove(slot);
        }
        self.clients.hot[slot].socket = Some(stream);
        self.clients.guests.insert(id.slot, guest);
    }

    /// The first `count` bytes of a connection are in the worker's buffer.
    pub(super) fn greet(&mut self, slot: usize, count: usize) {
        let Some(guest) = self.clients.guests.remove(&(slot as u32)) else {
            return self.clients.remove(slot);
        };
        let (Some(doors), Some(stream)) = (&mut self.doors, self.clients.hot[slot].socket.take())
        else {
            return self.clients.remove(slot);
        };
        match doors.keeper.greet(&self.buffer[..count], &stream, &guest) {
            Greeting::Welcome { newcomer, answer, used } => {
                let hot = &mut self.clients.hot[slot];
                hot.socket = Some(stream);
                hot.flags.clear(Flags::DOORSTEP);
                // Nothing is written before the turn's end: the client is in its topics by then.
                hot.outbox.own(&mut self.pool).extend_from_slice(&answer);
                self.mark_dirty(slot);
                self.begin(slot, *newcomer);
                if used < count && self.clients.hot[slot].flags.has(Flags::TAKEN) {
                    self.buffer.copy_within(used..count, 0);
                    self.feed(slot, count - used);
                }
            }
            Greeting::Http => {
                drop(self.poller.delete(&stream));
                doors.keeper.pass_on(stream, &self.buffer[..count], guest);
                self.clients.remove(slot);
            }
        }
    }

    /// Those who have asked for nothing yet are left to the doorkeeper: a request may be under way.
    pub(super) fn clear_doorstep(&mut self) {
        let Some(mut doors) = self.doors.take() else { return };
        for (slot, guest) in std::mem::take(&mut self.clients.guests) {
            let slot = slot as usize;
            if let Some(stream) = self.clients.hot[slot].socket.take() {
                drop(self.poller.delete(&stream));
                doors.keeper.pass_on(stream, &[], guest);
            }
            self.clients.remove(slot);
        }
        self.doors = Some(doors);
    }
}

/// The next connection, if one waits.
fn accept(listener: &OwnedFd) -> io::Result<Option<(OwnedFd, Option<SocketAddr>)>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    loop {
        match rustix::net::acceptfrom_with(listener, flags) {
            Ok((fd, peer)) => {
                let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                return Ok(Some((fd, peer)));
            }
            Err(rustix::io::Errno::AGAIN) => return Ok(None),
            // It left the queue before it was taken (accept(2): such errors are to be treated like
            // EAGAIN by retrying).
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
