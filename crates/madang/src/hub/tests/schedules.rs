//! The hub under random schedules: every lock and every atomic is a place where another thread may
//! go on.
//!
//! `cargo test -p madang --features shuttle shuttle_`. A failure prints its schedule, which
//! `shuttle::replay` plays again.

use std::{collections::BTreeMap, time::Duration};

use madang_proto::session::Farewell;
use shuttle::thread;

use super::*;
use crate::broker::memory::MemoryBroker;

/// Tries a scenario under schedules that are random, and under some that preempt rarely but at any
/// place, which finds bugs of a few steps.
fn explore(scenario: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(scenario.clone(), 1_500);
    shuttle::check_pct(scenario, 500, 3);
}

/// A worker with slots: what `drive` does, without sockets.
struct Worker {
    endpoint: Endpoint,
    queue: Arc<Queue>,
    members: Members,
    slots: Vec<Slot>,
    logs: Vec<Log>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    /// The occupant: its topic, its index in the room, its log.
    occupant: Option<(TopicKey, usize, usize)>,
}

/// What one occupant of a slot saw.
struct Log {
    joined: Joined,
    from: Cursor,
    orders: Vec<u64>,
    got: Vec<(Position, String)>,
    changes: Vec<(bool, usize)>,
    has_left: bool,
}

impl Worker {
    fn new(hub: &Hub) -> Self {
        let (endpoint, queue) = attach(hub);
        let slots = (0..2).map(|_| Slot::default()).collect();
        Self { endpoint, queue, members: Members::new(), slots, logs: Vec::new() }
    }

    fn join(&mut self, slot: usize, from: Cursor, present: Option<Attendance>) {
        let t = topic("t");
        let generation = self.slots[slot].generation;
        let member = (slot as u64) << 32 | u64::from(generation);
        let watch = present.is_some();
        let joined = self.endpoint.join(&t, Join { member, from, watch, present }).unwrap();
        let row = Member { slot: slot as u32, generation, seen: joined.order, form: 0, watch };
        let index = self.members.add(joined.key, &t, row);
        self.slots[slot].occupant = Some((joined.key, index, self.logs.len()));
        let got = joined.history.iter().map(|p| (p.publication().id, body(p).to_owned())).collect();
        let log = Log { joined, from, orders: vec![], got, changes: vec![], has_left: false };
        self.logs.push(log);
    }

    fn leave(&mut self, slot: usize, farewell: Farewell) {
        let (key, index, log) = self.slots[slot].occupant.take().unwrap();
        let generation = self.slots[slot].generation;
        self.slots[slot].generation += 1;
        self.logs[log].has_left = true;
        let (row, moved) = self.members.remove(key, index).unwrap();
        assert_eq!((row.slot as usize, row.generation), (slot, generation));
        if let Some(moved) = moved {
            self.slots[moved.member.slot as usize].occupant.as_mut().unwrap().1 = moved.index;
        }
        let member = (slot as u64) << 32 | u64::from(generation);
        assert!(self.endpoint.leave(&topic("t"), member, farewell));
    }

    /// Hands all waiting mail out.
    fn turn(&mut self) {
        for mail in self.queue.drain() {
            let Some(room) = self.members.room(mail.key()) else { continue };
            for member in room.due(mail.order()) {
                let slot = &self.slots[member.slot as usize];
                assert_eq!(slot.generation, member.generation, "mail for a former occupant");
                let log = &mut self.logs[slot.occupant.unwrap().2];
                log.orders.push(mail.order());
                match &mail {
                    Mail::Published(p) => log.got.push((p.publication().id, body(p).to_owned())),
                    Mail::Presence(told) if member.watch => {
                        log.changes.push((told.change.joined, told.change.count));
                    }
                    Mail::Presence(_) => {}
                }
            }
        }
    }

    /// The cursor with which the newest log's client would come back.
    fn last(&self) -> Cursor {
        let log = self.logs.last().unwrap();
        Cursor::After(log.got.last().map_or(log.joined.at, |(id, _)| *id))
    }
}

type Publications = BTreeMap<Position, String>;

