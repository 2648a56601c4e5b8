//! RFC 7692 §6–7.2 in a connection: compressed messages.

use proptest::prelude::*;

use super::noise;
use crate::deflate::{self, Agreement, Settings, State};
use crate::frame::OpCode;
use crate::testing::{Pair, Split, frame, frames, in_every_split};
use crate::{Error, Kind, Limits, PeerMisbehaved, Role};

/// What both sides agree on when neither, or each, keeps its window.
fn agreement(keep: bool) -> Agreement {
    let settings = Settings {
        server_no_context_takeover: !keep,
        client_no_context_takeover: !keep,
        ..Settings::default()
    };
    let offers = deflate::parse_offers([&deflate::offer(&settings).unwrap()]).unwrap();
    deflate::answer(&offers, &settings).unwrap().0
}

fn pair(split: Split, keep: bool) -> Pair {
    Pair::with(split, &Limits::default(), Some(agreement(keep)))
}

fn small(split: Split) -> Pair {
    let limits = Limits { max_message: 10_000, ..Limits::default() };
    Pair::with(split, &limits, Some(agreement(false)))
}

fn compressed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(deflate::compress_fresh(payload, 6, 15, &mut out));
    out
}

fn lyrics(len: usize) -> String {
    "달빛 아래 마당에서 ".repeat(len / 20)
}

#[test]
fn compressed_messages_pass_both_ways() {
    for keep in [false, true] {
        in_every_split(|split| {
            let mut pair = pair(split, keep);
            for len in [20, 200, 300, 5_000, 20_000] {
                let text = lyrics(len);
                for from in [Role::Client, Role::Server] {
                    for kind in [Kind::Text, Kind::Binary] {
                        pair.send(from, kind, text.as_bytes());
                        pair.settle();
                        pair.assert_messages(from.peer(), &[(kind, text.as_bytes())]);
                    }
                }
            }
        });
    }
}

#[test]
fn compressed_frame_has_rsv1_and_the_shortest_length() {
    let mut pair = pair(Split::Whole, false);
    let mut lengths = std::collections::BTreeSet::new();
    for len in [140, 380, 5_000, 100_000, 200_000] {
        for from in [Role::Client, Role::Server] {
            // A part that does not compress and one that does.
            let mut payload = noise(len / 3);
            payload.resize(len, b'a');
            pair.send(from, Kind::Binary, &payload);
            let sent = pair.take_sent(from);
            // `frames` refuses lengths that are not minimal.
            let frames = frames(from, &sent);
            let [(header, body)] = &frames[..] else { panic!("one frame") };
            assert!(header.rsv1 && header.fin && header.opcode == OpCode::Binary);
            assert!(body.len() < payload.len());
            lengths.insert(crate::frame::header_len(header.len, false));
            pair.inject(from.peer(), &sent);
            pair.settle();
            pair.assert_messages(from.peer(), &[(Kind::Binary, &payload)]);
        }
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [2, 4, 10]);
}

#[test]
fn short_or_random_messages_go_uncompressed() {
    let mut pair = pair(Split::Whole, false);
    let random = noise(500);
    for payload in [&b"short"[..], &random] {
        pair.send(Role::Server, Kind::Binary, payload);
        let sent = pair.take_sent(Role::Server);
        assert_eq!(sent, frame(Role::Server, 0x82, payload));
    }
}

#[test]
fn rsv1_without_the_extension() {
    in_every_split(|split| {
        let mut pair = Pair::new(split);
        pair.inject_frames(Role::Server, &[(0xC1, &compressed(b"aaaaaaaaaaaaaaaaa"))]);
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, PeerMisbehaved::ReservedBits.into());
    });
}

#[test]
fn rsv1_belongs_to_the_first_data_frame() {
    for bad in
        [&[(0x41, &b""[..]), (0xC0, b"")][..], &[(0xC9, b"")], &[(0xC8, b"")], &[(0xCA, b"x")]]
    {
        in_every_split(|split| {
            let mut pair = pair(split, false);
            pair.inject_frames(Role::Server, bad);
            pair.deliver(Role::Server);
            pair.assert_failed(Role::Server, PeerMisbehaved::ReservedBits.into());
        });
    }
}

