//! What a worker does with sessions that are reached over [links](super::links).

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use http::Response;
use madang_proto::{Input, Kind, Link, Request, Session, session::Farewell};
use madang_ws::CloseCode;
use tokio::sync::oneshot;

use super::{
    carrier::{Carrier, CarrierKind, Framing},
    client::{Cold, Flags},
    links::{End, Exchange, Key, Links, Relay, Reply, Word},
    mail::{ClientId, Mail, Newcomer, Start},
    poll::Interest,
    stream,
    worker::Worker,
};
use crate::app::Command;

impl Worker {
    /// A request has come for a session, or for one that begins with it.
    pub(super) fn exchange(&mut self, exchange: Exchange) {
        let Exchange { key, request, create, ticket, reply } = exchange;
        let Some(reply) = reply else { return self.bring(&key, ticket, &request) };
        let slot = match (self.named(&key), create) {
            (Some(slot), _) => slot,
            // Of a client that is gone already, nobody would ever come back.
            (None, Some(_)) if reply.is_closed() => return,
            (None, Some(create)) if self.leaving.is_none() => {
                // It is code of whoever serves the protocol, and the worker is everybody's.
                let begun = AssertUnwindSafe(|| create.reception.open(key.name(), &request));
                let Ok(session) = catch_unwind(begun) else {
                    tracing::error!("a session panicked as it began; its client hears 500");
                    return;
                };
                let id = self.clients.reserve(self.seconds());
                let slot = id.slot as usize;
                let newcomer = Newcomer {
                    peer: request.peer,
                    carrier: CarrierKind::None,
                    protocol: create.protocol,
                    begin: Start::Named(key, session),
                    pass: create.pass,
                };
                self.begin(slot, newcomer);
                slot
            }
            // Whoever is about to leave begins nothing: the reply is dropped.
            (None, Some(_)) => return,
            (None, None) => return drop(reply.send(Reply::Unknown(Some(request)))),
        };
        self.ask(slot, ticket, reply, |link| Input::Request(link, &request));
    }

    /// The request of an exchange that was announced; if that is over by now, nobody asks any more.
    fn bring(&mut self, key: &Key, ticket: u64, request: &Request) {
        self.tell_named(key, |links| Some(Input::Request(links.ticket(ticket)?, request)));
    }

    /// A request for a session is on its way.
    pub(super) fn announce(&mut self, key: &Key, ticket: u64, reply: oneshot::Sender<Reply>) {
        match self.named(key) {
            Some(slot) => self.ask(slot, ticket, reply, Input::Announced),
            None => drop(reply.send(Reply::Unknown(None))),
        }
    }

    /// The client of a request does not wait for the answer.
    pub(super) fn hang_up(&mut self, key: &Key, ticket: u64) {
        self.tell_named(key, |links| Some(Input::Gone(links.take_ticket(ticket)?, Farewell::Cut)));
    }

