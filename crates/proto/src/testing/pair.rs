//! A protocol's server and its clients, in memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::script::{Heard, Player};
use crate::{
    Body, Form, Input, Intent, Kind, Link, Out, Position, Publication, Reception, Rendered,
    Request, Session, Topic,
    publication::Except,
    reception::Received,
    session::{Arrival, Farewell, Outcome, Publish, Subscribe},
};

/// The server side of a [`Reception`] and all its clients: performs intents as the real driver does,
/// with a small model of topics (no history, no presence).
pub struct Pair {
    reception: Arc<dyn Reception>,
    render: fn(Form, &Publication) -> Rendered,
    sessions: Vec<Place>,
    names: HashMap<String, usize>,
    /// By the names that a script gives them.
    clients: HashMap<String, Client>,
    now: Instant,
    sequence: u64,
    made: u64,
    /// What was published and is not delivered.
    mail: VecDeque<Publication>,
}

/// A session, and how it is reached.
struct Place {
    session: Option<Box<dyn Session>>,
    name: String,
    carrier: Option<String>,
    links: Vec<(Link, String)>,
    next: u32,
    joined: Vec<(Topic, Form)>,
    closing: bool,
}

#[derive(Default)]
struct Client {
    is_websocket: bool,
    /// Which session it is of.
    place: Option<usize>,
    answer: Option<(u16, Vec<u8>)>,
    is_streaming: bool,
    ended: bool,
    heard: VecDeque<Heard>,
}

impl Pair {
    /// A server with no session yet; `render` is its protocol's.
    pub fn new(reception: Arc<dyn Reception>, render: fn(Form, &Publication) -> Rendered) -> Self {
        Self {
            reception,
            render,
            sessions: Vec::new(),
            names: HashMap::new(),
            clients: HashMap::new(),
            now: Instant::now(),
            sequence: 0,
            made: 0,
            mail: VecDeque::new(),
        }
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.iter().filter(|place| place.session.is_some()).count()
    }

    /// Publishes to all sessions that have joined the topic.
    pub fn publish(&mut self, topic: &Topic, event: Option<&str>, body: Body) {
        let event = event.map(Arc::from);
        self.post(0, Publish { event, ..Publish::new(topic.clone(), body) });
        self.deliver();
    }

    /// Takes a publication of a session, counted from 1; nobody has it before the mail is delivered.
    fn post(&mut self, session: u64, wish: Publish) -> Position {
        self.sequence += 1;
        let id = Position { epoch: 1, seq: self.sequence };
        let except = Except { session: wish.not_me.then_some(session), topics: wish.not_in };
        self.mail.push_back(Publication {
            topic: wish.topic,
            id,
            event: wish.event,
            body: wish.body,
            headers: None,
            publisher: wish.publisher,
            time: 0,
            exact: wish.exact,
            except: Some(Arc::new(except)),
        });
        id
    }

    fn deliver(&mut self) {
        while let Some(publication) = self.mail.pop_front() {
            for at in 0..self.sessions.len() {
                self.deliver_to(at, &publication);
            }
        }
    }

    fn deliver_to(&mut self, at: usize, publication: &Publication) {
        let place = &self.sessions[at];
        let Some((_, form)) = place.joined.iter().find(|(held, _)| *held == publication.topic)
        else {
            return;
        };
        let is_out = publication.except.as_deref().is_some_and(|except| {
            except.session == Some(at as u64 + 1)
                || place.joined.iter().any(|(held, _)| except.topics.contains(held))
        });
        match place.carrier.clone() {
            _ if is_out => {}
            Some(who) if *form != Form::EACH => {
                let rendered = (self.render)(*form, publication);
                self.bring(&who, rendered.kind, &rendered.segments.concat());
                for bytes in &rendered.attachments {
                    self.bring(&who, Kind::Binary, bytes);
                }
            }
            _ => self.tell_alone(at, Input::Delivery(publication)),
        }
    }

    fn request(method: &str, target: &str, body: &str, is_websocket: bool) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let head = http::Request::builder().method(method).uri(format!("/?{query}"));
        Request {
            rest: path.trim_start_matches('/').to_owned(),
            head: head.body(()).unwrap_or_default(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            is_websocket,
            peer: None,
        }
    }

    fn begin(&mut self, name: String, request: &Request, carrier: Option<String>) -> usize {
        let session = self.reception.open(&name, request);
        let at = self.sessions.len();
        self.names.insert(name.clone(), at);
        self.sessions.push(Place {
            session: Some(session),
            name,
            carrier,
            links: Vec::new(),
            next: 0,
            joined: Vec::new(),
            closing: false,
        });
        self.tell(at, Input::Opened);
        at
    }

    /// The session that a request is for, or the answer that it has without one.
    fn find(&mut self, request: &Request) -> Result<Option<usize>, Box<http::Response<Bytes>>> {
        let (name, may_begin) = match self.reception.receive(request) {
            Received::Answer(response) => return Err(response),
            Received::New => {
                self.made += 1;
                return Ok(None);
            }
            Received::Known(name) => (name, false),
            Received::Either(name) => (name, true),
        };
        match self.names.get(&name) {
            Some(at) => Ok(Some(*at)),
            None if may_begin => Ok(Some(self.begin(name, request, None))),
            None => Err(Box::new(self.reception.unknown(request))),
        }
    }

