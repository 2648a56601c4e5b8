//! A raw client, held in the hand.

use super::*;
use crate::{
    Cursor, Position, Presence,
    session::{Arrival, Intent},
};

const AT: Position = Position { epoch: 729, seq: 7 };

fn open_with(segment: Option<&str>, query: &str) -> Result<Box<dyn Session>, Refusal> {
    (PROTOCOL.open)(&Opening { segment, query, last_event_id: None })
}

fn feed(session: &mut dyn Session, input: Input<'_>) -> Out {
    let mut out = Out::default();
    session.handle(input, Instant::now(), &mut out);
    out
}

fn sent(out: &Out) -> Vec<String> {
    out.intents
        .iter()
        .filter_map(|intent| match intent {
            Intent::Send { range, .. } => {
                Some(String::from_utf8(out.bytes[range.clone()].to_vec()).unwrap())
            }
            _ => None,
        })
        .collect()
}

fn publication(body: Body) -> Publication {
    Publication {
        topic: Topic::new("chat").unwrap(),
        id: AT,
        event: None,
        body,
        headers: None,
        publisher: Some("A\"na".into()),
        time: 5,
        exact: None,
        except: None,
    }
}

#[test]
fn a_client_joins_the_topic_of_its_path() {
    let mut session =
        open_with(Some("chat"), "since=k9-4&envelope=json&presence=1&name=Ana&session=abc")
            .unwrap();
    let out = feed(&mut *session, Input::Opened);
    let [Intent::Subscribe(wish)] = &out.intents[..] else { panic!("{out:?}") };
    assert_eq!(wish.topic.as_str(), "chat");
    assert_eq!(wish.from, Cursor::After(Position { epoch: 729, seq: 4 }));
    assert_eq!(wish.form, ENVELOPE);
    assert!(wish.watch);
    let present = wish.present.as_ref().unwrap();
    assert_eq!((present.user.as_deref(), present.key.as_deref()), (Some("Ana"), Some("abc")));
}

#[test]
fn no_topic_is_the_lobby_and_no_cursor_is_now() {
    let mut session = open_with(None, "").unwrap();
    let out = feed(&mut *session, Input::Opened);
    let [Intent::Subscribe(wish)] = &out.intents[..] else { panic!("{out:?}") };
    assert_eq!((wish.topic.as_str(), wish.from, wish.form), ("lobby", Cursor::Now, PLAIN));
}

#[test]
fn bad_names_and_options_are_refused_with_a_sentence() {
    for (segment, query) in [
        (Some(""), ""),
        (Some("madang.x"), ""),
        (Some("a\0b"), ""),
        (None, "envelope=xml"),
        (None, "presence=yes"),
        (None, "name=%00"),
        (None, "session=%20"),
    ] {
        let refusal = open_with(segment, query).err().unwrap();
        assert!(refusal.reason.len() > 10, "{segment:?} {query}");
    }
}

#[test]
fn frames_become_publications_of_their_kind() {
    let mut session = open_with(None, "name=Bo").unwrap();
    let out = feed(&mut *session, Input::Text("hi"));
    let [Intent::Publish(wish)] = &out.intents[..] else { panic!("{out:?}") };
    assert_eq!(wish.body, Body::Text("hi".into()));
    assert_eq!(wish.publisher.as_deref(), Some("Bo"));
    let out = feed(&mut *session, Input::Binary(&[0, 255]));
    let [Intent::Publish(wish)] = &out.intents[..] else { panic!("{out:?}") };
    assert_eq!(wish.body, Body::Binary(vec![0, 255].into()));
}

#[test]
fn a_gap_is_told_in_the_envelope() {
    let joined = || Input::Done(JOIN, Ok(Outcome::Joined { at: AT, after: AT, gap: true }));
    let mut session = open_with(Some("chat"), "envelope=json").unwrap();
    let expected = r#"{"topic":"chat","event":"gap","id":"k9-7"}"#;
    assert_eq!(sent(&feed(&mut *session, joined())), [expected]);
    let mut bare = open_with(Some("chat"), "").unwrap();
    assert!(sent(&feed(&mut *bare, joined())).is_empty());
}

#[test]
fn a_newcomer_hears_who_is_here() {
    let mut session = open_with(Some("chat"), "presence=1&name=__proto__").unwrap();
    let present = ["Bo", "__proto__"].map(|user| Presence {
        user: Some(user.into()),
        door: "websocket",
        since: 1,
    });
    let arrival = Arrival { at: AT, count: 2, present: present.into() };
    assert_eq!(
        sent(&feed(&mut *session, Input::CaughtUp(JOIN, arrival))),
        [
            r#"{"topic":"chat","event":"join","user":"__proto__","count":2,"id":"k9-7","users":["Bo","__proto__"]}"#
        ]
    );
}

#[test]
fn bodies_are_rendered_by_kind_and_form() {
    let text = publication(Body::Text("a\"b".into()));
    assert_eq!(render(PLAIN, &text), Rendered::new(Kind::Text, "a\"b".into()));
    let rendered = render(ENVELOPE, &text);
    assert_eq!(
        rendered.segments[0],
        r#"{"topic":"chat","id":"k9-7","event":"message","data":"a\"b","user":"A\"na","time":5}"#
    );
    let json = publication(Body::Json("{\"a\": [1]}".into()));
    assert!(
        String::from_utf8_lossy(&render(ENVELOPE, &json).segments[0])
            .contains("\"data\":{\"a\": [1]},")
    );
    assert_eq!(render(PLAIN, &json).kind, Kind::Text);
    let binary = publication(Body::Binary(vec![1, 2, 3].into()));
    assert_eq!(render(PLAIN, &binary), Rendered::new(Kind::Binary, vec![1, 2, 3].into()));
}

#[test]
fn the_envelope_carries_the_headers_of_the_sender() {
    let mut text = publication(Body::Text("a".into()));
    text.headers = Some([("x-\"k\"".into(), "1".into()), ("b".into(), "2".into())].into());
    let rendered = render(ENVELOPE, &text);
    let json: serde_json::Value = serde_json::from_slice(&rendered.segments[0]).unwrap();
    assert_eq!(json["headers"], serde_json::json!({ "x-\"k\"": "1", "b": "2" }));
    assert_eq!(json["time"], 5);
}

#[test]
fn a_binary_body_in_the_envelope_is_a_head_and_bytes() {
    let rendered = render(ENVELOPE, &publication(Body::Binary(vec![1, 2, 3].into())));
    let all: Vec<u8> = rendered.segments.concat();
    let length = u32::from_be_bytes(all[..4].try_into().unwrap()) as usize;
    let head: serde_json::Value = serde_json::from_slice(&all[4..4 + length]).unwrap();
    assert_eq!(head["topic"], "chat");
    assert_eq!(head.get("data"), None);
    assert_eq!((rendered.kind, &all[4 + length..]), (Kind::Binary, &[1, 2, 3][..]));
}
