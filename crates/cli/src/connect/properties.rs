//! What holds for any bytes, however they are cut.

use std::time::Instant;

use madang::websocket::Message;
use proptest::{collection::vec, prelude::*};

use super::{
    door::{Act, Door, SocketIo, Stomp},
    pretty,
    show::Style,
    term::Typist,
};

/// What a door makes of these messages.
fn acts(door: &mut dyn Door, messages: impl IntoIterator<Item = Message>) -> Vec<Act> {
    let (now, mut out) = (Instant::now(), Vec::new());
    door.opened(now, &mut out);
    for message in messages {
        door.received(message, now, &mut out);
    }
    out
}

/// What is shown drives no terminal, and a line for programs is one line.
fn is_safe(acts: &[Act]) -> bool {
    let style = Style { is_pretty: true, is_verbose: true, ..Style::default() };
    let json = Style { is_json: true, ..Style::default() };
    acts.iter().all(|act| match act {
        Act::Show(shown) => {
            let seen = style.for_people(shown, &[]);
            let lines = [Style::default().for_programs(shown, &[]), json.for_programs(shown, &[])];
            let is_json = serde_json::from_str::<serde_json::Value>(&lines[1]).is_ok();
            let is_line = |line: &String| !line.contains(['\n', '\r']);
            let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
            is_json && lines.iter().all(is_line) && !seen.contains(is_bad)
        }
        _ => true,
    })
}

/// Pieces of conversations, and noise.
fn stomp() -> impl Strategy<Value = Vec<u8>> {
    let known = prop_oneof![
        Just("CONNECTED\nversion:1.2\nheart-beat:1,1\n\n\0"),
        Just("MESSAGE\nsubscription:1\nmessage-id:2\ndestination:/a\\cb\n\nbo\ndy\0\n"),
        Just("MESSAGE\r\ncontent-length:3\r\ncontent-type:image/png\r\n\r\na\0b\0"),
        Just("RECEIPT\nreceipt-id:r\x1b\n\n\0"),
        Just("ERROR\nmessage:\\n\n\n{\"a\":[\0"),
        Just("\n"),
    ];
    let noise = vec(any::<u8>(), 0..40);
    vec(prop_oneof![4 => known.prop_map(|text| text.as_bytes().to_vec()), 1 => noise], 0..8)
        .prop_map(|pieces| pieces.concat())
}

fn socketio() -> impl Strategy<Value = Vec<Message>> {
    let known = prop_oneof![
        Just("0{\"pingInterval\":1,\"pingTimeout\":18446744073709551615}"),
        Just("40{\"sid\":\"s\"}"),
        Just("42[\"a\",1,{\"b\":\"\\u001b\\n\"}]"),
        Just("452-7[\"a\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":9}]"),
        Just("430[]"),
        Just("41"),
        Just("2"),
    ];
    let text = "[0-6]{1,3}[-/,]?[0-9]{0,3}[\\[\\]{}\",a\u{1b}]{0,12}".prop_map(Message::text);
    let binary = vec(any::<u8>(), 0..20).prop_map(Message::binary);
    vec(prop_oneof![6 => known.prop_map(Message::text), 2 => text, 2 => binary], 0..12)
}

proptest! {
    #[test]
    fn stomp_is_the_same_however_it_is_cut(bytes in stomp(), size in 1..30_usize) {
        let new = || Stomp::new("yard", Vec::new());
        let whole = acts(&mut new(), [Message::binary(bytes.clone())]);
        let pieces = bytes.chunks(size).map(|piece| Message::binary(piece.to_vec()));
        // An ending is told once; what comes in a piece after it is not looked at.
        prop_assert_eq!(acts(&mut new(), pieces), whole.clone());
        prop_assert!(is_safe(&whole), "{:?}", whole);
    }

    #[test]
    fn nothing_of_socketio_can_harm(messages in socketio()) {
        let mut door = SocketIo::new("/", None);
        let acts = acts(&mut door, messages);
        let is_ending =
            |act: &&Act| matches!(act, Act::Broken(_) | Act::Refused(_) | Act::TooBig(_) | Act::Ended(_));
        prop_assert!(acts.iter().filter(is_ending).count() <= 1, "{:?}", acts);
        prop_assert!(is_safe(&acts), "{:?}", acts);
        door.handle_timeout(Instant::now(), &mut Vec::new());
    }

    #[test]
    fn json_that_is_laid_out_is_the_same_json(value in json()) {
        let text = value.to_string();
        match pretty::pretty(&text) {
            Some(laid_out) => {
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&laid_out).unwrap(), value);
                prop_assert_eq!(pretty::pretty(&laid_out), Some(laid_out));
            }
            None => prop_assert!(!value.is_object() && !value.is_array()),
        }
    }

    #[test]
    fn any_keys_leave_a_line_that_fits(keys in vec(key(), 0..60), columns in 2..30_usize) {
        let mut typist = Typist::default();
        for key in keys {
            typist.press(key.as_bytes());
            let (text, cursor) = typist.view(columns);
            prop_assert!(cursor < columns, "{cursor} of {columns}");
            prop_assert!(unicode_width::UnicodeWidthStr::width(&*text) <= columns, "{text:?}");
            prop_assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[a\"\\\\{},: \u{1b}한]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        let list = vec(inner.clone(), 0..4).prop_map(Into::into);
        let map = proptest::collection::btree_map("[a-c\"]{0,2}", inner, 0..4);
        let map = map.prop_map(|map| serde_json::Value::Object(map.into_iter().collect()));
        prop_oneof![list, map]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = prop_oneof![
        Just("\x1b[A"),
        Just("\x1b[B"),
        Just("\x1b[C"),
        Just("\x1b[D"),
        Just("\x1b[3~"),
        Just("\x1bb"),
        Just("\x1bf"),
        Just("\x01"),
        Just("\x05"),
        Just("\x15"),
        Just("\x17"),
        Just("\x0b"),
        Just("\x19"),
        Just("\r"),
        Just("\t"),
        Just("\x7f"),
        Just("\x1b[200~p\na\ts\x1b[201~"),
        Just("e\u{301}"),
    ];
    prop_oneof![known.prop_map(str::to_owned), "\\PC{1,4}", "[/ a가\u{202e}\u{200d}👩]{1,6}"]
}
