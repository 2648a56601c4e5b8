//! What time brings: pings, idle clients, deadlines, goodbyes. Once a second, over all clients;
//! there is no timer for each.

use std::net::SocketAddr;

use madang_proto::session::Farewell;
use madang_ws::CloseCode;

use super::{
    carrier::Carrier,
    client::{Cold, Flags},
    worker::Worker,
};
use crate::codes::Code;

/// The reason that clients get with 1001 when the server stops.
const GOING_AWAY: &str = "M504 server is going away";
/// The reason that a client gets with 1008 when it reads too slowly.
const SLOW_CONSUMER: &str = "M503 slow consumer";

impl Worker {
    /// Looks after every client, and lets the hub forget what is over age.
    pub(super) fn sweep(&mut self) {
        self.handle.begin_turn();
        self.hub.expire(self.now);
        self.listen_again();
        self.count_replays();
        let seconds = self.seconds();
        let ping_after = whole_seconds(self.config.ping_interval);
        let gone_after = whole_seconds(self.config.ping_timeout);
        for slot in 0..self.clients.hot.len() {
            let hot = &mut self.clients.hot[slot];
            if !hot.flags.has(Flags::TAKEN) {
                continue;
            }
            if let Some(since) = hot.outbox.stalled_since()
                && self.now.duration_since(since) >= self.config.outbox.max_stall
                && !hot.flags.has(Flags::MUTE)
            {
                self.disconnect_slow(slot);
                continue;
            }
            let silent = seconds.saturating_sub(hot.heard);
            if hot.flags.has(Flags::DOORSTEP) {
                // One more, as a second that has begun counts.
                if silent > whole_seconds(self.config.silence) {
                    self.clients.remove(slot);
                }
                continue;
            }
            let pinged = hot.flags.has(Flags::PINGED);
            let is_paused = hot.flags.has(Flags::PAUSED);
            if hot.flags.has(Flags::TIMED) || hot.flags.has(Flags::ENDING) {
                self.check_times(slot);
            } else if hot.flags.has(Flags::STREAM) {
                // Its session says something now and then; who does not take it is a slow consumer.
            } else if is_paused {
                // It is not heard because it is not read. A ping finds out whether it is there: to a
                // client that is gone it cannot be sent.
                if silent >= ping_after {
                    hot.heard = seconds;
                    self.ping(slot);
                    self.clients.hot[slot].flags.clear(Flags::PINGED);
                }
            } else if pinged && silent >= ping_after.saturating_add(gone_after) {
                let session = self.clients.cold[slot].as_deref().map(|cold| cold.id);
                tracing::debug!(session, "a client did not answer a ping");
                self.cut(slot);
            } else if !pinged && silent >= ping_after {
                self.ping(slot);
            }
        }
        if self.leaving.as_ref().is_some_and(|drain| self.now >= drain.until) {
            (0..self.clients.hot.len()).for_each(|slot| self.cut(slot));
        }
        self.end_aside();
    }

    fn ping(&mut self, slot: usize) {
        let Some(cold) = self.clients.cold[slot].as_deref_mut() else { return };
        let hot = &mut self.clients.hot[slot];
        if hot.outbox.ahead(&mut self.pool, |own| cold.carrier.ping(own)).is_ok() {
            hot.flags.set(Flags::PINGED);
            self.mark_dirty(slot);
        }
    }

    /// A deadline of the connection, or of the goodbye, may have come.
    fn check_times(&mut self, slot: usize) {
        let Some(mut cold) = self.clients.cold[slot].take() else { return };
        if cold.give_up > 0 && self.seconds() >= cold.give_up && !self.is_taking(slot, &cold) {
            self.put_back(slot, cold);
            self.cut(slot);
            return;
        }
        // What a client sent in time and we did not read is not late.
        let is_unread = {
            let flags = self.clients.hot[slot].flags;
            flags.has(Flags::CHOKED) || flags.has(Flags::PAUSED) || flags.has(Flags::HUNGRY)
        };
        if !(is_unread && cold.carrier.is_open()) {
            cold.carrier.handle_timeout(self.now);
        }
        while let Some(event) = cold.carrier.poll_event() {
            self.event(slot, &mut cold, event);
        }
        if cold.carrier.poll_timeout().is_none() {
            self.clients.hot[slot].flags.clear(Flags::TIMED);
        }
        self.transmit(slot, &mut cold);
        self.put_back(slot, cold);
        self.feed_held(slot);
    }

    /// Whether a client still takes what a body said before its end. Of a WebSocket, the peer's own
    /// goodbye tells that it has had everything; of a body that is cut nobody would know what is
    /// missing.
    fn is_taking(&self, slot: usize, cold: &Cold) -> bool {
        let since = self.clients.hot[slot].outbox.stalled_since();
        matches!(cold.carrier, Carrier::Stream(_))
            && since
                .is_some_and(|since| self.now.duration_since(since) < self.config.outbox.max_stall)
    }

    /// Ends a client that does not read what it is sent.
    pub(super) fn disconnect_slow(&mut self, slot: usize) {
        let Some(mut cold) = self.clients.cold[slot].take() else { return };
        let socket = self.clients.hot[slot].socket.as_ref();
        let peer = socket
            .and_then(|socket| SocketAddr::try_from(rustix::net::getpeername(socket).ok()??).ok());
        let peer = peer.map(tracing::field::display);
        tracing::info!(
            code = Code::M503.counted(),
            session = cold.id,
            peer,
            "M503: slow consumer disconnected"
        );
        self.clients.hot[slot].outbox.abandon();
        self.begin_close(slot, &mut cold, CloseCode::POLICY_VIOLATION.as_u16(), SLOW_CONSUMER);
        // It may come back and resume, like one that was cut.
        self.farewell(slot, &mut cold, Farewell::Cut);
        self.transmit(slot, &mut cold);
        if cold.carrier.poll_transmit(&mut self.scratch) {
            let own = self.clients.hot[slot].outbox.own(&mut self.pool);
            own.append(&mut self.scratch);
            self.mark_dirty(slot);
        }
        self.put_back(slot, cold);
        self.feed_held(slot);
    }

    pub(super) fn send_away(&mut self, slot: usize) {
        if self.clients.hot[slot].flags.has(Flags::LINK) {
            // Its session may have something to say on it, and closes it behind that.
            return;
        }
        let Some(mut cold) = self.clients.cold[slot].take() else { return };
        self.begin_close(slot, &mut cold, CloseCode::GOING_AWAY.as_u16(), GOING_AWAY);
        self.transmit(slot, &mut cold);
        self.put_back(slot, cold);
        self.feed_held(slot);
    }
}

fn whole_seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).max(1)
}
