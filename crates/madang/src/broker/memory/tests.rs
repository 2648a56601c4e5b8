use madang_proto::{Body, Position};

use super::*;
use crate::broker::{BROKERS, Receive, open};

/// A hub that only notes what comes in.
#[derive(Default)]
struct Notes(Mutex<Vec<Publication>>);

impl Receive for Notes {
    fn receive(&self, publication: Publication) {
        self.0.lock().push(publication);
    }
}

fn start(connection: &dyn Broker) -> (Arc<Notes>, Result<(), BrokerError>) {
    let notes = Arc::new(Notes::default());
    let inbox: Weak<Notes> = Arc::downgrade(&notes);
    (notes, connection.start(Inbox::new(inbox)))
}

fn publication(topic: &Topic, text: &'static str) -> Publication {
    Publication {
        topic: topic.clone(),
        id: Position { epoch: 1, seq: 1 },
        event: None,
        body: Body::Text(text.into()),
        headers: None,
        publisher: None,
        time: 0,
        exact: None,
        except: None,
    }
}

#[test]
fn what_is_queued_is_handed_over_by_flush_in_order() {
    let broker = MemoryBroker::new();
    let (near, far) = (broker.connect(), broker.connect());
    let (here, started) = start(&*near);
    assert_eq!(started, Ok(()));
    let (there, started) = start(&*far);
    assert_eq!(started, Ok(()));
    let topic = Topic::new("t").unwrap();
    near.subscribe(&topic);
    far.subscribe(&topic);
    near.publish(&publication(&topic, "one"));
    near.publish(&publication(&topic, "two"));
    assert_eq!(there.0.lock().len(), 0, "publishing only queues");
    near.flush();
    let heard: Vec<_> = there.0.lock().iter().map(|it| it.body.bytes().to_vec()).collect();
    assert_eq!(heard, [b"one", b"two"]);
    assert_eq!(here.0.lock().len(), 0, "no node hears itself");
    far.unsubscribe(&topic);
    near.publish(&publication(&topic, "three"));
    near.flush();
    assert_eq!(there.0.lock().len(), 2);
}

#[test]
fn a_connection_takes_one_inbox_and_its_wishes_end_with_it() {
    let broker = MemoryBroker::new();
    let connection = broker.connect();
    assert_eq!(start(&*connection).1, Ok(()));
    assert_eq!(start(&*connection).1, Err(BrokerError::InUse));
    connection.subscribe(&Topic::new("t").unwrap());
    assert_eq!(broker.0.wanted.lock().len(), 1);
    drop(connection);
    assert_eq!(broker.0.wanted.lock().len(), 0);
}

#[test]
fn an_unknown_scheme_is_an_error() {
    let unknown = open("pigeon:post").map(|_| ());
    assert_eq!(unknown, Err(BrokerError::UnknownScheme("pigeon".into())));
    assert!(BROKERS.iter().all(|kind| !kind.summary.is_empty()));
}
