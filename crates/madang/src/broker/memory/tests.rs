use std::{sync::Arc, time::Duration};

use madang_proto::{Body, Cursor, session::Farewell};

use super::*;
use crate::{
    broker::{BROKERS, open},
    hub::{Draft, HistoryConfig, Hub, HubConfig, Join, Limits, Mail, Mailbox, Post},
};

#[derive(Default)]
struct Queue(Mailbox<Mail>);

impl Post for Queue {
    fn post(&self, mail: Mail) {
        let _ = self.0.push(mail);
    }
}

impl Queue {
    fn bodies(&self) -> Vec<String> {
        let mut mail = Vec::new();
        self.0.drain_into(&mut mail);
        let published = mail.iter().map(|mail| match mail {
            Mail::Published(published) => published.publication().body.bytes(),
            Mail::Presence(_) => unreachable!("nobody is present"),
        });
        published.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }
}

const JOIN: Join = Join { member: 1, from: Cursor::Now, watch: false, present: None };

fn text(text: &'static str) -> Draft {
    Draft::new(Body::Text(text.into()))
}

fn config(count: usize) -> HubConfig {
    let limits = Limits { count, age: Duration::from_mins(5) };
    let history = HistoryConfig { limits, ..HistoryConfig::default() };
    HubConfig { history, ..HubConfig::default() }
}

fn nodes<const N: usize>(count: usize) -> [Hub; N] {
    let broker = MemoryBroker::new();
    [(); N].map(|()| Hub::with_broker(config(count), broker.connect()).unwrap())
}

#[test]
fn each_node_hears_the_others_once() {
    let hubs = nodes::<3>(10);
    let topic = Topic::new("t").unwrap();
    let queues = [(); 3].map(|()| Arc::new(Queue::default()));
    let endpoints: Vec<_> =
        hubs.iter().zip(&queues).map(|(hub, queue)| hub.attach(queue.clone())).collect();
    for endpoint in &endpoints {
        endpoint.join(&topic, JOIN).unwrap();
    }
    hubs[0].publish(&topic, text("one")).unwrap();
    hubs[1].publish(&topic, text("two")).unwrap();
    hubs[0].publish(&topic, text("three")).unwrap();
    for queue in &queues {
        assert_eq!(queue.bodies(), ["one", "two", "three"]);
    }
    let page = hubs[2].history(&topic, Cursor::Earliest, 10);
    assert_eq!(page.messages.len(), 3, "the history is everywhere");
}

#[test]
fn a_node_that_does_not_want_a_topic_is_left_alone() {
    let [near, far] = nodes(0);
    let topic = Topic::new("t").unwrap();
    let queue = Arc::new(Queue::default());
    let endpoint = far.attach(queue.clone());
    endpoint.join(&topic, JOIN).unwrap();
    near.publish(&topic, text("one")).unwrap();
    near.publish(&Topic::new("u").unwrap(), text("other")).unwrap();
    assert_eq!(far.stats().published, 1);
    endpoint.leave(&topic, 1, Farewell::Clean);
    assert_eq!(far.stats().topics, 0);
    near.publish(&topic, text("two")).unwrap();
    assert_eq!((queue.bodies(), far.stats().published), (vec!["one".to_owned()], 1));
}

#[test]
fn reading_the_history_wants_a_topic() {
    let [near, far] = nodes(10);
    let topic = Topic::new("t").unwrap();
    let start = far.history(&topic, Cursor::Now, 10).next;
    near.publish(&topic, text("one")).unwrap();
    let page = far.history(&topic, Cursor::After(start), 10);
    assert_eq!((page.messages.len(), page.gap), (1, false));
}

#[test]
fn a_connection_is_for_one_hub_and_ends_with_it() {
    let broker = MemoryBroker::new();
    let connection = broker.connect();
    let hub = Hub::with_broker(config(1), Arc::clone(&connection)).unwrap();
    let second = Hub::with_broker(config(1), connection).map(|_| ());
    assert_eq!(second, Err(BrokerError::InUse));
    hub.publish(&Topic::new("t").unwrap(), text("one")).unwrap();
    assert_eq!(broker.0.wanted.lock().len(), 1);
    drop(hub);
    assert_eq!(broker.0.wanted.lock().len(), 0);
}

#[test]
fn urls_name_brokers() {
    let topic = Topic::new("t").unwrap();
    let hub = |url| Hub::with_broker(config(1), open(url).unwrap()).unwrap();
    let (here, there, apart) = (hub("memory:yard"), hub("memory:yard"), hub("memory:"));
    for node in [&there, &apart] {
        node.history(&topic, Cursor::Now, 1);
    }
    here.publish(&topic, text("one")).unwrap();
    assert_eq!((there.stats().published, apart.stats().published), (1, 0));
    assert_eq!(
        here.broker().map(|broker| (broker.name(), broker.health())),
        Some(("memory", Health::Up))
    );
    let unknown = open("pigeon:post").map(|_| ());
    assert_eq!(unknown, Err(BrokerError::UnknownScheme("pigeon".into())));
    assert!(BROKERS.iter().all(|kind| !kind.summary.is_empty()));
}