#[test]
fn fragments_of_a_compressed_message() {
    in_every_split(|split| {
        let mut pair = pair(split, false);
        let text = lyrics(400);
        let wire = compressed(text.as_bytes());
        let (a, b) = wire.split_at(wire.len() / 2);
        pair.inject_frames(
            Role::Server,
            &[(0x41, a), (0x8A, b""), (0x00, b), (0x80, b""), (0x81, b"plain")],
        );
        pair.deliver(Role::Server);
        let pong = pair.events(Role::Server);
        assert_eq!(pong.len(), 3, "{pong:?}");
        let payload = |i: usize| match &pong[i] {
            crate::Event::Message { payload, .. } => payload.as_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!((payload(1), payload(2)), (text, "plain".to_owned()));
        assert_eq!(pair.connection(Role::Server).held(), 0);
    });
}

#[test]
fn bomb_is_refused_at_the_limit() {
    let wire = compressed(&vec![0; 1_000_000]);
    assert!(wire.len() < 2_000);
    in_every_split(|split| {
        let mut pair = small(split);
        pair.inject_frames(Role::Server, &[(0xC2, &wire)]);
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, Error::TooBig);

        let mut pair = small(split);
        let (a, b) = wire.split_at(500);
        pair.inject_frames(Role::Server, &[(0x42, a), (0x80, b)]);
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, Error::TooBig);
    });
}

#[test]
fn message_at_the_limit_inflates() {
    in_every_split(|split| {
        let mut pair = small(split);
        pair.inject_frames(Role::Server, &[(0xC2, &compressed(&[7; 10_000]))]);
        pair.deliver(Role::Server);
        pair.assert_messages(Role::Server, &[(Kind::Binary, &[7; 10_000])]);
    });
}

#[test]
fn what_does_not_inflate_is_refused() {
    in_every_split(|split| {
        let mut pair = pair(split, false);
        pair.inject_frames(Role::Server, &[(0xC2, &[0xFF; 30])]);
        pair.deliver(Role::Server);
        pair.assert_failed(Role::Server, PeerMisbehaved::BadDeflate.into());
    });
}

#[test]
fn compressed_text_must_be_utf8() {
    in_every_split(|split| {
        for tail in [&b"\xED\xA0\x80"[..], b"\xFF", b"\xEC\x95"] {
            let text = [lyrics(200).as_bytes(), tail].concat();
            let mut pair = pair(split, false);
            pair.inject_frames(Role::Server, &[(0xC1, &compressed(&text))]);
            pair.deliver(Role::Server);
            pair.assert_failed(Role::Server, PeerMisbehaved::InvalidUtf8.into());
        }
    });
}

#[test]
fn a_compressed_message_costs_what_has_come_of_it_until_it_is_whole() {
    let bomb = compressed(&vec![0; 1 << 20]);
    let mut pair = pair(Split::Whole, false);
    pair.inject_frames(Role::Server, &[(0x42, &bomb[..bomb.len() - 1])]);
    pair.deliver(Role::Server);
    assert!(bomb.len() < 2048 && pair.connection(Role::Server).held() < 8192);
    pair.inject_frames(Role::Server, &[(0x80, &bomb[bomb.len() - 1..])]);
    pair.deliver(Role::Server);
    pair.assert_messages(Role::Server, &[(Kind::Binary, &vec![0; 1 << 20])]);
}

#[test]
fn a_compressed_message_without_end_is_too_big_before_its_end() {
    // Stored blocks come out as they go in.
    let stored = [&[0, 200, 0, !200, 0xFF][..], &[7; 200]].concat();
    let mut pair = small(Split::Whole);
    pair.inject_frames(Role::Server, &[(0x42, &stored)]);
    for _ in 0..400 {
        pair.inject_frames(Role::Server, &[(0x00, &stored)]);
    }
    pair.deliver(Role::Server);
    pair.assert_failed(Role::Server, Error::TooBig);
}