fn publisher(hub: &Hub, name: &'static str, count: usize) -> thread::JoinHandle<Publications> {
    let hub = hub.clone();
    thread::spawn(move || {
        let publish = |n| {
            let body = format!("{name}{n}");
            (hub.publish(&topic("t"), text(&body)).unwrap(), body)
        };
        let published: Vec<_> = (0..count).map(publish).collect();
        let mut by_epoch: BTreeMap<u64, u64> = BTreeMap::new();
        for (id, _) in &published {
            let before = by_epoch.insert(id.epoch, id.seq);
            assert!(before < Some(id.seq), "a publisher's own publications are in its order");
        }
        published.into_iter().collect()
    })
}

/// Each occupant saw every publication after its cursor exactly once, in the one order; those who
/// stayed, up to the end.
fn check(logs: &[Log], published: &Publications, end: Position) {
    for log in logs {
        assert!(log.orders.is_sorted_by(|a, b| a < b), "once, and in order: {:?}", log.orders);
        assert!(log.orders.first().is_none_or(|first| *first > log.joined.order));
        for (id, body) in &log.got {
            assert_eq!(published.get(id), Some(body), "the same publication for everybody");
        }
        let epoch = log.got.first().map(|(id, _)| id.epoch);
        let after =
            |position: Position| if Some(position.epoch) == epoch { position.seq } else { 0 };
        let start = match log.from {
            _ if log.joined.gap => log.got.first().map_or(0, |(id, _)| id.seq - 1),
            Cursor::After(position) => after(position),
            Cursor::Now => after(log.joined.at),
            _ => 0,
        };
        let seqs: Vec<_> = log.got.iter().map(|(id, _)| (id.epoch, id.seq)).collect();
        let expected: Vec<_> =
            (start + 1..).take(seqs.len()).map(|seq| (epoch.unwrap_or(0), seq)).collect();
        assert_eq!(seqs, expected, "no hole, nothing twice; from {:?}", log.from);
        if !log.has_left {
            assert_eq!(log.got.last().map(|(id, _)| *id), Some(end), "up to the end");
        }
    }
}

/// Runs two workers against two publishers, then one last publication, and checks what was seen.
fn publish_join_leave(config: HubConfig, shift: fn(&mut Worker)) {
    let hub = Hub::new(config);
    let publishers = [publisher(&hub, "a", 3), publisher(&hub, "b", 3)];
    let workers = [(); 2].map(|()| {
        let mut worker = Worker::new(&hub);
        thread::spawn(move || {
            shift(&mut worker);
            worker
        })
    });
    let mut published = Publications::new();
    for publisher in publishers {
        for (id, body) in publisher.join().unwrap() {
            assert_eq!(published.insert(id, body), None, "one number, one publication");
        }
    }
    let mut workers = workers.map(|worker| worker.join().unwrap());
    let end = hub.publish(&topic("t"), text("end")).unwrap();
    published.insert(end, "end".to_owned());
    for worker in &mut workers {
        worker.turn();
        check(&worker.logs, &published, end);
    }
}

#[test]
fn shuttle_each_member_sees_all_after_its_cursor_once_and_in_one_order() {
    explore(|| {
        publish_join_leave(HubConfig::default(), |worker| {
            worker.join(0, Cursor::Earliest, None);
            worker.turn();
            worker.join(1, Cursor::Now, None);
            worker.leave(0, Farewell::Clean);
            // The slot's new occupant comes while mail for the old one is under way.
            worker.join(0, Cursor::Now, None);
            worker.turn();
            let from = worker.last();
            worker.leave(0, Farewell::Cut);
            worker.join(0, from, None);
            assert!(!worker.logs.last().unwrap().joined.gap, "everything is held");
        });
    });
}

#[test]
fn shuttle_a_topic_that_goes_takes_nobody_with_it() {
    explore(|| {
        let limits = Limits { count: 0, age: Duration::ZERO };
        let history = HistoryConfig { limits, ..HistoryConfig::default() };
        publish_join_leave(HubConfig { history, ..HubConfig::default() }, |worker| {
            worker.join(0, Cursor::Now, None);
            worker.leave(0, Farewell::Clean);
            worker.join(0, Cursor::Now, None);
            worker.turn();
            worker.leave(0, Farewell::Clean);
            worker.join(1, Cursor::Now, None);
        });
    });
}

