use std::{sync::Arc, time::Duration};

use super::{Echo, Reception, Settings, transcripts};
use crate::{
    Form, Publication, Rendered,
    testing::{Pair, Script},
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
