//! How many connections are open, in all and of one address, and how many may be.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

/// Counts a server's connections against a limit, their descriptors against another, and those of
/// each address against a third.
#[derive(Debug)]
pub(crate) struct Gate {
    open: AtomicUsize,
    limit: AtomicUsize,
    descriptors: AtomicUsize,
    most_descriptors: usize,
    limit_of_address: AtomicUsize,
    /// Connections that have begun to ask for something.
    pending: Mutex<Asking>,
    /// Those that hear why they are not served.
    farewells: AtomicUsize,
    /// Only of addresses with open connections that were counted, so no larger than their number;
    /// empty for as long as there is no limit. The hash is keyed: who owns many networks chooses
    /// the keys.
    addresses: Mutex<HashMap<Key, usize>>,
}

/// Connections that have begun to ask for something, in all and of each address that is known.
#[derive(Debug, Default)]
struct Asking {
    all: usize,
    of_address: HashMap<Key, usize>,
}

/// How many of `most` one address may have: a quarter, so that it alone keeps nobody out.
fn share_of_address(most: usize) -> usize {
    (most / 4).max(16).min(most)
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many connections are open as may be.
    Full,
    /// As many of this address.
    Address,
    /// As many, or as many of this address, have begun to ask for something, and do not come to an
    /// end with it.
    Pending,
}

/// Whom connections are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    V4(u32),
    /// The first 64 bits: what one customer gets at least, and may number as he likes (RFC 6177 §2).
    V6(u64),
}

impl Key {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => Self::V6((v6.to_bits() >> 64) as u64),
        }
    }
}

/// Stands for one open connection; dropping it makes room.
pub(super) type Pass = (Place, Option<AddressPass>);

/// Stands for one open connection among all.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    descriptors: usize,
}

/// Stands for one connection of an address; dropping it makes room.
#[derive(Debug)]
pub(super) struct AddressPass {
    gate: Arc<Gate>,
    key: Key,
}