    /// Hands an input to a session, and what it has published to whom it is for.
    fn tell(&mut self, at: usize, input: Input<'_>) {
        self.tell_alone(at, input);
        self.deliver();
    }

    /// Hands an input to a session, and performs what it wishes until it wishes no more.
    fn tell_alone(&mut self, at: usize, input: Input<'_>) {
        let Some(mut session) = self.sessions[at].session.take() else { return };
        let mut out = Out::default();
        let mut queue = VecDeque::new();
        session.handle(input, self.now, &mut out);
        loop {
            for intent in std::mem::take(&mut out.intents) {
                self.perform(at, intent, &out.bytes, &mut queue);
            }
            out.clear();
            let Some(input) = queue.pop_front() else { break };
            session.handle(input, self.now, &mut out);
        }
        self.sessions[at].session = Some(session);
        if self.sessions[at].closing {
            self.end(at, Farewell::Clean);
        }
    }

    fn perform(
        &mut self,
        at: usize,
        intent: Intent,
        bytes: &[u8],
        queue: &mut VecDeque<Input<'static>>,
    ) {
        let place = &mut self.sessions[at];
        match intent {
            Intent::Send { kind, range } | Intent::SendAhead { kind, range } => {
                if let Some(who) = place.carrier.clone().filter(|_| !place.closing) {
                    self.bring(&who, kind, &bytes[range]);
                }
            }
            Intent::SendOn { link, kind, range } => {
                if let Some(who) = place.who(link) {
                    self.bring(&who, kind, &bytes[range]);
                }
            }
            Intent::Respond { link, response } => {
                if let Some(who) = place.take(link) {
                    self.answer_with(&who, &response);
                }
            }
            Intent::Stream { link, response } => {
                if let Some(who) = place.who(link) {
                    let client = self.clients.entry(who).or_default();
                    client.answer = Some((response.status().as_u16(), Vec::new()));
                    client.is_streaming = true;
                }
            }
            Intent::CloseLink { link, code, .. } => {
                if let Some(who) = place.take(link) {
                    self.close_client(&who, code);
                    queue.push_back(Input::Gone(link, Farewell::Clean));
                }
            }
            Intent::Switch(link) => place.carrier = place.take(link),
            Intent::Subscribe(wish) => {
                let Subscribe { token, topic, form, .. } = *wish;
                place.joined.retain(|(held, _)| *held != topic);
                place.joined.push((topic, form));
                let position = Position { epoch: 1, seq: self.sequence };
                let joined = Outcome::Joined { at: position, after: position, gap: false };
                queue.push_back(Input::Done(token, Ok(joined)));
                let arrival = Arrival { at: position, count: 1, present: Vec::new() };
                queue.push_back(Input::CaughtUp(token, arrival));
            }
            Intent::Unsubscribe(topic) => place.joined.retain(|(held, _)| *held != topic),
            Intent::Close { code, .. } => {
                place.closing = true;
                if let Some(who) = place.carrier.clone() {
                    self.close_client(&who, code);
                }
            }
            Intent::Publish(wish) => {
                let token = wish.token;
                let at = self.post(at as u64 + 1, *wish);
                if let Some(token) = token {
                    queue.push_back(Input::Done(token, Ok(Outcome::Published(at))));
                }
            }
            Intent::Pause | Intent::Resume => {}
        }
    }

    /// A session is over.
    fn end(&mut self, at: usize, farewell: Farewell) {
        self.sessions[at].closing = false;
        self.tell_alone(at, Input::Closed(farewell));
        let place = &mut self.sessions[at];
        place.session = None;
        if self.names.get(&place.name) == Some(&at) {
            self.names.remove(&place.name);
        }
        for (_, who) in std::mem::take(&mut place.links) {
            self.close_client(&who, 1000);
        }
    }

    fn answer_with(&mut self, who: &str, response: &http::Response<Bytes>) {
        let client = self.clients.entry(who.to_owned()).or_default();
        let status = response.status().as_u16();
        if client.is_websocket {
            client.heard.push_back(Heard::Refused(status));
        } else {
            client.answer = Some((status, response.body().to_vec()));
            client.ended = true;
        }
    }

    fn bring(&mut self, who: &str, kind: Kind, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(who).filter(|client| !client.ended) else { return };
        if client.is_websocket {
            client.heard.push_back(match kind {
                Kind::Text => Heard::Text(String::from_utf8_lossy(bytes).into_owned()),
                Kind::Binary => Heard::Binary(bytes.to_vec()),
            });
        } else if let Some((_, body)) = &mut client.answer {
            body.extend_from_slice(bytes);
        }
    }

