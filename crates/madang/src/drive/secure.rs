//! What is different for a client with TLS: bytes pass through rustls on their way in and out.

use std::{
    io::{self, IoSlice},
    time::Instant,
};

use super::{
    client::{Clients, Flags},
    outbox::{Flushed, Pool},
    worker::Worker,
};

impl Worker {
    /// Decrypts the first `count` bytes of the worker's buffer and hands a client's connection what
    /// they say, with whatever TLS had before.
    pub(super) fn decrypt(&mut self, slot: usize, count: usize) {
        let Some(tls) = self.clients.cold[slot].as_deref_mut().and_then(|cold| cold.tls.as_mut())
        else {
            return self.cut(slot);
        };
        self.plain.clear();
        let read = tls.decrypt(&self.buffer[..count], &mut self.plain);
        let wants_write = tls.wants_write();
        let id = self.clients.id(slot);
        if !self.plain.is_empty() {
            // Both are the worker's own; whichever is called the buffer is what is parsed.
            std::mem::swap(&mut self.buffer, &mut self.plain);
            let count = self.buffer.len();
            self.feed(slot, count);
            std::mem::swap(&mut self.buffer, &mut self.plain);
        }
        if self.clients.find(id).is_none() {
            return;
        }
        match read {
            Ok(read) if read.is_closed => {
                // What the last frames are answered with leaves before.
                self.flush(slot);
                if self.clients.find(id).is_some() {
                    self.lose(slot);
                }
            }
            // An answer of TLS itself, such as new keys.
            Ok(_) if wants_write => self.mark_dirty(slot),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "TLS failed");
                self.clients.last_words(slot);
                self.lose(slot);
            }
        }
    }
}

impl Clients {
    /// As [`Outbox::flush`](super::outbox::Outbox::flush); done only when the socket has taken
    /// the last record, too.
    pub(super) fn flush_secure(
        &mut self,
        slot: usize,
        pool: &mut Pool,
        now: Instant,
    ) -> io::Result<Flushed> {
        let hot = &mut self.hot[slot];
        let tls = self.cold[slot].as_deref_mut().and_then(|cold| cold.tls.as_mut());
        let (Some(tls), Some(socket)) = (tls, &hot.socket) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut write = |slices: &[IoSlice<'_>]| tls.send(socket, slices);
        let flushed = hot.outbox.flush(pool, now, &mut write)?;
        if flushed == Flushed::Done && !tls.flush(socket)? {
            return Ok(Flushed::Blocked);
        }
        Ok(flushed)
    }

    /// Ends the TLS of a client that has been sent everything.
    pub(super) fn close_secure(&mut self, slot: usize) {
        if !self.hot[slot].flags.has(Flags::TLS) {
            return;
        }
        let tls = self.cold[slot].as_deref_mut().and_then(|cold| cold.tls.as_mut());
        if let (Some(tls), Some(socket)) = (tls, &self.hot[slot].socket) {
            tls.close(socket);
        }
    }

    /// Why TLS failed, if the socket takes it.
    fn last_words(&mut self, slot: usize) {
        let tls = self.cold[slot].as_deref_mut().and_then(|cold| cold.tls.as_mut());
        if let (Some(tls), Some(socket)) = (tls, &self.hot[slot].socket) {
            drop(tls.flush(socket));
        }
    }
}
