//! A connection: the sockets of one session of Engine.IO.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;

use super::{
    application::{Application, Handshake, Incoming, Payload, Refused, Settings},
    args::Args,
    attach::Assembler,
    packet::{Connect, MAIN, Packet, Version, push_string, query_as_json},
    render,
    socket::{Shared, Socket, State, Then, Wish},
};
use crate::{
    Input, Publication, Request, Token,
    engineio::{Data, Engine, Malformed, Reason, Revision, Upper},
    session::{Outcome, Refusal},
};

/// What rides on Engine.IO.
pub(super) struct Connection<A: Application> {
    app: Arc<A>,
    ids: Arc<Ids>,
    shared: Shared,
    assembler: Assembler,
    sockets: Vec<(State, A::Data)>,
    /// Nobody has joined a namespace yet, and has to by then.
    connect_by: Option<Instant>,
}

/// How many of the largest packets one publication may make for the sockets of a connection.
const MOST_MADE: usize = 4;

/// Makes ids of sockets. They are no secret, but unlike any that there were.
#[derive(Debug, Default)]
pub(super) struct Ids {
    seed: RandomState,
    count: AtomicU64,
}

impl Ids {
    fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let halves = [0, 1].map(|half| self.seed.hash_one((count, half)).to_be_bytes());
        let mut id = URL_SAFE_NO_PAD.encode(halves.concat());
        id.truncate(20);
        id
    }
}

impl<A: Application> Connection<A> {
    /// One that begins with this request.
    pub(super) fn new(
        app: Arc<A>,
        ids: Arc<Ids>,
        settings: &Arc<Settings>,
        request: &Request,
    ) -> Self {
        let is_bridged = app.is_bridged();
        Self {
            shared: Shared::new(Arc::clone(settings), Handshake::of(request), is_bridged),
            assembler: Assembler::new(Version::V5, settings.limits, settings.max_bytes),
            app,
            ids,
            sockets: Vec::new(),
            connect_by: None,
        }
    }

    fn find(&self, namespace: &str) -> Option<usize> {
        self.sockets.iter().position(|(socket, _)| &*socket.namespace == namespace)
    }

