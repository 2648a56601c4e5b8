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

/// Pings come by the clock, however long the answers take: over polling that is two requests each.
#[test]
fn a_slow_answer_moves_no_later_ping() {
    play(
        r#"
        w → WS ?EIO=4&transport=websocket
        w ← 0{"sid":"[sid]",[rest]}
        + 300ms
        w ← 2
        + 150ms
        w → 3
        + 150ms
        w ← 2
        + 180ms
        w → 3
        + 120ms
        w ← 2
        + 199ms
        w → 4still
        w ← 4still
        + 1ms
        w ← close 1000
        "#,
    );
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

#[test]
fn old_browsers_poll_by_script() {
    play(
        r#"
        a → GET ?EIO=3&transport=polling&j=0
        a ← 200 ___eio[0]("[length]:0{\"sid\":\"[sid]\",[rest]}");
        b → POST ?EIO=3&transport=polling&sid=[sid]&j=1 d=6%3A4hello
        b ← 200 ok
        c → GET ?EIO=3&transport=polling&sid=[sid]&j=2
        c ← 200 ___eio[2]("6:4hello");
        d → GET ?EIO=3&transport=polling&sid=[sid]&j=alert(1)
        d ← 400 {"code":3,"message":"Bad request"}
        e → POST ?EIO=3&transport=polling&sid=[sid]&j=3 d=1%3A1
        e ← 200 ok
        "#,
    );
}

#[test]
fn revision_3_is_pinged_by_its_client() {
    play(
        r#"
        w → WS ?EIO=3&transport=websocket
        w ← 0{"sid":"[sid]",[rest]}
        + 400ms
        w → 2abc
        w ← 3abc
        w → 4text
        w ← 4text
        w → <04 01 02>
        w ← <04 01 02>
        + 499ms
        w → 2
        w ← 3
        + 500ms
        w ← close 1000
        "#,
    );
}

#[test]
fn who_breaks_the_rules_is_refused_or_gone() {
    play(
        r#"
        a → GET ?EIO=4&transport=nope
        a ← 400 {"code":0,"message":"Transport unknown"}
        b → POST ?EIO=4&transport=polling 40
        b ← 400 {"code":2,"message":"Bad handshake method"}
        c → GET ?EIO=4&transport=websocket
        c ← 400 {"code":3,"message":"Bad request"}
        d → GET ?EIO=5&transport=polling
        d ← 400 {"code":5,"message":"Unsupported protocol version"}
        w → WS ?EIO=4&transport=websocket&sid=nobody
        w ← refused 400
        e → GET /x?EIO=4&transport=polling
        e ← 404 [text]
        f → GET ?EIO=4&transport=polling
        f ← 200 0{"sid":"[sid]",[rest]}
        g → POST ?EIO=4&transport=polling&sid=[sid] 9
        g ← 400 {"code":3,"message":"Bad request"}
        h → GET ?EIO=4&transport=polling&sid=[sid]
        h ← 400 {"code":1,"message":"Session ID unknown"}
        // A client of revision 4 does not ping.
        v → WS ?EIO=4&transport=websocket
        v ← 0{[open]}
        v → 2
        v ← close 1002
        "#,
    );
}

#[test]
fn who_does_not_come_for_what_is_said_to_him_is_gone() {
    let settings = Settings { max_queue: 10_000, ..Settings::default() };
    let mut pair = Pair::new(Arc::new(Reception::new(settings, |_| Echo)), nothing);
    let long = "x".repeat(4_000);
    let script = format!(
        r#"
        a → GET ?EIO=4&transport=polling
        a ← 200 0{{"sid":"[sid]",[rest]}}
        b → POST ?EIO=4&transport=polling&sid=[sid] 4{long}
        b ← 200 ok
        c → POST ?EIO=4&transport=polling&sid=[sid] 4{long}
        c ← 200 ok
        d → POST ?EIO=4&transport=polling&sid=[sid] 4{long}
        d ← 200 ok
        e → GET ?EIO=4&transport=polling&sid=[sid]
        e ← 400 {{"code":1,"message":"Session ID unknown"}}
        "#
    );
    Script::new(&script).play(&mut pair).unwrap_or_else(|wrong| panic!("{wrong}"));
}
