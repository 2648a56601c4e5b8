//! A socket in the hands of its application.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use super::{
    application::{Handshake, Payload, Settings},
    packet::{Ack, Event, Packet},
    render,
};
use crate::{
    Cursor, Form, Token, Topic,
    engineio::Engine,
    session::{Intent, Present, Publish, Subscribe},
    topic::TopicError,
};

/// What a connection keeps of one of its sockets, besides the application's own.
#[derive(Debug)]
pub(super) struct State {
    pub(super) namespace: Box<str>,
    pub(super) id: Box<str>,
    pub(super) rooms: SmallVec<[Box<str>; 2]>,
    next_question: u64,
    pub(super) questions: Vec<Question>,
    /// It has left, or is to leave.
    pub(super) is_over: bool,
    /// Joins that have to be in force before the client hears that it is in.
    pub(super) joining: u32,
    /// The client has heard that it is in.
    pub(super) is_in: bool,
    /// What was sent before that.
    pub(super) early: Vec<(String, Vec<bytes::Bytes>)>,
}

/// A question that waits for its answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: u64,
    pub(super) name: u32,
    pub(super) until: Instant,
}

/// What follows when the hub has done what was wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// The client's event is acknowledged: `"ok"`, the publication's id, or `{"error":"…"}`.
    Ack(Option<u64>),
}

/// What a connection has asked of the hub, and for which socket.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) token: Token,
    pub(super) socket: Box<str>,
    /// The room that is joined, and whether the socket was not in it before.
    pub(super) room: Option<(Box<str>, bool)>,
    pub(super) then: Then,
}

/// Why a room cannot be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Its name can be none.
    #[error(transparent)]
    Name(#[from] TopicError),
    /// The sockets of the connection are in as many rooms as they may be.
    #[error("a connection can be in {0} rooms at most, all its namespaces together")]
    TooMany(usize),
}

/// A topic that sockets of a connection are in.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    sockets: u32,
    /// There has been more than one, each in its own namespace: each is told of its own.
    is_each: bool,
}

/// What the sockets of a connection share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) handshake: Arc<Handshake>,
    pub(super) is_bridged: bool,
    pub(super) wishes: Vec<Wish>,
    next_token: u32,
    /// Rooms of all its sockets, as topics; `None` while there has only been one.
    topics: Option<HashMap<Topic, Held>>,
    /// How many rooms that are.
    rooms: usize,
    /// The connection is to be closed.
    pub(super) is_closing: bool,
}

impl Shared {
    pub(super) fn new(
        settings: Arc<Settings>,
        handshake: Arc<Handshake>,
        is_bridged: bool,
    ) -> Self {
        Self {
            settings,
            handshake,
            is_bridged,
            wishes: Vec::new(),
            next_token: 0,
            rooms: 0,
            topics: None,
            is_closing: false,
        }
    }

    /// There is about to be a second socket: from now on it matters who is in which topic.
    pub(super) fn note_topics(&mut self, first: &State) {
        if self.topics.is_none() {
            let rooms = first.rooms.iter();
            let topics = rooms
                .filter_map(|room| render::topic(&first.namespace, room, self.is_bridged).ok());
            let held = Held { sockets: 1, is_each: false };
            self.topics = Some(topics.map(|topic| (topic, held)).collect());
        }
    }

    /// A socket joins a topic, anew if it is in it; true when the session has to tell each socket of
    /// it by itself.
    fn enter(&mut self, topic: &Topic, is_new: bool) -> bool {
        let Some(topics) = &mut self.topics else { return false };
        let held = topics.entry(topic.clone()).or_default();
        held.sockets += u32::from(is_new);
        held.is_each |= held.sockets > 1;
        held.is_each
    }

    /// A socket leaves a topic; true when none of the connection is in it any more.
    fn exit(&mut self, topic: &Topic) -> bool {
        let Some(topics) = &mut self.topics else { return true };
        let Some(held) = topics.get_mut(topic) else { return true };
        held.sockets = held.sockets.saturating_sub(1);
        let is_left = held.sockets == 0;
        if is_left {
            topics.remove(topic);
        }
        is_left
    }

