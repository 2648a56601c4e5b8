//! A publication as JSON, for doors that carry text.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Body, Publication, Topic, json::Object};

/// A publication as one line of JSON.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// What was published.
    pub publication: &'a Publication,
    /// The cursor after it, of a reader of several topics.
    pub next: Option<&'a str>,
}

impl Message<'_> {
    /// The object, without a line end anywhere in it.
    pub fn to_json(self) -> Vec<u8> {
        let publication = self.publication;
        let mut object = Object::new();
        object.string("topic", publication.topic.as_str());
        object.string("id", &publication.id.to_string());
        object.string("event", publication.event_name());
        match &publication.body {
            // Whoever made the body has checked it; nothing is lost where it holds.
            Body::Text(bytes) => object.string("data", &String::from_utf8_lossy(bytes)),
            Body::Json(bytes) => object.raw("data", &on_one_line(bytes)),
            Body::Binary(bytes) => {
                object.string("data", &STANDARD.encode(bytes));
                object.string("encoding", "base64");
            }
        }
        if let Some(user) = &publication.publisher {
            object.string("user", user);
        }
        if let Some(headers) = &publication.headers {
            object.strings_by_name("headers", headers);
        }
        object.number("time", publication.time);
        if let Some(next) = self.next {
            object.string("next", next);
        }
        object.end()
    }
}

/// JSON has line ends between its tokens only (RFC 8259 §7): there a space means the same.
pub(super) fn on_one_line(json: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if !json.iter().any(is_end) {
        return json.into();
    }
    json.iter().map(|byte| if is_end(byte) { b' ' } else { *byte }).collect()
}

/// What a poll is answered with: messages that [`Message::to_json`] made, the cursor after them, and
/// whether something before them was lost.
pub fn messages(messages: &[Vec<u8>], next: &str, gap: bool) -> Vec<u8> {
    let length: usize = messages.iter().map(|message| message.len() + 1).sum();
    let mut list = Vec::with_capacity(length + 2);
    list.push(b'[');
    list.extend_from_slice(&messages.join(&b','));
    list.push(b']');
    let mut object = Object::new();
    object.raw("messages", &list);
    object.string("next", next);
    object.raw("gap", if gap { b"true" } else { b"false" });
    let mut bytes = object.end();
    bytes.push(b'\n');
    bytes
}

/// The line that says that something was lost before what follows `next`.
pub(super) fn gap(topic: &Topic, next: &str) -> Vec<u8> {
    let mut object = Object::new();
    object.string("topic", topic.as_str());
    object.string("id", next);
    object.string("event", "gap");
    object.raw("gap", b"true");
    object.end()
}

/// The line that says why nothing follows.
pub(super) fn refused(reason: &str) -> Vec<u8> {
    let mut object = Object::new();
    object.string("event", "refused");
    object.string("reason", reason);
    object.end()
}