#[test]
fn shared_compressed_frame_among_own_ones() {
    for keep in [false, true] {
        in_every_split(|split| {
            let mut pair = pair(split, keep);
            let text = lyrics(400);
            let other = "별빛 ".repeat(70);
            let mut shared = Vec::new();
            let body = compressed(other.as_bytes());
            crate::frame::encode_header(
                &mut shared,
                true,
                true,
                OpCode::Text,
                body.len() as u64,
                None,
            );
            shared.extend(&body);
            for _ in 0..3 {
                pair.send(Role::Server, Kind::Text, text.as_bytes());
                pair.inject(Role::Client, &shared);
                pair.connection(Role::Server).restart_compressor();
            }
            pair.settle();
            let both = [(Kind::Text, text.as_bytes()), (Kind::Text, other.as_bytes())];
            pair.assert_messages(Role::Client, &both.repeat(3));
        });
    }
}

/// A message that was made last may come first, as it was not compressed.
#[test]
fn a_plain_message_may_overtake_compressed_ones() {
    for keep in [false, true] {
        in_every_split(|split| {
            for place in 0..=3 {
                let mut pair = pair(split, keep);
                let text = lyrics(400);
                let mut wire: Vec<Vec<u8>> = (0..3)
                    .map(|_| {
                        pair.send(Role::Server, Kind::Text, text.as_bytes());
                        pair.take_sent(Role::Server)
                    })
                    .collect();
                let mut plain = Vec::new();
                let sender = pair.connection(Role::Server);
                sender.send_plain(Kind::Text, text.as_bytes(), &mut plain).unwrap();
                assert_eq!(plain, frame(Role::Server, 0x81, text.as_bytes()));
                wire.insert(place, plain);
                pair.send(Role::Server, Kind::Text, text.as_bytes());
                wire.push(pair.take_sent(Role::Server));
                pair.inject(Role::Client, &wire.concat());
                pair.settle();
                let said = [(Kind::Text, text.as_bytes())];
                pair.assert_messages(Role::Client, &said.repeat(5));
            }
        });
    }
    let mut pair = pair(Split::Whole, true);
    let sender = pair.connection(Role::Server);
    sender.close(crate::CloseCode::NORMAL, "", std::time::Instant::now()).unwrap();
    assert!(sender.send_plain(Kind::Text, b"late", &mut Vec::new()).is_err());
}

#[test]
fn idle_connection_without_takeover_holds_nothing() {
    let mut pair = pair(Split::Random(3), false);
    for from in [Role::Client, Role::Server] {
        pair.send(from, Kind::Text, lyrics(500).as_bytes());
        pair.settle();
        assert_eq!(pair.connection(from).held() + pair.connection(from.peer()).held(), 0);
    }
}

#[test]
fn failure_inside_a_compressed_message_frees_the_inflater() {
    let mut pair = pair(Split::Bytewise, true);
    let wire = compressed(lyrics(500).as_bytes());
    pair.inject_frames(Role::Server, &[(0x41, &wire[..20])]);
    pair.deliver(Role::Server);
    assert!(pair.connection(Role::Server).held() >= size_of::<State>());
    pair.cut(Role::Server);
    pair.assert_ended(Role::Server);
    assert_eq!(pair.connection(Role::Server).held(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_messages_pass_in_any_split(
        texts in prop::collection::vec(prop_oneof!["[가-힣]{0,300}", "(abc|마당){0,400}", "[ -~]{0,300}"], 1..8),
        keep: bool,
        seed: u64,
    ) {
        for split in [Split::Whole, Split::Bytewise, Split::Random(seed)] {
            let mut pair = pair(split, keep);
            for from in [Role::Client, Role::Server] {
                for text in &texts {
                    pair.send(from, Kind::Text, text.as_bytes());
                }
            }
            pair.settle();
            let expected: Vec<_> = texts.iter().map(|t| (Kind::Text, t.as_bytes())).collect();
            pair.assert_messages(Role::Client, &expected);
            pair.assert_messages(Role::Server, &expected);
        }
    }
}
