//! The hub from outside. Under the feature `shuttle` only the random schedules run.

#[cfg(not(feature = "shuttle"))]
mod budget;
#[cfg(not(feature = "shuttle"))]
mod delivery;
#[cfg(not(feature = "shuttle"))]
mod nodes;
#[cfg(not(feature = "shuttle"))]
mod presence;
#[cfg(feature = "shuttle")]
mod schedules;

use std::sync::Arc;

use bytes::Bytes;
use madang_proto::{Body, Cursor, Topic, session::Present};

use super::*;

/// A mailbox that wakes nobody.
#[derive(Default)]
struct Queue(Mailbox<Mail>);

impl Post for Queue {
    fn post(&self, mail: Mail) {
        let _ = self.0.push(mail);
    }
}

impl Queue {
    fn drain(&self) -> Vec<Mail> {
        let mut mail = Vec::new();
        self.0.drain_into(&mut mail);
        mail
    }
}

fn attach(hub: &Hub) -> (Endpoint, Arc<Queue>) {
    let queue = Arc::new(Queue::default());
    (hub.attach(queue.clone()), queue)
}

/// Enough calls for every shard.
fn tidy(hub: &Hub) {
    for _ in 0..16 {
        hub.expire(Instant::now());
    }
}

fn topic(name: &str) -> Topic {
    Topic::new(name).unwrap()
}

fn text(text: &str) -> Draft {
    Draft::new(Body::Text(Bytes::copy_from_slice(text.as_bytes())))
}

fn body(published: &Published) -> &str {
    std::str::from_utf8(published.publication().body.bytes()).unwrap()
}

#[cfg(not(feature = "shuttle"))]
fn join(member: u64, from: Cursor) -> Join {
    Join { member, from, watch: false, present: None }
}

fn guest(user: &str, key: Option<&str>) -> Attendance {
    let who = Present { user: Some(user.into()), key: key.map(Into::into) };
    Attendance { who, door: "websocket" }
}
