//! The application that judges of Socket.IO expect.

use std::{sync::Arc, time::Duration};

use madang::proto::{
    Cursor,
    engineio::{self, Echo},
    socketio::{
        Application, Args, Incoming, Payload, Reception, Refused, Settings, Socket, Target, Then,
    },
};
use serde_json::{Value, json};

/// The heartbeat of both mounts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heartbeat {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

fn engine(heartbeat: Heartbeat) -> engineio::Settings {
    engineio::Settings {
        ping_interval: heartbeat.interval,
        ping_timeout: heartbeat.timeout,
        upgrade_timeout: Duration::from_secs(1),
        allow: Some(Arc::new(|request| request.query("deny").as_deref() != Some("1"))),
        ..engineio::Settings::default()
    }
}

/// Sessions of Engine.IO that echo.
pub(crate) fn echo(
    heartbeat: Heartbeat,
) -> engineio::Reception<impl Fn(&madang::proto::Request) -> Echo> {
    engineio::Reception::new(engine(heartbeat), |_| Echo)
}

/// The application.
pub(crate) fn application(heartbeat: Heartbeat, connect_timeout: Duration) -> Reception {
    let settings = Settings { connect_timeout, ..Settings::default() };
    Reception::with(engine(heartbeat), settings, Judged)
}

struct Judged;

/// What is kept of a socket.
struct Data {
    /// `None` is `{}`.
    auth: Option<Box<str>>,
    mark: Option<Box<str>>,
}

/// The room of everybody in a namespace, and of those who watch others leave. No client's room has
/// such a name: control characters are refused.
const ALL: &str = "";
const WATCHERS: &str = " watchers";

/// What a client is asked in `ask`.
const QUESTION: u32 = 0;

impl Application for Judged {
    type Data = Data;

    fn connect(&self, socket: &mut Socket<'_, '_>, auth: &str) -> Result<Data, Refused> {
        let namespace = socket.namespace();
        let number = namespace.strip_prefix("/room-");
        let is_made =
            number.is_some_and(|n| !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit()));
        match namespace {
            "/" | "/custom" => {}
            "/locked" => {
                let key: Value = serde_json::from_str(auth).unwrap_or_default();
                if key["key"] != "open" {
                    let data = Some(r#"{"reason":"no key"}"#.to_owned());
                    return Err(Refused { message: "locked out".into(), data });
                }
            }
            _ if is_made => {}
            _ => return Err(Refused::NAMESPACE),
        }
        let id = socket.id().to_owned();
        for room in [ALL, &id] {
            let joined = socket.join(room, Cursor::Now, None, Then::Nothing);
            joined.map_err(|why| Refused { message: why.to_string().into(), data: None })?;
        }
        socket.emit("auth", args(auth));
        Ok(Data { auth: Some(auth.into()).filter(|_| auth != "{}"), mark: None })
    }

    fn event(&self, data: &mut Data, socket: &mut Socket<'_, '_>, event: &Incoming<'_>) {
        let all: Vec<&str> = event.payload.args.iter().collect();
        let first = all.first().copied().unwrap_or("null");
        let rest = Payload { args: event.payload.args.skip(1), ..event.payload };
        match event.name {
            "message" => socket.emit("message-back", event.payload),
            "message-with-ack" => answer(socket, event, event.payload),
            "whoami" => {
                let me = whoami(data, socket);
                answer(socket, event, args(&me));
            }
            "mark" => {
                data.mark = Some(first.into());
                answer(socket, event, args("\"ok\""));
            }
            "ask" => socket.ask("question", args(first), Duration::from_millis(300), QUESTION),
            "blob" => blob(socket, number(first)),
            "burst" => (0..number(first)).for_each(|n| socket.emit("seq", args(&n.to_string()))),
            "volatile-burst" => {
                (0..number(first)).for_each(|n| socket.emit_volatile("vol", args(&n.to_string())));
                socket.emit("vol-end", args(first));
            }
            "say" => said(socket, &rooms(first), &[], true, rest),
            "shout" => {
                let except = all.get(2).map(|room| rooms(room)).unwrap_or_default();
                let payload = Payload { args: args_of(all.get(1)), ..event.payload };
                said(socket, &rooms(first), &except, false, payload);
            }
            "broadcast" => said(socket, &[ALL.to_owned()], &[], true, event.payload),
            "everyone" => said(socket, &[ALL.to_owned()], &[], false, event.payload),
            "kick" => socket.disconnect(),
            "kick-hard" => socket.close(),
            _ => in_rooms(socket, event, first),
        }
    }

