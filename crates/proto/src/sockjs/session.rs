//! A session: another one's messages, on whatever the client has open.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::{
    frame::{close, escape, messages},
    reception::{Settings, Transport, split, text},
};
use crate::{Input, Intent, Kind, Link, Out, Request};

const SCRIPT: &str = "application/javascript; charset=UTF-8";
/// Some browsers hand nothing of a body to the page before so much of it has come.
const PRELUDE: usize = 2048;
/// What a message in the queue counts beside its bytes.
const OVERHEAD: usize = 64;

pub(super) struct Session {
    settings: Arc<Settings>,
    inner: Box<dyn crate::Session>,
    inner_out: Out,
    state: State,
    receiver: Option<Receiver>,
    /// Messages as JSON strings.
    queue: VecDeque<String>,
    /// Bytes in the queue.
    bytes: usize,
    /// With a receiver the next heartbeat, without one the session's end.
    due: Option<Instant>,
}

enum State {
    /// The client has not been told that it is open.
    Fresh,
    Open,
    /// With the frame that says so, again and again.
    Closed(String),
}

struct Receiver {
    link: Link,
    is_streaming: bool,
    /// Bytes of the body so far.
    sent: usize,
}

impl Session {
    pub(super) fn new(settings: Arc<Settings>, inner: Box<dyn crate::Session>) -> Self {
        Self {
            settings,
            inner,
            inner_out: Out::default(),
            state: State::Fresh,
            receiver: None,
            queue: VecDeque::new(),
            bytes: 0,
            due: None,
        }
    }

    /// Hands an input to the session within, and frames what it wishes to send.
    fn tell(&mut self, input: Input<'_>, now: Instant, out: &mut Out) {
        let mut inner = std::mem::take(&mut self.inner_out);
        self.inner.handle(input, now, &mut inner);
        let Out { intents, bytes } = &mut inner;
        for intent in intents.drain(..) {
            match intent {
                Intent::Send { range, .. } | Intent::SendAhead { range, .. } => {
                    let said = bytes.get(range).and_then(|said| std::str::from_utf8(said).ok());
                    // Frames are text; what is none has no way to this client.
                    let Some(said) = said.filter(|_| self.is_open()) else { continue };
                    let mut message = String::with_capacity(said.len() + 2);
                    escape(said, &mut message);
                    self.bytes += message.len() + OVERHEAD;
                    self.queue.push_back(message);
                }
                Intent::Close { code, reason } => self.close(code, &reason),
                other => out.intents.push(other),
            }
        }
        inner.clear();
        self.inner_out = inner;
    }

    fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }

    fn close(&mut self, code: u16, reason: &str) {
        if self.is_open() {
            self.state = State::Closed(close(code, reason));
        }
    }

    fn request(&mut self, link: Link, request: &Request, now: Instant, out: &mut Out) {
        match split(&request.rest) {
            Some((_, Transport::Send)) => self.take(link, request, now, out),
            Some((_, transport)) => {
                let is_streaming = transport == Transport::Streaming;
                let receiver = Receiver { link, is_streaming, sent: 0 };
                self.receive(receiver, now, out);
            }
            None => out.respond(link, text(StatusCode::NOT_FOUND, "")),
        }
    }

    /// What the client says.
    fn take(&mut self, link: Link, request: &Request, now: Instant, out: &mut Out) {
        if !self.is_open() {
            return out.respond(link, text(StatusCode::NOT_FOUND, ""));
        }
        let messages = match messages(&request.body) {
            Ok(messages) => messages,
            Err(error) => {
                let said = error.to_string();
                return out.respond(link, text(StatusCode::INTERNAL_SERVER_ERROR, said));
            }
        };
        for message in messages {
            self.tell(Input::Text(&message), now, out);
        }
        out.respond(link, text(StatusCode::NO_CONTENT, ""));
    }

    /// The client has come for what there is to say.
    fn receive(&mut self, mut receiver: Receiver, now: Instant, out: &mut Out) {
        if receiver.is_streaming {
            let mut head = Response::new(());
            let kind = HeaderValue::from_static(SCRIPT);
            head.headers_mut().insert(header::CONTENT_TYPE, kind);
            out.stream(receiver.link, head);
            let mut prelude = vec![b'h'; PRELUDE];
            prelude.push(b'\n');
            out.send_on(receiver.link, Kind::Text, &prelude);
        }
        if self.receiver.is_some() {
            receiver.say(&close(2010, "Another connection still open"), out);
            return receiver.end(out);
        }
        if matches!(self.state, State::Fresh) {
            self.state = State::Open;
            receiver.say("o", out);
        }
        self.due = Some(now + self.settings.heartbeat);
        if receiver.is_done(&self.settings) {
            self.let_go(&receiver, now, out);
        } else {
            self.receiver = Some(receiver);
        }
    }

    /// What waits leaves, if there is somebody to take it.
    fn flush(&mut self, now: Instant, out: &mut Out) {
        if let Some(mut receiver) = self.receiver.take() {
            if !self.queue.is_empty() {
                let messages: Vec<String> = std::mem::take(&mut self.queue).into();
                self.bytes = 0;
                receiver.say(&format!("a[{}]", messages.join(",")), out);
            }
            if !receiver.is_done(&self.settings)
                && let State::Closed(frame) = &self.state
            {
                receiver.say(frame, out);
                self.let_go(&receiver, now, out);
            } else if receiver.is_done(&self.settings) {
                self.let_go(&receiver, now, out);
            } else {
                self.receiver = Some(receiver);
            }
        } else if self.bytes > self.settings.max_queue {
            out.close(1008, "too much waits for the client");
        }
    }

    /// A receiver has had enough; the client comes back for more, or is gone.
    fn let_go(&mut self, receiver: &Receiver, now: Instant, out: &mut Out) {
        receiver.end(out);
        self.due = Some(now + self.settings.disconnect_delay);
    }

    fn tick(&mut self, now: Instant, out: &mut Out) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        if let Some(mut receiver) = self.receiver.take() {
            receiver.say("h", out);
            if receiver.is_done(&self.settings) {
                self.let_go(&receiver, now, out);
            } else {
                self.due = Some(now + self.settings.heartbeat);
                self.receiver = Some(receiver);
            }
        } else {
            out.close(1000, "");
        }
    }
}

impl Receiver {
    fn say(&mut self, frame: &str, out: &mut Out) {
        let line = format!("{frame}\n");
        self.sent += line.len();
        if self.is_streaming {
            out.send_on(self.link, Kind::Text, line.as_bytes());
        } else {
            let mut response = Response::new(Bytes::from(line));
            let kind = HeaderValue::from_static(SCRIPT);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            out.respond(self.link, response);
        }
    }

    /// It takes no more: a poll is answered, or a body is as long as it may be.
    fn is_done(&self, settings: &Settings) -> bool {
        self.sent > 0 && (!self.is_streaming || self.sent >= settings.response_limit)
    }

    fn end(&self, out: &mut Out) {
        if self.is_streaming {
            out.close_link(self.link, 1000, "");
        }
    }
}

impl crate::Session for Session {
    fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut Out) {
        match input {
            Input::Request(link, request) => self.request(link, request, now, out),
            Input::Gone(link, _) => {
                if self.receiver.as_ref().is_some_and(|receiver| receiver.link == link) {
                    // The page is gone, and would not know what it had got.
                    self.receiver = None;
                    return out.close(1002, "");
                }
            }
            Input::Timeout => {
                self.tick(now, out);
                if self.inner.poll_timeout().is_some_and(|due| now >= due) {
                    self.tell(Input::Timeout, now, out);
                }
            }
            Input::Attached(link) => return out.close_link(link, 1000, ""),
            Input::Closed(farewell) => {
                self.close(3000, "Go away!");
                self.flush(now, out);
                self.due = None;
                return self.tell(Input::Closed(farewell), now, out);
            }
            other => self.tell(other, now, out),
        }
        self.flush(now, out);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.due, self.inner.poll_timeout()].into_iter().flatten().min()
    }
}
