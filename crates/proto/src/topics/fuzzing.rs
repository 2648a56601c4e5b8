//! The body of the fuzz target `topics`.

use crate::{
    Body, Cursor, Form, Opening, Position, Publication, Topic,
    topics::{Cursors, Message, sse},
};

/// Takes `query`, `Last-Event-ID`, an event's name and a payload, with NULs between. Whatever they
/// are, a cursor that is written reads back as the same place, and nothing that a sender chose becomes
/// a field of an event or a second line.
#[doc(hidden)]
pub fn fuzz_topics(data: &[u8]) {
    let mut parts = data.splitn(4, |byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (query, last, event, payload) = (next(), next(), next(), next());
    let (query, last) = (String::from_utf8_lossy(query), String::from_utf8_lossy(last));
    let opening = Opening { segment: None, query: &query, last_event_id: Some(&last) };
    if let Ok(cursors) = Cursors::read(&opening, Cursor::Now) {
        reads_back(&query, &cursors);
    }
    let Ok(topic) = Topic::new("t") else { return };
    let text = String::from_utf8_lossy(payload).into_owned();
    for body in [Body::Text(text.into()), Body::Binary(payload.to_vec().into())] {
        is_one_event(&Publication {
            topic: topic.clone(),
            id: Position { epoch: 1, seq: 2 },
            event: Some(String::from_utf8_lossy(event).into()),
            body,
            headers: None,
            publisher: None,
            time: 0,
            exact: None,
            except: None,
        });
    }
}

fn reads_back(query: &str, cursors: &Cursors) {
    let text = cursors.to_string();
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    let opening = Opening { segment: None, query, last_event_id: Some(&text) };
    match Cursors::read(&opening, Cursor::Earliest) {
        Ok(again) => assert_eq!(again.to_string(), text),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn is_one_event(publication: &Publication) {
    let rendered = (sse::PROTOCOL.render)(Form::default(), publication);
    let bytes = rendered.segments.concat();
    let event = String::from_utf8_lossy(&bytes);
    assert!(event.ends_with("\n\n") && event.matches("\n\n").count() == 1, "{event:?}");
    assert!(!event.contains('\r'), "{event:?}");
    let mut lines = event.trim_end_matches('\n').lines();
    assert_eq!(lines.next(), Some("id: 1-2"));
    for (number, line) in lines.enumerate() {
        let is_name = number == 0 && line.starts_with("event: ") && !line.contains('\0');
        assert!(is_name || line.starts_with("data:"), "{event:?}");
    }
    let line = Message { publication, next: Some("n") }.to_json();
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok());
}