    fn wish(&mut self, socket: &State, room: Option<(&str, bool)>, then: Then) -> Token {
        self.next_token = self.next_token.wrapping_add(1);
        let token = Token(self.next_token);
        let room = room.map(|(room, is_new)| (room.into(), is_new));
        self.wishes.push(Wish { token, socket: socket.id.clone(), room, then });
        token
    }
}

impl State {
    pub(super) fn new(namespace: &str, id: String) -> Self {
        Self {
            namespace: namespace.into(),
            id: id.into(),
            rooms: SmallVec::new(),
            next_question: 0,
            questions: Vec::new(),
            is_over: false,
            joining: 0,
            is_in: false,
            early: Vec::new(),
        }
    }

    /// Bytes that wait for the answer to its CONNECT.
    pub(super) fn early_bytes(&self) -> usize {
        let sizes = self.early.iter().map(|(text, attachments)| {
            text.len() + attachments.iter().map(bytes::Bytes::len).sum::<usize>()
        });
        sizes.sum()
    }

    /// Sends a packet to the client, behind the answer to its CONNECT.
    pub(super) fn send(
        &mut self,
        text: String,
        attachments: &[bytes::Bytes],
        engine: &mut Engine<'_>,
    ) {
        if self.is_in {
            render::send(&text, attachments, engine);
        } else {
            self.early.push((text, attachments.to_vec()));
        }
    }
}

/// A socket: one client in one namespace.
pub struct Socket<'a, 'e> {
    pub(super) state: &'a mut State,
    pub(super) shared: &'a mut Shared,
    pub(super) engine: &'a mut Engine<'e>,
}

impl Socket<'_, '_> {
    /// The namespace, such as `/`.
    pub fn namespace(&self) -> &str {
        &self.state.namespace
    }

    /// The socket's id. It is no secret, and not the name of the session that carries it.
    pub fn id(&self) -> &str {
        &self.state.id
    }

    /// What is known of the connection's first request.
    pub fn handshake(&self) -> &Handshake {
        &self.shared.handshake
    }

