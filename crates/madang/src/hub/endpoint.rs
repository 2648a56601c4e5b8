//! One receiver of mail, and the members that it speaks for.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt, mem,
    sync::Arc,
};

use madang_proto::{Cursor, Topic, session::Farewell};

use super::{
    Attendance, Hub, Join, JoinError, Joined, MAX_KEY, MAX_LISTED, MAX_NAME, Post, cell::Cell,
    seats::Removed,
};
use crate::sync::{Mutex, Ordering, Seed};

/// A worker's, or a user task's, way into the hub.
///
/// It speaks for any number of members. Dropping it makes them all leave, as cut.
pub struct Endpoint {
    hub: Hub,
    id: u64,
    post: Arc<dyn Post>,
    /// The topics with members of this endpoint. They are alive as long as they stand here.
    joined: Mutex<HashMap<Topic, Arc<Cell>, Seed>>,
}

impl Endpoint {
    pub(super) fn new(hub: Hub, post: Arc<dyn Post>) -> Self {
        let id = hub.0.endpoints_made.fetch_add(1, Ordering::Relaxed);
        hub.0.endpoints.fetch_add(1, Ordering::Relaxed);
        Self { hub, id, post, joined: Mutex::new(HashMap::default()) }
    }

    /// The hub that it is attached to.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Makes a member of this endpoint join a topic.
    ///
    /// Under the topic's lock it is registered and reads what the cursor asks for; what is posted
    /// from then on is for it, and what was posted before has an order up to
    /// [`Joined::order`] and is not. A member that is there already joins anew, in place: its
    /// `watch` and `present` are replaced. A refused join changes nothing.
    pub fn join(&self, topic: &Topic, join: Join) -> Result<Joined, JoinError> {
        if let Some(attendance) = &join.present {
            check(attendance)?;
        }
        let session = (self.id, join.member);
        // Held throughout, so that the table and the topic agree whichever threads join and leave.
        let mut table = self.joined.lock();
        let hub = &self.hub.0;
        let joined = hub.with(topic, |cell, state, now| {
            if let Some(attendance) = &join.present
                && !state.admits(session, attendance, hub.config.max_present)
            {
                return Err(JoinError::TooManyPresent);
            }
            state.touch(now);
            // Its own arrival comes before it: a member is not told of itself.
            state.attend(session, join.present, hub.clock.wall(now));
            let first = state.seat(session, &self.post, join.watch);
            let limit = if join.from == Cursor::Now { 0 } else { usize::MAX };
            let read = state.read(join.from, limit, now, &hub.budget);
            let joined = Joined {
                key: cell.key,
                order: state.order(),
                at: state.at(),
                gap: read.gap,
                history: read.messages,
                count: state.count(),
                present: if join.watch { state.some_present(MAX_LISTED) } else { Vec::new() },
            };
            Ok((joined, first.then(|| Arc::clone(cell))))
        });
        let (joined, first) = joined.unwrap_or(Err(JoinError::TooManyTopics))?;
        if let Some(cell) = first {
            table.insert(topic.clone(), cell);
        }
        Ok(joined)
    }

    /// Makes a member leave a topic; false when it was not there.
    ///
    /// Mail that was posted before may still be under way: whoever drains it has forgotten the
    /// member by then.
    pub fn leave(&self, topic: &Topic, member: u64, farewell: Farewell) -> bool {
        let hub = &self.hub.0;
        let mut table = self.joined.lock();
        let Entry::Occupied(entry) = table.entry(topic.clone()) else { return false };
        let cell = Arc::clone(entry.get());
        let now = hub.clock.now();
        let removed = {
            let mut state = cell.state.lock();
            let removed = state.unseat((self.id, member), farewell, hub.away_until(now));
            state.touch(now);
            hub.settle(&cell, state, now);
            removed
        };
        if removed == Removed::Last {
            entry.remove();
        }
        removed != Removed::Nobody
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let hub = &self.hub.0;
        hub.endpoints.fetch_sub(1, Ordering::Relaxed);
        let now = hub.clock.now();
        let joined = mem::take(&mut *self.joined.lock());
        for cell in joined.into_values() {
            let mut state = cell.state.lock();
            state.unseat_all(self.id, hub.away_until(now));
            state.touch(now);
            hub.settle(&cell, state, now);
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("id", &self.id).finish_non_exhaustive()
    }
}

fn check(attendance: &Attendance) -> Result<(), JoinError> {
    let who = &attendance.who;
    if who.key.as_ref().is_some_and(|key| key.len() > MAX_KEY) {
        return Err(JoinError::KeyTooLong);
    }
    if who.user.as_ref().is_some_and(|user| user.chars().nth(MAX_NAME).is_some()) {
        return Err(JoinError::NameTooLong);
    }
    Ok(())
}
