//! Carrying out what sessions wish.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use madang_proto::{
    Cursor, Form, Input, Intent, Out, Position, Session, Token, Topic,
    publication::Except,
    session::{Arrival, Farewell, Outcome, Publish, Refusal, Subscribe},
};
use madang_ws::CloseCode;
use tokio::sync::oneshot;

use super::{
    carrier::Carrier,
    client::{Cold, Flags, Subscription},
    deliver::is_each,
    links::Links,
    mail::{ClientHandle, ClientId, Newcomer, Reserved, Start},
    outbox::SlowConsumer,
    reach::respond,
    stream::Stream,
    turn::JOIN,
    worker::Worker,
};
use crate::app::{Begin, Command};
use crate::codes::Code;
use crate::hub::{Attendance, Draft, FormKey, Join, Joined, Member, Published};

/// What follows once the intents before it are carried out.
enum Next {
    Done(Token, Result<Outcome, Refusal>),
    Replay(Vec<Arc<Published>>, FormKey),
    CaughtUp(Token, Arrival),
    /// For a session that takes [`Form::EACH`].
    Delivery(Arc<Published>),
}

impl Worker {
    /// Gives a client a place and begins its session, before its handshake is answered. What is
    /// sent to it until then waits in its outbox.
    pub(super) fn reserve(&mut self, newcomer: Newcomer, reply: oneshot::Sender<Reserved>) {
        if let Start::Attach(key) = &newcomer.begin
            && !self.names.contains_key(key)
        {
            // There is nothing that it could belong to, and whoever asked hears so.
            return;
        }
        let id = self.clients.reserve(self.seconds());
        self.begin(id.slot as usize, newcomer);
        // If whoever asked is gone, the place is given up as this is dropped.
        drop(reply.send(Reserved::new(self.handle.clone(), id)));
    }

    /// Begins the session of a client whose place is there.
    pub(super) fn begin(&mut self, slot: usize, newcomer: Newcomer) {
        let Newcomer { peer, carrier, protocol, begin, pass } = newcomer;
        let id = self.clients.id(slot);
        self.sessions += 1;
        let session = (self.index as u64) << 48 | self.sessions;
        tracing::debug!(session, peer = peer.map(tracing::field::display), "opened");
        let mut links = None;
        let begun = match begin {
            Start::Begin(Begin::Session(session)) => session,
            Start::Begin(Begin::Handler(begin)) => {
                let worker = self.handle.clone();
                begin(Arc::new(ClientHandle { worker, id, session, peer }))
            }
            Start::Named(key, session) => {
                self.names.insert(key.clone(), id);
                links = Some(Box::new(Links::new(key)));
                session
            }
            Start::Attach(key) => self.relay(&key, id),
        };
        let carrier = Carrier::new(carrier, &self.config.limits);
        if !carrier.is_websocket() {
            self.clients.hot[slot].flags.set(Flags::STREAM);
        }
        let mut cold = Box::new(Cold {
            form_base: u32::from(protocol) << 16 | u32::from(carrier.form_bits()),
            carrier,
            session: Some(begun),
            tls: None,
            id: session,
            subscriptions: smallvec::SmallVec::new(),
            give_up: 0,
            pass,
            held: None,
            links,
            joins: super::client::Joins::default(),
            due: None,
        });
        self.tell(slot, &mut cold, Input::Opened);
        self.transmit(slot, &mut cold);
        self.put_back(slot, cold);
        if self.leaving.is_some() {
            self.send_away(slot);
        }
    }

    /// The handshake of an expected client is answered, and its socket is here.
    pub(super) fn adopt(&mut self, id: ClientId, stream: Stream, early: &[u8]) {
        let Some(slot) = self.clients.find(id) else { return };
        if let Err(error) = self.poller.add(&stream.socket, id.token(), self.interest(slot)) {
            tracing::warn!(%error, "a socket cannot be watched");
            return self.cut(slot);
        }
        self.clients.hot[slot].heard = self.seconds();
        self.clients.hot[slot].socket = Some(stream.socket);
        let is_secure = stream.tls.is_some();
        if let Some(cold) = self.clients.cold[slot].as_deref_mut().filter(|_| is_secure) {
            cold.tls = stream.tls;
            self.clients.hot[slot].flags.set(Flags::TLS);
        }
        self.mark_dirty(slot);
        self.feed_early(slot, early);
        if is_secure && self.clients.find(id).is_some() {
            // TLS may have more than HTTP has read of it; no event will tell.
            self.decrypt(slot, 0);
        }
    }

    /// What came behind the handshake goes the way of everything that is received.
    fn feed_early(&mut self, slot: usize, early: &[u8]) {
        for part in early.chunks(self.buffer.len()) {
            self.buffer[..part.len()].copy_from_slice(part);
            self.feed(slot, part.len());
        }
    }

