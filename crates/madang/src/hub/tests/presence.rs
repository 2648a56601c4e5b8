//! Who is present, and who is told.

use std::time::Duration;

use madang_proto::{PresenceChange, session::Farewell};

use super::*;

const GRACE: Duration = Duration::from_secs(10);

struct Yard {
    hub: Hub,
    endpoint: Endpoint,
    queue: Arc<Queue>,
    /// Speaks for the one who watches.
    _watcher: Endpoint,
}

impl Yard {
    fn new() -> Self {
        let hub = Hub::new(HubConfig::default());
        let (endpoint, _) = attach(&hub);
        let (watcher, queue) = attach(&hub);
        let watch = Join { watch: true, ..join(1, Cursor::Now) };
        watcher.join(&topic("t"), watch).unwrap();
        Self { hub, endpoint, queue, _watcher: watcher }
    }

    /// Returns how many are present.
    fn enter(&self, member: u64, present: impl Into<Option<Attendance>>) -> usize {
        let join = Join { present: present.into(), ..join(member, Cursor::Now) };
        self.endpoint.join(&topic("t"), join).unwrap().count
    }

    fn leave(&self, member: u64, farewell: Farewell) {
        assert!(self.endpoint.leave(&topic("t"), member, farewell));
    }

    fn pass(&self, time: Duration) {
        self.hub.0.clock.advance(time);
        self.hub.expire(Instant::now());
    }

    /// What the watcher was told: `+name count` or `-name count`.
    fn told(&self) -> Vec<String> {
        let mail = self.queue.drain().into_iter();
        let told = mail.map(|mail| match mail {
            Mail::Presence(told) => {
                let PresenceChange { joined, presence, count, .. } = &told.change;
                let user = presence.user.as_deref().unwrap_or("?");
                format!("{}{user} {count}", if *joined { '+' } else { '-' })
            }
            Mail::Published(published) => body(&published).to_owned(),
        });
        told.collect()
    }

    fn present(&self) -> Vec<String> {
        let present = self.hub.presence(&topic("t")).into_iter();
        present.map(|presence| presence.user.unwrap_or_default().to_string()).collect()
    }
}

#[test]
fn joins_and_leaves_are_told_in_order_with_publications() {
    let yard = Yard::new();
    assert_eq!(yard.enter(1, guest("anna", None)), 1);
    yard.hub.publish(&topic("t"), text("hello")).unwrap();
    assert_eq!(yard.enter(2, guest("ben", None)), 2);
    assert_eq!(yard.present(), ["anna", "ben"]);
    yard.leave(1, Farewell::Clean);
    assert_eq!(yard.told(), ["+anna 1", "hello", "+ben 2", "-anna 1"]);
    assert_eq!(yard.present(), ["ben"]);
    let ben = &yard.hub.presence(&topic("t"))[0];
    assert_eq!((ben.door, ben.since > 1_600_000_000_000), ("websocket", true));
}

#[test]
fn only_those_who_watch_are_told_and_never_of_themselves() {
    let yard = Yard::new();
    let (plain, at_plain) = attach(&yard.hub);
    plain.join(&topic("t"), join(1, Cursor::Now)).unwrap();
    let (own, at_own) = attach(&yard.hub);
    let present = Some(guest("anna", None));
    let joined =
        own.join(&topic("t"), Join { watch: true, present, ..join(1, Cursor::Now) }).unwrap();
    assert_eq!(joined.count, 1);
    assert!(at_own.drain().iter().all(|mail| mail.order() <= joined.order));
    own.leave(&topic("t"), 1, Farewell::Clean);
    assert!(at_own.drain().is_empty());
    assert!(at_plain.drain().is_empty());
    assert_eq!(yard.told(), ["+anna 1", "-anna 0"]);
}

#[test]
fn who_is_cut_off_stays_for_the_grace() {
    let yard = Yard::new();
    yard.enter(1, guest("anna", Some("k")));
    yard.leave(1, Farewell::Cut);
    yard.pass(GRACE * 9 / 10);
    assert_eq!((yard.told(), yard.present()), (vec!["+anna 1".into()], vec!["anna".into()]));
    yard.pass(GRACE / 10);
    assert_eq!((yard.told(), yard.present()), (vec!["-anna 0".into()], vec![]));
}

#[test]
fn nobody_waits_for_who_has_neither_name_nor_key() {
    let yard = Yard::new();
    let stranger = || Attendance { who: Present::default(), ..guest("", None) };
    yard.enter(1, stranger());
    yard.enter(2, guest("anna", None));
    yard.leave(1, Farewell::Cut);
    yard.leave(2, Farewell::Cut);
    assert_eq!(
        (yard.told(), yard.present()),
        (vec!["+? 1".into(), "+anna 2".into(), "-? 1".into()], vec!["anna".into()])
    );
    yard.pass(GRACE);
    assert_eq!(yard.told(), ["-anna 0"]);
}

#[test]
fn who_comes_back_in_time_is_not_told_of() {
    let yard = Yard::new();
    yard.enter(1, guest("anna", Some("k")));
    yard.leave(1, Farewell::Cut);
    yard.pass(GRACE / 2);
    assert_eq!(yard.enter(2, guest("anna", Some("k"))), 1);
    yard.pass(GRACE * 2);
    assert_eq!(yard.told(), ["+anna 1"]);
    // A second absence has a grace of its own.
    yard.leave(2, Farewell::Cut);
    yard.pass(GRACE / 2);
    assert!(yard.told().is_empty());
    yard.pass(GRACE / 2);
    assert_eq!(yard.told(), ["-anna 0"]);
}

