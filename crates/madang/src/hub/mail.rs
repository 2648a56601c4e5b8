//! What the hub posts to an endpoint.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use madang_proto::{PresenceChange, Publication};
use smallvec::SmallVec;

use super::history::Budget;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// A number for one incarnation of a topic, unique in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicKey(pub(crate) u64);

/// Names a rendered form of a publication; what it stands for belongs to the doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FormKey(pub u32);

/// Where an endpoint's mail goes.
pub trait Post: Send + Sync {
    /// Takes one item.
    ///
    /// Called with the topic's lock held, so that everybody gets the same order: it must only queue
    /// and wake, never wait and never call the hub.
    fn post(&self, mail: Mail);
}

/// One item for an endpoint. Cloning counts a reference.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Mail {
    /// A publication, for all members of the topic.
    Published(Arc<Published>),
    /// Somebody came or went, for those who watch.
    Presence(Arc<Told>),
}

impl Mail {
    /// The topic's incarnation.
    #[inline]
    pub fn key(&self) -> TopicKey {
        match self {
            Self::Published(published) => published.key(),
            Self::Presence(told) => told.key,
        }
    }

    /// Its place among all that happens in the topic, publications and presence alike. A member
    /// skips what is not after its [`Joined::order`](super::Joined::order).
    #[inline]
    pub fn order(&self) -> u64 {
        match self {
            Self::Published(published) => published.order(),
            Self::Presence(told) => told.order,
        }
    }
}

/// A change of presence and its place in the topic.
#[derive(Debug)]
pub struct Told {
    /// The topic's incarnation.
    pub key: TopicKey,
    /// See [`Mail::order`].
    pub order: u64,
    /// What changed.
    pub change: PresenceChange,
}

/// A publication with the hub's number for it and the forms that it was rendered to.
///
/// All endpoints and the history share one.
pub struct Published {
    publication: Publication,
    key: TopicKey,
    order: u64,
    /// When it was taken, in milliseconds of the hub's clock.
    pub(super) born: u64,
    /// Which publication of the hub it is; says which of two is older.
    pub(super) stamp: u64,
    forms: Mutex<SmallVec<[(FormKey, Bytes); 1]>>,
    /// The bytes of the forms, and [`HELD`] while the history has it.
    charge: AtomicU64,
    budget: Arc<Budget>,
}

/// Marks, in [`Published::charge`], that the history's budget pays for the forms.
const HELD: u64 = 1 << 63;

impl Published {
    pub(super) fn new(
        publication: Publication,
        key: TopicKey,
        order: u64,
        born: u64,
        budget: &Arc<Budget>,
    ) -> Self {
        Self {
            publication,
            key,
            order,
            born,
            stamp: budget.stamp(),
            forms: Mutex::new(SmallVec::new()),
            charge: AtomicU64::new(0),
            budget: Arc::clone(budget),
        }
    }

    /// What was published.
    #[inline]
    pub fn publication(&self) -> &Publication {
        &self.publication
    }

    /// The topic's incarnation.
    #[inline]
    pub fn key(&self) -> TopicKey {
        self.key
    }

    /// See [`Mail::order`].
    #[inline]
    pub fn order(&self) -> u64 {
        self.order
    }

    /// The rendered form of this key: made by the first who asks, shared by all others.
    ///
    /// Two workers that ask at once wait for one rendering. `make` must not ask for a form of the
    /// same publication.
    pub fn form(&self, key: FormKey, make: impl FnOnce() -> Bytes) -> Bytes {
        let mut forms = self.forms.lock();
        if let Some((_, bytes)) = forms.iter().find(|(held, _)| *held == key) {
            return bytes.clone();
        }
        let bytes = make();
        forms.push((key, bytes.clone()));
        let size = bytes.len() as u64;
        if self.charge.fetch_add(size, Ordering::Relaxed) & HELD != 0 {
            self.budget.add(size);
        }
        bytes
    }

    /// Drops the forms. Those who come for the history make them anew.
    pub(super) fn cool(&self) {
        let mut forms = self.forms.lock();
        if forms.is_empty() {
            return;
        }
        let size: u64 = forms.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        *forms = SmallVec::new();
        if self.charge.fetch_sub(size, Ordering::Relaxed) & HELD != 0 {
            self.budget.sub(size);
        }
    }

    /// The history takes it: from now on its budget pays for the forms too.
    pub(super) fn hold(&self) {
        let before = self.charge.fetch_or(HELD, Ordering::Relaxed);
        self.budget.add(self.weight() + (before & !HELD));
    }

    /// The history lets it go.
    pub(super) fn release(&self) {
        let before = self.charge.fetch_and(!HELD, Ordering::Relaxed);
        if before & HELD != 0 {
            self.budget.sub(self.weight() + (before & !HELD));
        }
    }

    /// Its bytes in memory without the forms, about.
    fn weight(&self) -> u64 {
        /// This struct, its place in the ring, and what the allocator adds.
        const OVERHEAD: usize = size_of::<Published>() + 48;
        let of = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let p = &self.publication;
        let headers = p.headers.as_deref().unwrap_or_default();
        let headers: usize =
            headers.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
        let exact = p.exact.as_ref().map_or(0, |exact| exact.len());
        (OVERHEAD + exact + p.body.bytes().len() + of(&p.event) + of(&p.publisher) + headers) as u64
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published")
            .field("topic", &self.publication.topic)
            .field("id", &self.publication.id)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}
