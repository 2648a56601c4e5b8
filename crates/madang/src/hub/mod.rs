//! Topics: who is in them, what they held, and in which order everybody sees it.
//!
//! The hub knows no protocol, no socket and no runtime. Whoever receives attaches an [`Endpoint`]:
//! a worker has one for all its connections, a task of a user's program one for itself.
//!
//! # The way of one publication
//!
//! 1. [`Hub::publish`] looks the topic up in its shard, makes it if there is none, and takes the
//!    topic's lock.
//! 2. Under this one hold of the lock the publication gets its number, a place in the history, and
//!    one pointer to it goes to the [`Post`] of *every* endpoint with members: the publisher's own
//!    too, so that it sees the order that the others see. A broker queues it for other nodes.
//! 3. Each worker drains its [`Mailbox`], finds the topic's [`Room`] among its [`Members`] by
//!    number, has the publication rendered once for each form ([`Published::form`], shared by all
//!    workers) and walks over its members.
//!
//! A join holds the same lock while it reads the history and registers its endpoint. It learns its
//! place in the topic's [`order`](Joined::order), and the worker keeps it with the member: mail
//! that was posted before the join and is drained after it is not for this member. So a member gets
//! what follows its cursor: nothing lost, nothing twice. Joins and leaves of presence are numbered
//! in the same order.
//!
//! # Topics come and go
//!
//! A topic begins with its first use and ends when it has no member, nobody present and an empty
//! history. Each incarnation has an epoch of its own, so no cursor is taken for one of another. A
//! cursor that cannot be served without loss is answered with a gap and everything that is held.
//! One exception is no loss: while a topic has never had a publication, its position names no
//! incarnation, and it holds until there is something to read.
//!
//! # Lock order
//!
//! Whoever holds a lock takes only locks that stand below it:
//!
//! 1. an endpoint's table of topics; the one round of `expire`,
//! 2. a shard of the map (and, from there, the broker's subscriptions),
//! 3. a topic — never two of them,
//! 4. the deadlines of presence; the ages of histories; the broker's queues; a publication's forms; what a [`Post`] locks,
//!    which is a mailbox.
//!
//! The budget of the history is made of atomics, without a lock.
//!
//! Between the lookup in the shard and the topic's lock the topic may have ended: it is marked dead
//! under its lock, and whoever finds it so replaces it in the map and tries again.

mod api;
mod cell;
mod clock;
mod config;
mod endpoint;
mod history;
mod mail;
mod mailbox;
mod member;
mod presence;
mod seats;
mod shards;
#[cfg(test)]
mod tests;
mod upkeep;

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Instant,
};

use madang_proto::{Cursor, Position, Presence, Publication, Topic};

pub use self::{
    api::{
        Attendance, Draft, Headers, HistoryPage, Join, JoinError, Joined, MAX_KEY, MAX_LISTED,
        MAX_NAME, PublishError, Stats,
    },
    config::{HistoryConfig, HubConfig, Limits, Pattern},
    endpoint::Endpoint,
    mail::{FormKey, Mail, Post, Published, Told, TopicKey},
    mailbox::Mailbox,
    member::{Member, Members, Moved, Room},
};
use self::{
    cell::{Cell, State},
    clock::Clock,
    history::Budget,
    shards::{Full, Shards, Stale},
    upkeep::{Deadlines, Histories},
};
use crate::{
    broker::{Broker, BrokerError, Inbox, Receive},
    sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering},
};

/// The topics of this node. Cloning counts a reference.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    config: HubConfig,
    shards: Shards,
    clock: Clock,
    budget: Arc<Budget>,
    broker: Option<Arc<dyn Broker>>,
    deadlines: Mutex<Deadlines>,
    histories: Mutex<Histories>,
    evicted: AtomicU64,
    /// The shard that `expire` looks through next.
    next_part: Mutex<usize>,
    endpoints: AtomicUsize,
    endpoints_made: AtomicU64,
}

impl Hub {
    /// A hub on its own.
    pub fn new(config: HubConfig) -> Self {
        Self(Arc::new(Inner::new(config, None)))
    }

    /// A hub that shares its topics with other nodes.
    pub fn with_broker(config: HubConfig, broker: Arc<dyn Broker>) -> Result<Self, BrokerError> {
        let hub = Inner::new(config, Some(broker));
        let hub = Self(Arc::new(hub));
        if let Some(broker) = &hub.0.broker {
            let inner: Weak<Inner> = Arc::downgrade(&hub.0);
            broker.start(Inbox::new(inner))?;
        }
        Ok(hub)
    }

