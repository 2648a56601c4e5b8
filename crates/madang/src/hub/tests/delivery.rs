//! Order, joins, cursors, and how topics come and go.

use std::{collections::HashMap, thread, time::Duration};

use madang_proto::session::Farewell;
use proptest::prelude::*;

use super::*;

fn bodies(messages: &[Arc<Published>]) -> Vec<&str> {
    messages.iter().map(|published| body(published)).collect()
}

fn with_limits(count: usize, age: Duration) -> HubConfig {
    let history = HistoryConfig { limits: Limits { count, age }, ..HistoryConfig::default() };
    HubConfig { history, ..HubConfig::default() }
}

#[test]
fn everybody_gets_a_publication_the_publishers_worker_too() {
    let hub = Hub::new(HubConfig::default());
    let (a, at_a) = attach(&hub);
    let (b, at_b) = attach(&hub);
    let t = topic("t");
    a.join(&t, join(1, Cursor::Now)).unwrap();
    a.join(&t, join(2, Cursor::Now)).unwrap();
    b.join(&t, join(1, Cursor::Now)).unwrap();
    let id = a.hub().publish(&t, text("hello")).unwrap();
    for queue in [at_a, at_b] {
        let mail = queue.drain();
        let [Mail::Published(published)] = &mail[..] else { panic!("one pointer: {mail:?}") };
        assert_eq!(published.publication().id, id);
        assert_eq!(body(published), "hello");
        assert_eq!(published.publication().topic, t);
    }
}

#[test]
fn who_has_left_gets_nothing() {
    let hub = Hub::new(HubConfig::default());
    let (a, queue) = attach(&hub);
    let t = topic("t");
    a.join(&t, join(1, Cursor::Now)).unwrap();
    a.join(&t, join(2, Cursor::Now)).unwrap();
    assert!(a.leave(&t, 1, Farewell::Clean));
    assert!(!a.leave(&t, 1, Farewell::Clean), "once is enough");
    hub.publish(&t, text("one")).unwrap();
    assert_eq!(queue.drain().len(), 1);
    assert!(a.leave(&t, 2, Farewell::Cut));
    hub.publish(&t, text("two")).unwrap();
    assert!(queue.drain().is_empty());
    assert!(!a.leave(&topic("elsewhere"), 2, Farewell::Clean));
}

#[test]
fn a_dropped_endpoint_leaves_everything() {
    let hub = Hub::new(with_limits(0, Duration::ZERO));
    let (a, _queue) = attach(&hub);
    for name in ["x", "y", "z"] {
        a.join(&topic(name), join(1, Cursor::Now)).unwrap();
    }
    assert_eq!((hub.stats().topics, hub.stats().endpoints), (3, 1));
    drop(a);
    assert_eq!((hub.stats().topics, hub.stats().endpoints), (0, 0));
}

#[test]
fn a_join_after_a_cursor_yields_what_followed() {
    let hub = Hub::new(HubConfig::default());
    let (a, _queue) = attach(&hub);
    let t = topic("t");
    let one = hub.publish(&t, text("one")).unwrap();
    let two = hub.publish(&t, text("two")).unwrap();
    for (from, expected, gap) in [
        (Cursor::Now, vec![], false),
        (Cursor::Earliest, vec!["one", "two"], false),
        (Cursor::After(one), vec!["two"], false),
        (Cursor::After(two), vec![], false),
        (Cursor::Foreign, vec!["one", "two"], true),
        (Cursor::After(Position { seq: 3, ..two }), vec!["one", "two"], true),
        (Cursor::After(Position { epoch: two.epoch ^ 1, ..one }), vec!["one", "two"], true),
        (Cursor::After(Position { seq: u64::MAX, ..two }), vec!["one", "two"], true),
    ] {
        let joined = a.join(&t, join(1, from)).unwrap();
        assert_eq!((bodies(&joined.history), joined.gap), (expected, gap), "{from:?}");
        assert_eq!(joined.at, two);
    }
}

#[test]
fn a_cursor_before_what_is_held_is_a_gap() {
    let hub = Hub::new(with_limits(2, Duration::from_mins(1)));
    let t = topic("t");
    let ids: Vec<_> = ["a", "b", "c", "d"].map(|b| hub.publish(&t, text(b)).unwrap()).into();
    let page = |from| hub.history(&t, from, 10);
    assert!(page(Cursor::After(ids[0])).gap);
    let page = page(Cursor::After(ids[1]));
    assert_eq!((bodies(&page.messages), page.gap), (vec!["c", "d"], false));
}

