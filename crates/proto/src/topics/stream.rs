//! A stream of JSON, one message a line (NDJSON). Empty lines say that it is alive.

use crate::{
    Carrier, Form, Kind, Mount, Opening, PresenceChange, Protocol, Publication, Rendered, Session,
    Topic, session::Refusal,
};

use super::{Message, message, reader};

/// The registration of this protocol.
pub static PROTOCOL: Protocol = Protocol {
    name: "stream",
    carrier: Carrier::Stream("application/x-ndjson"),
    subprotocols: &[],
    mounts: &[
        Mount {
            path: "/topics",
            segment: true,
            tail: "/stream",
            about: "lines of JSON of a topic, until closed",
        },
        Mount {
            path: "/topics/stream",
            segment: false,
            tail: "",
            about: "lines of JSON of several topics, ?topic=a&topic=b",
        },
        Mount { path: "/stream", segment: false, tail: "", about: "the same" },
    ],
    open,
    render,
    render_presence,
};

static STYLE: reader::Style = reader::Style {
    // So that proxies that wait for a first byte pass the head on.
    opening: b"\n",
    keep_alive: b"\n",
    message: line,
    at: None,
    gap,
    refused,
};

fn open(opening: &Opening<'_>) -> Result<Box<dyn Session>, Refusal> {
    reader::open(opening, &STYLE)
}

fn render(_: Form, publication: &Publication) -> Rendered {
    Rendered::new(Kind::Text, line(publication, None).into())
}

/// Nobody asks for it.
fn render_presence(_: Form, _: &PresenceChange) -> Rendered {
    Rendered::new(Kind::Text, bytes::Bytes::new())
}

fn line(publication: &Publication, next: Option<&str>) -> Vec<u8> {
    ended(Message { publication, next }.to_json())
}

fn gap(topic: &Topic, next: &str) -> Vec<u8> {
    ended(message::gap(topic, next))
}

fn refused(reason: &str) -> Vec<u8> {
    ended(message::refused(reason))
}

fn ended(mut line: Vec<u8>) -> Vec<u8> {
    line.push(b'\n');
    line
}
