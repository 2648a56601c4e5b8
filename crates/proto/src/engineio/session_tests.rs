use std::{sync::Arc, time::Duration};

use super::{Data, Echo, Engine, Malformed, Reception, Settings, Upper, transcripts};
use crate::{
    Body, Cursor, Form, Input, Publication, Rendered, Token, Topic,
    session::Subscribe,
    testing::{Pair, Player as _, Script},
};

fn pair() -> Pair {
    let settings = Settings {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        upgrade_timeout: Duration::from_secs(1),
        ..Settings::default()
    };
    Pair::new(Arc::new(Reception::new(settings, |_| Echo)), nothing)
}

fn nothing(_: Form, _: &Publication) -> Rendered {
    Rendered::new(crate::Kind::Text, bytes::Bytes::new())
}

fn play(script: &str) {
    let mut pair = pair();
    Script::new(script).play(&mut pair).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(pair.sessions(), 0, "a session is left");
}

#[test]
fn polling_moves_to_a_websocket() {
    play(transcripts::UPGRADE);
}

#[test]
fn an_abandoned_upgrade_leaves_polling_as_it_was() {
    play(transcripts::ABANDONED);
}

#[test]
fn two_polls_at_a_time_end_the_session() {
    play(transcripts::OVERLAP);
}

#[test]
fn who_does_not_answer_is_gone() {
    play(transcripts::SILENT);
}

#[test]
fn an_upgrade_that_stands_still_is_given_up() {
    play(
        r#"
        a → GET ?EIO=4&transport=polling
        a ← 200 0{"sid":"[sid]",[rest]}
        b → GET ?EIO=4&transport=polling&sid=[sid]
        w → WS ?EIO=4&transport=websocket&sid=[sid]
        w → 2probe
        w ← 3probe
        b ← 200 6
        + 350ms
        c → GET ?EIO=4&transport=polling&sid=[sid]
        c ← 200 2
        d → POST ?EIO=4&transport=polling&sid=[sid] 3
        d ← 200 ok
        + 350ms
        e → GET ?EIO=4&transport=polling&sid=[sid]
        e ← 200 2
        f → POST ?EIO=4&transport=polling&sid=[sid] 3␞4x
        f ← 200 ok
        g → GET ?EIO=4&transport=polling&sid=[sid]
        g ← 200 4x
        + 310ms
        w ← close 1000
        h → POST ?EIO=4&transport=polling&sid=[sid] 1
        h ← 200 ok
        "#
        .replace('␞', "\u{1e}")
        .as_str(),
    );
}

/// Passes on what a topic brings, until the client wishes the server to end.
struct Feed;

impl Upper for Feed {
    fn opened(&mut self, engine: &mut Engine<'_>) {
        engine.out().subscribe(Subscribe {
            token: Token(0),
            topic: Topic::new("feed").unwrap(),
            from: Cursor::Now,
            form: Form::default(),
            watch: false,
            present: None,
        });
    }

    fn message(&mut self, _: Data<'_>, engine: &mut Engine<'_>) -> Result<(), Malformed> {
        engine.close();
        Ok(())
    }

    fn input(&mut self, input: Input<'_>, engine: &mut Engine<'_>) {
        if let Input::Delivery(_) = input {
            engine.send_text(|out| out.extend_from_slice(b"news"));
        }
    }
}

#[test]
fn nothing_waits_behind_the_end_for_a_client_who_may_not_come() {
    let mut pair = Pair::new(Arc::new(Reception::new(Settings::default(), |_| Feed)), nothing);
    pair.call("a", "GET", "?EIO=4&transport=polling", "");
    let (_, open) = pair.answer("a").unwrap();
    let open: serde_json::Value = serde_json::from_str(&open[1..]).unwrap();
    let session = format!("?EIO=4&transport=polling&sid={}", open["sid"].as_str().unwrap());
    let feed = Topic::new("feed").unwrap();
    let news = || Body::Text("news".into());
    pair.publish(&feed, None, news());
    pair.call("b", "POST", &session, "4bye");
    assert_eq!(pair.answer("b"), Some((200, "ok".into())));
    for _ in 0..100_000 {
        pair.publish(&feed, None, news());
    }
    pair.call("c", "GET", &session, "");
    assert_eq!(pair.answer("c"), Some((200, "4news\u{1e}1".into())));
    assert_eq!(pair.sessions(), 0);
}
