use std::{sync::Arc, time::Duration};

use super::{Application, Incoming, PROTOCOL, Reception, Refused, Settings, Socket, Then, Yard};
use crate::{
    Body, Cursor, Input, Intent, Out, Position, Publication, Reception as _, Request, Token, Topic,
    engineio,
    session::Outcome,
    testing::{Heard, Pair, Player as _, Script},
};

fn pair() -> Pair {
    let engine = engineio::Settings {
        ping_interval: Duration::from_secs(1000),
        ..engineio::Settings::default()
    };
    Pair::new(Arc::new(Reception::with(engine, Settings::default(), Yard)), PROTOCOL.render)
}

fn play(pair: &mut Pair, script: &str) {
    Script::new(script).play(pair).unwrap_or_else(|wrong| panic!("{wrong}"));
}

const OPEN: &str = r#"
    w → WS ?EIO=4&transport=websocket&name=Ana
    w ← 0{[open]}
    w → 40
    w ← 40{"sid":"[id]"}
"#;

#[test]
fn events_go_to_the_topic_of_the_query_and_come_back() {
    let mut pair = pair();
    play(&mut pair, OPEN);
    play(
        &mut pair,
        r#"
        w → 42["hello","world"]
        w ← 42["hello","world"]
        // Who publishes hears that it was taken before it comes back.
        w → 427["hello",1,{"a":[]}]
        w ← 437["1-2"]
        w ← 42["hello",1,{"a":[]}]
        w → 420["join","kitchen"]
        w ← 430["ok"]
        w → 421["publish","kitchen","bell"]
        w ← 431["1-3"]
        w ← 42["bell"]
        w → 422["leave","kitchen"]
        w ← 432["ok"]
        w → 423["publish","kitchen","bell"]
        w ← 433["1-4"]
        w → 424["publish","",""]
        w ← 434[{"error":"an event's name has 1 to 255 bytes, none of them a control character"}]
        w → 425["join",["x"]]
        w ← 435[{"error":"the first argument is to be a room's name"}]
        "#,
    );
}

#[test]
fn bytes_travel_behind_their_event() {
    let mut pair = pair();
    play(&mut pair, OPEN);
    play(
        &mut pair,
        r#"
        w → 452-["file",{"_placeholder":true,"num":0},{"thumb":{"_placeholder":true,"num":1}}]
        w → <01 02>
        w → <03>
        w ← 452-["file",{"_placeholder":true,"num":0},{"thumb":{"_placeholder":true,"num":1}}]
        w ← <01 02>
        w ← <03>
        "#,
    );
    pair.publish(&Topic::new("lobby").unwrap(), Some("raw"), Body::Binary(vec![7].into()));
    pair.publish(&Topic::new("lobby").unwrap(), None, Body::Json("[1, 2]".into()));
    pair.publish(&Topic::new("lobby").unwrap(), Some("disconnect"), "x".into());
    play(
        &mut pair,
        r#"
        w ← 451-["raw",{"_placeholder":true,"num":0}]
        w ← <07>
        w ← 42["message",[1, 2]]
        w ← 42["message","x"]
        "#,
    );
}

