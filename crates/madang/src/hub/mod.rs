//! Topics: who is in them, what they held, and in which order everybody sees it.

mod api;
mod config;
mod history;
mod mail;
mod mailbox;
mod member;
mod sync;

use std::{sync::Arc, time::Instant};

use madang_proto::{Cursor, Position, Presence, Topic, session::Farewell};

pub use self::{
    api::{
        Attendance, Draft, HistoryPage, Join, JoinError, Joined, MAX_KEY, MAX_NAME, PublishError,
        Stats,
    },
    config::{HistoryConfig, HubConfig, Limits, Pattern},
    mail::{FormKey, Mail, Post, Published, Told, TopicKey},
    mailbox::Mailbox,
    member::{Member, Members, Moved, Room},
};

/// Signatures; the bodies follow.
#[derive(Clone)]
pub struct Hub(Arc<()>);

#[allow(missing_docs, unused_variables, clippy::all, clippy::pedantic)]
impl Hub {
    pub fn new(config: HubConfig) -> Self {
        unimplemented!()
    }
    pub fn publish(&self, topic: &Topic, draft: Draft) -> Result<Position, PublishError> {
        unimplemented!()
    }
    /// One per worker, or per user task.
    pub fn attach(&self, post: Arc<dyn Post>) -> Endpoint {
        unimplemented!()
    }
    pub fn presence(&self, topic: &Topic) -> Vec<Presence> {
        unimplemented!()
    }
    pub fn history(&self, topic: &Topic, from: Cursor, limit: usize) -> HistoryPage {
        unimplemented!()
    }
    /// Called about once a second by workers.
    pub fn expire(&self, now: Instant) {
        unimplemented!()
    }
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }
}

/// Dropping it makes all its members leave, as cut.
pub struct Endpoint(Hub);

#[allow(missing_docs, unused_variables, clippy::all, clippy::pedantic)]
impl Endpoint {
    pub fn hub(&self) -> &Hub {
        &self.0
    }
    /// A member that is there already joins anew: `watch` and `present` are replaced.
    pub fn join(&self, topic: &Topic, join: Join) -> Result<Joined, JoinError> {
        unimplemented!()
    }
    /// False when the member was not there.
    pub fn leave(&self, topic: &Topic, member: u64, farewell: Farewell) -> bool {
        unimplemented!()
    }
}
