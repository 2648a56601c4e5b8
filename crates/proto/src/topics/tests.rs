//! What readers get, as a browser would read it.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use proptest::prelude::*;

use super::{Cursors, Message, fuzzing::fuzz_topics, messages, sse, stream};
use crate::{
    Body, Cursor, Form, Input, Intent, Opening, Out, Position, Protocol, Publication, Session,
    Token, Topic,
    session::{Arrival, Outcome, Refusal},
};

const EPOCH: u64 = 724;

fn topic(name: &str) -> Topic {
    Topic::new(name).unwrap()
}

fn at(seq: u64) -> Position {
    Position { epoch: EPOCH, seq }
}

fn publication(name: &str, seq: u64, body: Body) -> Publication {
    Publication {
        topic: topic(name),
        id: at(seq),
        event: None,
        body,
        headers: None,
        publisher: None,
        time: 1,
        exact: None,
        except: None,
    }
}

#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct Event {
    id: String,
    name: String,
    data: String,
}

/// The parser of the HTML standard, §9.2.6, without `retry`.
fn parse(stream: &str) -> Vec<Event> {
    let (mut events, mut event, mut has_data, mut id) = (vec![], Event::default(), false, "");
    for line in stream.replace("\r\n", "\n").replace('\r', "\n").split_inclusive('\n') {
        let Some(line) = line.strip_suffix('\n') else { break };
        let line = Box::leak(line.to_owned().into_boxed_str());
        if line.is_empty() {
            if has_data {
                event.data.pop();
                event.id = id.to_owned();
                events.push(std::mem::take(&mut event));
            }
            (event, has_data) = (Event::default(), false);
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                event.data += value;
                event.data.push('\n');
                has_data = true;
            }
            "event" => value.clone_into(&mut event.name),
            "id" if !value.contains('\0') => id = value,
            _ => {}
        }
    }
    events
}

fn sse(publication: &Publication) -> String {
    let rendered = (sse::PROTOCOL.render)(Form::default(), publication);
    String::from_utf8(rendered.segments.concat()).unwrap()
}

proptest! {
    #[test]
    fn any_bytes_hold_the_laws(data: Vec<u8>, text in "(topic=[ab]|since=|[a-z0-9]-[0-9]|[.&\\x00\\r\\n:]){0,30}") {
        fuzz_topics(&data);
        fuzz_topics(text.as_bytes());
    }

    #[test]
    fn no_text_says_more_than_data(text in "([a-z:\\r\\n\\x00 가]|\r\n|data: x|event: y|id: 9){0,20}", event in "[a-z\\r\\n\\x00:]{1,8}") {
        let mut publication = publication("t", 7, Body::Text(text.clone().into()));
        publication.event = Some(event.as_str().into());
        let events = parse(&sse(&publication));
        let one_line = event.replace(['\r', '\n', '\0'], " ");
        let expected = Event {
            id: at(7).to_string(),
            name: if event == "message" { String::new() } else { one_line },
            data: text.replace("\r\n", "\n").replace('\r', "\n"),
        };
        prop_assert_eq!(events, [expected]);
    }

    #[test]
    fn a_line_is_one_line_and_reads_back(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..50)) {
        for body in [Body::Text(text.clone().into()), Body::Binary(bytes.clone().into())] {
            let publication = publication("t", 7, body.clone());
            let json = Message { publication: &publication, next: None }.to_json();
            prop_assert!(!json.contains(&b'\n'));
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(value["id"].as_str(), Some(&*at(7).to_string()));
            if let Body::Text(_) = body {
                prop_assert_eq!(value["data"].as_str(), Some(&*text));
            } else {
                prop_assert_eq!(value["encoding"].as_str(), Some("base64"));
                let data = STANDARD.decode(value["data"].as_str().unwrap()).unwrap();
                prop_assert_eq!(&data, &bytes);
            }
        }
    }

    #[test]
    fn cursors_read_back(seqs in prop::collection::vec(any::<u64>(), 1..5)) {
        let query: Vec<_> = (0..seqs.len()).map(|n| format!("topic=t{n}")).collect();
        let query = query.join("&");
        let opening = Opening { query: &query, ..Opening::default() };
        let mut cursors = Cursors::read(&opening, Cursor::Now).unwrap();
        for (n, seq) in seqs.iter().enumerate() {
            cursors.advance(&topic(&format!("t{n}")), at(*seq));
        }
        let text = cursors.to_string();
        let again = Opening { last_event_id: Some(&text), ..opening };
        prop_assert_eq!(Cursors::read(&again, Cursor::Now).unwrap(), cursors);
    }
}

