//! Nodes in one process.
//!
//! For tests, and for programs with several hubs. When [`publish`](crate::hub::Hub::publish)
//! returns, the other hubs have the publication, or another thread that publishes is about to hand
//! it over. A node alone pays one lookup under a lock for each publication.

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock, PoisonError, Weak},
};

use madang_proto::{Publication, Topic};

use super::{Broker, BrokerError, BrokerKind, Health, Inbox};
use crate::sync::{AtomicU64, Mutex, Ordering, Seed};

/// `memory:` is a broker of its own; `memory:NAME` is shared by all in the process who say so.
pub const BROKER: BrokerKind = BrokerKind {
    scheme: "memory",
    summary: "joins hubs of one process",
    open: |name| Ok(named(name).connect()),
};

fn named(name: &str) -> MemoryBroker {
    static NAMED: std::sync::Mutex<Vec<(String, Weak<Bus>)>> = std::sync::Mutex::new(Vec::new());
    if name.is_empty() {
        return MemoryBroker::new();
    }
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    named.retain(|(_, bus)| bus.strong_count() > 0);
    let found = named.iter().find(|(held, _)| held == name);
    if let Some(bus) = found.and_then(|(_, bus)| bus.upgrade()) {
        return MemoryBroker(bus);
    }
    let broker = MemoryBroker::new();
    named.push((name.to_owned(), Arc::downgrade(&broker.0)));
    broker
}

/// What joins the nodes. Cloning counts a reference.
#[derive(Debug, Clone, Default)]
pub struct MemoryBroker(Arc<Bus>);

impl MemoryBroker {
    /// A broker without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection for one hub.
    pub fn connect(&self) -> Arc<dyn Broker> {
        let id = self.0.ids.fetch_add(1, Ordering::Relaxed);
        let node = Arc::new(Node { id, inbox: OnceLock::new(), queue: Mutex::default() });
        Arc::new(Connection { bus: Arc::clone(&self.0), node })
    }
}

#[derive(Debug, Default)]
struct Bus {
    ids: AtomicU64,
    /// Who wants a topic.
    wanted: Mutex<HashMap<Topic, Vec<Arc<Node>>, Seed>>,
    /// Nodes with mail that nobody has handed over yet.
    waiting: Mutex<Vec<Arc<Node>>>,
}

#[derive(Debug)]
struct Node {
    id: u64,
    inbox: OnceLock<Inbox>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    publications: VecDeque<Publication>,
    /// A thread is handing over; what is added meanwhile is its job too.
    is_served: bool,
}

impl Node {
    /// Hands over what is queued, in order: one thread at a time, and without the lock.
    fn serve(&self) {
        loop {
            let publication = {
                let mut queue = self.queue.lock();
                let Some(publication) = queue.publications.pop_front() else {
                    queue.is_served = false;
                    return;
                };
                publication
            };
            if let Some(inbox) = self.inbox.get() {
                inbox.deliver(publication);
            }
        }
    }
}

#[derive(Debug)]
struct Connection {
    bus: Arc<Bus>,
    node: Arc<Node>,
}

impl Broker for Connection {
    fn name(&self) -> &'static str {
        BROKER.scheme
    }

    fn start(&self, inbox: Inbox) -> Result<(), BrokerError> {
        self.node.inbox.set(inbox).map_err(|_| BrokerError::InUse)
    }

    fn publish(&self, publication: &Publication) {
        let wanted = self.bus.wanted.lock();
        let Some(nodes) = wanted.get(&publication.topic) else { return };
        for node in nodes.iter().filter(|node| node.id != self.node.id) {
            let mut queue = node.queue.lock();
            queue.publications.push_back(publication.clone());
            if !queue.is_served {
                queue.is_served = true;
                self.bus.waiting.lock().push(Arc::clone(node));
            }
        }
    }

    fn flush(&self) {
        loop {
            let Some(node) = self.bus.waiting.lock().pop() else { return };
            node.serve();
        }
    }

    fn subscribe(&self, topic: &Topic) {
        let mut wanted = self.bus.wanted.lock();
        wanted.entry(topic.clone()).or_default().push(Arc::clone(&self.node));
    }

    fn unsubscribe(&self, topic: &Topic) {
        let mut wanted = self.bus.wanted.lock();
        if let Some(nodes) = wanted.get_mut(topic) {
            nodes.retain(|node| node.id != self.node.id);
            if nodes.is_empty() {
                wanted.remove(topic);
            }
        }
    }

    fn health(&self) -> Health {
        Health::Up
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.bus.wanted.lock().retain(|_, nodes| {
            nodes.retain(|node| node.id != self.node.id);
            !nodes.is_empty()
        });
    }
}