    /// Hands an input to a client's session and carries out what it wishes, until it wishes no more.
    pub(super) fn tell(&mut self, slot: usize, cold: &mut Cold, input: Input<'_>) {
        let mut out = std::mem::take(&mut self.out);
        self.tell_with(slot, cold, input, &mut out);
        self.out = out;
        self.note_times(slot, cold);
    }

    /// [`tell`](Self::tell) with an empty `out` at hand; to note the times is the caller's.
    #[inline]
    pub(super) fn tell_with(
        &mut self,
        slot: usize,
        cold: &mut Cold,
        input: Input<'_>,
        out: &mut Out,
    ) {
        let Some(session) = cold.session.as_deref_mut() else { return };
        let is_well = handle(session, input, self.now, out);
        match *out.intents {
            [] if is_well => {}
            // One answer, which is the most frequent wish.
            [Intent::Send { kind, ref range }] if is_well => {
                let bytes = out.bytes.get(range.clone()).unwrap_or_default();
                self.send(slot, cold, kind, bytes);
                out.clear();
            }
            _ => self.carry_out_all(slot, cold, is_well, out),
        }
    }

    fn carry_out_all(&mut self, slot: usize, cold: &mut Cold, is_well: bool, out: &mut Out) {
        let Some(mut session) = cold.session.take() else { return };
        let is_well = is_well && self.carry_out(slot, cold, &mut *session, out);
        out.clear();
        if is_well {
            cold.session = Some(session);
        } else {
            self.begin_close(slot, cold, CloseCode::INTERNAL_ERROR.as_u16(), "");
            self.farewell(slot, cold, Farewell::Cut);
        }
    }

    /// False when the session panicked meanwhile.
    fn carry_out(
        &mut self,
        slot: usize,
        cold: &mut Cold,
        session: &mut dyn Session,
        out: &mut Out,
    ) -> bool {
        let mut queue = VecDeque::new();
        let mut made = 0;
        loop {
            for intent in out.intents.drain(..) {
                match intent {
                    Intent::Send { kind, range } => {
                        let bytes = out.bytes.get(range).unwrap_or_default();
                        self.send(slot, cold, kind, bytes);
                    }
                    Intent::SendAhead { kind, range } => {
                        let bytes = out.bytes.get(range).unwrap_or_default();
                        self.send_ahead(slot, cold, kind, bytes);
                    }
                    Intent::Publish(wish) => self.publish(cold.id, *wish, &mut queue),
                    Intent::Subscribe(wish) => self.subscribe(slot, cold, &wish, &mut queue),
                    Intent::Unsubscribe(topic) => self.unsubscribe(cold, &topic, Farewell::Clean),
                    Intent::Close { code, reason } => self.begin_close(slot, cold, code, &reason),
                    Intent::Pause => self.pause(slot, true),
                    Intent::Resume => self.pause(slot, false),
                    Intent::SendOn { link, kind, range } => {
                        let bytes = out.bytes.get(range).unwrap_or_default();
                        self.send_on(cold, link, kind, bytes);
                    }
                    Intent::Respond { link, response } => respond(cold, link, *response),
                    Intent::Stream { link, response } => {
                        self.stream_on(slot, cold, link, *response);
                    }
                    Intent::CloseLink { link, code, reason } => {
                        self.close_link(cold, link, code, &reason);
                    }
                    Intent::Switch(link) => self.switch(slot, cold, link),
                    _ => {}
                }
            }
            out.clear();
            let input = match queue.pop_front() {
                None => return true,
                Some(Next::Replay(history, form)) if is_each(form) => {
                    // In front of what follows, one by one.
                    for published in history.into_iter().rev() {
                        queue.push_front(Next::Delivery(published));
                    }
                    continue;
                }
                Some(Next::Replay(history, form)) => {
                    if !self.replay(slot, &history, form) {
                        queue.clear();
                        self.come_back(slot, cold);
                    }
                    continue;
                }
                Some(Next::Delivery(published)) => {
                    // It is made for this client alone, so it is no more than may wait for one; the
                    // client comes back for the rest.
                    if made >= self.config.outbox.max_bytes {
                        queue.clear();
                        self.come_back(slot, cold);
                        continue;
                    }
                    if !handle(session, Input::Delivery(published.publication()), self.now, out) {
                        return false;
                    }
                    made += out.bytes.len();
                    continue;
                }
                Some(Next::Done(token, result)) => Input::Done(token, result),
                Some(Next::CaughtUp(token, arrival)) => Input::CaughtUp(token, arrival),
            };
            if !handle(session, input, self.now, out) {
                return false;
            }
        }
    }