    /// Publishes to a topic and returns the publication's place in it.
    ///
    /// May be called from any thread and any runtime; it waits for nothing but short locks.
    ///
    /// ```
    /// use madang::{hub::{Draft, Hub, HubConfig}, proto::Topic};
    ///
    /// let hub = Hub::new(HubConfig::default());
    /// let kitchen = Topic::new("kitchen")?;
    /// hub.publish(&kitchen, "The soup is ready.")?;
    /// hub.publish(&kitchen, Draft { event: Some("bell".into()), ..Draft::new("ding") })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish(
        &self,
        topic: &Topic,
        draft: impl Into<Draft>,
    ) -> Result<Position, PublishError> {
        self.0.publish(topic, draft.into())
    }

    /// Attaches a receiver: one for each worker, or for a user's task.
    pub fn attach(&self, post: Arc<dyn Post>) -> Endpoint {
        Endpoint::new(self.clone(), post)
    }

    /// Who is present in a topic, in order of arrival.
    pub fn presence(&self, topic: &Topic) -> Vec<Presence> {
        let cell = self.0.shards.find(topic);
        cell.map_or_else(Vec::new, |cell| cell.state.lock().presence())
    }

    /// A page of what a topic holds after a cursor, at most `limit` publications.
    pub fn history(&self, topic: &Topic, from: Cursor, limit: usize) -> HistoryPage {
        let hub = &*self.0;
        // With a broker, reading a topic brings its publications here.
        let page = if hub.broker.is_some() {
            hub.with(topic, |_, state, now| hub.page(state, from, limit, now)).ok()
        } else {
            hub.shards.find(topic).and_then(|cell| {
                let mut state = cell.state.lock();
                if state.dead {
                    return None;
                }
                let now = hub.clock.now();
                let page = hub.page(&mut state, from, limit, now);
                hub.settle(&cell, state, now);
                Some(page)
            })
        };
        page.unwrap_or_else(|| {
            let next = hub.shards.origin(topic);
            let gap = match from {
                Cursor::Earliest | Cursor::Now => false,
                Cursor::After(position) => position != next,
                Cursor::Foreign => true,
            };
            HistoryPage { messages: Vec::new(), next, gap }
        })
    }

    /// Lets go what has had its time: publications, and those who were cut off and have not come
    /// back. Workers call it about once a second, each of them.
    ///
    /// A call looks through a sixteenth of the topics. That only frees memory later: nothing too old
    /// is ever served.
    pub fn expire(&self, now: Instant) {
        self.0.expire(now);
    }

    /// What the hub holds and has done.
    pub fn stats(&self) -> Stats {
        let hub = &*self.0;
        Stats {
            topics: hub.shards.len(),
            endpoints: hub.endpoints.load(Ordering::Relaxed),
            history_bytes: hub.budget.held(),
            published: hub.budget.taken(),
            evicted: hub.evicted.load(Ordering::Relaxed),
        }
    }

    /// The broker that joins this hub to others, if there is one.
    pub fn broker(&self) -> Option<&Arc<dyn Broker>> {
        self.0.broker.as_ref()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Inner {
    fn new(config: HubConfig, broker: Option<Arc<dyn Broker>>) -> Self {
        Self {
            shards: Shards::new(config.max_topics),
            clock: Clock::new(),
            budget: Arc::new(Budget::new(config.history.max_bytes)),
            config,
            broker,
            deadlines: Mutex::new(Deadlines::new()),
            histories: Mutex::new(Histories::new()),
            evicted: AtomicU64::new(0),
            next_part: Mutex::new(0),
            endpoints: AtomicUsize::new(0),
            endpoints_made: AtomicU64::new(0),
        }
    }

    fn publish(&self, topic: &Topic, draft: Draft) -> Result<Position, PublishError> {
        let id = self.with(topic, |_, state, now| {
            state.touch(now);
            let published = state.publish(draft, self.clock.wall(now), now, &self.budget);
            if let Some(broker) = &self.broker {
                broker.publish(published.publication());
            }
            published.publication().id
        });
        if let Some(broker) = &self.broker {
            broker.flush();
        }
        self.keep_budget();
        id.map_err(|Full| PublishError::TooManyTopics)
    }

    /// Does something under the lock of a topic, which is made if there is none.
    fn with<R>(
        &self,
        topic: &Topic,
        f: impl FnOnce(&Arc<Cell>, &mut State, u64) -> R,
    ) -> Result<R, Full> {
        let mut stale = None;
        loop {
            let broker = self.broker.as_deref();
            let cell = self.shards.obtain(topic, stale.as_ref(), &self.config.history, broker)?;
            let mut state = cell.state.lock();
            if state.dead {
                let was_used = state.was_used();
                drop(state);
                stale = Some(Stale { cell, was_used });
                continue;
            }
            let now = self.clock.now();
            let result = f(&cell, &mut state, now);
            self.settle(&cell, state, now);
            return Ok(result);
        }
    }

    /// Gives the lock of a topic back. Before, whatever was done under it, the topic is noted where
    /// its deadlines and its history ask for it, and ends if nobody needs it.
    fn settle(&self, cell: &Arc<Cell>, mut state: MutexGuard<'_, State>, now: u64) {
        self.schedule(cell, &mut state);
        let is_over = state.retire(now, self.broker.is_none(), &self.budget);
        self.list(cell, &mut state);
        if is_over {
            let was_used = state.was_used();
            drop(state);
            let stale = Stale { cell: Arc::clone(cell), was_used };
            self.shards.bury(&stale, self.broker.as_deref());
        }
    }

    fn page(&self, state: &mut State, from: Cursor, limit: usize, now: u64) -> HistoryPage {
        state.touch(now);
        let read = state.read(from, limit, now, &self.budget);
        HistoryPage { messages: read.messages, next: read.next, gap: read.gap }
    }

    fn keep_budget(&self) {
        if self.budget.is_over() {
            self.evict();
        }
    }

    fn away_until(&self, now: u64) -> u64 {
        now.saturating_add(clock::millis(self.config.presence_grace))
    }
}

impl Receive for Inner {
    /// Takes a publication of another node.
    fn receive(&self, publication: Publication) {
        let Some(cell) = self.shards.find(&publication.topic) else { return };
        let mut state = cell.state.lock();
        if state.dead {
            return;
        }
        let Publication { event, body, headers, publisher, time, exact, except, .. } = publication;
        let draft = Draft { event, body, headers, publisher, exact, except };
        let now = self.clock.now();
        state.publish(draft, time, now, &self.budget);
        self.settle(&cell, state, now);
        self.keep_budget();
    }
}
