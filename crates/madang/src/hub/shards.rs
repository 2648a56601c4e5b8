//! Where the hub finds its topics.

use std::{collections::HashMap, hash::BuildHasher, sync::Arc};

use madang_proto::{Position, Topic};
use rustc_hash::FxBuildHasher;

use super::{HistoryConfig, TopicKey, cell::Cell};
use crate::{
    broker::Broker,
    sync::{AtomicU64, AtomicUsize, Mutex, Ordering, Seed},
};

/// All topics, in 64 maps with a lock each.
pub(super) struct Shards {
    parts: Box<[Mutex<Shard>]>,
    seed: Seed,
    keys: AtomicU64,
    len: AtomicUsize,
    max: usize,
    /// The epoch of the place "no publication yet".
    nowhere: u64,
}

struct Shard {
    topics: HashMap<Topic, Arc<Cell>, Seed>,
    /// How many topics went whose publications nobody can read any more, counted in a few groups.
    forgotten: Box<[u32]>,
}

/// The place of a topic in the map, from a hash without secret: names chosen to share a shard only
/// share its lock.
#[derive(Clone, Copy)]
struct Place {
    shard: usize,
    /// Its group in [`Shard::forgotten`].
    group: usize,
}

impl Place {
    const SHARDS: usize = 64;
    const GROUPS: usize = 256;

    fn of(topic: &Topic) -> Self {
        let hash = FxBuildHasher.hash_one(topic.as_str()) >> 32;
        Self {
            shard: hash as usize % Self::SHARDS,
            group: hash as usize / Self::SHARDS % Self::GROUPS,
        }
    }
}

/// There are as many topics as there may be.
#[derive(Debug)]
pub(super) struct Full;

impl Shards {
    pub(super) fn new(max: usize) -> Self {
        let seed = Seed::default();
        Self {
            parts: (0..Place::SHARDS).map(|_| Mutex::new(Shard::new())).collect(),
            nowhere: epoch(&seed, 0),
            seed,
            keys: AtomicU64::new(1),
            len: AtomicUsize::new(0),
            max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn find(&self, topic: &Topic) -> Option<Arc<Cell>> {
        self.shard(Place::of(topic)).lock().topics.get(topic).cloned()
    }

    /// The place of a topic that does not exist.
    ///
    /// It stays the same until a topic with publications goes, so a reader that comes back to a
    /// topic where nothing was published has no gap.
    pub(super) fn origin(&self, topic: &Topic) -> Position {
        let place = Place::of(topic);
        self.origin_in(&self.shard(place).lock(), place)
    }

    fn origin_in(&self, shard: &Shard, place: Place) -> Position {
        Position { epoch: self.nowhere, seq: u64::from(shard.forgotten[place.group]) }
    }

    /// The topic, made if there is none. `stale` is one that the caller found dead; it is replaced.
    pub(super) fn obtain(
        &self,
        topic: &Topic,
        stale: Option<&Stale>,
        history: &HistoryConfig,
        broker: Option<&dyn Broker>,
    ) -> Result<Arc<Cell>, Full> {
        let place = Place::of(topic);
        let mut shard = self.shard(place).lock();
        if let Some(stale) = stale {
            self.bury_in(&mut shard, place, stale, broker);
        }
        if let Some(cell) = shard.topics.get(topic) {
            return Ok(Arc::clone(cell));
        }
        if self.len.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.len.fetch_sub(1, Ordering::Relaxed);
            return Err(Full);
        }
        let key = TopicKey(self.keys.fetch_add(1, Ordering::Relaxed));
        let epoch = epoch(&self.seed, key.0);
        let origin = self.origin_in(&shard, place);
        let limits = history.limits_for(topic);
        let cell = Arc::new(Cell::new(key, topic.clone(), epoch, origin, limits));
        // Under the shard's lock, so that a topic's subscribe and unsubscribe alternate.
        if let Some(broker) = broker {
            broker.subscribe(topic);
        }
        shard.topics.insert(topic.clone(), Arc::clone(&cell));
        Ok(cell)
    }

    /// Takes a dead topic out of the map, unless somebody has done so.
    pub(super) fn bury(&self, stale: &Stale, broker: Option<&dyn Broker>) {
        let place = Place::of(&stale.cell.topic);
        self.bury_in(&mut self.shard(place).lock(), place, stale, broker);
    }

    fn bury_in(&self, shard: &mut Shard, place: Place, stale: &Stale, broker: Option<&dyn Broker>) {
        let topic = &stale.cell.topic;
        if !shard.topics.get(topic).is_some_and(|cell| Arc::ptr_eq(cell, &stale.cell)) {
            return;
        }
        shard.topics.remove(topic);
        let forgotten = &mut shard.forgotten[place.group];
        *forgotten = forgotten.wrapping_add(u32::from(stale.was_used));
        self.len.fetch_sub(1, Ordering::Relaxed);
        if let Some(broker) = broker {
            broker.unsubscribe(topic);
        }
        let room = shard.topics.capacity();
        if room > 64 && shard.topics.len() < room / 4 {
            shard.topics.shrink_to(room / 2);
        }
    }

    /// How many parts [`part`](Self::part) has.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The topics of one shard.
    pub(super) fn part(&self, index: usize) -> Vec<Arc<Cell>> {
        self.parts[index].lock().topics.values().cloned().collect()
    }

    fn shard(&self, place: Place) -> &Mutex<Shard> {
        &self.parts[place.shard]
    }
}

impl Shard {
    fn new() -> Self {
        Self { topics: HashMap::default(), forgotten: [0; Place::GROUPS].into() }
    }
}

/// A topic that was found dead.
pub(super) struct Stale {
    pub(super) cell: Arc<Cell>,
    /// It had publications.
    pub(super) was_used: bool,
}

/// Random numbers that never come again; 48 bits keep the text of a position short.
fn epoch(seed: &Seed, number: u64) -> u64 {
    (seed.hash_one(number) & 0xffff_ffff_ffff).max(1)
}
