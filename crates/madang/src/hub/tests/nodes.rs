//! Hubs that a broker joins.

use std::time::Duration;

use madang_proto::session::Farewell;

use super::*;
use crate::broker::{Health, memory::MemoryBroker, open};

fn bodies(queue: &Queue) -> Vec<String> {
    let mail = queue.drain();
    let published = mail.iter().map(|mail| match mail {
        Mail::Published(published) => body(published).to_owned(),
        Mail::Presence(_) => unreachable!("nobody is present"),
    });
    published.collect()
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
    let topic = topic("t");
    let attached: Vec<_> = hubs.iter().map(attach).collect();
    for (endpoint, _) in &attached {
        endpoint.join(&topic, join(1, Cursor::Now)).unwrap();
    }
    hubs[0].publish(&topic, text("one")).unwrap();
    hubs[1].publish(&topic, text("two")).unwrap();
    hubs[0].publish(&topic, text("three")).unwrap();
    for (_, queue) in &attached {
        assert_eq!(bodies(queue), ["one", "two", "three"]);
    }
    let page = hubs[2].history(&topic, Cursor::Earliest, 10);
    assert_eq!(page.messages.len(), 3, "the history is everywhere");
}

#[test]
fn a_node_that_does_not_want_a_topic_is_left_alone() {
    let [near, far] = nodes(0);
    let topic = topic("t");
    let (endpoint, queue) = attach(&far);
    endpoint.join(&topic, join(1, Cursor::Now)).unwrap();
    near.publish(&topic, text("one")).unwrap();
    near.publish(&super::topic("u"), text("other")).unwrap();
    assert_eq!(far.stats().published, 1);
    endpoint.leave(&topic, 1, Farewell::Clean);
    assert_eq!(far.stats().topics, 0);
    near.publish(&topic, text("two")).unwrap();
    assert_eq!((bodies(&queue), far.stats().published), (vec!["one".to_owned()], 1));
}

#[test]
fn reading_the_history_wants_a_topic() {
    let [near, far] = nodes(10);
    let topic = topic("t");
    let start = far.history(&topic, Cursor::Now, 10).next;
    near.publish(&topic, text("one")).unwrap();
    let page = far.history(&topic, Cursor::After(start), 10);
    assert_eq!((page.messages.len(), page.gap), (1, false));
}

#[test]
fn a_connection_is_for_one_hub_and_ends_with_it() {
    let connection = MemoryBroker::new().connect();
    let held = Arc::downgrade(&connection);
    let hub = Hub::with_broker(config(1), Arc::clone(&connection)).unwrap();
    let second = Hub::with_broker(config(1), connection).map(|_| ());
    assert_eq!(second, Err(BrokerError::InUse));
    hub.publish(&topic("t"), text("one")).unwrap();
    assert!(held.upgrade().is_some());
    drop(hub);
    assert!(held.upgrade().is_none(), "neither keeps the other");
}

#[test]
fn urls_name_brokers() {
    let topic = topic("t");
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
}