#[test]
fn namespaces_share_a_connection() {
    let mut pair = pair();
    play(&mut pair, OPEN);
    play(
        &mut pair,
        r#"
        w → 40/chat,
        w ← 40/chat,{"sid":"[other]"}
        w → 42/chat,["hi"]
        w ← 42/chat,["hi"]
        // The same topic by its name in the main namespace: each socket hears of it.
        w → 420["join","chat/lobby"]
        w ← 430["ok"]
        w → 42/chat,["hi"]
        "#,
    );
    let heard = [pair.heard("w"), pair.heard("w")].map(|heard| format!("{heard:?}"));
    assert!(heard.iter().any(|heard| heard.contains(r#"42[\"hi\"]"#)), "{heard:?}");
    assert!(heard.iter().any(|heard| heard.contains(r#"42/chat,[\"hi\"]"#)), "{heard:?}");
    play(
        &mut pair,
        r#"
        w → 41/chat,
        w → 42["still"]
        w ← 42["still"]
        w → 42/chat,["gone"]
        w ← close 1002
        "#,
    );
}

#[test]
fn polling_has_the_same_and_takes_it_along() {
    let mut pair = pair();
    play(
        &mut pair,
        r#"
        a → GET ?EIO=4&transport=polling&topic=t
        a ← 200 0{"sid":"[sid]",[rest]}
        b → POST ?EIO=4&transport=polling&sid=[sid] 40
        b ← 200 ok
        c → GET ?EIO=4&transport=polling&sid=[sid]
        c ← 200 40{"sid":"[id]"}
        w → WS ?EIO=4&transport=websocket&sid=[sid]
        w → 2probe
        w ← 3probe
        d → POST ?EIO=4&transport=polling&sid=[sid] 42["one"]
        d ← 200 ok
        w → 5
        w → 42["two"]
        w ← 42["one"]
        w ← 42["two"]
        "#,
    );
    pair.publish(&Topic::new("t").unwrap(), None, "three".into());
    play(&mut pair, r#"w ← 42["message","three"]"#);
}

#[test]
fn clients_of_version_2_are_in_by_themselves() {
    let mut pair = pair();
    play(
        &mut pair,
        r#"
        w → WS ?EIO=3&transport=websocket
        w ← 0{[open]}
        w ← 40
        w → 42["x"]
        w ← 42["x"]
        w → 40/a?token=1,
        w ← 40/a,
        w → 451-/a,["f",{"_placeholder":true,"num":0}]
        w → <04 09>
        w ← 451-/a,["f",{"_placeholder":true,"num":0}]
        w ← <04 09>
        "#,
    );
}

#[test]
fn who_joins_nothing_is_gone() {
    let mut pair = pair();
    play(&mut pair, "w → WS ?EIO=4&transport=websocket\nw ← 0{[open]}\n+ 45s\nw ← close 1000");
}

#[test]
fn who_is_refused_everywhere_is_gone_too() {
    for (revision, asked) in [("4", "w → 40"), ("3", "")] {
        let mut pair = pair();
        let script = r#"
            w → WS ?EIO=[revision]&transport=websocket&topic=madang.x
            w ← 0{[open]}
            [asked]
            w ← 44[error]
            + 44s
            w → 40/b,
            w ← 40/b[rest]
            + 2s
            w → 42/b,["x"]
            w ← 42/b,["x"]
        "#;
        let script = script.replace("[revision]", revision).replace("[asked]", asked);
        // The name is reserved in the main namespace only.
        play(&mut pair, &script);
        let mut pair = self::pair();
        let (first, _) = script.split_once("+ 44s").unwrap();
        play(&mut pair, &format!("{first}\n+ 45s\nw ← close 1000"));
    }
}

#[test]
fn namespaces_of_empty_segments_are_told_apart() {
    for namespace in ["//", "//a", "/a/", "/a//b"] {
        let mut pair = pair();
        play(&mut pair, OPEN);
        let script = r#"
            w → 40[namespace],
            w ← 40[namespace],{"sid":"[other]"}
            w → 42[namespace],["hi"]
            w ← 42[namespace],["hi"]
        "#;
        play(&mut pair, &script.replace("[namespace]", namespace));
    }
}

/// The second socket goes and comes: what the connection keeps of it is the same every time, and so
/// is what is told.
#[test]
fn two_sockets_in_one_topic_come_and_go() {
    let mut pair = pair();
    play(
        &mut pair,
        r#"
        w → WS ?EIO=4&transport=websocket
        w ← 0{[open]}
        w → 40
        w ← 40[rest]
        w → 40/a,
        w ← 40/a,[more]
        w → 420["join","a/b"]
        w ← 430["ok"]
        "#,
    );
    for _ in 0..100 {
        play(
            &mut pair,
            r#"
            w → 42/a,0["join","b"]
            w ← 43/a,0["ok"]
            w → 42["publish","a/b","x"]
            w ← 42["x"]
            w ← 42/a,["x"]
            w → 42/a,0["leave","b"]
            w ← 43/a,0["ok"]
            w → 42["publish","a/b","x"]
            w ← 42["x"]
            "#,
        );
    }
    play(
        &mut pair,
        r#"
        w → 42/a,0["join","b"]
        w ← 43/a,0["ok"]
        w → 41
        w → 42/a,["publish","b","y"]
        w ← 42/a,["y"]
        w → 42/a,1["leave","b"]
        w ← 43/a,1["ok"]
        w → 42/a,2["publish","b","y"]
        w ← 43/a,2["[id]"]
        w → 42/a,["end"]
        w ← 42/a,["end"]
        "#,
    );
}

#[test]
fn rooms_of_all_namespaces_are_counted_together() {
    let settings = Settings { max_rooms: 4, ..Settings::default() };
    let reception = Reception::with(engineio::Settings::default(), settings, Yard);
    let mut pair = Pair::new(Arc::new(reception), PROTOCOL.render);
    let full = "a connection can be in 4 rooms at most, all its namespaces together";
    let script = r#"
        w → WS ?EIO=4&transport=websocket
        w ← 0{[open]}
        w → 40
        w ← 40[rest]
        w → 40/a,
        w ← 40/a,[more]
        w → 420["join","a/b"]
        w ← 430["ok"]
        w → 42/a,0["join","b"]
        w ← 43/a,0["ok"]
        w → 42/a,1["join","c"]
        w ← 43/a,1[{"error":"[full]"}]
        w → 40/b,
        w ← 44/b,{"message":"[full]"}
        // Where it is already it may join again.
        w → 42/a,2["join","b"]
        w ← 43/a,2["ok"]
        w → 41/a,
        w → 421["join","c"]
        w ← 431["ok"]
        w → 422["join","d"]
        w ← 432["ok"]
        w → 423["join","e"]
        w ← 433[{"error":"[full]"}]
    "#;
    play(&mut pair, &script.replace("[full]", full));
}

/// Ten namespaces in one topic make ten events of each publication.
#[test]
fn what_one_publication_makes_is_bounded() {
    let namespaces: Vec<String> = (1..10).map(|deep| "/n".repeat(deep)).collect();
    for (size, is_much) in [(300, false), (500, true)] {
        let settings = Settings { max_bytes: 1000, ..Settings::default() };
        let reception = Reception::with(engineio::Settings::default(), settings, Yard);
        let mut pair = Pair::new(Arc::new(reception), PROTOCOL.render);
        play(&mut pair, OPEN);
        play(&mut pair, &format!("w → 42[\"join\",\"{}x\"]", "n/".repeat(9)));
        for (deep, namespace) in namespaces.iter().enumerate() {
            let room = format!("{}x", "n/".repeat(8 - deep));
            let join = format!("w → 42{namespace},[\"join\",\"{room}\"]");
            play(&mut pair, &format!("w → 40{namespace},\nw ← 40{namespace},[sid]\n{join}"));
        }
        let topic = Topic::new(&format!("{}x", "n/".repeat(9))).unwrap();
        pair.publish(&topic, None, "x".repeat(size).into());
        let heard: Vec<_> = std::iter::from_fn(|| pair.heard("w")).collect();
        let ends = heard.iter().filter(|heard| **heard == Heard::Closed(1008)).count();
        if is_much {
            assert!(heard.len() < 10 && ends > 0, "{heard:?}");
            assert_eq!(pair.sessions(), 0);
        } else {
            assert_eq!((heard.len(), ends), (10, 0));
        }
    }
}

/// Puts whoever comes into two rooms.
struct TwoRooms;

impl Application for TwoRooms {
    type Data = ();

    fn is_bridged(&self) -> bool {
        true
    }

    fn connect(&self, socket: &mut Socket<'_, '_>, _: &str) -> Result<(), Refused> {
        for room in ["a", "b"] {
            socket.join(room, Cursor::Earliest, None, Then::Nothing).unwrap();
        }
        Ok(())
    }

    fn event(&self, (): &mut (), _: &mut Socket<'_, '_>, _: &Incoming<'_>) {}
}

/// The first room has history, which comes one by one, before the second is joined.
#[test]
fn history_of_one_room_waits_for_the_join_of_the_next() {
    let reception = Reception::with(engineio::Settings::default(), Settings::default(), TwoRooms);
    let head = http::Request::get("/socket.io/?EIO=4&transport=websocket").body(()).unwrap();
    let request = Request {
        head,
        rest: String::new(),
        body: bytes::Bytes::new(),
        is_websocket: true,
        peer: None,
    };
    let mut session = reception.open("name", &request);
    let (now, mut out) = (std::time::Instant::now(), Out::default());
    session.handle(Input::Opened, now, &mut out);
    session.handle(Input::Text("40"), now, &mut out);
    let wish = |intent: &Intent| match intent {
        Intent::Subscribe(wish) => Some(wish.token),
        _ => None,
    };
    let tokens: Vec<Token> = out.intents.iter().filter_map(wish).collect();
    let position = Position { epoch: 1, seq: 2 };
    let joined = || Ok(Outcome::Joined { at: position, after: position, gap: false });
    let publication = Publication {
        topic: Topic::new("a").unwrap(),
        id: position,
        event: None,
        body: "old".into(),
        headers: None,
        publisher: None,
        time: 0,
        exact: None,
        except: None,
    };
    out.clear();
    session.handle(Input::Done(tokens[0], joined()), now, &mut out);
    session.handle(Input::Delivery(&publication), now, &mut out);
    assert_eq!(out.bytes, b"");
    session.handle(Input::Done(tokens[1], joined()), now, &mut out);
    let said = String::from_utf8(out.bytes).unwrap();
    assert!(said.starts_with("40{") && said.ends_with(r#"}42["message","old"]"#), "{said}");
}