    /// A client cannot have all the history that it asked for now. What it has had is whole, and its
    /// cursor is good for the rest.
    fn come_back(&mut self, slot: usize, cold: &mut Cold) {
        tracing::debug!(code = Code::M512.counted(), session = cold.id, "told to come back");
        let reason = Code::M512.reason(Code::M512.what());
        // 1013 "try again later" (IANA close code registry).
        self.begin_close(slot, cold, 1013, &reason);
    }

    fn publish(&mut self, session: u64, wish: Publish, queue: &mut VecDeque<Next>) {
        let Publish { token, topic, event, body, publisher, exact, not_me, not_in } = wish;
        let except = (not_me || !not_in.is_empty())
            .then(|| Arc::new(Except { session: not_me.then_some(session), topics: not_in }));
        let draft = Draft { event, publisher, exact, except, ..Draft::new(body) };
        let result = self.hub.publish(&topic, draft);
        if let Some(token) = token {
            let result = result.map(Outcome::Published).map_err(refusal);
            queue.push_back(Next::Done(token, result));
        } else if let Err(error) = result {
            tracing::warn!(%error, %topic, "a publication was refused");
        }
    }

    fn subscribe(
        &mut self,
        slot: usize,
        cold: &mut Cold,
        wish: &Subscribe,
        queue: &mut VecDeque<Next>,
    ) {
        self.heard += JOIN;
        let joined = match self.join(slot, cold, wish) {
            Ok(joined) => joined,
            Err(refusal) => {
                queue.push_back(Next::Done(wish.token, Err(refusal)));
                return;
            }
        };
        // What the session says of having joined comes before what the topic held.
        let before = joined.history.first().map(|first| first.publication().id);
        let after = before
            .map_or(joined.at, |first| Position { seq: first.seq.saturating_sub(1), ..first });
        let held = Outcome::Joined { at: joined.at, after, gap: joined.gap };
        queue.push_back(Next::Done(wish.token, Ok(held)));
        queue.push_back(Next::Replay(joined.history, form_key(cold, wish.form)));
        let arrival = Arrival { at: joined.at, count: joined.count, present: joined.present };
        queue.push_back(Next::CaughtUp(wish.token, arrival));
    }

    /// Joins a topic and enters the client in the member table. A client that is in the topic
    /// already joins anew, with what it wishes now.
    fn join(&mut self, slot: usize, cold: &mut Cold, wish: &Subscribe) -> Result<Joined, Refusal> {
        let again = cold.subscriptions.iter().position(|held| held.topic == wish.topic);
        if again.is_none() && cold.subscriptions.len() >= self.config.max_subscriptions {
            let most = self.config.max_subscriptions;
            return Err(Refusal { reason: format!("a client can be in {most} topics at most") });
        }
        let burst = u32::try_from(self.config.max_subscriptions).unwrap_or(u32::MAX);
        if !cold.joins.take(self.seconds(), burst, self.config.max_join_rate) {
            tracing::debug!(code = Code::M513.counted(), session = cold.id, "joins too fast");
            return Err(Refusal { reason: Code::M513.reason(Code::M513.what()) });
        }
        let door = self.renderer.door(cold.form_base);
        let join = Join {
            member: cold.id,
            from: wish.from,
            watch: wish.watch,
            present: wish.present.clone().map(|who| Attendance { who, door }),
        };
        let joined = self.endpoint.join(&wish.topic, join).map_err(refusal)?;
        // Who was in already and asks for nothing that is past still gets what is under way.
        let before = again.filter(|_| wish.from == Cursor::Now).and_then(|held| {
            let held = &cold.subscriptions[held];
            self.members.room(held.key)?.members().get(held.index)
        });
        let member = Member {
            slot: slot as u32,
            generation: self.clients.hot[slot].generation,
            seen: before.map_or(joined.order, |member| member.seen),
            form: form_key(cold, wish.form).0,
            watch: wish.watch,
        };
        if let Some(held) = again {
            let held = &cold.subscriptions[held];
            self.members.replace(held.key, held.index, member);
        } else {
            let index = self.members.add(joined.key, &wish.topic, member);
            let (topic, key) = (wish.topic.clone(), joined.key);
            cold.subscriptions.push(Subscription { topic, key, index });
        }
        Ok(joined)
    }

