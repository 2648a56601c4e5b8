//! Which endpoints have members in a topic.

use std::{fmt, sync::Arc};

use rustc_hash::FxHashSet;

use super::{Mail, Post};

/// One endpoint with members.
pub(super) struct Seat {
    endpoint: u64,
    post: Arc<dyn Post>,
    members: FxHashSet<u64>,
    watchers: FxHashSet<u64>,
}

impl Seat {
    pub(super) fn members(&self) -> impl Iterator<Item = u64> {
        self.members.iter().copied()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("endpoint", &self.endpoint)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

/// The endpoints of a topic, in order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Seats(Vec<Seat>);

impl Seats {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Posts to all.
    pub(super) fn post(&self, mail: &Mail) {
        for seat in &self.0 {
            seat.post.post(mail.clone());
        }
    }

    /// Whether anybody is told of joins and leaves.
    pub(super) fn any_watches(&self) -> bool {
        self.0.iter().any(|seat| !seat.watchers.is_empty())
    }

    /// Posts to those with watchers.
    pub(super) fn post_to_watchers(&self, mail: &Mail) {
        for seat in self.0.iter().filter(|seat| !seat.watchers.is_empty()) {
            seat.post.post(mail.clone());
        }
    }

    /// Enters a member; true when it is its endpoint's first.
    pub(super) fn add(
        &mut self,
        endpoint: u64,
        post: &Arc<dyn Post>,
        member: u64,
        watch: bool,
    ) -> bool {
        let (at, first) = match self.find(endpoint) {
            Ok(at) => (at, false),
            Err(at) => {
                let seat = Seat {
                    endpoint,
                    post: Arc::clone(post),
                    members: FxHashSet::default(),
                    watchers: FxHashSet::default(),
                };
                // Most topics have members of one endpoint, or of few.
                self.0.reserve_exact(1);
                self.0.insert(at, seat);
                (at, true)
            }
        };
        let seat = &mut self.0[at];
        seat.members.insert(member);
        if watch {
            seat.watchers.insert(member);
        } else {
            seat.watchers.remove(&member);
        }
        first
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, endpoint: u64, member: u64) -> Removed {
        let Ok(at) = self.find(endpoint) else { return Removed::Nobody };
        let seat = &mut self.0[at];
        if !seat.members.remove(&member) {
            return Removed::Nobody;
        }
        seat.watchers.remove(&member);
        if seat.members.is_empty() {
            self.0.remove(at);
            return Removed::Last;
        }
        for set in [&mut seat.members, &mut seat.watchers] {
            if set.capacity() > 64 && set.len() < set.capacity() / 4 {
                set.shrink_to(set.len() * 2);
            }
        }
        Removed::One
    }

    /// Takes a whole endpoint out.
    pub(super) fn remove_all(&mut self, endpoint: u64) -> Option<Seat> {
        self.find(endpoint).ok().map(|at| self.0.remove(at))
    }

    fn find(&self, endpoint: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&endpoint, |seat| seat.endpoint)
    }
}

/// What [`Seats::remove`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    /// There was no such member.
    Nobody,
    /// The endpoint has other members.
    One,
    /// The endpoint has no member any more.
    Last,
}
