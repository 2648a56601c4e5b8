//! All histories together.

use std::{cell::Cell, time::Duration};

use proptest::prelude::*;

use super::*;

fn hub(max_bytes: usize) -> Hub {
    let limits = Limits { count: 1_000, age: Duration::from_mins(5) };
    let history = HistoryConfig { max_bytes, limits, ..HistoryConfig::default() };
    Hub::new(HubConfig { history, ..HubConfig::default() })
}

fn held(hub: &Hub, topics: u8) -> Vec<u64> {
    let topics = (0..topics).map(|n| topic(&n.to_string()));
    let pages = topics.map(|t| hub.history(&t, Cursor::Earliest, usize::MAX).messages);
    let mut stamps: Vec<_> = pages.flatten().map(|published| published.stamp).collect();
    stamps.sort_unstable();
    stamps
}

proptest! {
    #[test]
    fn the_oldest_go_first_whatever_their_topic(
        sizes in proptest::collection::vec((0..9u8, 0..3_000usize), 1..200),
    ) {
        let hub = hub(40_000);
        for (t, size) in &sizes {
            hub.publish(&topic(&t.to_string()), text(&"x".repeat(*size))).unwrap();
            prop_assert!(hub.stats().history_bytes <= 40_000);
        }
        let held = held(&hub, 9);
        let all = sizes.len() as u64;
        prop_assert!(held.iter().copied().eq(all - held.len() as u64..all), "{:?}", held);
        prop_assert_eq!(hub.stats().evicted, all - held.len() as u64);
        prop_assert!(!held.is_empty(), "one that fits is held");
    }
}

#[test]
fn a_publication_larger_than_the_budget_is_delivered_and_not_held() {
    let hub = hub(10_000);
    let (a, queue) = attach(&hub);
    let t = topic("0");
    a.join(&t, join(1, Cursor::Now)).unwrap();
    let small = hub.publish(&t, text("small")).unwrap();
    hub.publish(&t, text(&"x".repeat(20_000))).unwrap();
    assert_eq!(queue.drain().len(), 2);
    assert!(held(&hub, 1).is_empty());
    assert_eq!(hub.stats().history_bytes, 0);
    assert!(hub.history(&t, Cursor::After(small), 9).gap);
}

#[test]
fn a_form_is_rendered_once_and_paid_for_while_it_is_held() {
    let hub = hub(1_000_000);
    let (a, queue) = attach(&hub);
    let t = topic("0");
    a.join(&t, join(1, Cursor::Now)).unwrap();
    hub.publish(&t, text("x")).unwrap();
    let bare = hub.stats().history_bytes;
    let mail = queue.drain();
    let [Mail::Published(published)] = &mail[..] else { panic!("{mail:?}") };
    let made = Cell::new(0);
    let form = |key| {
        published.form(FormKey(key), || {
            made.set(made.get() + 1);
            Bytes::from(vec![b'f'; 1_000 + key as usize])
        })
    };
    for key in [1, 2, 1, 2] {
        assert_eq!(form(key).len(), 1_000 + key as usize);
    }
    assert_eq!((made.get(), hub.stats().history_bytes), (2, bare + 2_003));
    // Whoever was there has it; those who come later have it rendered anew.
    hub.0.clock.advance(Duration::from_secs(3));
    for _ in 0..8 {
        hub.expire(Instant::now());
    }
    assert_eq!(hub.stats().history_bytes, bare);
    form(1);
    assert_eq!((made.get(), hub.stats().history_bytes), (3, bare + 1_001));
    hub.0.clock.advance(Duration::from_mins(6));
    for _ in 0..8 {
        hub.expire(Instant::now());
    }
    assert_eq!(hub.stats().history_bytes, 0);
    // The history has let it go: nobody pays for what is rendered now.
    form(3);
    assert_eq!(hub.stats().history_bytes, 0);
}
