//! One incarnation of a topic.

use std::sync::Arc;

use madang_proto::{
    Cursor, Position, Presence, PresenceChange, Publication, Topic, session::Farewell,
};

use super::{
    Attendance, Draft, Limits, Mail, Post, Published, Told, TopicKey,
    history::{Budget, Ring},
    presence::{Roster, Session},
    seats::{Removed, Seats},
};
use crate::sync::Mutex;

/// A topic as the map of the hub knows it.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) key: TopicKey,
    pub(super) topic: Topic,
    pub(super) state: Mutex<State>,
}

impl Cell {
    pub(super) fn new(
        key: TopicKey,
        topic: Topic,
        epoch: u64,
        origin: Position,
        limits: Limits,
    ) -> Self {
        let state = State {
            key,
            topic: topic.clone(),
            dead: false,
            epoch,
            origin,
            seq: 0,
            order: 0,
            touched: 0,
            ring: Ring::new(limits),
            seats: Seats::default(),
            roster: None,
            is_scheduled: false,
            listed: None,
        };
        Self { key, topic, state: Mutex::new(state) }
    }
}

/// What the topic's lock guards: order, history, who is here.
#[derive(Debug)]
pub(super) struct State {
    key: TopicKey,
    topic: Topic,
    /// It has left the map, or is about to; nothing may be done with it any more.
    pub(super) dead: bool,
    epoch: u64,
    /// The place of this topic before its first publication.
    origin: Position,
    /// The number of the newest publication.
    seq: u64,
    /// Counts publications and changes of presence.
    order: u64,
    /// When somebody of this node last used it.
    touched: u64,
    pub(super) ring: Ring,
    seats: Seats,
    roster: Option<Box<Roster>>,
    /// It waits among the hub's deadlines.
    pub(super) is_scheduled: bool,
    /// Under which age it stands among the hub's histories.
    pub(super) listed: Option<u64>,
}

/// What a cursor yields.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) messages: Vec<Arc<Published>>,
    pub(super) gap: bool,
    /// The cursor that continues after `messages`.
    pub(super) next: Position,
}

impl State {
    /// Takes a publication: its number, its place in the history, its way to every endpoint.
    ///
    /// All three happen under one hold of the lock, so every endpoint and every later reader see
    /// the same order.
    pub(super) fn publish(
        &mut self,
        draft: Draft,
        time: u64,
        now: u64,
        budget: &Arc<Budget>,
    ) -> Arc<Published> {
        self.seq += 1;
        self.order += 1;
        let publication = Publication {
            topic: self.topic.clone(),
            id: Position { epoch: self.epoch, seq: self.seq },
            event: draft.event,
            body: draft.body,
            headers: draft.headers,
            publisher: draft.publisher,
            time,
            exact: draft.exact,
            except: draft.except,
        };
        let published = Arc::new(Published::new(publication, self.key, self.order, now, budget));
        self.ring.push(&published, budget);
        self.seats.post(&Mail::Published(Arc::clone(&published)));
        published
    }

    /// Where the topic stands, as a cursor.
    pub(super) fn at(&self) -> Position {
        self.position(self.seq)
    }

    /// See [`Mail::order`].
    pub(super) fn order(&self) -> u64 {
        self.order
    }

    /// Whether anything was ever published in this incarnation.
    pub(super) fn was_used(&self) -> bool {
        self.seq > 0
    }

    fn position(&self, seq: u64) -> Position {
        if seq == 0 { self.origin } else { Position { epoch: self.epoch, seq } }
    }

    /// What follows a cursor, and whether something between is lost.
    pub(super) fn read(&mut self, from: Cursor, limit: usize, now: u64, budget: &Budget) -> Read {
        self.ring.expire(now, budget);
        let first = self.ring.first().unwrap_or(self.seq + 1);
        let (after, gap) = match from {
            Cursor::Now => (self.seq, false),
            Cursor::Earliest => (first - 1, false),
            Cursor::After(position) => match self.number(position) {
                Some(seq) if seq + 1 >= first => (seq, false),
                _ => (first - 1, true),
            },
            Cursor::Foreign => (first - 1, true),
        };
        let messages = self.ring.after(after, limit);
        let next =
            messages.last().map_or_else(|| self.position(after), |last| last.publication().id);
        Read { messages, gap, next }
    }

    /// The number that a position names in this incarnation.
    fn number(&self, position: Position) -> Option<u64> {
        if position == self.origin {
            return Some(0);
        }
        (position.epoch == self.epoch && position.seq <= self.seq).then_some(position.seq)
    }

