//! The polling transport: what waits for the next poll, and the way from here to a WebSocket.

use std::{borrow::Cow, collections::VecDeque, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{
    jsonp::{Callback, read_form},
    packet::{Data, Kind, Packet, Revision},
    payload::{Format, Packets, Payload},
    reception::{Refusal, Settings, answer},
};
use crate::{Kind as MessageKind, Link, Out, Request};

const TEXT: &str = "text/plain; charset=UTF-8";
const BYTES: &str = "application/octet-stream";
const SCRIPT: &str = "text/javascript; charset=UTF-8";

#[derive(Debug)]
pub(super) struct Polling {
    revision: Revision,
    /// The request that waits to be answered with what there is to say.
    poll: Option<Poll>,
    queue: VecDeque<Queued>,
    /// Bytes in the queue.
    bytes: usize,
    /// A request whose body is on its way.
    posting: Option<Link>,
    /// A WebSocket that asks to take over.
    upgrade: Option<Upgrade>,
    /// The answer to the handshake sets it.
    cookie: Option<HeaderValue>,
    /// The session is over by then, whether the client comes for the rest or not.
    close_by: Option<Instant>,
}

#[derive(Debug)]
struct Poll {
    link: Link,
    /// The number of the callback, for a client that polls by script.
    jsonp: Option<Box<str>>,
    takes_binary: bool,
}

#[derive(Debug)]
struct Queued {
    kind: Kind,
    is_binary: bool,
    bytes: Vec<u8>,
}

impl Queued {
    fn packet(&self) -> Packet<'_> {
        let data = match std::str::from_utf8(&self.bytes) {
            Ok(text) if !self.is_binary => Data::Text(text),
            _ => Data::Binary(Cow::Borrowed(&self.bytes)),
        };
        Packet { kind: self.kind, data }
    }
}

#[derive(Debug)]
struct Upgrade {
    link: Link,
    until: Instant,
    probed: bool,
}

/// What a packet in the queue counts beside its bytes.
const OVERHEAD: usize = 64;

/// What a request came to.
pub(super) enum Asked {
    /// It is answered, or waits.
    Done,
    /// A poll while another one waits.
    Overlap,
    Post(Posted),
    Malformed,
}

/// The body of a POST.
pub(super) struct Posted {
    revision: Revision,
    body: PostedBody,
}

enum PostedBody {
    Text(String),
    Bytes(Bytes),
}

impl Posted {
    pub(super) fn packets(&self, limit: usize) -> Packets<'_> {
        match &self.body {
            PostedBody::Text(text) => Packets::of_text(self.revision, text, limit),
            PostedBody::Bytes(bytes) => Packets::of_binary(bytes, limit),
        }
    }
}

/// The answer to a POST.
pub(super) fn acknowledge(link: Link, is_whole: bool, out: &mut Out) {
    let response = if is_whole {
        answer(StatusCode::OK, "text/html", Bytes::from_static(b"ok"))
    } else {
        Refusal::BadRequest.response()
    };
    out.respond(link, response);
}

impl Polling {
    pub(super) fn new(revision: Revision, cookie: Option<HeaderValue>) -> Self {
        Self {
            revision,
            poll: None,
            queue: VecDeque::new(),
            bytes: 0,
            posting: None,
            upgrade: None,
            cookie,
            close_by: None,
        }
    }