/// Stands for a descriptor that is no connection's; dropping it makes room.
#[derive(Debug)]
pub(super) struct Descriptor(Arc<Gate>);

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.descriptors.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Stands for one connection that hears why it is not served; dropping it makes room.
#[derive(Debug)]
pub(super) struct Farewell(Arc<Gate>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.farewells.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many may take their time over it. Their descriptors are among those that are kept free.
const FAREWELLS: usize = 32;

/// Stands for one connection that has begun to ask for something; dropping it makes room.
#[derive(Debug)]
pub(super) struct Pending {
    gate: Arc<Gate>,
    key: Option<Key>,
    is_over: AtomicBool,
}

impl Pending {
    /// Whether it has asked.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// It has asked.
    pub(super) fn settle(&self) {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            let mut pending = self.gate.pending.lock();
            pending.all -= 1;
            if let Some(key) = self.key
                && let Some(begun) = pending.of_address.get_mut(&key)
            {
                *begun -= 1;
                if *begun == 0 {
                    pending.of_address.remove(&key);
                }
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Gate {
    pub(super) fn new(limit: usize, most_descriptors: usize, limit_of_address: usize) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            descriptors: AtomicUsize::new(0),
            most_descriptors,
            limit_of_address: AtomicUsize::new(limit_of_address),
            pending: Mutex::default(),
            farewells: AtomicUsize::new(0),
            addresses: Mutex::default(),
        })
    }

    /// How many may be open.
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed).min(self.most_descriptors)
    }

    /// From now on; who is in stays.
    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many of one address may be open.
    pub(super) fn limit_of_address(&self) -> usize {
        self.limit_of_address.load(Ordering::Relaxed)
    }

    /// Whether addresses are counted at all.
    pub(super) fn limits_addresses(&self) -> bool {
        self.limit_of_address() < usize::MAX
    }

    /// From now on; who is in stays, and was not counted while there was no limit.
    pub(super) fn set_limit_of_address(&self, limit: usize) {
        self.limit_of_address.store(limit, Ordering::Relaxed);
    }

    /// Lets a connection in, of an address if that is known and its own.
    pub(super) fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Pass, Refused> {
        self.enter_with(1, address)
    }

    /// For a WebSocket that is a stream of HTTP/2: a connection of its own, and two descriptors.
    pub(super) fn enter_stream(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Pass, Refused> {
        self.enter_with(2, address)
    }

    /// For a session that is there whether it has a connection or not. It has no descriptor, so it is
    /// its number that is bounded, also where nobody has set a limit.
    pub(super) fn enter_session(
        self: &Arc<Self>,
        address: Option<IpAddr>,
    ) -> Result<Pass, Refused> {
        let pass = self.enter_with(0, address)?;
        let has_room = self.open.load(Ordering::Relaxed) <= self.limit();
        // Who is refused gives the place back as it is dropped.
        if has_room { Ok(pass) } else { Err(Refused::Full) }
    }

    fn enter_with(
        self: &Arc<Self>,
        descriptors: usize,
        address: Option<IpAddr>,
    ) -> Result<Pass, Refused> {
        let place = Place { gate: Arc::clone(self), descriptors };
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        let used = self.descriptors.fetch_add(descriptors, Ordering::Relaxed);
        // Who is refused gives the place back as it is dropped.
        let has_room = open < self.limit.load(Ordering::Relaxed)
            && used + descriptors <= self.most_descriptors;
        if !has_room {
            return Err(Refused::Full);
        }
        let of_address = self.count(address)?;
        Ok((place, of_address))
    }

    /// For a file that is sent: a peer that does not read makes it stay open.
    pub(super) fn open_file(self: &Arc<Self>) -> Result<Descriptor, Refused> {
        let used = self.descriptors.fetch_add(1, Ordering::Relaxed);
        // Who is refused gives it back as it is dropped.
        let descriptor = Descriptor(Arc::clone(self));
        if used < self.most_descriptors { Ok(descriptor) } else { Err(Refused::Full) }
    }

    /// For a connection that is not let in, and has no place: time to hear why, if there is some.
    pub(super) fn farewell(self: &Arc<Self>) -> Option<Farewell> {
        let begun = self.farewells.fetch_add(1, Ordering::Relaxed);
        // Who comes too late gives it back as it is dropped.
        let farewell = Farewell(Arc::clone(self));
        (begun < FAREWELLS).then_some(farewell)
    }

    /// Counts a connection that begins to ask for something, of `most` that may be at it; of an
    /// address if that is known and its own.
    pub(super) fn begin(
        self: &Arc<Self>,
        most: usize,
        address: Option<IpAddr>,
    ) -> Result<Pending, Refused> {
        let key = address.map(Key::of);
        let mut pending = self.pending.lock();
        let of_address = key.and_then(|key| pending.of_address.get(&key)).copied().unwrap_or(0);
        if pending.all >= most || of_address >= share_of_address(most) {
            return Err(Refused::Pending);
        }
        pending.all += 1;
        if let Some(key) = key {
            pending.of_address.insert(key, of_address + 1);
        }
        Ok(Pending { gate: Arc::clone(self), key, is_over: AtomicBool::new(false) })
    }

    /// Counts a connection that is in for an address that became known only now.
    pub(super) fn count(
        self: &Arc<Self>,
        address: Option<IpAddr>,
    ) -> Result<Option<AddressPass>, Refused> {
        let limit = self.limit_of_address();
        let Some(address) = address.filter(|_| limit < usize::MAX) else { return Ok(None) };
        let key = Key::of(address);
        let mut addresses = self.addresses.lock();
        let open = addresses.get(&key).copied().unwrap_or(0);
        if open >= limit {
            return Err(Refused::Address);
        }
        addresses.insert(key, open + 1);
        Ok(Some(AddressPass { gate: Arc::clone(self), key }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.open.fetch_sub(1, Ordering::Relaxed);
        self.gate.descriptors.fetch_sub(self.descriptors, Ordering::Relaxed);
    }
}

impl Drop for AddressPass {
    fn drop(&mut self) {
        let mut addresses = self.gate.addresses.lock();
        let Some(open) = addresses.get_mut(&self.key) else { return };
        *open -= 1;
        if *open == 0 {
            addresses.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NO_LIMIT: usize = usize::MAX;

    #[expect(clippy::unnecessary_wraps, reason = "as the gate takes it")]
    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_full_gate_opens_again_when_one_leaves() {
        let gate = Gate::new(2, 100, NO_LIMIT);
        let first = gate.enter(None).unwrap();
        let _second = gate.enter(None).unwrap();
        assert_eq!(gate.enter(None).unwrap_err(), Refused::Full);
        assert_eq!(gate.enter_stream(None).unwrap_err(), Refused::Full);
        drop(first);
        let _third = gate.enter_stream(None).unwrap();
        gate.set_limit(3);
        assert!(gate.enter(None).is_ok());
    }

    #[test]
    fn streams_take_two_descriptors() {
        let gate = Gate::new(usize::MAX, 3, NO_LIMIT);
        assert_eq!(gate.limit(), 3);
        let _connection = gate.enter(None).unwrap();
        let stream = gate.enter_stream(None).unwrap();
        assert!(gate.enter(None).is_err());
        drop(stream);
        let _second = gate.enter(None).unwrap();
        assert!(gate.enter_stream(None).is_err());
        assert!(gate.enter(None).is_ok());
    }

    #[test]
    fn sessions_without_a_connection_are_bounded_where_no_limit_is_set() {
        let gate = Gate::new(NO_LIMIT, 3, NO_LIMIT);
        let _connection = gate.enter(None).unwrap();
        let session = gate.enter_session(None).unwrap();
        let _second = gate.enter_session(None).unwrap();
        assert_eq!(gate.enter_session(None).unwrap_err(), Refused::Full);
        assert_eq!(gate.open.load(Ordering::Relaxed), 3);
        // They take no descriptor from those who need one.
        let _other = gate.enter_stream(None).unwrap();
        drop(session);
        assert!(gate.enter_session(None).is_err());
    }

    #[test]
    fn an_address_that_is_full_leaves_room_for_others() {
        let gate = Gate::new(100, 100, 1);
        let first = gate.enter(ip("192.0.2.1")).unwrap();
        // The same address, as a socket for both families shows it.
        assert_eq!(gate.enter(ip("::ffff:192.0.2.1")).unwrap_err(), Refused::Address);
        assert_eq!(gate.count(ip("192.0.2.1")).unwrap_err(), Refused::Address);
        let _other = gate.enter(ip("192.0.2.2")).unwrap();
        let _network = gate.enter(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(gate.enter(ip("2001:db8:0:1:ffff::2")).unwrap_err(), Refused::Address);
        let _next = gate.enter(ip("2001:db8:0:2::1")).unwrap();
        let _unknown = (gate.enter(None).unwrap(), gate.enter(None).unwrap());
        drop(first);
        assert!(gate.enter(ip("192.0.2.1")).is_ok());
        // The refused took no place.
        assert_eq!(gate.open.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn one_address_begins_no_more_than_a_quarter() {
        let gate = Gate::new(1, 1, NO_LIMIT);
        let begin = |most, address: &str| gate.begin(most, ip(address));
        let mut held: Vec<_> = (0..25).map(|_| begin(100, "192.0.2.1").unwrap()).collect();
        assert_eq!(begin(100, "::ffff:192.0.2.1").unwrap_err(), Refused::Pending);
        held.extend((0..25).map(|_| begin(100, "2001:db8:0:1::1").unwrap()));
        assert_eq!(begin(100, "2001:db8:0:1:ffff::2").unwrap_err(), Refused::Pending);
        // Those whose address is not known count only in all.
        held.extend((0..50).map(|_| gate.begin(100, None).unwrap()));
        assert_eq!(begin(100, "192.0.2.9").unwrap_err(), Refused::Pending);
        // Who has asked makes room, once.
        held[0].settle();
        held[0].settle();
        held.push(begin(100, "192.0.2.1").unwrap());
        assert_eq!(begin(100, "192.0.2.1").unwrap_err(), Refused::Pending);
        held.clear();
        assert!(gate.pending.lock().all == 0 && gate.pending.lock().of_address.is_empty());
        // Of few, one address may have sixteen, or all.
        held.extend((0..16).map(|_| begin(20, "192.0.2.1").unwrap()));
        assert!(begin(20, "192.0.2.1").is_err() && begin(20, "192.0.2.2").is_ok());
        held.clear();
        held.extend((0..3).map(|_| begin(3, "192.0.2.1").unwrap()));
        assert!(begin(3, "192.0.2.1").is_err());
    }

    #[test]
    fn so_many_farewells_are_said_at_once() {
        let gate = Gate::new(1, 1, NO_LIMIT);
        let mut farewells: Vec<_> = (0..FAREWELLS).map(|_| gate.farewell().unwrap()).collect();
        assert!(gate.farewell().is_none() && gate.farewell().is_none());
        farewells.pop();
        farewells.push(gate.farewell().unwrap());
        assert!(gate.farewell().is_none());
    }

    proptest! {
        #[test]
        fn the_table_has_those_who_are_in_and_nobody_else(
            steps in proptest::collection::vec((any::<bool>(), 0u32..6), 1..100)
        ) {
            let gate = Gate::new(usize::MAX, usize::MAX, 3);
            let mut inside: Vec<(u32, Pass)> = Vec::new();
            for (enters, who) in steps {
                let count = inside.iter().filter(|(other, _)| *other == who).count();
                if enters {
                    let pass = gate.enter(Some(IpAddr::V4(who.into())));
                    prop_assert_eq!(pass.is_ok(), count < 3);
                    inside.extend(pass.ok().map(|pass| (who, pass)));
                } else if let Some(at) = inside.iter().position(|(other, _)| *other == who) {
                    inside.swap_remove(at);
                }
                let mut all: Vec<u32> = inside.iter().map(|(who, _)| *who).collect();
                all.sort_unstable();
                all.dedup();
                prop_assert_eq!(gate.addresses.lock().len(), all.len());
            }
            drop(inside);
            prop_assert!(gate.addresses.lock().is_empty());
        }
    }
}