#[test]
fn two_sessions_of_a_key_are_one_until_both_are_gone() {
    for (first, last) in [(Farewell::Clean, Farewell::Clean), (Farewell::Cut, Farewell::Clean)] {
        let yard = Yard::new();
        assert_eq!(yard.enter(1, guest("anna", Some("k"))), 1);
        assert_eq!(yard.enter(2, guest("anna", Some("k"))), 1);
        yard.leave(1, first);
        yard.pass(GRACE * 2);
        assert_eq!(yard.told(), ["+anna 1"]);
        yard.leave(2, last);
        assert_eq!(yard.told(), ["-anna 0"]);
    }
}

#[test]
fn a_key_takes_no_other_name_over() {
    let yard = Yard::new();
    yard.enter(1, guest("anna", Some("k")));
    yard.leave(1, Farewell::Cut);
    assert_eq!(yard.enter(2, guest("mallory", Some("k"))), 2);
    assert_eq!(yard.told(), ["+anna 1", "+mallory 2"]);
}

#[test]
fn a_member_that_joins_anew_replaces_itself() {
    let yard = Yard::new();
    yard.enter(1, guest("anna", None));
    assert_eq!(yard.enter(1, guest("anna", None)), 1);
    assert_eq!(yard.told(), ["+anna 1"]);
    yard.enter(1, guest("nana", None));
    assert_eq!(yard.told(), ["-anna 0", "+nana 1"]);
    yard.enter(1, guest("nana", Some("k")));
    assert_eq!(yard.told(), ["-nana 0", "+nana 1"]);
    assert_eq!(yard.enter(1, None), 0);
    assert_eq!(yard.told(), ["-nana 0"]);
    yard.leave(1, Farewell::Clean);
    assert!(yard.told().is_empty());
}

#[test]
fn a_dropped_endpoint_is_a_cut() {
    let yard = Yard::new();
    let (other, _) = attach(&yard.hub);
    let present = Some(guest("anna", Some("k")));
    other.join(&topic("t"), Join { present, ..join(1, Cursor::Now) }).unwrap();
    drop(other);
    assert_eq!(yard.told(), ["+anna 1"]);
    yard.pass(GRACE);
    assert_eq!(yard.told(), ["-anna 0"]);
}

#[test]
fn presence_keeps_a_topic_until_the_grace_is_over() {
    let hub = Hub::new(HubConfig::default());
    let (a, _) = attach(&hub);
    let present = Some(guest("anna", Some("k")));
    a.join(&topic("t"), Join { present, ..join(1, Cursor::Now) }).unwrap();
    a.leave(&topic("t"), 1, Farewell::Cut);
    assert_eq!((hub.stats().topics, hub.presence(&topic("t")).len()), (1, 1));
    hub.0.clock.advance(GRACE);
    hub.expire(Instant::now());
    assert_eq!((hub.stats().topics, hub.presence(&topic("t")).len()), (0, 0));
}

#[test]
fn names_and_keys_are_plain_data_and_bounded() {
    let yard = Yard::new();
    for (member, name) in ["__proto__", "constructor", "", "<b>", "이름"].into_iter().enumerate()
    {
        yard.enter(member as u64, guest(name, Some(name)));
    }
    assert_eq!(yard.present(), ["__proto__", "constructor", "", "<b>", "이름"]);
    let refused = |user: &str, key: &str| {
        let present = Some(guest(user, Some(key)));
        let join = Join { present, ..join(9, Cursor::Now) };
        yard.endpoint.join(&topic("t"), join).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(&"이".repeat(65), "k"), JoinError::NameTooLong);
    assert_eq!(refused("anna", &"k".repeat(65)), JoinError::KeyTooLong);
    assert_eq!(yard.enter(9, guest(&"이".repeat(64), Some(&"k".repeat(64)))), 6);
}

#[test]
fn a_full_topic_refuses_and_lets_the_known_back_in() {
    let hub = Hub::new(HubConfig { max_present: 1, ..HubConfig::default() });
    let (a, queue) = attach(&hub);
    let enter = |member, user| {
        let present = Some(guest(user, Some("k")));
        let join = Join { present, ..join(member, Cursor::Now) };
        a.join(&topic("t"), join).map(|joined| joined.count)
    };
    assert_eq!(enter(1, "anna"), Ok(1));
    assert_eq!(enter(2, "ben"), Err(JoinError::TooManyPresent));
    hub.publish(&topic("t"), text("x")).unwrap();
    assert_eq!(queue.drain().len(), 1);
    assert!(!a.leave(&topic("t"), 2, Farewell::Clean), "a refused join is none");
    a.leave(&topic("t"), 1, Farewell::Cut);
    assert_eq!(enter(3, "anna"), Ok(1));
}

#[test]
fn coming_and_going_in_a_hurry_piles_nothing_up() {
    let yard = Yard::new();
    for member in 0..1_000 {
        yard.enter(member, guest("anna", Some("k")));
        yard.leave(member, Farewell::Cut);
    }
    let cell = yard.hub.0.shards.find(&topic("t")).unwrap();
    assert!(cell.state.lock().absences() <= 20);
    assert_eq!(yard.hub.0.deadlines.lock().len(), 1);
    yard.pass(GRACE);
    assert_eq!(yard.told(), ["+anna 1", "-anna 0"]);
}