#[test]
fn json_of_several_lines_becomes_one() {
    let body = Body::Json(Bytes::from_static(b"{\r\n \"a\": [1,\n2]}"));
    let publication = publication("t", 1, body);
    let json = Message { publication: &publication, next: Some("n") }.to_json();
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert!(!json.contains(&b'\n') && !json.contains(&b'\r'));
    assert_eq!((value["data"]["a"][1].as_u64(), value["next"].as_str()), (Some(2), Some("n")));
    let all = messages(&[json.clone(), json], "k-9", true);
    let value: serde_json::Value = serde_json::from_slice(&all).unwrap();
    assert_eq!(value["messages"].as_array().unwrap().len(), 2);
    assert_eq!((value["next"].as_str(), value["gap"].as_bool()), (Some("k-9"), Some(true)));
    let none: serde_json::Value = serde_json::from_slice(&messages(&[], "k-9", false)).unwrap();
    assert_eq!(none["messages"].as_array().unwrap().len(), 0);
}

#[test]
fn where_a_reader_starts_has_an_order() {
    let read = |query, last| {
        let opening = Opening { segment: Some("t"), query, last_event_id: last };
        Cursors::read(&opening, Cursor::Earliest).unwrap().places()[0].1
    };
    assert_eq!(read("", None), Cursor::Earliest);
    assert_eq!(read("since=now", None), Cursor::Now);
    assert_eq!(
        read("since=k4-1&last_event_id=k4-2", None),
        Cursor::After(Position { seq: 2, epoch: 724 })
    );
    assert_eq!(
        read("since=k4-1&last_event_id=k4-2", Some("k4-3")),
        Cursor::After(Position { seq: 3, epoch: 724 })
    );
    assert_eq!(read("since=k4-1", Some("")), Cursor::After(Position { seq: 1, epoch: 724 }));
    assert_eq!(read("since=what", None), Cursor::Foreign);
    assert_eq!(read("since=k4-1.k4-2", None), Cursor::Foreign);
    let refused =
        |query: &str| Cursors::read(&Opening { query, ..Opening::default() }, Cursor::Now).is_err();
    assert!(refused("") && refused("topic=") && refused("topic=madang.x"));
    assert!(refused(&"topic=a&".repeat(101)) && !refused(&"topic=a&".repeat(100)));
}

#[test]
fn who_lost_his_place_is_told_so_again_when_he_comes_back() {
    let opening = Opening { query: "topic=a&topic=b&since=what", ..Opening::default() };
    let mut cursors = Cursors::read(&opening, Cursor::Now).unwrap();
    cursors.advance(&topic("a"), at(4));
    let text = cursors.to_string();
    let again = Opening { last_event_id: Some(&text), ..opening };
    let again = Cursors::read(&again, Cursor::Now).unwrap();
    assert_eq!(again.places()[0].1, Cursor::After(at(4)));
    assert_eq!(again.places()[1].1, Cursor::Foreign);
}

/// A session and what it wishes.
struct Bench(Box<dyn Session>, Instant);

impl Bench {
    fn open(protocol: &Protocol, query: &str) -> Self {
        let opening = Opening { query, ..Opening::default() };
        Self((protocol.open)(&opening).unwrap(), Instant::now())
    }