    fn answered(
        &self,
        _: &mut Data,
        socket: &mut Socket<'_, '_>,
        _: u32,
        answer: Option<Payload<'_>>,
    ) {
        match answer {
            Some(answer) => socket.emit("answer", answer),
            None => socket.emit("answer-timeout", args("")),
        }
    }

    fn left(&self, _: &mut Data, socket: &mut Socket<'_, '_>, reason: &'static str) {
        let gone = format!("{},{}", json!(socket.id()), json!(reason));
        let target = Target { rooms: &[WATCHERS], ..Target::default() };
        socket.publish(&target, "gone", args(&gone), Then::Nothing);
    }
}

/// Joins and leaves.
fn in_rooms(socket: &mut Socket<'_, '_>, event: &Incoming<'_>, first: &str) {
    let room = rooms(first).into_iter().next().unwrap_or_default();
    match event.name {
        "join" => join(socket, event, &room),
        "watch" => join(socket, event, WATCHERS),
        "leave" => {
            socket.leave(&room);
            answer(socket, event, args("\"ok\""));
        }
        "rooms" => {
            let own: Vec<&str> =
                socket.rooms().filter(|room| ![ALL, WATCHERS].contains(room)).collect();
            let own = json!(own).to_string();
            answer(socket, event, args(&own));
        }
        _ => {}
    }
}

fn join(socket: &mut Socket<'_, '_>, event: &Incoming<'_>, room: &str) {
    if let Err(error) = socket.join(room, Cursor::Now, None, Then::Ack(event.ack)) {
        socket.ack_error(event.ack, &error.to_string());
    }
}

fn said(
    socket: &mut Socket<'_, '_>,
    rooms: &[String],
    except: &[String],
    not_me: bool,
    payload: Payload<'_>,
) {
    let (rooms, except): (Vec<&str>, Vec<&str>) =
        (rooms.iter().map(|room| &**room).collect(), except.iter().map(|room| &**room).collect());
    let target = Target { rooms: &rooms, except: &except, not_me, publisher: None };
    socket.publish(&target, "said", payload, Then::Nothing);
}

fn blob(socket: &mut Socket<'_, '_>, size: u32) {
    let bytes: Vec<u8> = (0..size).map(|at| (at % 256) as u8).collect();
    let text = format!(r#"{{"bytes":{{"_placeholder":true,"num":0}},"size":{size}}}"#);
    let attachments = [bytes.into()];
    socket.emit("blob", Payload { args: Args::trusted(&text), attachments: &attachments });
}

fn whoami(data: &Data, socket: &Socket<'_, '_>) -> String {
    let query: serde_json::Map<String, Value> = socket
        .handshake()
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    let value = |json: Option<&str>| -> Value {
        serde_json::from_str(json.unwrap_or("{}")).unwrap_or_default()
    };
    let auth = value(data.auth.as_deref());
    let mark = data.mark.as_deref().map(|mark| value(Some(mark)));
    json!({
        "id": socket.id(),
        "nsp": socket.namespace(),
        "auth": auth,
        "query": query,
        "transport": socket.transport(),
        "recovered": false,
        "mark": mark,
    })
    .to_string()
}

fn answer(socket: &mut Socket<'_, '_>, event: &Incoming<'_>, payload: Payload<'_>) {
    if let Some(id) = event.ack {
        socket.ack(id, payload);
    }
}

fn args(text: &str) -> Payload<'_> {
    Payload::of(Args::trusted(text))
}

fn args_of<'a>(argument: Option<&&'a str>) -> Args<'a> {
    Args::trusted(argument.copied().unwrap_or_default())
}

fn number(argument: &str) -> u32 {
    argument.parse().unwrap_or(0)
}

/// A room's name, or several.
fn rooms(argument: &str) -> Vec<String> {
    match serde_json::from_str(argument) {
        Ok(Value::String(one)) => vec![one],
        Ok(Value::Array(all)) => {
            all.into_iter().filter_map(|room| room.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}
