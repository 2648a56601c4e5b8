//! What carries publications between nodes.
//!
//! A hub with a broker tells it of each publication and of the topics that it wants; what other
//! nodes publish to these comes in by the [`Inbox`].
//!
//! Guaranteed: a publication reaches each other node at most once, exactly once while the node is
//! subscribed and the broker is up; what one node publishes to a topic arrives everywhere in the
//! order that this node gave it. Not guaranteed: an order between publications of different nodes.
//! Each node numbers what arrives in its own topic, so a cursor is good only at the node that gave
//! it; elsewhere it is answered with a gap.
//!
//! A new broker is a folder with a `BROKER` and a line in [`BROKERS`].

pub mod memory;

use std::{
    fmt,
    sync::{Arc, Weak},
};

use madang_proto::{Publication, Topic};

/// All brokers.
pub const BROKERS: &[&BrokerKind] = &[&memory::BROKER];

/// One way to join nodes.
#[derive(Debug)]
pub struct BrokerKind {
    /// The scheme of its URLs, without the colon.
    pub scheme: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// Makes a broker from what follows the colon.
    pub open: fn(&str) -> Result<Arc<dyn Broker>, BrokerError>,
}

/// Opens the broker that a URL names.
pub fn open(url: &str) -> Result<Arc<dyn Broker>, BrokerError> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    let kind = BROKERS.iter().find(|kind| kind.scheme == scheme);
    (kind.ok_or_else(|| BrokerError::UnknownScheme(scheme.into()))?.open)(rest)
}

/// One node's connection to the others.
pub trait Broker: Send + Sync {
    /// Its scheme.
    fn name(&self) -> &'static str;

    /// Called once, by the hub that it belongs to, before anything else.
    fn start(&self, inbox: Inbox) -> Result<(), BrokerError>;

    /// Takes a publication of this node.
    ///
    /// Called under the topic's lock, so in the topic's order: it must only queue, never wait and
    /// never call a hub.
    fn publish(&self, publication: &Publication);

    /// Called after [`publish`](Self::publish), by the same thread, when the lock is given back.
    fn flush(&self) {}

    /// From now on this node wants a topic.
    ///
    /// This and [`unsubscribe`](Self::unsubscribe) alternate for a topic. They are called under a
    /// lock and must only note it.
    fn subscribe(&self, topic: &Topic);

    /// This node wants a topic no more.
    fn unsubscribe(&self, topic: &Topic);

    /// Whether publications reach the others at present.
    fn health(&self) -> Health;
}

/// How a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It carries.
    Up,
    /// It does not, for this reason.
    Down(String),
}

/// Why there is no broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// No broker has this scheme.
    #[error("there is no broker for `{0}:`")]
    UnknownScheme(String),
    /// The broker belongs to another hub already.
    #[error("this connection to the broker belongs to another hub")]
    InUse,
}

/// Who takes what comes in: the hub, which stands above its broker.
pub(crate) trait Receive: Send + Sync {
    /// See [`Inbox::deliver`].
    fn receive(&self, publication: Publication);
}

/// Where publications of other nodes come in.
#[derive(Clone)]
pub struct Inbox(Weak<dyn Receive>);

impl Inbox {
    /// The broker keeps no hub alive: the reference is weak.
    pub(crate) fn new(hub: Weak<dyn Receive>) -> Self {
        Self(hub)
    }

    /// Hands a publication to the topic's members on this node.
    ///
    /// Its position is replaced by this node's own. Nothing happens when the node does not want
    /// the topic, or is gone. Takes locks of the hub: the caller holds none that
    /// [`Broker::publish`] takes.
    pub fn deliver(&self, publication: Publication) {
        if let Some(hub) = self.0.upgrade() {
            hub.receive(publication);
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}