#[test]
fn what_is_too_old_is_not_served_and_its_loss_is_told() {
    let hub = Hub::new(with_limits(10, Duration::from_mins(1)));
    let (a, _queue) = attach(&hub);
    let t = topic("t");
    a.join(&t, join(1, Cursor::Now)).unwrap();
    let one = hub.publish(&t, text("one")).unwrap();
    hub.0.clock.advance(Duration::from_secs(50));
    let two = hub.publish(&t, text("two")).unwrap();
    hub.0.clock.advance(Duration::from_secs(20));
    let joined = a.join(&t, join(2, Cursor::Earliest)).unwrap();
    assert_eq!((bodies(&joined.history), joined.gap), (vec!["two"], false));
    hub.0.clock.advance(Duration::from_secs(50));
    assert!(!hub.history(&t, Cursor::After(two), 10).gap);
    let page = hub.history(&t, Cursor::After(one), 10);
    assert_eq!((page.messages.len(), page.gap, page.next), (0, true, two));
}

#[test]
fn a_topic_goes_when_nobody_needs_it_and_comes_back_as_another() {
    let hub = Hub::new(with_limits(10, Duration::from_mins(1)));
    let t = topic("t");
    let before = hub.publish(&t, text("one")).unwrap();
    hub.0.clock.advance(Duration::from_mins(2));
    for _ in 0..8 {
        hub.expire(Instant::now());
    }
    assert_eq!((hub.stats().topics, hub.stats().history_bytes), (0, 0));
    assert!(hub.history(&t, Cursor::After(before), 10).gap);
    let after = hub.publish(&t, text("two")).unwrap();
    assert_ne!(before.epoch, after.epoch);
    assert_eq!((before.seq, after.seq), (1, 1));
    let page = hub.history(&t, Cursor::After(before), 10);
    assert_eq!((bodies(&page.messages), page.gap), (vec!["two"], true));
}

#[test]
fn nothing_is_lost_while_nothing_is_published() {
    let hub = Hub::new(HubConfig::default());
    let (a, _queue) = attach(&hub);
    let t = topic("t");
    let nowhere = hub.history(&t, Cursor::Now, 10).next;
    let joined = a.join(&t, join(1, Cursor::After(nowhere))).unwrap();
    assert_eq!((joined.gap, joined.at), (false, nowhere));
    a.leave(&t, 1, Farewell::Clean);
    assert_eq!(hub.stats().topics, 0);
    assert!(!hub.history(&t, Cursor::After(joined.at), 10).gap, "nobody published meanwhile");
    hub.publish(&t, text("one")).unwrap();
    let page = hub.history(&t, Cursor::After(joined.at), 10);
    assert_eq!((bodies(&page.messages), page.gap), (vec!["one"], false));
    // Now the publication goes, and the place before it is no longer where no topic is.
    hub.0.clock.advance(Duration::from_hours(1));
    for _ in 0..8 {
        hub.expire(Instant::now());
    }
    assert!(hub.history(&t, Cursor::After(joined.at), 10).gap);
    hub.publish(&t, text("two")).unwrap();
    assert!(hub.history(&t, Cursor::After(joined.at), 10).gap);
}

#[test]
fn pages_follow_each_other() {
    let hub = Hub::new(HubConfig::default());
    let t = topic("t");
    for n in 0..7 {
        hub.publish(&t, text(&n.to_string())).unwrap();
    }
    let mut from = Cursor::Earliest;
    let mut all = Vec::new();
    for expected in [3, 3, 1, 0] {
        let page = hub.history(&t, from, 3);
        assert_eq!((page.messages.len(), page.gap), (expected, false));
        all.extend(bodies(&page.messages).into_iter().map(str::to_owned));
        from = Cursor::After(page.next);
    }
    assert_eq!(all.concat(), "0123456");
    assert_eq!(hub.history(&t, Cursor::Now, 0).messages.len(), 0);
}