    /// Gives a request a link, and tells its session.
    fn ask<'r>(
        &mut self,
        slot: usize,
        ticket: u64,
        reply: oneshot::Sender<Reply>,
        input: impl FnOnce(Link) -> Input<'r>,
    ) {
        let Some(mut cold) = self.clients.cold[slot].take() else { return };
        match cold.links.as_deref_mut() {
            Some(links) if !links.is_full() => {
                let link = links.add(End::Request { ticket, reply });
                self.tell(slot, &mut cold, input(link));
                self.transmit(slot, &mut cold);
            }
            _ => drop(reply.send(Reply::Crowded)),
        }
        self.put_back(slot, cold);
    }

    /// Tells a session what is to be said of its links, if it is still there.
    fn tell_named<'r>(&mut self, key: &Key, input: impl FnOnce(&mut Links) -> Option<Input<'r>>) {
        let Some(slot) = self.named(key) else { return };
        let Some(mut cold) = self.clients.cold[slot].take() else { return };
        if let Some(input) = cold.links.as_deref_mut().and_then(input) {
            self.tell(slot, &mut cold, input);
            self.transmit(slot, &mut cold);
        }
        self.put_back(slot, cold);
    }

    /// The session of a WebSocket that belongs to another session.
    pub(super) fn relay(&mut self, key: &Key, client: ClientId) -> Box<dyn Session> {
        let worker = self.handle.clone();
        let found = self.named(key).and_then(|slot| {
            let links = self.clients.cold[slot].as_deref_mut()?.links.as_deref_mut()?;
            let link = (!links.is_full()).then(|| links.add(End::Client(client)))?;
            Some((self.clients.id(slot), link))
        });
        self.clients.hot[client.slot as usize].flags.set(Flags::LINK);
        if let Some((to, link)) = found {
            return Box::new(Relay { worker, to, link });
        }
        // As many as may be are there already: it is closed before it has said anything.
        self.handle.post(Mail::Command(client, Command::Close(1013, String::new())));
        Box::new(Relay { worker, to: client, link: Link(0) })
    }

    /// A session is told something of one of its links.
    pub(super) fn hear(&mut self, slot: usize, link: Link, word: Word) {
        let Some(mut cold) = self.clients.cold[slot].take() else { return };
        let Some(links) = cold.links.as_deref_mut() else {
            return self.put_back(slot, cold);
        };
        if links.carrier == Some(link) {
            self.hear_carrier(slot, &mut cold, &word);
        } else if links.client(link).is_some() {
            match word {
                Word::Attached => self.tell(slot, &mut cold, Input::Attached(link)),
                Word::Said(kind, bytes) => {
                    self.tell(slot, &mut cold, Input::Said(link, kind, &bytes));
                }
                Word::Gone(farewell) => {
                    links.take(link);
                    self.tell(slot, &mut cold, Input::Gone(link, farewell));
                }
            }
        }
        self.transmit(slot, &mut cold);
        self.put_back(slot, cold);
    }

    /// What a link had said, or that it had gone, before it became the carrier.
    fn hear_carrier(&mut self, slot: usize, cold: &mut Cold, word: &Word) {
        match word {
            Word::Attached => {}
            Word::Said(kind, bytes) => {
                let input = match (kind, std::str::from_utf8(bytes)) {
                    (Kind::Text, Ok(text)) => Input::Text(text),
                    _ => Input::Binary(bytes),
                };
                self.tell(slot, cold, input);
            }
            Word::Gone(farewell) => {
                if cold.session.is_some() {
                    self.farewell(slot, cold, *farewell);
                }
                if self.clients.hot[slot].socket.is_none() {
                    self.clients.remove(slot);
                }
            }
        }
    }

    pub(super) fn send_on(&mut self, cold: &mut Cold, link: Link, kind: Kind, bytes: &[u8]) {
        let Some(at) = self.at_link(cold, link) else { return };
        if self.clients.hot[at].outbox.is_over(&self.config.outbox) {
            return self.disconnect_slow(at);
        }
        let Some(mut theirs) = self.clients.cold[at].take() else { return };
        self.send(at, &mut theirs, kind, bytes);
        self.put_back(at, theirs);
    }

    pub(super) fn close_link(&mut self, cold: &mut Cold, link: Link, code: u16, reason: &str) {
        let Some(at) = self.at_link(cold, link) else {
            // A request is hung up.
            if let Some(links) = cold.links.as_deref_mut() {
                links.take(link);
            }
            return;
        };
        let Some(mut theirs) = self.clients.cold[at].take() else { return };
        self.begin_close(at, &mut theirs, code, reason);
        self.transmit(at, &mut theirs);
        self.put_back(at, theirs);
    }

    /// Begins an answer whose body is a client of this worker.
    pub(super) fn stream_on(
        &mut self,
        slot: usize,
        cold: &mut Cold,
        link: Link,
        response: Response<()>,
    ) {
        let to = self.clients.id(slot);
        let Some(links) = cold.links.as_deref_mut() else { return };
        let Some(End::Request { reply, .. }) = links.take(link) else { return };
        let id = self.clients.reserve(self.seconds());
        links.put(link, End::Client(id));
        let at = id.slot as usize;
        let flags = &mut self.clients.hot[at].flags;
        flags.set(Flags::STREAM);
        flags.set(Flags::LINK);
        self.sessions += 1;
        let carrier = Carrier::new(CarrierKind::Stream(Framing::Bare), &self.config.limits);
        let worker = self.handle.clone();
        self.clients.cold[at] = Some(Box::new(Cold {
            form_base: u32::from(carrier.form_bits()),
            carrier,
            session: Some(Box::new(Relay { worker, to, link })),
            tls: None,
            id: (self.index as u64) << 48 | self.sessions,
            subscriptions: smallvec::SmallVec::new(),
            give_up: 0,
            pass: std::sync::Arc::clone(&cold.pass),
            held: None,
            links: None,
            joins: super::client::Joins::default(),
            due: None,
        }));
        let watched = stream::pair().and_then(|(near, far)| {
            self.poller.add(&far, id.token(), Interest::READ)?;
            Ok((near, far))
        });
        match watched {
            Ok((near, far)) => {
                self.clients.hot[at].socket = Some(far);
                // Should nobody wait for it any more, the other end closes, and with it this one.
                drop(reply.send(Reply::Stream(response, near)));
            }
            Err(error) => {
                tracing::warn!(%error, "no sockets for a stream");
                // The session hears that the link has gone.
                self.cut(at);
            }
        }
    }

    /// A link becomes the carrier: its connection, its socket and what waits for it move to the
    /// session's place.
    pub(super) fn switch(&mut self, slot: usize, cold: &mut Cold, link: Link) {
        let Some(links) = cold.links.as_deref_mut() else { return };
        let Some(End::Client(child)) = links.take(link) else { return };
        links.carrier = Some(link);
        self.clients.hot[slot].flags.clear(Flags::STREAM);
        let Some(at) = self.clients.find(child) else {
            // It is gone. What it said before is on its way, and its end comes last.
            self.clients.hot[slot].flags.set(Flags::MUTE);
            return;
        };
        let Some(mut theirs) = self.clients.cold[at].take() else { return };
        std::mem::swap(&mut cold.carrier, &mut theirs.carrier);
        std::mem::swap(&mut cold.pass, &mut theirs.pass);
        cold.tls = theirs.tls.take();
        cold.held = theirs.held.take();
        cold.give_up = theirs.give_up;
        drop(theirs);
        self.move_socket(at, slot);
        cold.form_base = cold.form_base & !0xff | u32::from(cold.carrier.form_bits());
        for held in &cold.subscriptions {
            let base = cold.form_base;
            self.members.reform(held.key, held.index, |form| base | form & 0xff00);
        }
        self.note_times(slot, cold);
    }

    fn move_socket(&mut self, from: usize, to: usize) {
        const MOVED: [u16; 9] = [
            Flags::MUTE,
            Flags::CHOKED,
            Flags::WANTS_WRITE,
            Flags::ENDING,
            Flags::PINGED,
            Flags::LINGERING,
            Flags::TLS,
            Flags::GONE,
            Flags::TIMED,
        ];
        let hot = &mut self.clients.hot[from];
        let (socket, outbox) = (hot.socket.take(), std::mem::take(&mut hot.outbox));
        let (flags, heard) = (hot.flags, hot.heard);
        self.clients.remove(from);
        let hot = &mut self.clients.hot[to];
        hot.socket = socket;
        hot.outbox = outbox;
        hot.heard = heard;
        for flag in MOVED.into_iter().filter(|flag| flags.has(*flag)) {
            hot.flags.set(flag);
        }
        if flags.has(Flags::HUNGRY) {
            self.starve(to);
        }
        self.watch(to);
        // Whatever is in the outbox is to leave at the end of the turn.
        self.mark_dirty(to);
    }

    /// A session is over, and so are its name and its links.
    pub(super) fn forget_links(&mut self, slot: usize, cold: &mut Cold) {
        let Some(links) = cold.links.take() else { return };
        let Links { key, open, .. } = *links;
        // Its place may be empty already, and of the next generation; nobody else has it this turn.
        if self.names.get(&key).is_some_and(|id| id.slot as usize == slot) {
            self.names.remove(&key);
        }
        for (_, end) in open {
            // Who waits for an answer hears that there is none, as the reply is dropped.
            if let End::Client(client) = end {
                let code = CloseCode::NORMAL.as_u16();
                self.handle.post(Mail::Command(client, Command::Close(code, String::new())));
            }
        }
    }

    fn named(&self, key: &Key) -> Option<usize> {
        self.names.get(key).and_then(|id| self.clients.find(*id))
    }

    /// The place of a link that is a client.
    fn at_link(&self, cold: &Cold, link: Link) -> Option<usize> {
        let client = cold.links.as_deref()?.client(link)?;
        self.clients.find(client)
    }
}

pub(super) fn respond(cold: &mut Cold, link: Link, response: Response<Bytes>) {
    let end = cold.links.as_deref_mut().and_then(|links| links.take(link));
    if let Some(End::Request { reply, .. }) = end {
        drop(reply.send(Reply::Whole(response)));
    }
}
