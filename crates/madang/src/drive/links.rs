//! Sessions that outlive their carriers: how they are named, found, and reached over links.
//!
//! Such a session has a place in its worker's table like any client, only without a socket. A request
//! for it comes by mail, from whichever worker has the connection, and its answer goes back the same
//! way. A WebSocket or a body that belongs to it is a client with a place of its own whose session, a
//! [`Relay`], passes on what it hears; when the session makes it its carrier, socket and all move to
//! the session's place.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    os::fd::OwnedFd,
    sync::Arc,
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Response;
use madang_proto::{Input, Kind, Link, Out, Reception, Request, Session, session::Farewell};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::mail::{ClientId, Mail, Pass, WorkerHandle};

/// Names a session among all of a server: its mount, and its own name there.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(Arc<[u8]>);

impl Key {
    pub(crate) fn new(mount: u16, name: &str) -> Self {
        let mut bytes = Vec::with_capacity(2 + name.len());
        bytes.extend(mount.to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        Self(bytes.into())
    }

    pub(crate) fn name(&self) -> &str {
        self.0.get(2..).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    /// The name is a secret of its client.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Which worker has the session of a key. Nobody is asked: the key decides.
#[derive(Debug, Clone)]
pub(crate) struct Homes {
    /// Keyed, as clients choose names.
    seed: RandomState,
    workers: u64,
}

/// Bytes of a name that nobody can guess: more than a UUID's 122 bits do not help.
const SECRET: usize = 15;

impl Homes {
    pub(crate) fn new(workers: usize) -> Self {
        Self { seed: RandomState::new(), workers: workers.max(1) as u64 }
    }

    /// The number of the worker.
    pub(crate) fn of(&self, key: &Key) -> usize {
        (self.seed.hash_one(key) % self.workers) as usize
    }

    /// A key that nobody can guess, of a session that is to live on this worker.
    pub(crate) fn invent(&self, mount: u16, home: usize) -> Result<Key, getrandom::Error> {
        loop {
            let mut secret = [0; SECRET + 1];
            getrandom::fill(&mut secret)?;
            // One worker of many is hit by trying.
            for last in 0..=u8::MAX {
                secret[SECRET] = last;
                let key = Key::new(mount, &URL_SAFE_NO_PAD.encode(secret));
                if self.of(&key) == home || home as u64 >= self.workers {
                    return Ok(key);
                }
            }
        }
    }
}

/// A request on its way to its session.
pub(crate) struct Exchange {
    pub(crate) key: Key,
    pub(crate) request: Request,
    /// For a session that may begin with it.
    pub(crate) create: Option<Create>,
    /// Names the exchange to [`WorkerHandle::exchange`].
    pub(super) ticket: u64,
    /// None of a request that was announced.
    pub(super) reply: Option<oneshot::Sender<Reply>>,
}

/// What a session needs to begin.
pub(crate) struct Create {
    pub(crate) reception: Arc<dyn Reception>,
    /// Which protocol renders for it, as the worker's list numbers them.
    pub(crate) protocol: u8,
    /// Held for as long as the session is there.
    pub(crate) pass: Pass,
}

/// What a request came to.
pub(crate) enum Reply {
    Whole(Response<Bytes>),
    /// The head, and where the body comes from.
    Stream(Response<()>, OwnedFd),
    /// There is no such session; the request, unless it was only announced.
    Unknown(Option<Request>),
    /// More requests of this session wait than may.
    Crowded,
}

/// So many requests and sockets may a session have at a time.
pub(super) const MAX_LINKS: usize = 16;

/// A session's name and its links.
pub(super) struct Links {
    pub(super) key: Key,
    next: u32,
    pub(super) open: SmallVec<[(Link, End); 1]>,
    /// The link that has become the carrier.
    pub(super) carrier: Option<Link>,
}

/// Where a link leads.
pub(super) enum End {
    Request { ticket: u64, reply: oneshot::Sender<Reply> },
    Client(ClientId),
}

impl Links {
    pub(super) fn new(key: Key) -> Self {
        Self { key, next: 0, open: SmallVec::new(), carrier: None }
    }

    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= MAX_LINKS
    }

    pub(super) fn add(&mut self, end: End) -> Link {
        self.next = self.next.wrapping_add(1);
        let link = Link(self.next);
        self.open.push((link, end));
        link
    }

    pub(super) fn put(&mut self, link: Link, end: End) {
        self.open.push((link, end));
    }

    pub(super) fn take(&mut self, link: Link) -> Option<End> {
        let at = self.open.iter().position(|(open, _)| *open == link)?;
        Some(self.open.remove(at).1)
    }

    /// The link of a request that was announced.
    pub(super) fn ticket(&self, wanted: u64) -> Option<Link> {
        self.open.iter().find_map(|(link, end)| {
            matches!(end, End::Request { ticket, .. } if *ticket == wanted).then_some(*link)
        })
    }

    /// The link of a request whose client has hung up.
    pub(super) fn take_ticket(&mut self, wanted: u64) -> Option<Link> {
        let at = self
            .open
            .iter()
            .position(|(_, end)| matches!(end, End::Request { ticket, .. } if *ticket == wanted))?;
        Some(self.open.remove(at).0)
    }

    pub(super) fn client(&self, link: Link) -> Option<ClientId> {
        self.open.iter().find_map(|(open, end)| match end {
            End::Client(id) if *open == link => Some(*id),
            _ => None,
        })
    }
}

/// The sessions of a worker that have names.
pub(super) type Names = HashMap<Key, ClientId>;

/// What is to be said to a session of one of its links.
#[derive(Debug)]
pub(super) enum Word {
    Attached,
    Said(Kind, Bytes),
    Gone(Farewell),
}

/// The session of a link: it passes everything on. Not at once, as the other session may wish
/// something of this very client, but by mail, which is read in the same turn.
pub(super) struct Relay {
    pub(super) worker: WorkerHandle,
    pub(super) to: ClientId,
    pub(super) link: Link,
}

impl Session for Relay {
    fn handle(&mut self, input: Input<'_>, _: Instant, _: &mut Out) {
        let word = match input {
            Input::Opened => Word::Attached,
            Input::Text(text) => Word::Said(Kind::Text, Bytes::copy_from_slice(text.as_bytes())),
            Input::Binary(bytes) => Word::Said(Kind::Binary, Bytes::copy_from_slice(bytes)),
            Input::Closed(farewell) => Word::Gone(farewell),
            _ => return,
        };
        self.worker.post(Mail::Link(self.to, self.link, word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_for_its_worker() {
        let homes = Homes::new(7);
        let mut names = std::collections::HashSet::new();
        for home in (0..7).cycle().take(700) {
            let key = homes.invent(3, home).unwrap();
            assert_eq!(homes.of(&key), home);
            assert_eq!(homes.of(&Key::new(3, key.name())), home);
            assert!(names.insert(key.name().to_owned()));
        }
        assert_ne!(Key::new(1, "a"), Key::new(2, "a"));
    }

    #[test]
    fn a_link_is_taken_once() {
        let mut links = Links::new(Key::new(0, "s"));
        let (reply, _) = oneshot::channel();
        let poll = links.add(End::Request { ticket: 7, reply });
        let socket = links.add(End::Client(ClientId { slot: 1, generation: 1 }));
        assert_ne!(poll, socket);
        assert!(links.client(poll).is_none() && links.client(socket).is_some());
        assert_eq!(links.take_ticket(8), None);
        assert_eq!(links.take_ticket(7), Some(poll));
        assert!(links.take(poll).is_none());
        assert!(links.take(socket).is_some() && links.take(socket).is_none());
    }
}
