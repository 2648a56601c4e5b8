//! The JSON envelope, written by hand around `serde_json`'s strings: a JSON body goes in untouched.

use bytes::Bytes;
use smallvec::smallvec;

use crate::{
    Body, Kind, Position, PresenceChange, Publication, Rendered, Topic, json::Object,
    session::Arrival,
};

/// At most so many names are listed to a newcomer.
const MAX_USERS: usize = 200;

/// A publication: text and JSON in one text frame; binary as a head and its bytes.
pub(super) fn publication(publication: &Publication) -> Rendered {
    let mut head = Object::new();
    head.string("topic", publication.topic.as_str());
    head.string("id", &publication.id.to_string());
    head.string("event", publication.event_name());
    match &publication.body {
        // Whoever made the body has checked it; nothing is lost where it holds.
        Body::Text(bytes) => head.string("data", &String::from_utf8_lossy(bytes)),
        Body::Json(bytes) => head.raw("data", bytes),
        Body::Binary(_) => {}
    }
    if let Some(user) = &publication.publisher {
        head.string("user", user);
    }
    if let Some(headers) = &publication.headers {
        head.strings_by_name("headers", headers);
    }
    head.number("time", publication.time);
    let head = head.end();
    let Body::Binary(body) = &publication.body else {
        return Rendered::new(Kind::Text, head.into());
    };
    let mut framed = Vec::with_capacity(4 + head.len());
    framed.extend_from_slice(&(head.len() as u32).to_be_bytes());
    framed.extend_from_slice(&head);
    let segments = smallvec![Bytes::from(framed), body.clone()];
    Rendered { kind: Kind::Binary, segments, attachments: Vec::new() }
}

/// Somebody else came or went.
pub(super) fn presence(change: &PresenceChange) -> Vec<u8> {
    let event = if change.joined { "join" } else { "leave" };
    about(&change.topic, event, change.presence.user.as_deref(), change.count, change.at).end()
}

/// The client's own join, with the names of those who are here.
pub(super) fn arrival(topic: &Topic, name: Option<&str>, arrival: &Arrival) -> Vec<u8> {
    let mut object = about(topic, "join", name, arrival.count, arrival.at);
    let names: Vec<&str> =
        arrival.present.iter().filter_map(|p| p.user.as_deref()).take(MAX_USERS).collect();
    object.strings("users", &names);
    object.end()
}

/// Something was lost before what follows.
pub(super) fn gap(topic: &Topic, at: Position) -> Vec<u8> {
    let mut object = Object::new();
    object.string("topic", topic.as_str());
    object.string("event", "gap");
    object.string("id", &at.to_string());
    object.end()
}

fn about(topic: &Topic, event: &str, user: Option<&str>, count: usize, at: Position) -> Object {
    let mut object = Object::new();
    object.string("topic", topic.as_str());
    object.string("event", event);
    match user {
        Some(user) => object.string("user", user),
        None => object.raw("user", b"null"),
    }
    object.number("count", count as u64);
    object.string("id", &at.to_string());
    object
}