    pub(super) fn unsubscribe(&mut self, cold: &mut Cold, topic: &Topic, farewell: Farewell) {
        let Some(at) = cold.subscriptions.iter().position(|held| held.topic == *topic) else {
            return;
        };
        let held = cold.subscriptions.swap_remove(at);
        if let Some((_, Some(moved))) = self.members.remove(held.key, held.index) {
            // The member that filled the gap is another client's, or this one's in no other topic.
            let other = self.clients.cold[moved.member.slot as usize].as_deref_mut();
            let theirs = other.and_then(|other| {
                other.subscriptions.iter_mut().find(|theirs| theirs.key == held.key)
            });
            if let Some(theirs) = theirs {
                theirs.index = moved.index;
            }
        }
        self.endpoint.leave(topic, cold.id, farewell);
    }

    /// The session hears that it is closed, and its topics that it has left.
    pub(super) fn farewell(&mut self, slot: usize, cold: &mut Cold, farewell: Farewell) {
        self.tell(slot, cold, Input::Closed(farewell));
        cold.session = None;
        self.forget_links(slot, cold);
        while let Some(held) = cold.subscriptions.first() {
            let topic = held.topic.clone();
            self.unsubscribe(cold, &topic, farewell);
        }
        self.clients.hot[slot].flags.set(Flags::MUTE);
    }

    pub(super) fn begin_close(&mut self, slot: usize, cold: &mut Cold, code: u16, reason: &str) {
        let code = CloseCode::new(code);
        if matches!(cold.carrier, Carrier::None(_)) && cold.carrier.is_open() {
            // Nobody else sees why, and its client only that there is no session any more.
            let (session, code) = (cold.id, code.as_u16());
            if reason.starts_with(Code::M503.name()) {
                tracing::info!(code = Code::M503.counted(), session, "{reason}: it does not poll");
            } else {
                tracing::debug!(session, code, reason, "a session ends");
            }
        }
        // A code that cannot be sent is the session's mistake; the client hears 1011.
        if cold.carrier.close(code, reason, self.now).is_err() {
            tracing::error!(
                code = code.as_u16(),
                "a session closed with a code that cannot be sent"
            );
            let _ = cold.carrier.close(CloseCode::INTERNAL_ERROR, reason, self.now);
        }
        // A reader that is paused would not see the answer.
        self.pause(slot, false);
    }

    fn pause(&mut self, slot: usize, pause: bool) {
        let flags = &mut self.clients.hot[slot].flags;
        let was = flags.has(Flags::PAUSED);
        if pause {
            flags.set(Flags::PAUSED);
        } else {
            flags.clear(Flags::PAUSED);
        }
        if was != pause {
            self.watch(slot);
        }
    }

    /// What another thread asked of a client.
    pub(super) fn command(&mut self, slot: usize, command: Command) {
        let Some(mut cold) = self.clients.cold[slot].take() else { return };
        match command {
            // As with a delivery: one may go over the limit, the next is refused.
            Command::Send(..) if self.clients.hot[slot].outbox.is_over(&self.config.outbox) => {
                self.put_back(slot, cold);
                if self.config.outbox.policy == SlowConsumer::Disconnect {
                    self.disconnect_slow(slot);
                }
                return;
            }
            Command::Send(kind, bytes) => self.send(slot, &mut cold, kind, &bytes),
            Command::Close(code, reason) => self.begin_close(slot, &mut cold, code, &reason),
            Command::Join { topic, from, present } => {
                let form = Form::default();
                let wish = Subscribe { token: Token(0), topic, from, form, watch: false, present };
                let mut queue = VecDeque::new();
                self.subscribe(slot, &mut cold, &wish, &mut queue);
                for next in queue {
                    match next {
                        Next::Replay(history, form) => {
                            if !self.replay(slot, &history, form) {
                                self.come_back(slot, &mut cold);
                                break;
                            }
                        }
                        Next::Done(token, result) => {
                            self.tell(slot, &mut cold, Input::Done(token, result));
                        }
                        Next::CaughtUp(..) | Next::Delivery(_) => {}
                    }
                }
            }
            Command::Leave(topic) => self.unsubscribe(&mut cold, &topic, Farewell::Clean),
            Command::Resume => self.pause(slot, false),
        }
        self.transmit(slot, &mut cold);
        self.put_back(slot, cold);
        self.feed_held(slot);
    }
}

/// Hands an input to a session; false when it panicked. Its own client pays for that, and no other.
fn handle(session: &mut dyn Session, input: Input<'_>, now: Instant, out: &mut Out) -> bool {
    // It is dropped after a panic, and `out` is cleared: nobody meets them half changed.
    catch_unwind(AssertUnwindSafe(|| session.handle(input, now, out)))
        .inspect_err(|_| tracing::error!("a session panicked; its client hears 1011"))
        .is_ok()
}

fn form_key(cold: &Cold, form: Form) -> FormKey {
    FormKey(cold.form_base | u32::from(form.0) << 8)
}

fn refusal(error: impl std::fmt::Display) -> Refusal {
    Refusal { reason: error.to_string() }
}