    fn give(&mut self, input: Input<'_>) -> Out {
        let mut out = Out::default();
        self.0.handle(input, self.1, &mut out);
        out
    }

    fn text(&mut self, input: Input<'_>) -> String {
        String::from_utf8(self.give(input).bytes).unwrap()
    }
}

#[test]
fn a_gap_comes_before_what_is_left_and_continues_there() {
    let mut bench = Bench::open(&sse::PROTOCOL, "topic=t&since=old-1");
    let out = bench.give(Input::Opened);
    assert!(
        matches!(&out.intents[..], [Intent::Send { .. }, Intent::Subscribe(wish)] if wish.form == Form::default() && matches!(wish.from, Cursor::After(_)))
    );
    let joined = Outcome::Joined { at: at(9), after: at(3), gap: true };
    let events = parse(&bench.text(Input::Done(Token(0), Ok(joined))));
    assert_eq!(events.len(), 1);
    assert_eq!((&*events[0].name, &*events[0].id), ("gap", "k4-3"));
}

#[test]
fn a_reader_of_several_has_one_cursor_for_all() {
    let mut bench = Bench::open(&stream::PROTOCOL, "topic=b&topic=a");
    let out = bench.give(Input::Opened);
    let wishes: Vec<_> = out
        .intents
        .iter()
        .filter_map(|intent| match intent {
            Intent::Subscribe(wish) => Some((wish.topic.to_string(), wish.form)),
            _ => None,
        })
        .collect();
    assert_eq!(wishes, [("a".into(), Form::EACH), ("b".into(), Form::EACH)]);
    for (number, seq) in [(0, 5), (1, 8)] {
        let joined = Outcome::Joined { at: at(seq), after: at(seq), gap: false };
        assert_eq!(bench.text(Input::Done(Token(number), Ok(joined))), "");
        assert_eq!(bench.text(Input::CaughtUp(Token(number), Arrival::default())), "");
    }
    let line = bench.text(Input::Delivery(&publication("b", 9, "x".into())));
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((value["next"].as_str(), value["id"].as_str()), (Some("k4-5.k4-9"), Some("k4-9")));
    let mut events = Bench::open(&sse::PROTOCOL, "topic=b&topic=a&since=k4-1.k4-2");
    events.give(Input::Opened);
    let event = parse(&events.text(Input::Delivery(&publication("a", 2, "x".into()))));
    assert_eq!(event[0].id, "k4-2.k4-2");
}

#[test]
fn a_silent_stream_says_that_it_is_alive() {
    for (protocol, sign) in [(&sse::PROTOCOL, ":\n\n"), (&stream::PROTOCOL, "\n")] {
        let mut bench = Bench::open(protocol, "topic=t");
        assert_eq!(bench.0.poll_timeout(), None);
        bench.give(Input::Opened);
        let due = bench.0.poll_timeout().unwrap();
        assert_eq!(due, bench.1 + Duration::from_secs(15));
        bench.1 = due;
        assert_eq!(bench.text(Input::Timeout), sign);
        assert!(bench.0.poll_timeout().unwrap() > due);
    }
}

#[test]
fn a_refusal_is_said_and_ends_the_stream() {
    let mut bench = Bench::open(&sse::PROTOCOL, "topic=t");
    bench.give(Input::Opened);
    let refusal = Refusal { reason: "there are too many topics".into() };
    let out = bench.give(Input::Done(Token(0), Err(refusal)));
    let events = parse(std::str::from_utf8(&out.bytes).unwrap());
    assert_eq!(events[0].name, "refused");
    assert!(events[0].data.contains("too many topics"));
    assert!(matches!(out.intents.last(), Some(Intent::Close { .. })));
}

#[test]
fn the_recorded_inputs_hold_the_laws() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/topics");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        fuzz_topics(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 8);
}
