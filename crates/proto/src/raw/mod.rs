//! Plain WebSocket messages: a text frame is a `Text` publication, a binary frame a `Binary` one.
//!
//! A client opens `/ws/chat?since=earliest&envelope=json&presence=1&name=Ana` and sees
//!
//! ```text
//! ← {"topic":"chat","id":"k3-7","event":"message","data":"Bo: hello","time":1763770000000}
//! ← {"topic":"chat","event":"join","user":"Ana","count":2,"id":"k3-7","users":["Ana","Bo"]}
//! → Ana: hi
//! ← {"topic":"chat","id":"k3-8","event":"message","data":"Ana: hi","user":"Ana","time":…}
//! ```
//!
//! Without `envelope` the same messages are `Bo: hello` and `Ana: hi` and nothing else. First comes
//! what the topic held after `since` (default `now`: nothing), then the client's own `join`, then
//! what is new. Where something between `since` and what is held has been lost, an event `gap`
//! comes before the rest (in the envelope only: a bare client has no place to be told).
//! A binary body in the envelope is a binary frame: the head's length as a big-endian `u32`, the
//! JSON head (without `data`), the bytes.

mod envelope;
mod options;
#[cfg(test)]
mod tests;

use std::time::Instant;

use bytes::Bytes;

use crate::{
    Body, Carrier, Form, Input, Kind, Mount, Opening, Out, PresenceChange, Protocol, Publication,
    Rendered, Session, Token, Topic,
    session::{Outcome, Present, Publish, Refusal, Subscribe},
};

pub use options::Options;

/// The registration of this protocol.
pub static PROTOCOL: Protocol = Protocol {
    name: "websocket",
    carrier: Carrier::WebSocket,
    subprotocols: &[],
    mounts: &[
        Mount {
            path: "/ws",
            segment: false,
            tail: "",
            about: "plain WebSocket messages of the topic `lobby`",
        },
        Mount {
            path: "/ws",
            segment: true,
            tail: "",
            about: "plain WebSocket messages of a topic",
        },
    ],
    open,
    render,
    render_presence,
};

/// The topic of a client that names none.
pub const LOBBY: &str = "lobby";

/// Messages as they are.
const PLAIN: Form = Form(0);
/// Messages in the JSON envelope.
const ENVELOPE: Form = Form(1);

const JOIN: Token = Token(0);

/// One client.
#[derive(Debug)]
struct RawSession {
    topic: Topic,
    options: Options,
}

fn open(opening: &Opening<'_>) -> Result<Box<dyn Session>, Refusal> {
    let topic = Topic::new(opening.segment.unwrap_or(LOBBY))
        .map_err(|error| Refusal { reason: error.to_string() })?;
    let options = Options::read(opening)?;
    Ok(Box::new(RawSession { topic, options }))
}

fn render(form: Form, publication: &Publication) -> Rendered {
    if form == ENVELOPE {
        return envelope::publication(publication);
    }
    let (Body::Text(bytes) | Body::Json(bytes)) = &publication.body else {
        return Rendered::new(Kind::Binary, publication.body.bytes().clone());
    };
    Rendered::new(Kind::Text, bytes.clone())
}

fn render_presence(_: Form, change: &PresenceChange) -> Rendered {
    Rendered::new(Kind::Text, envelope::presence(change).into())
}

impl RawSession {
    fn form(&self) -> Form {
        if self.options.envelope { ENVELOPE } else { PLAIN }
    }

    fn publish(&self, body: Body, out: &mut Out) {
        let publisher = self.options.name.clone();
        out.publish(Publish { publisher, ..Publish::new(self.topic.clone(), body) });
    }

    fn subscribe(&self, out: &mut Out) {
        out.subscribe(Subscribe {
            token: JOIN,
            topic: self.topic.clone(),
            from: self.options.since,
            form: self.form(),
            watch: self.options.presence,
            present: Some(Present {
                user: self.options.name.clone(),
                key: self.options.session.clone(),
            }),
        });
    }
}

impl Session for RawSession {
    fn handle(&mut self, input: Input<'_>, _: Instant, out: &mut Out) {
        match input {
            Input::Opened => self.subscribe(out),
            Input::Text(text) => {
                self.publish(Body::Text(Bytes::copy_from_slice(text.as_bytes())), out);
            }
            Input::Binary(bytes) => self.publish(Body::Binary(Bytes::copy_from_slice(bytes)), out),
            Input::Done(_, Ok(Outcome::Joined { after, gap: true, .. }))
                if self.options.envelope =>
            {
                out.send(Kind::Text, &envelope::gap(&self.topic, after));
            }
            Input::CaughtUp(_, arrival) if self.options.presence => {
                let name = self.options.name.as_deref();
                out.send(Kind::Text, &envelope::arrival(&self.topic, name, &arrival));
            }
            // 1013 "try again later" (IANA close code registry): the client did nothing wrong.
            Input::Done(_, Err(refusal)) => out.close(1013, refusal.reason),
            _ => {}
        }
    }
}