    pub(super) fn is_writable(&self) -> bool {
        self.poll.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// More waits for the client than may.
    pub(super) fn is_over(&self, settings: &Settings) -> bool {
        self.bytes > settings.max_queue || self.queue.len() > settings.max_queued
    }

    pub(super) fn queue(&mut self, kind: Kind, is_binary: bool, bytes: Vec<u8>) {
        self.bytes += bytes.len() + OVERHEAD;
        self.queue.push_back(Queued { kind, is_binary, bytes });
    }

    /// Takes a request.
    pub(super) fn ask(&mut self, link: Link, request: &Request, out: &mut Out) -> Asked {
        if request.query("transport").as_deref() != Some("polling") {
            out.respond(link, Refusal::BadRequest.response());
            return Asked::Done;
        }
        let jsonp = match request.query("j") {
            Some(j) if Callback::new(&j).is_err() => {
                out.respond(link, Refusal::BadRequest.response());
                return Asked::Done;
            }
            j => j.map(|j| j.into_owned().into_boxed_str()),
        };
        if self.posting == Some(link) {
            // It is here now, and the only one.
            self.posting = None;
        }
        match *request.head.method() {
            Method::GET if self.poll.is_some() => {
                out.respond(link, Refusal::BadRequest.response());
                Asked::Overlap
            }
            Method::GET => {
                let takes_binary = self.revision == Revision::V3
                    && jsonp.is_none()
                    && request.query("b64").is_none();
                self.poll = Some(Poll { link, jsonp, takes_binary });
                if self.queue.is_empty() && self.upgrade.as_ref().is_some_and(|up| up.probed) {
                    // The client is about to leave polling, and this poll would hold it up.
                    self.queue(Kind::Noop, false, Vec::new());
                }
                Asked::Done
            }
            Method::POST if self.posting.is_some_and(|posting| posting != link) => {
                out.respond(link, Refusal::BadRequest.response());
                Asked::Overlap
            }
            Method::POST => match self.posted(request, jsonp.is_some()) {
                Some(body) => Asked::Post(Posted { revision: self.revision, body }),
                None => Asked::Malformed,
            },
            _ => {
                out.respond(link, Refusal::BadRequest.response());
                Asked::Done
            }
        }
    }

    /// The body of a request is on its way; false when there is one already.
    pub(super) fn announce(&mut self, link: Link) -> bool {
        let is_alone = self.posting.is_none();
        self.posting.get_or_insert(link);
        is_alone
    }

    /// The session is over: what is still on its way would come to nobody.
    pub(super) fn turn_away(&mut self, out: &mut Out) {
        if let Some(link) = self.posting.take() {
            out.respond(link, Refusal::UnknownSession.response());
        }
    }

    fn posted(&self, request: &Request, is_jsonp: bool) -> Option<PostedBody> {
        let kind = request.header("content-type").unwrap_or_default();
        if is_jsonp {
            return read_form(&request.body).ok().map(PostedBody::Text);
        }
        if self.revision == Revision::V3 && kind.trim().eq_ignore_ascii_case(BYTES) {
            return Some(PostedBody::Bytes(request.body.clone()));
        }
        let text = std::str::from_utf8(&request.body).ok()?;
        Some(PostedBody::Text(text.to_owned()))
    }

    /// Answers the poll that waits, if there is something to say.
    pub(super) fn flush(&mut self, out: &mut Out) {
        if self.queue.is_empty() {
            return;
        }
        let Some(poll) = self.poll.take() else { return };
        let queue = std::mem::take(&mut self.queue);
        self.bytes = 0;
        let packets: Vec<Packet<'_>> = queue.iter().map(Queued::packet).collect();
        let format = Format::choose(self.revision, poll.takes_binary, &packets);
        let mut payload = Payload::new(format);
        for packet in &packets {
            payload.push(packet);
        }
        let mut response = poll.answer(format, payload.into_bytes());
        if let Some(cookie) = self.cookie.take() {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        out.respond(poll.link, response);
    }

    /// Lets a poll go that waits, with this packet behind whatever is queued.
    pub(super) fn release(&mut self, kind: Kind, out: &mut Out) {
        if self.poll.is_some() {
            self.queue(kind, false, Vec::new());
            self.flush(out);
        }
    }

    /// A link has gone; true when it was the poll.
    pub(super) fn forget(&mut self, link: Link) -> bool {
        if self.upgrade.as_ref().is_some_and(|upgrade| upgrade.link == link) {
            self.upgrade = None;
        }
        if self.posting == Some(link) {
            self.posting = None;
        }
        let is_poll = self.poll.as_ref().is_some_and(|poll| poll.link == link);
        if is_poll {
            self.poll = None;
        }
        is_poll
    }

    /// A WebSocket has come. There is one at a time.
    pub(super) fn attach(&mut self, link: Link, until: Instant, out: &mut Out) {
        if self.upgrade.is_some() {
            return out.close_link(link, 1000, "");
        }
        self.upgrade = Some(Upgrade { link, until, probed: false });
    }

    /// It asks whether it works.
    pub(super) fn probe(&mut self, link: Link, out: &mut Out) {
        let Some(upgrade) = self.upgrade.as_mut().filter(|upgrade| upgrade.link == link) else {
            return;
        };
        upgrade.probed = true;
        out.send_on(link, MessageKind::Text, b"3probe");
        self.release(Kind::Noop, out);
    }

    pub(super) fn is_probed(&self, link: Link) -> bool {
        self.upgrade.as_ref().is_some_and(|upgrade| upgrade.link == link && upgrade.probed)
    }

    /// It says what it should not; polling goes on.
    pub(super) fn refuse_upgrade(&mut self, link: Link, out: &mut Out) {
        if self.upgrade.as_ref().is_some_and(|upgrade| upgrade.link == link) {
            self.upgrade = None;
        }
        out.close_link(link, 1000, "");
    }

    pub(super) fn give_up_upgrade(&mut self, out: &mut Out) {
        if let Some(upgrade) = self.upgrade.take() {
            out.close_link(upgrade.link, 1000, "");
        }
    }

    /// The transport changes: hands over what waits, in its order.
    pub(super) fn move_over(self, mut send: impl FnMut(&Packet<'_>)) {
        for queued in &self.queue {
            send(&queued.packet());
        }
    }

    /// The client may come for what waits until then.
    pub(super) fn close_by(&mut self, until: Instant) {
        self.close_by = Some(until);
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.close_by.is_some_and(|until| now >= until)
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut Out) {
        if self.upgrade.as_ref().is_some_and(|upgrade| now >= upgrade.until) {
            self.give_up_upgrade(out);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let upgrade = self.upgrade.as_ref().map(|upgrade| upgrade.until);
        [upgrade, self.close_by].into_iter().flatten().min()
    }
}

impl Poll {
    fn answer(&self, format: Format, payload: Vec<u8>) -> Response<Bytes> {
        let callback = self.jsonp.as_deref().and_then(|j| Callback::new(j).ok());
        match (callback, format) {
            (Some(callback), _) => {
                // A client that polls by script is sent no bytes.
                let text = String::from_utf8(payload).unwrap_or_default();
                answer(StatusCode::OK, SCRIPT, callback.call(&text).into())
            }
            (None, Format::V3Binary) => answer(StatusCode::OK, BYTES, payload.into()),
            (None, _) => answer(StatusCode::OK, TEXT, payload.into()),
        }
    }
}