#[test]
fn the_first_rule_that_fits_decides() {
    let limits = |count| Limits { count, age: Duration::from_mins(1) };
    let history = HistoryConfig {
        rules: vec![
            (Pattern::new("quiet"), limits(0)),
            (Pattern::new("chat.*"), limits(1)),
            (Pattern::new("chat.big"), limits(9)),
        ],
        limits: limits(2),
        ..HistoryConfig::default()
    };
    let hub = Hub::new(HubConfig { history, ..HubConfig::default() });
    for (name, held) in [("quiet", 0), ("chat.big", 1), ("chat", 2), ("quieter", 2)] {
        let t = topic(name);
        for _ in 0..3 {
            hub.publish(&t, text("x")).unwrap();
        }
        assert_eq!(hub.history(&t, Cursor::Earliest, 9).messages.len(), held, "{name}");
    }
    assert_eq!(hub.stats().topics, 3, "a topic that keeps nothing is gone at once");
}

#[test]
fn there_are_only_so_many_topics() {
    let hub = Hub::new(HubConfig { max_topics: 2, ..HubConfig::default() });
    let (a, _queue) = attach(&hub);
    hub.publish(&topic("a"), text("x")).unwrap();
    a.join(&topic("b"), join(1, Cursor::Now)).unwrap();
    assert_eq!(hub.publish(&topic("c"), text("x")), Err(PublishError::TooManyTopics));
    let refused = a.join(&topic("c"), join(1, Cursor::Now)).map(|_| ());
    assert_eq!(refused, Err(JoinError::TooManyTopics));
    hub.publish(&topic("b"), text("x")).unwrap();
    assert!(!a.leave(&topic("c"), 1, Farewell::Clean));
}

