//! From arguments to bodies and back, and rooms as topics.

use bytes::Bytes;
use serde_json::Value;

use super::{
    application::Payload,
    args::Args,
    attach::{as_placeholder, inline_binary},
    packet::{Event, MAIN, Packet, RESERVED, push_string},
};
use crate::{
    Body, Form, Kind, Publication, Rendered, Topic,
    engineio::{self, Revision},
    publication::Exact,
    topic::TopicError,
};

/// The kind of door for which a publication may have its arguments in full.
pub(super) const FAMILY: &str = "socketio";

/// The form's bit for clients of revision 3.
const V3: u8 = 0x80;
/// The most segments that a namespace's name has for its forms to be told apart.
const MOST_SEGMENTS: usize = 0x3f;
/// What topics of rooms that are not bridged begin with, behind [`Topic::RESERVED`].
const PRIVATE: &str = "io/";

/// How publications look in a namespace: its segments stand in front of the room in a topic's name, so
/// that the form need only say how many there are.
pub(super) fn form(revision: Revision, namespace: &str) -> Option<Form> {
    let segments = segments(namespace);
    let v3 = if revision == Revision::V3 { V3 } else { 0 };
    (segments <= MOST_SEGMENTS).then_some(Form(segments as u8 | v3))
}

fn segments(namespace: &str) -> usize {
    if namespace == MAIN { 0 } else { namespace.matches('/').count() }
}

/// The topic of a namespace's room.
pub(super) fn topic(namespace: &str, room: &str, is_bridged: bool) -> Result<Topic, TopicError> {
    let path = namespace.strip_prefix('/').unwrap_or(namespace);
    match (is_bridged, path) {
        (true, "") => Topic::new(room),
        (true, path) => Topic::new(&format!("{path}/{room}")),
        (false, "") => Topic::reserved(&format!("{PRIVATE}0/{room}")),
        (false, path) => {
            Topic::reserved(&format!("{PRIVATE}{}/{path}/{room}", segments(namespace)))
        }
    }
}

/// The room of a namespace that is this topic; the reverse of [`topic`].
pub(super) fn room<'t>(namespace: &str, topic: &'t Topic, is_bridged: bool) -> Option<&'t str> {
    let mut rest = topic.as_str();
    if !is_bridged {
        rest = rest.strip_prefix(Topic::RESERVED)?.strip_prefix(PRIVATE)?;
        let (segments, behind) = rest.split_once('/')?;
        if segments.parse() != Ok(self::segments(namespace)) {
            return None;
        }
        rest = behind;
    }
    match namespace.strip_prefix('/').unwrap_or(namespace) {
        "" => Some(rest),
        path => rest.strip_prefix(path)?.strip_prefix('/'),
    }
}

/// The namespace that a topic's name begins with.
fn namespace(form: Form, topic: &Topic) -> String {
    let name = topic.as_str();
    let private = name.strip_prefix(Topic::RESERVED).and_then(|name| name.strip_prefix(PRIVATE));
    let name = private.and_then(|name| name.split_once('/')).map_or(name, |(_, name)| name);
    let segments = usize::from(form.0 & !V3);
    if segments == 0 {
        return MAIN.to_owned();
    }
    // A segment may be empty: it is the slash behind the last of them that counts.
    let end = name.match_indices('/').nth(segments - 1).map_or(name.len(), |(at, _)| at);
    format!("/{}", name.get(..end).unwrap_or_default())
}

/// A publication as the messages of a WebSocket.
pub(super) fn render(form: Form, publication: &Publication) -> Rendered {
    let is_v3 = form.0 & V3 != 0;
    let namespace = namespace(form, &publication.topic);
    // Engine.IO's type of a message.
    let mut text = String::from("4");
    let attachments = write(publication, &namespace, &mut text);
    let mut rendered = Rendered::new(Kind::Text, text.into());
    rendered.attachments = attachments
        .iter()
        .map(|bytes| if is_v3 { [&[4], &bytes[..]].concat().into() } else { bytes.clone() })
        .collect();
    rendered
}

