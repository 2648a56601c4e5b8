//! Laws that hold for any traffic.

use proptest::prelude::*;

use crate::testing::{Pair, Split, frame};
use crate::{Event, Kind, Limits, Payload, Role, fuzzing};

/// What a well-behaved peer sends.
#[derive(Clone, Debug)]
enum Step {
    Message { text: bool, fragments: Vec<String>, between: Vec<bool> },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let fragment = prop_oneof![Just(String::new()), "[a-z가-힣👋]{0,60}", "[가-힣]{40,200}"];
    let control = prop::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        4 => (any::<bool>(), prop::collection::vec(fragment, 1..5), prop::collection::vec(any::<bool>(), 5))
            .prop_map(|(text, fragments, between)| Step::Message { text, fragments, between }),
        1 => control.clone().prop_map(Step::Ping),
        1 => control.prop_map(Step::Pong),
    ]
}

/// The bytes of the steps, and the events that they must give. Text is cut without regard for
/// characters.
fn script(sender: Role, steps: &[Step]) -> (Vec<u8>, Vec<Event<'static>>) {
    let (mut wire, mut events) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Ping(payload) => {
                wire.extend(frame(sender, 0x89, payload));
                events.push(Event::Ping(Payload::Binary(payload.clone().into())));
            }
            Step::Pong(payload) => {
                wire.extend(frame(sender, 0x8A, payload));
                events.push(Event::Pong(Payload::Binary(payload.clone().into())));
            }
            Step::Message { text, fragments, between } => {
                let whole = fragments.concat();
                let mut rest = whole.as_bytes();
                let opcode = if *text { 1 } else { 2 };
                for (i, fragment) in fragments.iter().enumerate() {
                    let last = i + 1 == fragments.len();
                    let n = if last { rest.len() } else { (fragment.len() + 1).min(rest.len()) };
                    let first = if i == 0 { opcode } else { 0 } | if last { 0x80 } else { 0 };
                    wire.extend(frame(sender, first, &rest[..n]));
                    rest = &rest[n..];
                    if !last && between[i] {
                        wire.extend(frame(sender, 0x8A, b"between"));
                        events.push(Event::Pong(Payload::Binary(b"between".into())));
                    }
                }
                events.push(if *text {
                    Event::Message { kind: Kind::Text, payload: Payload::Text(whole.into()) }
                } else {
                    let payload = Payload::Binary(whole.into_bytes().into());
                    Event::Message { kind: Kind::Binary, payload }
                });
            }
        }
    }
    (wire, events)
}

/// Bytes that look like frames now and then.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => (any::<bool>(), any::<bool>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..140)).prop_map(
            |(fin, client, first, payload)| {
                let opcode = [0, 1, 2, 8, 9, 10, first & 0x7F][usize::from(first) % 7];
                let sender = if client { Role::Client } else { Role::Server };
                frame(sender, if fin { 0x80 } else { 0 } | opcode, &payload)
            }
        ),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    (any::<u8>(), prop::collection::vec(piece, 0..8))
        .prop_map(|(setting, pieces)| [vec![setting], pieces.concat()].concat())
}

proptest! {
    #[test]
    fn any_traffic_in_any_split_gives_the_same_events(
        steps in prop::collection::vec(step(), 0..12),
        seed: u64,
        client: bool,
    ) {
        let to = if client { Role::Client } else { Role::Server };
        let (wire, expected) = script(to.peer(), &steps);
        let limits = Limits { max_control_per_second: 0, ..Limits::default() };
        for split in [Split::Whole, Split::Bytewise, Split::Random(seed)] {
            let mut pair = Pair::with(split, &limits, None);
            pair.inject(to, &wire);
            pair.deliver(to);
            prop_assert_eq!(&pair.events(to), &expected, "{:?}", split);
            prop_assert_eq!(pair.connection(to).held(), 0);
        }
    }

    #[test]
    fn any_bytes_keep_the_laws(data in noise()) {
        fuzzing::frame(&data);
    }
}

#[test]
fn committed_corpus_keeps_the_laws() {
    replay("frame", fuzzing::frame);
}

/// Runs a fuzz target's body on its committed corpus.
pub(crate) fn replay(target: &str, body: impl Fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut seeds = 0;
    for entry in std::fs::read_dir(folder.join(target)).unwrap() {
        body(&std::fs::read(entry.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds > 0, "the corpus of {target} is there");
}
