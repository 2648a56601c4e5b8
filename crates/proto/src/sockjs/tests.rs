use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Reception, Settings, transcripts};
use crate::{
    Form, Input, Kind, Out, Publication, Rendered, Session,
    testing::{Pair, Player as _, Script},
};

struct Echo;

impl Session for Echo {
    fn handle(&mut self, input: Input<'_>, _: Instant, out: &mut Out) {
        if let Input::Text(text) = input {
            out.text(text);
        }
    }
}

fn nothing(_: Form, _: &Publication) -> Rendered {
    Rendered::new(Kind::Text, bytes::Bytes::new())
}

fn pair() -> Pair {
    let settings = Settings { response_limit: 4096, ..Settings::default() };
    Pair::new(Arc::new(Reception::new(settings, |_| Box::new(Echo))), nothing)
}

#[test]
fn a_streaming_body_brings_what_is_said() {
    let mut pair = pair();
    Script::new(transcripts::STREAMING).play(&mut pair).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(pair.sessions(), 0);
}

#[test]
fn a_poll_brings_what_waits() {
    let mut pair = pair();
    Script::new(transcripts::POLLING).play(&mut pair).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(pair.sessions(), 1);
    // Nobody comes back.
    pair.pass(Duration::from_secs(5));
    assert_eq!(pair.sessions(), 0);
}

#[test]
fn a_body_ends_where_it_is_to_and_the_next_goes_on() {
    let mut pair = pair();
    let long = "x".repeat(3000);
    let script = format!(
        r#"
        s → POST 0/s/xhr_streaming
        s ← 200 …
        s ← | [prelude]
        s ← | o
        a → POST 0/s/xhr_send ["{long}"]
        a ← 204
        s ← | a["{long}"]
        b → POST 0/s/xhr_send ["{long}"]
        b ← 204
        s ← | a["{long}"]
        s ← end
        c → POST 0/s/xhr_send ["later"]
        c ← 204
        t → POST 0/s/xhr_streaming
        t ← 200 …
        t ← | [prelude]
        t ← | a["later"]
        + 25s
        t ← | h
        "#
    );
    Script::new(&script).play(&mut pair).unwrap_or_else(|wrong| panic!("{wrong}"));
}