/// Appends a publication as an event; what follows it is returned.
pub(super) fn write(publication: &Publication, namespace: &str, out: &mut String) -> Vec<Bytes> {
    let exact = publication.exact.as_deref().filter(|exact| exact.family == FAMILY);
    let mut own = String::new();
    let (args, attachments) = match (exact, &publication.body) {
        (Some(exact), _) => {
            (std::str::from_utf8(&exact.json).unwrap_or_default(), exact.attachments.to_vec())
        }
        (None, Body::Text(bytes)) => {
            push_string(&mut own, &String::from_utf8_lossy(bytes));
            (&*own, Vec::new())
        }
        (None, Body::Json(bytes)) => (std::str::from_utf8(bytes).unwrap_or("null"), Vec::new()),
        (None, Body::Binary(bytes)) => (r#"{"_placeholder":true,"num":0}"#, vec![bytes.clone()]),
    };
    // Clients take these names for their own, and break off when one comes from a server.
    let name = Some(publication.event_name()).filter(|name| !RESERVED.contains(name));
    let event = Event {
        namespace,
        id: None,
        name: name.unwrap_or("message").into(),
        args: Args::trusted(args),
        attachments: attachments.len(),
    };
    Packet::Event(event).encode(out);
    attachments
}

/// Arguments as the body that other doors see, and in full where that is not the same.
pub(super) fn body(payload: Payload<'_>) -> (Body, Option<Exact>) {
    let Payload { args, attachments } = payload;
    let mut all = args.iter();
    let exact = || {
        let json = Bytes::copy_from_slice(args.as_str().as_bytes());
        Some(Exact { family: FAMILY, json, attachments: attachments.into() })
    };
    let (first, second) = (all.next(), all.next());
    let Some(first) = first else { return (Body::from(""), exact()) };
    if second.is_some() {
        let inlined = inline_binary(args.as_str(), attachments).unwrap_or_default();
        return (Body::Json(format!("[{inlined}]").into()), exact());
    }
    if let Some(number) = as_placeholder(first, attachments.len())
        && let Some(bytes) = attachments.get(number)
    {
        return (Body::Binary(bytes.clone()), None);
    }
    if !attachments.is_empty() {
        let inlined = inline_binary(first, attachments).unwrap_or_default();
        return (Body::Json(inlined.into()), exact());
    }
    match serde_json::from_str(first) {
        Ok(Value::String(text)) => (Body::from(text), None),
        // Anything else, and a string that is no Unicode, stays the JSON that it is.
        _ => (Body::Json(Bytes::copy_from_slice(first.as_bytes())), None),
    }
}

/// Sends what [`write`] has made: a text, and what belongs to it.
pub(super) fn send(text: &str, attachments: &[Bytes], engine: &mut engineio::Engine<'_>) {
    engine.send_text(|out| out.extend_from_slice(text.as_bytes()));
    for bytes in attachments {
        engine.send_binary(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_and_topics() {
        let name = |namespace, room, bridged| topic(namespace, room, bridged).unwrap().to_string();
        assert_eq!(name("/", "lobby", true), "lobby");
        assert_eq!(name("/chat", "lobby", true), "chat/lobby");
        assert_eq!(name("/a/b", "c/d", true), "a/b/c/d");
        assert_eq!(name("/", "a/r", false), "madang.io/0/a/r");
        assert_eq!(name("/a", "r", false), "madang.io/1/a/r");
        assert!(topic("/", "madang.x", true).is_err() && topic("/", "", true).is_err());
        for bridged in [true, false] {
            for (at, name) in [
                ("/", "a/b"),
                ("/a", "b"),
                ("/a", ""),
                ("/a/b", "c/d"),
                ("/é", "ü"),
                ("//", "a"),
                ("//a", "b"),
                ("/a//", "/b"),
                ("///", "/"),
            ] {
                let Ok(topic) = topic(at, name, bridged) else { continue };
                let form = form(Revision::V4, at).unwrap();
                assert_eq!(namespace(form, &topic), at, "{topic}");
                assert_eq!(room(at, &topic, bridged), Some(name), "{topic}");
            }
        }
    }

    fn body_of(array: &str, attachments: &[&[u8]]) -> (Body, Option<Exact>) {
        let attachments: Vec<Bytes> =
            attachments.iter().map(|bytes| Bytes::copy_from_slice(bytes)).collect();
        body(Payload { args: Args::from_array(array).unwrap(), attachments: &attachments })
    }

    #[test]
    fn one_argument_is_a_body_of_its_kind() {
        assert_eq!(body_of(r#"["a\nb"]"#, &[]), (Body::from("a\nb"), None));
        assert_eq!(body_of(r#"[{"a":1}]"#, &[]), (Body::Json(r#"{"a":1}"#.into()), None));
        let (bytes, exact) = body_of(r#"[{"_placeholder":true,"num":0}]"#, &[&[1, 2]]);
        assert_eq!((bytes, exact), (Body::Binary(vec![1, 2].into()), None));
    }

    #[test]
    fn several_arguments_come_back_as_they_were() {
        let array = r#"["a",{"b":{"_placeholder":true,"num":0}},null]"#;
        let (body, exact) = body_of(array, &[&[1, 2]]);
        assert_eq!(body, Body::Json(r#"["a",{"b":"AQI="},null]"#.into()));
        let exact = exact.unwrap();
        assert_eq!(exact.json, array[1..array.len() - 1]);
        assert_eq!(&*exact.attachments, [Bytes::from(vec![1, 2])]);
        let (body, exact) = body_of("[]", &[]);
        assert_eq!((body, exact.map(|exact| exact.json)), (Body::from(""), Some("".into())));
    }
}