#[test]
fn shuttle_no_topic_is_left_behind() {
    explore(|| {
        let limits = Limits { count: 0, age: Duration::ZERO };
        let history = HistoryConfig { limits, ..HistoryConfig::default() };
        let hub = Hub::new(HubConfig { history, ..HubConfig::default() });
        let publishers = [publisher(&hub, "a", 2), publisher(&hub, "b", 2)];
        let mut worker = Worker::new(&hub);
        worker.join(0, Cursor::Now, None);
        worker.leave(0, Farewell::Clean);
        worker.join(1, Cursor::Now, None);
        drop(worker);
        for publisher in publishers {
            publisher.join().unwrap();
        }
        assert_eq!((hub.stats().topics, hub.stats().history_bytes), (0, 0));
    });
}

#[test]
fn shuttle_those_who_watch_count_alike() {
    explore(|| {
        let hub = Hub::new(HubConfig::default());
        let publisher = publisher(&hub, "a", 2);
        let workers = [("anna", "k"), ("ben", "k")].map(|(user, key)| {
            let mut worker = Worker::new(&hub);
            thread::spawn(move || {
                worker.join(0, Cursor::Now, Some(guest(user, Some(key))));
                worker.join(1, Cursor::Now, Some(guest("both", Some("k"))));
                worker.turn();
                worker.leave(1, Farewell::Clean);
                worker.join(1, Cursor::Now, Some(guest(user, Some(key))));
                worker
            })
        });
        let mut workers = workers.map(|worker| worker.join().unwrap());
        publisher.join().unwrap();
        assert_eq!(hub.presence(&topic("t")).len(), 2);
        for worker in &mut workers {
            worker.turn();
            for log in &worker.logs {
                assert!(log.orders.is_sorted_by(|a, b| a < b), "{:?}", log.orders);
                let mut count = log.joined.count;
                for (joined, told) in &log.changes {
                    count = if *joined { count + 1 } else { count - 1 };
                    assert_eq!(count, *told);
                }
                assert!(log.has_left || count == 2);
            }
        }
    });
}

#[test]
fn shuttle_a_form_is_made_once_and_every_byte_is_paid_back() {
    explore(|| {
        let mut config = HubConfig::default();
        config.history.max_bytes = 3_000;
        let hub = Hub::new(config);
        let mut worker = Worker::new(&hub);
        worker.join(0, Cursor::Now, None);
        let publishers = ["a", "b"].map(|name| {
            let hub = hub.clone();
            thread::spawn(move || {
                for n in 0..3 {
                    let draft = text(&"x".repeat(400));
                    hub.publish(&topic(if n == 1 { name } else { "t" }), draft).unwrap();
                }
            })
        });
        let renderers = [(); 2].map(|()| {
            let queue = worker.queue.clone();
            thread::spawn(move || {
                for mail in queue.drain() {
                    let Mail::Published(published) = mail else { continue };
                    published.form(FormKey(1), || vec![b'f'; 300].into());
                }
            })
        });
        for thread in publishers.into_iter().chain(renderers) {
            thread.join().unwrap();
        }
        hub.0.clock.advance(Duration::from_hours(1));
        tidy(&hub);
        assert_eq!((hub.stats().history_bytes, hub.stats().topics), (0, 1));
        assert!(hub.0.histories.lock().is_empty());
    });
}

#[test]
fn shuttle_nodes_hear_each_other_once_and_without_deadlock() {
    explore(|| {
        let broker = MemoryBroker::new();
        let hubs =
            [(); 2].map(|()| Hub::with_broker(HubConfig::default(), broker.connect()).unwrap());
        let mut workers = hubs.each_ref().map(Worker::new);
        for worker in &mut workers {
            worker.join(0, Cursor::Now, None);
        }
        let publishers = [publisher(&hubs[0], "a", 2), publisher(&hubs[1], "b", 2)];
        let passer = {
            let mut passer = Worker::new(&hubs[1]);
            thread::spawn(move || {
                passer.join(0, Cursor::Now, None);
                passer.leave(0, Farewell::Clean);
            })
        };
        passer.join().unwrap();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        for worker in &mut workers {
            worker.turn();
            let got = || worker.logs[0].got.iter().map(|(_, body)| body.as_str());
            for (name, all) in [("a", ["a0", "a1"]), ("b", ["b0", "b1"])] {
                assert!(
                    got().filter(|body| body.starts_with(name)).eq(all),
                    "{:?}",
                    worker.logs[0].got
                );
            }
            assert_eq!(got().count(), 4);
        }
    });
}