    /// The name of the transport that the client is on.
    pub fn transport(&self) -> &'static str {
        self.engine.transport()
    }

    /// The rooms that it is in.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.state.rooms.iter().map(|room| &**room)
    }

    /// Sends an event to the client.
    pub fn emit(&mut self, name: &str, payload: Payload<'_>) {
        self.send(name, None, payload);
    }

    /// Sends an event, unless it would have to wait for the client.
    pub fn emit_volatile(&mut self, name: &str, payload: Payload<'_>) {
        if self.engine.is_writable() {
            self.send(name, None, payload);
        }
    }

    /// Sends an event that the client is to answer within a time; `question` is handed back with the
    /// answer. One that is too many counts as not answered in time.
    pub fn ask(&mut self, name: &str, payload: Payload<'_>, within: Duration, question: u32) {
        let id = self.state.next_question;
        self.state.next_question += 1;
        let is_full = self.state.questions.len() >= self.shared.settings.max_questions;
        let until = if is_full { self.engine.now() } else { self.engine.now() + within };
        self.state.questions.push(Question { id, name: question, until });
        if !is_full {
            self.send(name, Some(id), payload);
        }
    }

    fn send(&mut self, name: &str, id: Option<u64>, payload: Payload<'_>) {
        if self.state.is_over {
            return;
        }
        let event = Event {
            namespace: &self.state.namespace,
            id,
            name: name.into(),
            args: payload.args,
            attachments: payload.attachments.len(),
        };
        let mut text = String::new();
        Packet::Event(event).encode(&mut text);
        self.state.send(text, payload.attachments, self.engine);
    }

    /// Acknowledges an event.
    pub fn ack(&mut self, id: u64, payload: Payload<'_>) {
        if self.state.is_over {
            return;
        }
        let ack = Ack {
            namespace: &self.state.namespace,
            id,
            args: payload.args,
            attachments: payload.attachments.len(),
        };
        let mut text = String::new();
        Packet::Ack(ack).encode(&mut text);
        self.state.send(text, payload.attachments, self.engine);
    }

    /// Acknowledges an event with an error, where that was asked for.
    pub fn ack_error(&mut self, id: Option<u64>, why: &str) {
        if let Some(id) = id {
            let error = serde_json::json!({ "error": why }).to_string();
            self.ack(id, Payload::of(super::Args::trusted(&error)));
        }
    }

    /// The topic of one of the namespace's rooms.
    pub fn topic(&self, room: &str) -> Result<Topic, TopicError> {
        render::topic(&self.state.namespace, room, self.shared.is_bridged)
    }

    /// Joins a room. Of a topic, what came after `from` is brought first, and `present` is shown.
    ///
    /// # Errors
    /// The room's name cannot be one, or there are too many.
    pub fn join(
        &mut self,
        room: &str,
        from: Cursor,
        present: Option<Present>,
        then: Then,
    ) -> Result<(), JoinError> {
        let topic = self.topic(room)?;
        let is_new = !self.state.rooms.iter().any(|held| &**held == room);
        // Several namespaces have rooms of one topic, which the hub counts once.
        let most = self.shared.settings.max_rooms;
        if is_new && self.shared.rooms >= most {
            return Err(JoinError::TooMany(most));
        }
        let form = render::form(self.engine.revision(), &self.state.namespace);
        let is_each = self.shared.enter(&topic, is_new);
        let form = form.filter(|_| !is_each).unwrap_or(Form::EACH);
        if is_new {
            self.shared.rooms += 1;
            self.state.rooms.push(room.into());
        }
        if !self.state.is_in {
            self.state.joining += 1;
        }
        let token = self.shared.wish(self.state, Some((room, is_new)), then);
        let wish = Subscribe { token, topic, from, form, watch: false, present };
        self.engine.out().subscribe(wish);
        Ok(())
    }

    /// Leaves a room.
    pub fn leave(&mut self, room: &str) {
        let Some(at) = self.state.rooms.iter().position(|held| &**held == room) else { return };
        let room = self.state.rooms.swap_remove(at);
        self.left(&room);
    }

    /// Leaves all rooms.
    pub(super) fn leave_all(&mut self) {
        for room in std::mem::take(&mut self.state.rooms) {
            self.left(&room);
        }
    }

    fn left(&mut self, room: &str) {
        self.shared.rooms = self.shared.rooms.saturating_sub(1);
        let Ok(topic) = self.topic(room) else { return };
        // Another socket of the connection may be there still.
        if self.shared.exit(&topic) {
            self.engine.out().intents.push(Intent::Unsubscribe(topic));
        }
    }

    /// Publishes an event to a room.
    pub fn publish(&mut self, to: &Target<'_>, event: &str, payload: Payload<'_>, then: Then) {
        let (body, exact) = render::body(payload);
        let exact = exact.map(Arc::new);
        let mut not_in: Vec<Topic> =
            to.except.iter().filter_map(|room| self.topic(room).ok()).collect();
        for room in to.rooms {
            let topic = match self.topic(room) {
                Ok(topic) => topic,
                Err(error) => {
                    if let Then::Ack(id) = then {
                        self.ack_error(id, &error.to_string());
                    }
                    continue;
                }
            };
            let token = match then {
                Then::Nothing | Then::Ack(None) => None,
                then @ Then::Ack(_) => Some(self.shared.wish(self.state, None, then)),
            };
            self.engine.out().publish(Publish {
                token,
                topic: topic.clone(),
                event: (event != "message").then(|| event.into()),
                body: body.clone(),
                publisher: to.publisher.clone(),
                exact: exact.clone(),
                not_me: to.not_me,
                not_in: not_in.clone().into(),
            });
            // Who is in several of the rooms hears it once.
            not_in.push(topic);
        }
    }

    /// Takes the socket out of its namespace.
    pub fn disconnect(&mut self) {
        if self.state.is_over {
            return;
        }
        let mut text = String::new();
        Packet::Disconnect { namespace: &self.state.namespace }.encode(&mut text);
        self.state.send(text, &[], self.engine);
        self.state.is_over = true;
    }

    /// Closes the whole connection, with all its sockets.
    pub fn close(&mut self) {
        self.shared.is_closing = true;
    }
}

/// To whom something is published.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever publishes")]
pub struct Target<'a> {
    /// To everybody in one of these rooms, once.
    pub rooms: &'a [&'a str],
    /// Not to who is in one of these.
    pub except: &'a [&'a str],
    /// Not to the connection that publishes.
    pub not_me: bool,
    /// Who publishes, where that is known.
    pub publisher: Option<Arc<str>>,
}
