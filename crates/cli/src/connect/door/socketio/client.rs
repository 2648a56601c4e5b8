//! The client's side of a conversation.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use madang::websocket::Message;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{Act, Command, Door, word},
    packet::{Gathering, Kind, Packet, PacketError, arguments, event_name},
    shown::{ack, event},
};
use crate::{
    client::{Keep, escaped},
    connect::show::string,
};

/// Acks that are waited for at once; the oldest are forgotten.
const MAX_ACKS: usize = 1_000;
/// Rooms that are joined again after a reconnect.
const MAX_ROOMS: usize = 1_000;

/// Names that are no events of an application.
const RESERVED: &[&str] =
    &["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

const COMMANDS: &[Command] = &[
    Command {
        name: "/emit",
        usage: "EVENT JSON…",
        about: "send an event; what does not look like JSON is one string",
    },
    Command { name: "/call", usage: "EVENT JSON…", about: "the same, and show the server's ack" },
    Command { name: "/ack", usage: "ID JSON…", about: "answer an event that wants an ack" },
    Command { name: "/join", usage: "ROOM", about: "call the event join" },
    Command { name: "/leave", usage: "ROOM", about: "call the event leave" },
    Command {
        name: "/publish",
        usage: "ROOM EVENT JSON…",
        about: "call the event publish, for everybody in a room",
    },
];

/// A Socket.IO client. It joins its rooms again by itself after a reconnect.
#[derive(Debug)]
pub(crate) struct SocketIo {
    namespace: String,
    /// JSON that the server's middleware gets.
    auth: Option<String>,
    state: State,
    /// An event or ack whose attachments have not all come.
    gathering: Option<Gathering>,
    next_id: u64,
    /// Acks that are waited for, and what they are for.
    acks: VecDeque<(u64, String)>,
    rooms: Vec<String>,
    /// Events that want an ack and have none.
    unanswered: VecDeque<u64>,
    /// Most bytes of attachments of one packet.
    max_bytes: usize,
    /// Silence that the server promised not to keep, and when it is over.
    silence: Option<(Duration, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The open packet of Engine.IO is awaited.
    Opening,
    /// The answer to CONNECT is awaited.
    Connecting,
    Connected,
    Gone,
}

/// The open packet's data.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    ping_interval: u64,
    ping_timeout: u64,
}

/// The data of `CONNECT` and `CONNECT_ERROR`.
#[derive(Default, Deserialize)]
struct Answer {
    sid: Option<String>,
    message: Option<String>,
    data: Option<Box<RawValue>>,
}

impl SocketIo {
    /// A client for a namespace, `/` or `/name`.
    pub(crate) fn new(namespace: &str, auth: Option<String>) -> Self {
        Self {
            namespace: namespace.to_owned(),
            auth,
            state: State::Opening,
            gathering: None,
            next_id: 0,
            acks: VecDeque::new(),
            rooms: Vec::new(),
            unanswered: VecDeque::new(),
            max_bytes: 16 << 20,
            silence: None,
        }
    }

    /// Takes so many bytes of attachments with one packet.
    pub(crate) fn at_most(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    fn packet(&self, kind: Kind, data: String) -> Packet {
        Packet::new(kind, &self.namespace, data)
    }

    fn emit(&mut self, event: &str, values: &[String], is_call: bool, out: &mut Vec<Act>) {
        let mut data = format!("[{}", string(event));
        for value in values {
            data.push(',');
            data.push_str(value);
        }
        data.push(']');
        let mut packet = self.packet(Kind::Event, data);
        if is_call {
            packet.id = Some(self.next_id);
            if self.acks.len() == MAX_ACKS {
                self.acks.pop_front();
            }
            self.acks.push_back((self.next_id, event.to_owned()));
            self.next_id += 1;
        }
        out.push(Act::Send(packet.encode().into()));
    }

    /// A packet of Engine.IO that is text.
    fn text(&mut self, text: &str, now: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        let mut chars = text.chars();
        let kind = chars.next();
        let rest = chars.as_str();
        match (kind, self.state) {
            (Some('0'), State::Opening) => self.opened_by(rest, now, out),
            // "the server sends a ping packet … the client must reply with a pong packet".
            (Some('2'), _) => {
                out.push(Act::Send(format!("3{rest}").into()));
                out.push(Act::Detail("ping of Engine.IO, answered".into()));
                Ok(())
            }
            (Some('1'), _) => {
                self.state = State::Gone;
                out.push(Act::Ended("the server closed the session of Engine.IO".into()));
                Ok(())
            }
            (Some('4'), State::Connecting | State::Connected) => {
                if self.gathering.is_some() {
                    return Err(PacketError::Unfinished.to_string());
                }
                let packet = Packet::read(rest).map_err(|error| error.to_string())?;
                self.gather(Gathering::new(packet), out)
            }
            (Some('6'), _) => Ok(()),
            _ => {
                let start: String = text.chars().take(60).collect();
                let start = escaped(&start, Keep::None);
                Err(format!("`{start}` is no packet of Engine.IO 4 that may come here"))
            }
        }
    }

    fn opened_by(&mut self, json: &str, now: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        let opened: Opened = serde_json::from_str(json)
            .map_err(|error| format!("the open packet of Engine.IO cannot be read: {error}"))?;
        // A day is as good as never, and cannot overflow.
        let silence = opened.ping_interval.saturating_add(opened.ping_timeout).min(86_400_000);
        let silence = Duration::from_millis(silence);
        self.silence = (!silence.is_zero()).then(|| (silence, now + silence));
        self.state = State::Connecting;
        let connect = self.packet(Kind::Connect, self.auth.clone().unwrap_or_default());
        out.push(Act::Send(connect.encode().into()));
        Ok(())
    }

    fn gather(&mut self, gathering: Gathering, out: &mut Vec<Act>) -> Result<(), String> {
        if !gathering.is_whole() {
            self.gathering = Some(gathering);
            return Ok(());
        }
        let Gathering { packet, attachments, .. } = gathering;
        if packet.namespace != self.namespace {
            out.push(Act::Detail(format!("a packet for the namespace {}", packet.namespace)));
            return Ok(());
        }
        let list = || packet.list(&attachments).map_err(|error| error.to_string());
        match packet.kind {
            Kind::Connect => self.connected(&packet, out),
            Kind::ConnectError => {
                let answer: Answer = serde_json::from_str(&packet.data).unwrap_or_default();
                let why = match (answer.message, answer.data) {
                    (Some(message), Some(data)) => format!("{message}; its data: {data}"),
                    (message, _) => message.unwrap_or(packet.data),
                };
                self.state = State::Gone;
                let namespace = &self.namespace;
                out.push(Act::Refused(format!("the namespace {namespace} refuses us: {why}")));
            }
            Kind::Disconnect => {
                self.state = State::Gone;
                out.push(Act::Ended("the server ended the session of Socket.IO".into()));
            }
            Kind::Event => {
                out.push(Act::Show(event(packet.id, list()?)?));
                if let Some(id) = packet.id {
                    if self.unanswered.len() == MAX_ACKS {
                        self.unanswered.pop_front();
                    }
                    self.unanswered.push_back(id);
                }
            }
            Kind::Ack => {
                let id = packet.id.ok_or("an ack has no id")?;
                let at = self.acks.iter().position(|(other, _)| *other == id);
                let of = at.and_then(|at| self.acks.remove(at)).map(|(_, of)| of);
                out.push(Act::Show(ack(id, of.as_deref(), list()?)));
            }
        }
        Ok(())
    }

    fn connected(&mut self, packet: &Packet, out: &mut Vec<Act>) {
        let answer: Answer = serde_json::from_str(&packet.data).unwrap_or_default();
        let sid = answer.sid.unwrap_or_default();
        self.state = State::Connected;
        out.push(Act::Note(format!("Socket.IO, namespace {}, as {sid}", self.namespace)));
        for room in self.rooms.clone() {
            self.emit("join", &[string(&room)], true, out);
        }
    }

    fn room(&mut self, name: &str, rest: &str, out: &mut Vec<Act>) -> Result<(), String> {
        let room = rest.trim();
        if room.is_empty() {
            return Err(format!("say which room, such as {name} kitchen"));
        }
        self.rooms.retain(|other| other != room);
        if name == "/join" && self.rooms.len() < MAX_ROOMS {
            self.rooms.push(room.to_owned());
        }
        self.emit(name.trim_start_matches('/'), &[string(room)], true, out);
        Ok(())
    }

    fn publish(&mut self, rest: &str, out: &mut Vec<Act>) -> Result<(), String> {
        let (room, rest) = word(rest);
        let (event, rest) = event_name(rest)
            .map_err(|why| format!("{why}, such as /publish kitchen soup \"ready\""))?;
        let mut values = vec![string(room), string(&event)];
        values.extend(arguments(rest)?);
        self.emit("publish", &values, true, out);
        Ok(())
    }

    fn answer(&mut self, rest: &str, out: &mut Vec<Act>) -> Result<(), String> {
        let (id, rest) = word(rest);
        let id = id.parse().map_err(|_| "say which ack, such as /ack 3 \"done\"")?;
        let values = arguments(rest)?;
        let at = self.unanswered.iter().position(|&other| other == id);
        let at = at.ok_or_else(|| format!("no event waits for the ack {id}"))?;
        self.unanswered.remove(at);
        let mut packet = self.packet(Kind::Ack, format!("[{}]", values.join(",")));
        packet.id = Some(id);
        out.push(Act::Send(packet.encode().into()));
        Ok(())
    }

    fn check_connected(&self) -> Result<(), String> {
        match self.state {
            State::Connected => Ok(()),
            _ => Err("not connected yet".into()),
        }
    }
}

impl Door for SocketIo {
    fn opened(&mut self, _: Instant, _: &mut Vec<Act>) {
        self.state = State::Opening;
        self.gathering = None;
        self.acks.clear();
        self.unanswered.clear();
        self.silence = None;
    }

    fn received(&mut self, message: Message, now: Instant, out: &mut Vec<Act>) {
        if self.state == State::Gone {
            return;
        }
        if let Some((silence, over)) = &mut self.silence {
            *over = now + *silence;
        }
        let done = match message {
            Message::Text(text) => self.text(&text, now, out),
            Message::Binary(bytes) => match self.gathering.take() {
                Some(mut gathering) => match gathering.push(bytes, self.max_bytes) {
                    Ok(()) => self.gather(gathering, out),
                    Err(error) => {
                        self.state = State::Gone;
                        return out.push(Act::TooBig(error.to_string()));
                    }
                },
                None => Err(PacketError::Stray.to_string()),
            },
        };
        if let Err(why) = done {
            self.state = State::Gone;
            out.push(Act::Broken(format!("this is no Socket.IO: {why}")));
        }
    }

    fn line(&mut self, line: &str, _: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        self.check_connected()?;
        self.emit("message", &[string(line)], false, out);
        Ok(())
    }

    fn command(
        &mut self,
        name: &str,
        rest: &str,
        _: Instant,
        out: &mut Vec<Act>,
    ) -> Result<(), String> {
        self.check_connected()?;
        match name {
            "/join" | "/leave" => self.room(name, rest, out),
            "/publish" => self.publish(rest, out),
            "/ack" => self.answer(rest, out),
            _ => {
                let (event, rest) = event_name(rest)
                    .map_err(|why| format!("{why}, such as {name} chat \"hello\""))?;
                if RESERVED.contains(&&*event) {
                    return Err(format!("{event} is a name that Socket.IO keeps for itself"));
                }
                self.emit(&event, &arguments(rest)?, name == "/call", out);
                Ok(())
            }
        }
    }

    fn commands(&self) -> &'static [Command] {
        COMMANDS
    }

    fn is_ready(&self) -> bool {
        self.state == State::Connected
    }

    fn leave(&mut self, _: Instant, out: &mut Vec<Act>) {
        if self.state == State::Connected {
            out.push(Act::Send(self.packet(Kind::Disconnect, String::new()).encode().into()));
        }
        self.state = State::Gone;
    }

    fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.silence.map(|(_, over)| over)
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Act>) {
        if let Some((silence, over)) = self.silence
            && over <= now
        {
            self.silence = None;
            let seconds = silence.as_secs_f32();
            out.push(Act::Silent(format!("no ping of Engine.IO came for {seconds} s")));
        }
    }
}