    /// Enters a member; true when it is its endpoint's first.
    pub(super) fn seat(&mut self, session: Session, post: &Arc<dyn Post>, watch: bool) -> bool {
        self.seats.add(session.0, post, session.1, watch)
    }

    /// Takes a member out and, if it is present, tells of it or keeps its place `until` then.
    pub(super) fn unseat(&mut self, session: Session, farewell: Farewell, until: u64) -> Removed {
        let removed = self.seats.remove(session.0, session.1);
        if removed != Removed::Nobody {
            self.exit(session, farewell, until);
        }
        removed
    }

    /// Takes all members of an endpoint out, as cut.
    pub(super) fn unseat_all(&mut self, endpoint: u64, until: u64) {
        let Some(seat) = self.seats.remove_all(endpoint) else { return };
        if self.roster.is_some() {
            for member in seat.members() {
                self.exit((endpoint, member), Farewell::Cut, until);
            }
        }
    }

    /// Whether [`attend`](Self::attend) may be called.
    pub(super) fn admits(&self, session: Session, attendance: &Attendance, max: usize) -> bool {
        self.roster.as_ref().map_or(max > 0, |r| r.admits(session, attendance, max).is_ok())
    }

    /// Sets how a session is present, or that it is not.
    pub(super) fn attend(&mut self, session: Session, present: Option<Attendance>, since: u64) {
        let roster = self.roster.as_ref();
        let stays = present.as_ref().is_some_and(|attendance| {
            roster.is_some_and(|roster| roster.is_in(session, attendance))
        });
        if stays {
            return;
        }
        self.exit(session, Farewell::Clean, since);
        if let Some(attendance) = present {
            let roster = self.roster.get_or_insert_default();
            if let Some(presence) = roster.enter(session, attendance, since) {
                self.tell(true, presence);
            }
        }
    }

    fn exit(&mut self, session: Session, farewell: Farewell, until: u64) {
        let Some(roster) = self.roster.as_mut() else { return };
        if let Some(presence) = roster.exit(session, farewell, until) {
            self.tell(false, presence);
        }
    }

    /// Tells of those who were cut off and have not come back in time.
    pub(super) fn give_up(&mut self, now: u64) {
        while let Some(presence) = self.roster.as_mut().and_then(|roster| roster.give_up(now)) {
            self.tell(false, presence);
        }
    }

    /// When [`give_up`](Self::give_up) may have something to do.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.roster.as_ref().and_then(|roster| roster.deadline())
    }

    /// How many are present.
    pub(super) fn count(&self) -> usize {
        self.roster.as_ref().map_or(0, |roster| roster.len())
    }

    /// Who is present.
    pub(super) fn presence(&self) -> Vec<Presence> {
        self.roster.as_ref().map_or_else(Vec::new, |roster| roster.list())
    }

    /// Some of those who are present, without a look at all.
    pub(super) fn some_present(&self, most: usize) -> Vec<Presence> {
        self.roster.as_ref().map_or_else(Vec::new, |roster| roster.some(most))
    }

    #[cfg(all(test, not(feature = "shuttle")))]
    pub(super) fn absences(&self) -> usize {
        self.roster.as_ref().map_or(0, |roster| roster.absences())
    }

    fn tell(&mut self, joined: bool, presence: Presence) {
        let count = self.count();
        if count == 0 {
            self.roster = None;
        }
        self.order += 1;
        if self.seats.any_watches() {
            let change = PresenceChange {
                topic: self.topic.clone(),
                joined,
                presence,
                count,
                at: self.at(),
            };
            let told = Told { key: self.key, order: self.order, change };
            self.seats.post_to_watchers(&Mail::Presence(Arc::new(told)));
        }
    }

    /// Notes that somebody of this node uses the topic.
    pub(super) fn touch(&mut self, now: u64) {
        self.touched = self.touched.max(now);
    }

    /// Ends the topic if nobody needs it; true when it is to leave the map.
    ///
    /// A hub alone keeps a topic as long as its history holds something. With a broker, other nodes
    /// go on publishing into it; there it stays for as long as a publication would after the last
    /// use on this node.
    pub(super) fn retire(&mut self, now: u64, is_alone: bool, budget: &Budget) -> bool {
        if self.dead || !self.seats.is_empty() || self.count() > 0 {
            return false;
        }
        let Limits { count, age } = self.ring.limits();
        let is_read = if is_alone {
            !self.ring.is_empty()
        } else {
            count > 0 && self.touched.saturating_add(super::clock::millis(age)) >= now
        };
        if is_read {
            return false;
        }
        self.ring.clear(budget);
        self.dead = true;
        true
    }
}
