//! What a handler has yet to take.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;
use madang_proto::{Input, Intent, Out, Session};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::websocket::Message;

/// The messages between a worker and one handler.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Message>,
    bytes: usize,
    /// The worker reads no more from the socket until it is told.
    paused: bool,
    closed: bool,
}

impl Inbox {
    pub(super) const MAX_MESSAGES: usize = 64;
    pub(super) const MAX_BYTES: usize = 256 * 1024;

    /// Adds a message; true when the worker is to read no more for now.
    fn push(&self, message: Message) -> bool {
        let mut state = self.state.lock();
        state.bytes += message.len();
        state.queue.push_back(message);
        let full = state.queue.len() >= Self::MAX_MESSAGES || state.bytes >= Self::MAX_BYTES;
        let pause = full && !state.paused;
        state.paused |= full;
        drop(state);
        self.news.notify_one();
        pause
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.news.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// The next message, and whether the worker may read again. `None` when the client has gone.
    /// Cancel-safe: a message is taken only when it is returned.
    pub(super) async fn pop(&self) -> Option<(Message, bool)> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(message) = state.queue.pop_front() {
                    state.bytes -= message.len();
                    let room = state.queue.len() <= Self::MAX_MESSAGES / 2
                        && state.bytes <= Self::MAX_BYTES / 2;
                    let resume = state.paused && room;
                    state.paused &= !resume;
                    return Some((message, resume));
                }
                if state.closed {
                    return None;
                }
            }
            // `notify_one` leaves a permit when nobody waits, so nothing is missed in between.
            self.news.notified().await;
        }
    }
}

/// The worker's end: a session that fills the inbox. When it is dropped, for whatever reason, the
/// handler sees the end.
pub(super) struct InboxSession(pub(super) Arc<Inbox>);

impl Session for InboxSession {
    fn handle(&mut self, input: Input<'_>, _: Instant, out: &mut Out) {
        let message = match input {
            Input::Text(text) => Message::Text(text.into()),
            Input::Binary(bytes) => Message::Binary(Bytes::copy_from_slice(bytes)),
            Input::Done(_, Err(refusal)) => {
                tracing::warn!(reason = refusal.reason, "a socket could not join a topic");
                return;
            }
            _ => return,
        };
        if self.0.push(message) {
            out.intents.push(Intent::Pause);
        }
    }
}

impl Drop for InboxSession {
    fn drop(&mut self) {
        self.0.close();
    }
}