    fn packet(
        &mut self,
        packet: &Packet<'_>,
        attachments: &[Bytes],
        engine: &mut Engine<'_>,
    ) -> Result<(), Malformed> {
        if let Packet::Connect(connect) = packet {
            return self.connect(connect, engine);
        }
        let at = self.find(packet.namespace()).ok_or(Malformed)?;
        match packet {
            Packet::Event(event) => {
                let payload = Payload { args: event.args, attachments };
                let incoming = Incoming { name: &event.name, payload, ack: event.id };
                self.with(at, engine, |app, data, socket| app.event(data, socket, &incoming));
            }
            Packet::Ack(ack) => {
                let questions = &mut self.sockets[at].0.questions;
                let question = questions.iter().position(|question| question.id == ack.id);
                // Clients may answer twice or too late.
                let Some(question) = question.map(|at| questions.remove(at)) else { return Ok(()) };
                let payload = Payload { args: ack.args, attachments };
                self.with(at, engine, |app, data, socket| {
                    app.answered(data, socket, question.name, Some(payload));
                });
            }
            Packet::Disconnect { .. } => {
                self.sockets[at].0.is_over = true;
                self.leave(at, "client namespace disconnect", engine);
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }

    /// Lets the application act on a socket, and does what it has decided on.
    fn with(
        &mut self,
        at: usize,
        engine: &mut Engine<'_>,
        act: impl FnOnce(&A, &mut A::Data, &mut Socket<'_, '_>),
    ) {
        let Some((state, data)) = self.sockets.get_mut(at) else { return };
        let mut socket = Socket { state, shared: &mut self.shared, engine };
        act(&self.app, data, &mut socket);
        if self.sockets[at].0.is_over {
            self.leave(at, "server namespace disconnect", engine);
        }
        if self.shared.is_closing {
            for at in (0..self.sockets.len()).rev() {
                self.leave(at, "server namespace disconnect", engine);
            }
            engine.close();
        }
    }

    fn connect(&mut self, connect: &Connect<'_>, engine: &mut Engine<'_>) -> Result<(), Malformed> {
        let namespace = if connect.namespace.is_empty() { MAIN } else { connect.namespace };
        if self.find(namespace).is_some() {
            return if engine.revision() == Revision::V3 && namespace == MAIN {
                // It is in already, and says so all the same.
                Ok(())
            } else {
                Err(Malformed)
            };
        }
        let of_query;
        let auth = match (connect.payload, connect.query) {
            (Some(payload), _) => payload,
            (None, Some(query)) => {
                of_query = query_as_json(query);
                &of_query
            }
            (None, None) => "{}",
        };
        let admitted = if self.sockets.len() >= self.shared.settings.max_namespaces {
            Err(Refused { message: "too many namespaces".into(), data: None })
        } else if render::form(engine.revision(), namespace).is_none() {
            Err(Refused::NAMESPACE)
        } else {
            // Clients of revision 3 take the session's name for their id, and do not ask.
            let id = match (engine.revision(), namespace) {
                (Revision::V3, MAIN) => engine.session_name().to_owned(),
                (Revision::V3, namespace) => format!("{namespace}#{}", engine.session_name()),
                _ => self.ids.next(),
            };
            let mut state = State::new(namespace, id);
            if self.sockets.len() == 1 {
                self.shared.note_topics(&self.sockets[0].0);
            }
            let (shared, engine) = (&mut self.shared, &mut *engine);
            let admitted =
                self.app.connect(&mut Socket { state: &mut state, shared, engine }, auth);
            admitted.map(|data| (state, data))
        };
        match admitted {
            Ok((state, data)) => {
                // Most connections have one.
                self.sockets.reserve_exact(1);
                self.sockets.push((state, data));
                self.welcome(self.sockets.len() - 1, engine);
            }
            Err(refused) => refuse(namespace, &refused, engine),
        }
        Ok(())
    }

    /// Tells a client that it is in, once what it joins with is in force.
    fn welcome(&mut self, at: usize, engine: &mut Engine<'_>) {
        let Some((state, _)) = self.sockets.get_mut(at) else { return };
        if state.is_in || state.joining > 0 {
            return;
        }
        state.is_in = true;
        self.connect_by = None;
        let payload = format!("{{\"sid\":\"{}\"}}", state.id);
        // Clients of revision 3 know their ids from the session.
        let payload = (engine.revision() == Revision::V4).then_some(&*payload);
        let mut text = String::new();
        let connect = Connect { namespace: &state.namespace, query: None, payload };
        Packet::Connect(connect).encode(&mut text);
        render::send(&text, &[], engine);
        for (text, attachments) in std::mem::take(&mut state.early) {
            render::send(&text, &attachments, engine);
        }
        if state.is_over {
            self.leave(at, "server namespace disconnect", engine);
        }
    }

    /// A socket has left, for a reason by its usual name.
    fn leave(&mut self, at: usize, reason: &'static str, engine: &mut Engine<'_>) {
        if at >= self.sockets.len() {
            return;
        }
        let (mut state, mut data) = self.sockets.swap_remove(at);
        state.is_over = true;
        self.shared.wishes.retain(|wish| wish.socket != state.id);
        let mut socket = Socket { state: &mut state, shared: &mut self.shared, engine };
        self.app.left(&mut data, &mut socket, reason);
        socket.leave_all();
    }

    fn done(&mut self, token: Token, result: Result<Outcome, Refusal>, engine: &mut Engine<'_>) {
        let wishes = &mut self.shared.wishes;
        let Some(at) = wishes.iter().position(|wish| wish.token == token) else { return };
        let Wish { socket, room, then, .. } = wishes.swap_remove(at);
        if wishes.is_empty() {
            *wishes = Vec::new();
        }
        let Some(at) = self.sockets.iter().position(|(state, _)| state.id == socket) else {
            return;
        };
        let (state, _) = &mut self.sockets[at];
        let is_joining = room.is_some() && !state.is_in;
        if is_joining {
            state.joining = state.joining.saturating_sub(1);
        }
        if let (Err(refusal), Some((room, is_new))) = (&result, &room) {
            let room = Some(&**room).filter(|_| *is_new);
            return self.not_joined(at, room, &refusal.reason, then, engine);
        }
        if let Then::Ack(Some(id)) = then {
            let (shared, state) = (&mut self.shared, state);
            let mut socket = Socket { state, shared, engine };
            match result {
                Ok(Outcome::Published(position)) => {
                    let args = format!("\"{position}\"");
                    socket.ack(id, Payload::of(Args::trusted(&args)));
                }
                Ok(_) => socket.ack(id, Payload::of(Args::trusted("\"ok\""))),
                Err(refusal) => socket.ack_error(Some(id), &refusal.reason),
            }
        }
        if is_joining {
            self.welcome(at, engine);
        }
    }

    /// A room could not be joined: if the client is not in yet, it does not come in. A room that it
    /// was in already (`None`) it stays in.
    fn not_joined(
        &mut self,
        at: usize,
        room: Option<&str>,
        why: &str,
        then: Then,
        engine: &mut Engine<'_>,
    ) {
        let (state, _) = &mut self.sockets[at];
        let mut socket = Socket { state, shared: &mut self.shared, engine };
        if let Some(room) = room {
            socket.leave(room);
        }
        if socket.state.is_in {
            if let Then::Ack(id) = then {
                socket.ack_error(id, why);
            }
            return;
        }
        let namespace = socket.state.namespace.clone();
        self.leave(at, "server namespace disconnect", engine);
        refuse(&namespace, &Refused { message: why.to_owned().into(), data: None }, engine);
    }

    /// A publication that no form is shared for: each socket that is in the room gets its own. What
    /// that makes of one publication is bounded, as it is made before anything of it can leave.
    fn deliver(&mut self, publication: &Publication, engine: &mut Engine<'_>) {
        let most = self.shared.settings.max_bytes.saturating_mul(MOST_MADE);
        let mut made = 0_usize;
        for (state, _) in &mut self.sockets {
            let room = render::room(&state.namespace, &publication.topic, self.shared.is_bridged);
            let Some(room) = room else { continue };
            if state.rooms.iter().any(|held| **held == *room) {
                let mut text = String::new();
                let attachments = render::write(publication, &state.namespace, &mut text);
                made += text.len() + attachments.iter().map(Bytes::len).sum::<usize>();
                if made + state.early_bytes() > most {
                    return engine.give_up();
                }
                // One of its rooms may have history before another is joined.
                state.send(text, &attachments, engine);
            }
        }
    }

    fn next_question(&self) -> Option<Instant> {
        let questions = self.sockets.iter().flat_map(|(state, _)| &state.questions);
        questions.map(|question| question.until).min()
    }

    fn take_late(&mut self, now: Instant) -> Option<(usize, u32)> {
        self.sockets.iter_mut().enumerate().find_map(|(at, (state, _))| {
            let late = state.questions.iter().position(|question| now >= question.until)?;
            Some((at, state.questions.remove(late).name))
        })
    }
}

fn refuse(namespace: &str, refused: &Refused, engine: &mut Engine<'_>) {
    let mut message = String::new();
    push_string(&mut message, &refused.message);
    let payload = match (&refused.data, engine.revision()) {
        (Some(data), Revision::V3) => data.clone(),
        (None, Revision::V3) if refused.message != Refused::NAMESPACE.message => message,
        (None, _) => format!("{{\"message\":{message}}}"),
        (Some(data), _) => format!("{{\"message\":{message},\"data\":{data}}}"),
    };
    let mut text = String::new();
    Packet::ConnectError { namespace, payload: &payload }.encode(&mut text);
    render::send(&text, &[], engine);
}

impl<A: Application> Upper for Connection<A> {
    fn opened(&mut self, engine: &mut Engine<'_>) {
        let version = Version::from(engine.revision());
        let settings = &self.shared.settings;
        self.assembler = Assembler::new(version, settings.limits, settings.max_bytes);
        self.connect_by = Some(engine.now() + settings.connect_timeout);
        if engine.revision() == Revision::V3 {
            // Clients of version 2 do not ask for the main namespace.
            let connect = Connect { namespace: MAIN, query: None, payload: None };
            let _ = self.connect(&connect, engine);
        }
    }

    fn message(&mut self, data: Data<'_>, engine: &mut Engine<'_>) -> Result<(), Malformed> {
        match data {
            Data::Text(text) => match self.assembler.text(text) {
                Ok(Some(packet)) => self.packet(&packet, &[], engine),
                Ok(None) => Ok(()),
                Err(_) => Err(Malformed),
            },
            Data::Binary(bytes) => {
                let whole = self.assembler.binary(Bytes::copy_from_slice(&bytes));
                let Some(whole) = whole.map_err(|_| Malformed)? else { return Ok(()) };
                let packet = whole.packet().map_err(|_| Malformed)?;
                self.packet(&packet, whole.attachments(), engine)
            }
        }
    }

    fn input(&mut self, input: Input<'_>, engine: &mut Engine<'_>) {
        match input {
            Input::Done(token, result) => self.done(token, result, engine),
            Input::Delivery(publication) => self.deliver(publication, engine),
            _ => {}
        }
    }

    fn timeout(&mut self, engine: &mut Engine<'_>) {
        let now = engine.now();
        if self.connect_by.is_some_and(|by| now >= by) {
            self.connect_by = None;
            return engine.close();
        }
        while let Some((at, question)) = self.take_late(now) {
            self.with(at, engine, |app, data, socket| app.answered(data, socket, question, None));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.connect_by, self.next_question()].into_iter().flatten().min()
    }

    fn closed(&mut self, why: Reason, engine: &mut Engine<'_>) {
        for at in (0..self.sockets.len()).rev() {
            self.leave(at, why.as_str(), engine);
        }
    }
}
