//! Server-Sent Events (HTML Living Standard, §9.2).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Body, Carrier, Form, Kind, Mount, Opening, PresenceChange, Protocol, Publication, Rendered,
    Session, Topic, session::Refusal,
};

use super::{message, reader};

/// The registration of this protocol.
pub static PROTOCOL: Protocol = Protocol {
    name: "sse",
    carrier: Carrier::Stream("text/event-stream"),
    subprotocols: &[],
    mounts: &[
        Mount {
            path: "/topics",
            segment: true,
            tail: "/sse",
            about: "Server-Sent Events of a topic",
        },
        Mount {
            path: "/topics/sse",
            segment: false,
            tail: "",
            about: "Server-Sent Events of several topics, ?topic=a&topic=b",
        },
        Mount { path: "/sse", segment: false, tail: "", about: "the same" },
    ],
    open,
    render,
    render_presence,
};

static STYLE: reader::Style = reader::Style {
    opening: b"retry: 2000\n\n",
    // "Lines that begin with a colon are comments."
    keep_alive: b":\n\n",
    message: event,
    // An event without data is none, but its id is kept for when the reader comes back.
    at: Some(at),
    gap,
    refused,
};

fn open(opening: &Opening<'_>) -> Result<Box<dyn Session>, Refusal> {
    reader::open(opening, &STYLE)
}

fn render(_: Form, publication: &Publication) -> Rendered {
    Rendered::new(Kind::Text, event(publication, None).into())
}

/// Nobody asks for it.
fn render_presence(_: Form, _: &PresenceChange) -> Rendered {
    Rendered::new(Kind::Text, bytes::Bytes::new())
}

/// One event. A line end in the data begins a new `data:` line, so that no payload can say more than
/// data; no payload is empty that way, either.
fn event(publication: &Publication, next: Option<&str>) -> Vec<u8> {
    let body = publication.body.bytes();
    let mut out = Vec::with_capacity(body.len() + 64);
    match next {
        Some(next) => field("id", next, &mut out),
        None => field("id", &publication.id.to_string(), &mut out),
    }
    if publication.event_name() != "message" {
        field("event", publication.event_name(), &mut out);
    }
    match &publication.body {
        Body::Text(bytes) | Body::Json(bytes) => data(bytes, &mut out),
        Body::Binary(bytes) => data(STANDARD.encode(bytes).as_bytes(), &mut out),
    }
    out.push(b'\n');
    out
}

fn at(next: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    field("id", next, &mut out);
    out.push(b'\n');
    out
}

fn gap(topic: &Topic, next: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    field("id", next, &mut out);
    field("event", "gap", &mut out);
    data(&message::gap(topic, next), &mut out);
    out.push(b'\n');
    out
}

fn refused(reason: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    // It will be refused again for a while.
    field("retry", "10000", &mut out);
    field("event", "refused", &mut out);
    data(&message::refused(reason), &mut out);
    out.push(b'\n');
    out
}

/// A field whose value is one line. An id with NUL would be ignored, and a line end would begin
/// another field.
fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let plain = |byte: u8| if matches!(byte, b'\n' | b'\r' | 0) { b' ' } else { byte };
    out.extend(value.bytes().map(plain));
    out.push(b'\n');
}

/// "Lines must be separated by either a CRLF pair, a single LF character, or a single CR character."
fn data(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    loop {
        let end = memchr::memchr2(b'\n', b'\r', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        out.extend_from_slice(b"data:");
        if !line.is_empty() {
            out.push(b' ');
            out.extend_from_slice(line);
        }
        out.push(b'\n');
        let Some(end) = end else { return };
        let is_pair = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + 1 + usize::from(is_pair)..];
    }
}
