//! Who is present in a topic.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use madang_proto::{Presence, session::Farewell};
use rustc_hash::FxHashMap;

use super::Attendance;
use crate::sync::Seed;

/// A member, by its endpoint's number and its own.
pub(super) type Session = (u64, u64);

/// What makes two sessions the same guest.
///
/// The key counts only together with the name: who knows another's key cannot take its name away.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Session(Session),
    Key(Option<Arc<str>>, Arc<str>),
}

impl Who {
    fn new(session: Session, attendance: &Attendance) -> Self {
        match &attendance.who.key {
            Some(key) => Self::Key(attendance.who.user.clone(), Arc::clone(key)),
            None => Self::Session(session),
        }
    }
}

#[derive(Debug)]
struct Guest {
    presence: Presence,
    /// The order of arrival.
    ordinal: u64,
    /// Its sessions that are connected.
    live: usize,
    /// Names its absence, while it has no session.
    away: Option<u64>,
}

/// One who was cut off and may come back.
#[derive(Debug)]
struct Absence {
    until: u64,
    who: Who,
    ticket: u64,
}

/// The guests of one topic.
#[derive(Debug, Default)]
pub(super) struct Roster {
    guests: HashMap<Who, Guest, Seed>,
    /// Which guest a session is, where it came with a key.
    keyed: FxHashMap<Session, Who>,
    /// In order of time; some have come back since, or have gone.
    absences: VecDeque<Absence>,
    absent: usize,
    counter: u64,
}

/// Too many are present.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Roster {
    /// How many guests are present, those who may come back included.
    pub(super) fn len(&self) -> usize {
        self.guests.len()
    }

    /// In order of arrival.
    pub(super) fn list(&self) -> Vec<Presence> {
        self.some(usize::MAX)
    }

    /// No more than so many of them.
    pub(super) fn some(&self, most: usize) -> Vec<Presence> {
        let mut guests: Vec<_> = self.guests.values().take(most).collect();
        guests.sort_unstable_by_key(|guest| guest.ordinal);
        guests.into_iter().map(|guest| guest.presence.clone()).collect()
    }

    /// Whether [`enter`](Self::enter) would add nobody, or there is room.
    pub(super) fn admits(
        &self,
        session: Session,
        attendance: &Attendance,
        max: usize,
    ) -> Result<(), Full> {
        let known = || self.guests.contains_key(&Who::new(session, attendance));
        if self.guests.len() < max || known() { Ok(()) } else { Err(Full) }
    }

    /// Whether this session is in already, as this guest.
    pub(super) fn is_in(&self, session: Session, attendance: &Attendance) -> bool {
        let who = Who::new(session, attendance);
        match &who {
            Who::Session(_) => {
                let guest = self.guests.get(&who);
                guest.is_some_and(|g| g.live > 0 && g.presence.user == attendance.who.user)
            }
            Who::Key(..) => self.keyed.get(&session) == Some(&who),
        }
    }

    /// A session comes. Returns whom to announce; nobody, when the guest was there or comes back.
    pub(super) fn enter(
        &mut self,
        session: Session,
        attendance: Attendance,
        since: u64,
    ) -> Option<Presence> {
        let who = Who::new(session, &attendance);
        if matches!(who, Who::Key(..)) {
            self.keyed.insert(session, who.clone());
        }
        if let Some(guest) = self.guests.get_mut(&who) {
            guest.live += 1;
            if guest.away.take().is_some() {
                self.absent -= 1;
            }
            return None;
        }
        let presence = Presence { user: attendance.who.user, door: attendance.door, since };
        self.counter += 1;
        let guest =
            Guest { presence: presence.clone(), ordinal: self.counter, live: 1, away: None };
        self.guests.insert(who, guest);
        Some(presence)
    }

    /// A session goes. Returns whom to announce; nobody, when the guest has other sessions, or was cut
    /// off, has a name or a key, and may come back `until` then.
    pub(super) fn exit(
        &mut self,
        session: Session,
        farewell: Farewell,
        until: u64,
    ) -> Option<Presence> {
        let who = self.keyed.remove(&session).unwrap_or(Who::Session(session));
        let guest = self.guests.get_mut(&who)?;
        // A session without a key may be named twice; it is gone only once.
        guest.live = guest.live.checked_sub(1)?;
        if guest.live > 0 {
            return None;
        }
        // Who has neither a name nor a key cannot come back as the same guest: nobody waits for it.
        let is_nobody = guest.presence.user.is_none() && matches!(who, Who::Session(_));
        match farewell {
            _ if is_nobody => self.guests.remove(&who).map(|guest| guest.presence),
            Farewell::Clean => self.guests.remove(&who).map(|guest| guest.presence),
            Farewell::Cut => {
                self.counter += 1;
                let ticket = self.counter;
                guest.away = Some(ticket);
                self.absent += 1;
                self.absences.push_back(Absence { until, who, ticket });
                self.compact();
                None
            }
        }
    }

    /// Returns one guest who has not come back in time, if there is one: they are to be announced
    /// one by one, so that each has the count after it.
    pub(super) fn give_up(&mut self, now: u64) -> Option<Presence> {
        while self.absences.front().is_some_and(|absence| absence.until <= now) {
            let absence = self.absences.pop_front()?;
            if is_current(&self.guests, &absence) {
                self.absent -= 1;
                return self.guests.remove(&absence.who).map(|guest| guest.presence);
            }
        }
        None
    }

    /// When somebody may have to be given up.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.absences.front().map(|absence| absence.until)
    }

    #[cfg(all(test, not(feature = "shuttle")))]
    pub(super) fn absences(&self) -> usize {
        self.absences.len()
    }

    /// Keeps the absences that are over from piling up when somebody comes and goes in a hurry.
    fn compact(&mut self) {
        if self.absences.len() > 2 * self.absent + 16 {
            let guests = &self.guests;
            self.absences.retain(|absence| is_current(guests, absence));
        }
    }
}

fn is_current(guests: &HashMap<Who, Guest, Seed>, absence: &Absence) -> bool {
    guests.get(&absence.who).is_some_and(|guest| guest.away == Some(absence.ticket))
}