    fn close_client(&mut self, who: &str, code: u16) {
        let Some(client) = self.clients.get_mut(who).filter(|client| !client.ended) else { return };
        client.ended = true;
        if client.is_websocket {
            client.heard.push_back(Heard::Closed(code));
        }
    }
}

impl Place {
    fn add(&mut self, who: &str) -> Link {
        self.next += 1;
        self.links.push((Link(self.next), who.to_owned()));
        Link(self.next)
    }

    fn who(&self, link: Link) -> Option<String> {
        self.links.iter().find_map(|(held, who)| (*held == link).then(|| who.clone()))
    }

    fn take(&mut self, link: Link) -> Option<String> {
        let at = self.links.iter().position(|(held, _)| *held == link)?;
        Some(self.links.remove(at).1)
    }
}

impl Player for Pair {
    fn call(&mut self, who: &str, method: &str, target: &str, body: &str) {
        self.clients.insert(who.to_owned(), Client::default());
        let request = Self::request(method, target, body, false);
        let at = match self.find(&request) {
            Err(response) => return self.answer_with(who, &response),
            Ok(Some(at)) => at,
            Ok(None) => self.begin(format!("session-{}", self.made), &request, None),
        };
        let link = self.sessions[at].add(who);
        self.clients.entry(who.to_owned()).or_default().place = Some(at);
        self.tell(at, Input::Request(link, &request));
    }

    fn open(&mut self, who: &str, target: &str) {
        let client = Client { is_websocket: true, ..Client::default() };
        self.clients.insert(who.to_owned(), client);
        let request = Self::request("GET", target, "", true);
        let at = match self.find(&request) {
            Err(response) => return self.answer_with(who, &response),
            Ok(Some(at)) => {
                let link = self.sessions[at].add(who);
                self.clients.entry(who.to_owned()).or_default().place = Some(at);
                return self.tell(at, Input::Attached(link));
            }
            Ok(None) => {
                let name = format!("session-{}", self.made);
                self.begin(name, &request, Some(who.to_owned()))
            }
        };
        self.clients.entry(who.to_owned()).or_default().place = Some(at);
    }

    fn say(&mut self, who: &str, message: Heard) {
        let Some(client) = self.clients.get(who).filter(|client| !client.ended) else { return };
        let Some(at) = client.place else { return };
        if matches!(message, Heard::Closed(_) | Heard::Refused(_)) {
            return self.hang_up(who);
        }
        let place = &self.sessions[at];
        let link = place.links.iter().find_map(|(link, held)| (held == who).then_some(*link));
        match (&message, link) {
            (Heard::Text(text), Some(link)) => {
                self.tell(at, Input::Said(link, Kind::Text, text.as_bytes()));
            }
            (Heard::Binary(bytes), Some(link)) => {
                self.tell(at, Input::Said(link, Kind::Binary, bytes));
            }
            (Heard::Text(text), None) => self.tell(at, Input::Text(text)),
            (Heard::Binary(bytes), None) => self.tell(at, Input::Binary(bytes)),
            _ => {}
        }
    }

    fn hang_up(&mut self, who: &str) {
        let Some(client) = self.clients.get_mut(who) else { return };
        client.ended = true;
        let Some(at) = client.place else { return };
        let place = &mut self.sessions[at];
        let link = place.links.iter().find_map(|(link, held)| (held == who).then_some(*link));
        if let Some(link) = link {
            place.take(link);
            self.tell(at, Input::Gone(link, Farewell::Cut));
        } else if place.carrier.as_deref() == Some(who) {
            self.end(at, Farewell::Cut);
        }
    }

    /// In steps, so that what is due comes in its order.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let due = self
                .sessions
                .iter()
                .enumerate()
                .filter_map(|(at, place)| Some((place.session.as_ref()?.poll_timeout()?, at)));
            match due.min() {
                Some((due, at)) if due <= until => {
                    self.now = self.now.max(due);
                    self.tell(at, Input::Timeout);
                    let again = self.sessions[at].session.as_ref().and_then(|s| s.poll_timeout());
                    assert!(
                        again.is_none_or(|again| again > self.now),
                        "a time is asked for again"
                    );
                }
                _ => break,
            }
        }
        self.now = until;
    }

    fn answer(&mut self, who: &str) -> Option<(u16, String)> {
        let client = self.clients.get_mut(who).filter(|client| client.ended)?;
        let (status, body) = client.answer.take()?;
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }

    fn head(&mut self, who: &str) -> Option<u16> {
        let client = self.clients.get(who).filter(|client| client.is_streaming)?;
        client.answer.as_ref().map(|(status, _)| *status)
    }

    fn line(&mut self, who: &str) -> Option<Option<String>> {
        let client = self.clients.get_mut(who)?;
        let (_, body) = client.answer.as_mut()?;
        match body.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line: Vec<u8> = body.drain(..=end).collect();
                Some(Some(String::from_utf8_lossy(&line[..end]).into_owned()))
            }
            None => (client.ended && body.is_empty()).then_some(None),
        }
    }

    fn heard(&mut self, who: &str) -> Option<Heard> {
        self.clients.get_mut(who)?.heard.pop_front()
    }
}
