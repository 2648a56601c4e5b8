//! Who, of one worker, is in a topic.

use madang_proto::Topic;
use rustc_hash::FxHashMap;

use super::TopicKey;

/// One member of a topic, as its worker walks over it: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Where the worker keeps the session.
    pub slot: u32,
    /// Which occupant of the slot it is.
    pub generation: u32,
    /// [`Joined::order`](super::Joined::order): what is not after it, the member has had already.
    pub seen: u64,
    /// How the member wants publications rendered.
    pub form: u32,
    /// Whether it is told of joins and leaves.
    pub watch: bool,
}

impl Member {
    /// Whether mail with this [`order`](super::Mail::order) is for the member.
    #[inline]
    pub fn is_due(&self, order: u64) -> bool {
        order > self.seen
    }
}

/// A topic's members, close together in memory.
#[derive(Debug)]
pub struct Room {
    topic: Topic,
    members: Vec<Member>,
    watchers: usize,
    /// No member has a greater `seen`.
    newest: u64,
}

impl Room {
    /// The topic.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// All of them, in no order.
    #[inline]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many of them are told of joins and leaves.
    pub fn watchers(&self) -> usize {
        self.watchers
    }

    /// Whether mail from `order` on is for every member, so that nobody's `seen` needs a look.
    #[inline]
    pub fn is_due_to_all(&self, order: u64) -> bool {
        order > self.newest
    }

    /// The members that mail with this order is for.
    #[inline]
    pub fn due(&self, order: u64) -> impl Iterator<Item = &Member> {
        let all = self.is_due_to_all(order);
        self.members.iter().filter(move |member| all || member.is_due(order))
    }
}

/// The member table of one worker. It belongs to one thread and takes no lock.
///
/// A topic is found by [`TopicKey`], a number, so a publication costs one cheap hash for all its
/// members. A key names one incarnation of a topic: mail that was under way when a topic went never
/// meets members of the next.
#[derive(Debug, Default)]
pub struct Members {
    rooms: FxHashMap<TopicKey, Room>,
}

/// A member that was moved to fill a gap; its owner has to note the new index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Who was moved.
    pub member: Member,
    /// Its index from now on.
    pub index: usize,
}

impl Members {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member and returns its index in the room, by which it is removed.
    pub fn add(&mut self, key: TopicKey, topic: &Topic, member: Member) -> usize {
        let room = self.rooms.entry(key).or_insert_with(|| Room {
            topic: topic.clone(),
            members: Vec::new(),
            watchers: 0,
            newest: 0,
        });
        room.newest = room.newest.max(member.seen);
        room.watchers += usize::from(member.watch);
        // Many rooms have one member, and no second.
        if room.members.capacity() == 0 {
            room.members.reserve_exact(1);
        }
        room.members.push(member);
        room.members.len() - 1
    }

    /// Takes a member out. The last of the room takes its place and is reported.
    ///
    /// `None` in the first place when there is no such member.
    pub fn remove(&mut self, key: TopicKey, index: usize) -> Option<(Member, Option<Moved>)> {
        let room = self.rooms.get_mut(&key)?;
        if index >= room.members.len() {
            return None;
        }
        let member = room.members.swap_remove(index);
        room.watchers -= usize::from(member.watch);
        let moved = room.members.get(index).map(|&member| Moved { member, index });
        if room.members.is_empty() {
            self.rooms.remove(&key);
        } else if room.members.len() < room.members.capacity() / 4 {
            room.members.shrink_to(room.members.len() * 2);
        }
        Some((member, moved))
    }

    /// Changes a member in place, for a session that joins a topic anew.
    ///
    /// `None` when there is no such member; otherwise what it was.
    pub fn replace(&mut self, key: TopicKey, index: usize, member: Member) -> Option<Member> {
        let room = self.rooms.get_mut(&key)?;
        let place = room.members.get_mut(index)?;
        room.newest = room.newest.max(member.seen);
        room.watchers += usize::from(member.watch);
        let old = std::mem::replace(place, member);
        room.watchers -= usize::from(old.watch);
        Some(old)
    }

    /// Gives a member another form.
    pub fn reform(&mut self, key: TopicKey, index: usize, change: impl FnOnce(u32) -> u32) {
        let room = self.rooms.get_mut(&key);
        if let Some(member) = room.and_then(|room| room.members.get_mut(index)) {
            member.form = change(member.form);
        }
    }

    /// The members of a topic; `None` when this worker has none.
    #[inline]
    pub fn room(&self, key: TopicKey) -> Option<&Room> {
        self.rooms.get(&key)
    }

    /// How many topics have members here.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }
}

const _: () = assert!(size_of::<Member>() <= 32);

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn member(slot: u32, seen: u64, watch: bool) -> Member {
        Member { slot, generation: slot, seen, form: 0, watch }
    }

    #[test]
    fn a_member_is_due_what_comes_after_it() {
        let mut members = Members::new();
        let topic = Topic::new("t").unwrap();
        let key = TopicKey(1);
        members.add(key, &topic, member(1, 5, false));
        members.add(key, &topic, member(2, 7, false));
        let room = members.room(key).unwrap();
        let due = |order| room.due(order).map(|member| member.slot).collect::<Vec<_>>();
        assert!(due(5).is_empty());
        assert_eq!(due(6), [1]);
        assert_eq!(due(7), [1]);
        assert_eq!(due(8), [1, 2]);
        assert_eq!((room.is_due_to_all(7), room.is_due_to_all(8)), (false, true));
        assert_eq!(members.room(TopicKey(2)).map(Room::topic), None);
    }

    #[test]
    fn no_member_is_taken_out_twice() {
        let mut members = Members::new();
        let topic = Topic::new("t").unwrap();
        let index = members.add(TopicKey(1), &topic, member(1, 0, true));
        assert_eq!(members.remove(TopicKey(1), index + 1), None);
        assert_eq!(members.remove(TopicKey(1), index), Some((member(1, 0, true), None)));
        assert_eq!(members.remove(TopicKey(1), index), None);
        assert!(members.is_empty());
    }

    proptest! {
        #[test]
        fn indexes_stay_true(steps in proptest::collection::vec((0..4u64, 0..8u32, any::<bool>()), 0..300)) {
            let topic = Topic::new("t").unwrap();
            let mut members = Members::new();
            let mut indexes: HashMap<(u64, u32), usize> = HashMap::new();
            for (key, slot, watch) in steps {
                if let Some(index) = indexes.remove(&(key, slot)) {
                    let (gone, moved) = members.remove(TopicKey(key), index).unwrap();
                    prop_assert_eq!(gone.slot, slot);
                    if let Some(moved) = moved {
                        indexes.insert((key, moved.member.slot), moved.index);
                    }
                } else {
                    let index = members.add(TopicKey(key), &topic, member(slot, 0, !watch));
                    let replaced = members.replace(TopicKey(key), index, member(slot, 0, watch));
                    prop_assert_eq!(replaced, Some(member(slot, 0, !watch)));
                    indexes.insert((key, slot), index);
                }
                for (&(key, slot), &index) in &indexes {
                    prop_assert_eq!(members.room(TopicKey(key)).unwrap().members()[index].slot, slot);
                }
                for key in 0..4 {
                    let Some(room) = members.room(TopicKey(key)) else { continue };
                    prop_assert!(!room.members().is_empty());
                    prop_assert_eq!(room.watchers(), room.members().iter().filter(|m| m.watch).count());
                }
            }
            let held: usize = (0..4).filter_map(|key| members.room(TopicKey(key))).map(|r| r.members().len()).sum();
            prop_assert_eq!(held, indexes.len());
        }
    }
}
