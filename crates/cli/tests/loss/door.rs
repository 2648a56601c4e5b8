//! The five doors, each with a small reader of its own that yields what has come whole.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use madang_ws::{Connection, Event, Input, Limits, Role};
use serde_json::Value;

use super::{
    attack::TOPIC,
    random::Random,
    wire::{Body, End, Wire},
};

/// How often a plain poll asks.
const PACE: Duration = Duration::from_millis(25);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    WebSocket,
    Sse,
    Stream,
    LongPoll,
    Poll,
}

impl Door {
    pub(crate) const ALL: [Self; 5] =
        [Self::WebSocket, Self::Sse, Self::Stream, Self::LongPoll, Self::Poll];
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "WebSocket",
            Self::Sse => "SSE",
            Self::Stream => "stream",
            Self::LongPoll => "long poll",
            Self::Poll => "poll",
        })
    }
}

/// What a reader was told.
#[derive(Debug)]
pub(crate) enum News {
    Message {
        id: String,
        text: String,
    },
    /// Something was lost; what follows comes after this cursor.
    Gap {
        id: String,
    },
}

/// One connection of a client.
pub(crate) enum Reader {
    WebSocket { connection: Box<Connection> },
    Sse { body: Body, text: Vec<u8> },
    Stream { body: Body, text: Vec<u8> },
    Poll { wait: bool, cursor: String },
}

impl Reader {
    /// Opens a door at a cursor.
    pub(crate) fn open(
        door: Door,
        wire: &mut Wire,
        cursor: &str,
        random: &mut Random,
    ) -> Result<Self, End> {
        // The worker writes to a connection's first stream itself; the HTTP library carries later ones.
        if matches!(door, Door::Sse | Door::Stream) && random.once_in(2) {
            get(wire, "/healthz", "")?;
            Body::begin(wire, 200)?.whole(wire)?;
        }
        match door {
            Door::WebSocket => {
                upgrade(wire, &format!("/ws/{TOPIC}?since={cursor}&envelope=json"))?;
                let connection = Connection::new(Role::Client, &Limits::default(), None);
                Ok(Self::WebSocket { connection: Box::new(connection) })
            }
            Door::Sse => {
                let path = format!("/topics/{TOPIC}/sse");
                match random.below(3) {
                    0 => get(wire, &path, &format!("Last-Event-ID: {cursor}\r\n"))?,
                    1 => get(wire, &format!("{path}?last_event_id={cursor}"), "")?,
                    _ => get(wire, &format!("{path}?since={cursor}"), "")?,
                }
                Ok(Self::Sse { body: Body::begin(wire, 200)?, text: Vec::new() })
            }
            Door::Stream => {
                get(wire, &format!("/topics/{TOPIC}/stream?since={cursor}"), "")?;
                Ok(Self::Stream { body: Body::begin(wire, 200)?, text: Vec::new() })
            }
            Door::LongPoll => Ok(Self::Poll { wait: true, cursor: cursor.to_owned() }),
            Door::Poll => Ok(Self::Poll { wait: false, cursor: cursor.to_owned() }),
        }
    }

    /// Waits for something and appends what came whole with it, which may be nothing.
    pub(crate) fn next(&mut self, wire: &mut Wire, news: &mut Vec<News>) -> Result<(), End> {
        match self {
            Self::WebSocket { connection } => frames(connection, wire, news),
            Self::Sse { body, text } => {
                if !body.more(wire, text)? {
                    return Err(End::Server);
                }
                while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                    let event: Vec<u8> = text.drain(..end + 2).collect();
                    news.extend(event_of(&utf8(event)?)?);
                }
                Ok(())
            }
            Self::Stream { body, text } => {
                if !body.more(wire, text)? {
                    return Err(End::Server);
                }
                while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    if line.len() > 1 {
                        news.push(news_of(&json(&line)?)?);
                    }
                }
                Ok(())
            }
            Self::Poll { wait, cursor } => {
                if !*wait {
                    thread::sleep(PACE);
                }
                *cursor = poll(wire, cursor, *wait, news)?;
                Ok(())
            }
        }
    }
}