#[test]
fn threads_see_one_order() {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 2_000;
    let hub = Hub::new(HubConfig::default());
    let t = topic("t");
    let ends: Vec<_> = (0..3).map(|_| attach(&hub)).collect();
    for (endpoint, _) in &ends {
        endpoint.join(&t, join(1, Cursor::Now)).unwrap();
    }
    thread::scope(|scope| {
        for _ in 0..PUBLISHERS {
            scope.spawn(|| (0..EACH).for_each(|_| assert!(hub.publish(&t, text("x")).is_ok())));
        }
    });
    for (_, queue) in &ends {
        let seqs = queue.drain().into_iter().map(|mail| match mail {
            Mail::Published(published) => published.publication().id.seq,
            Mail::Presence(_) => unreachable!("nobody is present"),
        });
        assert!(seqs.eq(1..=(PUBLISHERS * EACH) as u64));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Publish { topic: u8, size: u16 },
    Join { member: u8, topic: u8, from: From },
    Leave { member: u8, topic: u8 },
    Drain,
    Pass { seconds: u8 },
    Expire,
}

/// A cursor, as a choice among the positions that were given so far.
#[derive(Debug, Clone)]
enum From {
    Earliest,
    Now,
    Nth(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let from =
        prop_oneof![Just(From::Earliest), Just(From::Now), any::<usize>().prop_map(From::Nth),];
    let step = prop_oneof![
        4 => (0..3u8, 0..400u16).prop_map(|(topic, size)| Step::Publish { topic, size }),
        3 => (0..6u8, 0..3u8, from).prop_map(|(member, topic, from)| Step::Join { member, topic, from }),
        2 => (0..6u8, 0..3u8).prop_map(|(member, topic)| Step::Leave { member, topic }),
        1 => Just(Step::Drain),
        1 => (0..40u8).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Expire),
    ];
    proptest::collection::vec(step, 1..120)
}

/// A worker with one slot for each pair of member and topic, and what each of them has received.
struct Model {
    hub: Hub,
    endpoint: Endpoint,
    queue: Arc<Queue>,
    members: Members,
    seats: HashMap<(u8, u8), Seat>,
    /// Every publication of each topic, in order.
    published: [Vec<Position>; 3],
}

struct Seat {
    key: TopicKey,
    index: usize,
    /// How many publications of the topic there had been before what it is owed.
    start: usize,
    got: Vec<Position>,
}

impl Model {
    fn new() -> Self {
        let mut config = with_limits(5, Duration::from_secs(30));
        config.history.max_bytes = 8_000;
        let hub = Hub::new(config);
        let (endpoint, queue) = attach(&hub);
        let members = Members::new();
        Self { hub, endpoint, queue, members, seats: HashMap::new(), published: Default::default() }
    }

    fn name(topic: u8) -> Topic {
        super::topic(&format!("t{topic}"))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Publish { topic, size } => {
                let draft = text(&"x".repeat(usize::from(*size)));
                let id = self.hub.publish(&Self::name(*topic), draft).unwrap();
                self.published[usize::from(*topic)].push(id);
                assert!(self.hub.stats().history_bytes <= 8_000);
            }
            Step::Join { member, topic, from } => self.join(*member, *topic, from),
            Step::Leave { member, topic } => self.leave(*member, *topic),
            Step::Drain => self.drain(),
            Step::Pass { seconds } => {
                self.hub.0.clock.advance(Duration::from_secs((*seconds).into()));
            }
            Step::Expire => self.hub.expire(Instant::now()),
        }
    }

    fn join(&mut self, member: u8, topic: u8, from: &From) {
        self.leave(member, topic);
        let all = &self.published[usize::from(topic)];
        let (from, asked) = match from {
            From::Now => (Cursor::Now, Some(all.len())),
            From::Earliest => (Cursor::Earliest, None),
            From::Nth(_) if all.is_empty() => (Cursor::Foreign, Some(0)),
            From::Nth(n) => (Cursor::After(all[n % all.len()]), Some(n % all.len() + 1)),
        };
        let name = Self::name(topic);
        let joined = self.endpoint.join(&name, join(u64::from(member), from)).unwrap();
        let got: Vec<_> = joined.history.iter().map(|p| p.publication().id).collect();
        let start = all.len() - got.len();
        assert_eq!(got, all[start..], "the history is the newest, without holes");
        match asked {
            // An old cursor that loses nothing may still be told of a gap: its epoch is gone.
            Some(asked) if !joined.gap => assert_eq!(start, asked, "no loss without a gap"),
            Some(asked) => assert!(start >= asked || from == Cursor::Foreign),
            None => assert!(!joined.gap),
        }
        let row = Member {
            slot: u32::from(member),
            generation: 0,
            seen: joined.order,
            form: 0,
            watch: false,
        };
        let index = self.members.add(joined.key, &name, row);
        self.seats.insert((member, topic), Seat { key: joined.key, index, start, got });
    }

    fn leave(&mut self, member: u8, topic: u8) {
        let was_in = self.endpoint.leave(&Self::name(topic), u64::from(member), Farewell::Clean);
        let Some(seat) = self.seats.remove(&(member, topic)) else {
            assert!(!was_in);
            return;
        };
        assert!(was_in);
        let (row, moved) = self.members.remove(seat.key, seat.index).unwrap();
        assert_eq!(row.slot, u32::from(member));
        if let Some(moved) = moved {
            let other = (u8::try_from(moved.member.slot).unwrap(), topic);
            self.seats.get_mut(&other).unwrap().index = moved.index;
        }
    }

    fn drain(&mut self) {
        for mail in self.queue.drain() {
            let Mail::Published(published) = &mail else { unreachable!("nobody is present") };
            let Some(room) = self.members.room(mail.key()) else { continue };
            let topic = room.topic().as_str().as_bytes()[1] - b'0';
            for member in room.due(mail.order()) {
                let seat = (u8::try_from(member.slot).unwrap(), topic);
                self.seats.get_mut(&seat).unwrap().got.push(published.publication().id);
            }
        }
    }

    fn check(mut self) {
        self.drain();
        for ((member, topic), seat) in &self.seats {
            let owed = &self.published[usize::from(*topic)][seat.start..];
            assert_eq!(seat.got, owed, "member {member} of t{topic}");
        }
        // Every byte that was charged is paid back.
        drop(self.endpoint);
        self.hub.0.clock.advance(Duration::from_mins(1));
        for _ in 0..8 {
            self.hub.expire(Instant::now());
        }
        assert_eq!(
            self.hub.stats(),
            Stats {
                published: self.hub.stats().published,
                evicted: self.hub.stats().evicted,
                ..Stats::default()
            }
        );
    }
}

proptest! {
    #[test]
    fn each_member_gets_what_follows_its_cursor_once_and_in_order(steps in steps()) {
        let mut model = Model::new();
        steps.iter().for_each(|step| model.step(step));
        model.check();
    }
}
