//! What a server does that has no application of its own: rooms are topics, and clients go where they
//! like.
//!
//! | event | acknowledged with |
//! |---|---|
//! | `join(room)`, `leave(room)` | `"ok"` |
//! | `publish(room, event, …)` | the publication's id |
//! | any other | the same: it is published to the topic of the query's `?topic=`, which the client is in |
//!
//! What cannot be done is acknowledged with `{"error": "a sentence"}`. The query takes what that of the
//! raw door takes: `?topic=` (default `lobby`), `?since=`, `?name=`, `?session=`.

use std::sync::Arc;

use super::{
    application::{Application, Incoming, Payload, Refused},
    args::Args,
    socket::{Socket, Target, Then},
};
use crate::{Cursor, Opening, session::Present, who};

/// The application of `madang serve`.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no state")]
pub struct Yard;

/// What it keeps for a socket.
#[derive(Debug)]
pub struct Visitor {
    room: Box<str>,
    who: Present,
}

/// The topic of a client that names none.
const LOBBY: &str = "lobby";

impl Application for Yard {
    type Data = Visitor;

    fn is_bridged(&self) -> bool {
        true
    }

    fn connect(&self, socket: &mut Socket<'_, '_>, _: &str) -> Result<Visitor, Refused> {
        let refused = |message: String| Refused { message: message.into(), data: None };
        let handshake = socket.handshake();
        let opening = Opening { query: &handshake.query, ..Opening::default() };
        let who = who::read(&opening).map_err(|refusal| refused(refusal.reason))?;
        let (mut room, mut since): (Box<str>, _) = (LOBBY.into(), Cursor::Now);
        for (key, value) in handshake.query_pairs() {
            match &*key {
                "topic" if !value.is_empty() => room = value.into(),
                "since" => since = Cursor::parse(&value),
                _ => {}
            }
        }
        let joined = socket.join(&room, since, Some(who.clone()), Then::Nothing);
        joined.map_err(|error| refused(error.to_string()))?;
        Ok(Visitor { room, who })
    }

    fn event(&self, visitor: &mut Visitor, socket: &mut Socket<'_, '_>, event: &Incoming<'_>) {
        let Incoming { name, payload, ack } = *event;
        let mut args = payload.args.iter();
        let then = Then::Ack(ack);
        match name {
            "join" | "leave" => {
                let Some(room) = args.next().and_then(text) else {
                    return socket.ack_error(ack, "the first argument is to be a room's name");
                };
                if name == "join" {
                    let who = Some(visitor.who.clone());
                    if let Err(error) = socket.join(&room, Cursor::Now, who, then) {
                        socket.ack_error(ack, &error.to_string());
                    }
                } else {
                    socket.leave(&room);
                    if let Some(ack) = ack {
                        socket.ack(ack, Payload::of(Args::trusted("\"ok\"")));
                    }
                }
            }
            "publish" => {
                let (room, name) = (args.next().and_then(text), args.next().and_then(text));
                let (Some(room), Some(name)) = (room, name) else {
                    let why = "the first two arguments are to be a room's and an event's name";
                    return socket.ack_error(ack, why);
                };
                let rest = Payload { args: payload.args.skip(2), ..payload };
                publish(visitor, socket, &room, &name, rest, then);
            }
            name => {
                let room = visitor.room.clone();
                publish(visitor, socket, &room, name, payload, then);
            }
        }
    }
}

/// The longest name of an event, in bytes, as at the other doors.
const MAX_EVENT: usize = 255;

fn publish(
    visitor: &Visitor,
    socket: &mut Socket<'_, '_>,
    room: &str,
    event: &str,
    payload: Payload<'_>,
    then: Then,
) {
    if event.is_empty() || event.len() > MAX_EVENT || event.chars().any(char::is_control) {
        let Then::Ack(ack) = then else { return };
        return socket.ack_error(
            ack,
            "an event's name has 1 to 255 bytes, none of them a control character",
        );
    }
    let publisher: Option<Arc<str>> = visitor.who.user.clone();
    let target = Target { rooms: &[room], publisher, ..Target::default() };
    socket.publish(&target, event, payload, then);
}

fn text(argument: &str) -> Option<String> {
    serde_json::from_str(argument).ok()
}