/// Asks once; the cursor to ask with next.
pub(crate) fn poll(
    wire: &mut Wire,
    cursor: &str,
    wait: bool,
    news: &mut Vec<News>,
) -> Result<String, End> {
    let wait = if wait { "&wait=10" } else { "" };
    get(wire, &format!("/topics/{TOPIC}/messages?since={cursor}{wait}"), "")?;
    let answer = json(&Body::begin(wire, 200)?.whole(wire)?)?;
    let next = string(&answer, "next")?;
    let messages = answer["messages"].as_array().ok_or_else(|| wrong("no list", &answer))?;
    if answer["gap"].as_bool().ok_or_else(|| wrong("no gap", &answer))? {
        // The answer has no place for the cursor before its first message.
        let first = messages.first().map(|first| string(first, "id")).transpose()?;
        let id = first.map_or(Ok(next.clone()), |id| before(&id))?;
        news.push(News::Gap { id });
    }
    for message in messages {
        news.push(news_of(message)?);
    }
    let last = messages.last().map(|last| string(last, "id")).transpose()?;
    if last.is_some_and(|last| last != next) {
        return Err(wrong("`next` is not after the last message", &answer));
    }
    Ok(next)
}

fn before(id: &str) -> Result<String, End> {
    let (epoch, seq) = split(id)?;
    Ok(format!("{epoch}-{}", seq - 1))
}

/// An id's epoch and number.
pub(crate) fn split(id: &str) -> Result<(&str, u64), End> {
    let parts = id.rsplit_once('-').and_then(|(epoch, seq)| Some((epoch, seq.parse().ok()?)));
    parts.ok_or_else(|| End::Wrong(format!("{id:?} is no id")))
}

pub(crate) fn get(wire: &mut Wire, path: &str, more: &str) -> Result<(), End> {
    wire.send(format!("GET {path} HTTP/1.1\r\nHost: yard.example\r\n{more}\r\n").as_bytes())
}

pub(crate) fn upgrade(wire: &mut Wire, path: &str) -> Result<(), End> {
    let more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: bWFkYW5nIGlzIGEgeWFyZA==\r\n";
    get(wire, path, more)?;
    Body::begin(wire, 101).map(drop)
}

fn frames(connection: &mut Connection, wire: &mut Wire, news: &mut Vec<News>) -> Result<(), End> {
    let mut bytes = wire.some(usize::MAX)?;
    let mut input = Input::new(&mut bytes);
    while let Some(event) = connection.handle_input(&mut input, Instant::now()) {
        match event {
            Event::Message { payload, .. } => news.push(news_of(&json(payload.as_bytes())?)?),
            Event::Closed(_) => return Err(End::Server),
            Event::Ping(_) | Event::Pong(_) => {}
        }
    }
    let mut answer = Vec::new();
    if connection.poll_transmit(&mut answer) {
        wire.send(&answer)?;
    }
    Ok(())
}

/// An event of SSE, where the block is one: neither comments nor `retry` alone are.
fn event_of(block: &str) -> Result<Option<News>, End> {
    let (mut id, mut event) = (None, "message");
    let mut data: Vec<&str> = Vec::new();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => id = Some(value.to_owned()),
            "event" => event = value,
            "data" => data.push(value),
            _ => {}
        }
    }
    if data.is_empty() {
        return Ok(None);
    }
    let id = id.ok_or_else(|| End::Wrong(format!("an event without an id: {block:?}")))?;
    match event {
        "message" => Ok(Some(News::Message { id, text: data.join("\n") })),
        "gap" => Ok(Some(News::Gap { id })),
        _ => Err(End::Wrong(format!("an event that nobody sent: {block:?}"))),
    }
}

/// A message of the stream, of a poll, or in the envelope.
fn news_of(object: &Value) -> Result<News, End> {
    let id = string(object, "id")?;
    match object["event"].as_str() {
        Some("message") if object["topic"] == TOPIC => {
            Ok(News::Message { id, text: string(object, "data")? })
        }
        Some("gap") => Ok(News::Gap { id }),
        _ => Err(wrong("a message that nobody sent", object)),
    }
}

fn string(object: &Value, name: &str) -> Result<String, End> {
    let value = object[name].as_str();
    value.map(str::to_owned).ok_or_else(|| wrong(&format!("no {name}"), object))
}

pub(crate) fn json(bytes: &[u8]) -> Result<Value, End> {
    serde_json::from_slice(bytes).map_err(|error| End::Wrong(format!("no JSON: {error}")))
}

fn utf8(bytes: Vec<u8>) -> Result<String, End> {
    String::from_utf8(bytes).map_err(|error| End::Wrong(error.to_string()))
}

fn wrong(what: &str, object: &Value) -> End {
    let text: String = object.to_string().chars().take(300).collect();
    End::Wrong(format!("{what}: {text}"))
}
