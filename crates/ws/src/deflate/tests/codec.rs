use proptest::prelude::*;
use zlib_rs::{Deflate, DeflateFlush};

use crate::Role;
use crate::deflate::{
    Agreement, Error, Settings, State, answer, compress_fresh, offer, parse_offers, pool,
};

const MIB: usize = 1024 * 1024;

fn agree(settings: &Settings) -> Agreement {
    let offers = parse_offers([&offer(settings).unwrap()]).unwrap();
    answer(&offers, settings).unwrap().0
}

/// A server and a client. `keep` is whether windows are kept from message to message.
fn pair(bits: u8, keep: bool) -> (State, State) {
    let agreement = agree(&Settings {
        server_no_context_takeover: !keep,
        client_no_context_takeover: !keep,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
        min_size: 0,
        ..Settings::default()
    });
    (State::new(Role::Server, &agreement), State::new(Role::Client, &agreement))
}

/// Feeds a message in pieces of `size` bytes.
fn inflate(state: &mut State, wire: &[u8], size: usize, limit: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for piece in wire.chunks(size) {
        state.decompress(piece, false, limit, &mut out)?;
    }
    state.decompress(&[], true, limit, &mut out)?;
    Ok(out)
}

/// One message, whole.
fn inflate_whole(state: &mut State, wire: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    state.decompress(wire, true, MIB, &mut out).map(|()| out)
}

/// Text that repeats itself at distances of about `period` bytes.
fn text(length: usize, period: usize) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut text: Vec<u8> = Vec::with_capacity(length);
    while text.len() < length {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let fresh = b'a' + (seed >> 24) as u8 % 26;
        text.push(if text.len() < period { fresh } else { text[text.len() - period] });
    }
    text
}

/// Bytes without order.
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 7_u64;
    let step = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    };
    (0..length).map(step).collect()
}

/// A gibibyte of zeros: one flushed run, over and over.
fn bomb() -> Vec<u8> {
    let mut deflate = Deflate::new(9, false, 15);
    let mut run = Vec::new();
    for _ in 0..2 {
        let mut out = vec![0; 64 * 1024];
        let before = deflate.total_out();
        deflate.compress(&vec![0; MIB], &mut out, DeflateFlush::FullFlush).unwrap();
        out.truncate((deflate.total_out() - before) as usize);
        run = out;
    }
    let mut bomb = run.repeat(1024);
    bomb.truncate(bomb.len() - 4);
    bomb
}

/// The messages of RFC 7692 §7.2.3, all of which say `Hello`.
const HELLOS: [&[u8]; 5] = [
    &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
    &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
    &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
    &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    // A final block whose sender left the last zero byte out.
    &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
];
/// `Hello` as a reference to the `Hello` before (RFC 7692 §7.2.3.2).
const AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];

#[test]
fn examples_of_the_rfc_however_they_are_cut() {
    for keep in [false, true] {
        let (mut server, _) = pair(15, keep);
        for (wire, size) in HELLOS.iter().flat_map(|wire| (1..=wire.len()).map(move |n| (wire, n)))
        {
            assert_eq!(inflate(&mut server, wire, size, 5).unwrap(), b"Hello", "{wire:x?} {size}");
            assert_eq!(inflate_whole(&mut server, wire).unwrap(), b"Hello");
            assert_eq!(inflate(&mut server, wire, size, 4), Err(Error::TooBig));
            server = pair(15, keep).0;
        }
    }
}

#[test]
fn the_window_is_kept_when_that_was_agreed_and_only_then() {
    for hello in HELLOS {
        let (mut server, mut client) = pair(15, true);
        assert_eq!(inflate_whole(&mut server, hello).unwrap(), b"Hello");
        assert_eq!(inflate_whole(&mut server, AGAIN).unwrap(), b"Hello", "{hello:x?}");
        assert_eq!(inflate_whole(&mut client, AGAIN), Err(Error::Corrupt), "the other direction");

        let (mut server, _) = pair(15, false);
        assert_eq!(inflate_whole(&mut server, hello).unwrap(), b"Hello");
        assert_eq!(inflate_whole(&mut server, AGAIN), Err(Error::Corrupt), "{hello:x?}");
    }
}

#[test]
fn final_blocks_do_not_end_the_window() {
    let (mut server, _) = pair(15, true);
    for _ in 0..3 {
        assert_eq!(inflate_whole(&mut server, HELLOS[2]).unwrap(), b"Hello");
        for _ in 0..3 {
            assert_eq!(inflate_whole(&mut server, AGAIN).unwrap(), b"Hello");
        }
    }
    // What came in between counts too: the reference is now to `World`.
    let world = [&[0x00, 0x05, 0x00, 0xfa, 0xff][..], b"World", &[0x00]].concat();
    assert_eq!(inflate_whole(&mut server, &world).unwrap(), b"World");
    assert_eq!(inflate_whole(&mut server, &[0x03, 0x00, 0x00]).unwrap(), b"");
    assert_eq!(inflate_whole(&mut server, AGAIN).unwrap(), b"Horld");
    // Within a message: a final block, then a reference to what it held.
    let (mut server, _) = pair(15, false);
    let twice = [HELLOS[4], AGAIN].concat();
    for size in 1..=twice.len() {
        assert_eq!(inflate(&mut server, &twice, size, 10).unwrap(), b"HelloHello");
    }
}

#[test]
fn a_flood_of_final_blocks_is_cut_off() {
    let (mut server, _) = pair(15, true);
    let some = [3, 0].repeat(200);
    assert_eq!(inflate_whole(&mut server, &some).unwrap(), b"");
    // The count is per message.
    assert_eq!(inflate_whole(&mut server, &some).unwrap(), b"");
    assert_eq!(inflate_whole(&mut server, &[3, 0].repeat(257)), Err(Error::Corrupt));
}

#[test]
fn empty_messages() {
    let (mut server, mut client) = pair(15, true);
    for wire in [&[0x00][..], &[], &[0x02, 0x00], &[0x00, 0x00, 0x00, 0xff, 0xff, 0x00]] {
        assert_eq!(inflate_whole(&mut server, wire).unwrap(), b"", "{wire:x?}");
        assert_eq!(inflate(&mut server, wire, 1, 0).unwrap(), b"", "{wire:x?}");
        assert_eq!(inflate_whole(&mut server, HELLOS[0]).unwrap(), b"Hello");
    }
    let mut out = Vec::new();
    assert!(!client.compress(b"", &mut out), "nothing is smaller than nothing");
}

#[test]
fn what_is_small_or_has_no_order_stays_as_it_is() {
    let agreement = agree(&Settings { min_size: 64, ..Settings::default() });
    for role in [Role::Server, Role::Client] {
        let mut state = State::new(role, &agreement);
        let mut out = b"before".to_vec();
        assert!(!state.compress(&[0; 63], &mut out));
        assert!(!state.compress(&noise(5000), &mut out));
        assert_eq!(out, b"before");
        assert!(state.compress(&[0; 64], &mut out));
        assert!(out.starts_with(b"before") && out.len() < 70);
    }
}

#[test]
fn a_message_that_went_uncompressed_is_not_referred_to() {
    let (mut server, mut client) = pair(15, true);
    let noise = noise(3000);
    let mut wire = Vec::new();
    assert!(!server.compress(&noise, &mut wire));
    let doubled = noise.repeat(2);
    assert!(server.compress(&doubled, &mut wire));
    assert_eq!(inflate_whole(&mut client, &wire).unwrap(), doubled);
}

#[test]
fn a_window_of_8_bits_is_read_but_not_written() {
    let mut agreement = agree(&Settings { min_size: 0, ..Settings::default() });
    agreement.client_max_window_bits = 8;
    let mut client = State::new(Role::Client, &agreement);
    let mut out = Vec::new();
    assert!(!client.compress(&[b'a'; 1000], &mut out) && out.is_empty());
    let mut server = State::new(Role::Server, &agreement);
    assert_eq!(inflate_whole(&mut server, HELLOS[0]).unwrap(), b"Hello");
    assert!(!compress_fresh(&[b'a'; 1000], 1, 8, &mut out) && out.is_empty());
    assert!(!compress_fresh(&[b'a'; 1000], 1, 16, &mut out) && out.is_empty());
}

#[test]
fn a_kept_window_makes_a_repeated_message_tiny() {
    let message = text(2000, 1500);
    for (keep, most) in [(true, 100), (false, 2000)] {
        let (mut server, mut client) = pair(15, keep);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        assert!(server.compress(&message, &mut first) && server.compress(&message, &mut second));
        assert!(second.len() < most && (second.len() == first.len()) != keep);
        assert_eq!(inflate_whole(&mut client, &first).unwrap(), message);
        assert_eq!(inflate_whole(&mut client, &second).unwrap(), message);
    }
}

#[test]
fn a_shared_block_fits_between_a_connection_s_own() {
    let (own, shared) = (text(2000, 300), text(5000, 700));
    let mut block = Vec::new();
    assert!(compress_fresh(&shared, 6, 9, &mut block));
    for keep in [false, true] {
        let (mut server, mut client) = pair(12, keep);
        for _ in 0..3 {
            let mut wire = Vec::new();
            assert!(server.compress(&own, &mut wire));
            assert_eq!(inflate_whole(&mut client, &wire).unwrap(), own);
            assert_eq!(inflate_whole(&mut client, &block).unwrap(), shared);
            server.restart();
        }
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let bomb = bomb();
    assert!(bomb.len() < 2 * MIB);
    for limit in [0, 1, 1000, MIB] {
        let (mut server, _) = pair(15, true);
        let mut out = Vec::new();
        assert_eq!(server.decompress(&bomb, true, limit, &mut out), Err(Error::TooBig));
        assert!(out.len() == limit && out.capacity() <= limit + 8, "{}", out.capacity());
        assert_eq!(inflate(&mut server, &bomb, 1, limit), Err(Error::TooBig));
    }
}

#[test]
fn memory_follows_what_was_inflated() {
    let (mut server, mut client) = pair(15, false);
    let message = text(10_000, 100);
    let (mut wire, mut out) = (Vec::new(), Vec::new());
    assert!(server.compress(&message, &mut wire));
    client.decompress(&wire, true, usize::MAX, &mut out).unwrap();
    assert_eq!(out, message);
    assert!(out.capacity() <= 2 * message.len());
}

#[test]
fn a_message_of_just_the_limit_passes() {
    let (mut server, mut client) = pair(15, true);
    for length in [1, 255, 256, 257, 4095, 4096, 4097, 65_536, 300_000] {
        let message = text(length + 20, 10);
        let mut wire = Vec::new();
        assert!(server.compress(&message, &mut wire));
        assert_eq!(inflate(&mut client, &wire, 50, message.len()).unwrap(), message);
        wire.clear();
        assert!(server.compress(&message, &mut wire));
        let less = message.len() - 1;
        assert_eq!(inflate(&mut client, &wire, 50, less), Err(Error::TooBig));
        (server, client) = pair(15, true);
    }
}

#[test]
fn a_message_that_was_cut_short_is_corrupt() {
    for message in [b"Hello, Hello, Hello".to_vec(), text(600, 100), text(70_000, 40_000)] {
        let mut wire = Vec::new();
        assert!(compress_fresh(&message, 1, 15, &mut wire));
        for end in (1..wire.len()).rev().take(500) {
            let (mut server, _) = pair(15, true);
            let result = inflate_whole(&mut server, &wire[..end]);
            assert_eq!(result, Err(Error::Corrupt), "{end} of {}", wire.len());
        }
    }
}

#[test]
fn corrupt_streams() {
    for wire in [
        &[0xff][..],
        &[0x07],
        &[0x06, 0x00],
        // A stored block whose length does not match its check.
        &[0x00, 0x05, 0x00, 0x00, 0x00, 0x48],
        // The tail that a sender must remove.
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff],
        // A reference to before the beginning.
        AGAIN,
    ] {
        let (mut server, _) = pair(15, true);
        assert_eq!(inflate_whole(&mut server, wire), Err(Error::Corrupt), "{wire:x?}");
        assert_eq!(inflate(&mut server, wire, 1, 1000), Err(Error::Corrupt), "{wire:x?}");
    }
}

#[test]
fn compressors_return_to_the_pool_of_the_thread() {
    let on_a_fresh_thread = || {
        let (mut server, mut client) = pair(15, false);
        let mut wire = Vec::new();
        assert!(server.compress(&[b'a'; 1000], &mut wire));
        assert_eq!(pool::idle(), (1, 0));
        let mut out = Vec::new();
        client.decompress(&wire[..3], false, 1000, &mut out).unwrap();
        assert_eq!(pool::idle(), (1, 0), "held until the message ends");
        client.decompress(&wire[3..], true, 1000, &mut out).unwrap();
        assert_eq!(pool::idle(), (1, 1));
        for bits in 9..=15 {
            wire.clear();
            assert!(pair(bits, false).0.compress(&[b'a'; 1000], &mut wire));
            // Ten messages at once, each half read.
            let mut clients: Vec<_> = (0..10).map(|_| (pair(bits, false).1, Vec::new())).collect();
            for (client, out) in &mut clients {
                client.decompress(&wire[..3], false, 1000, out).unwrap();
            }
            for (client, out) in &mut clients {
                client.decompress(&wire[3..], true, 1000, out).unwrap();
                assert_eq!(*out, [b'a'; 1000]);
            }
        }
        let (compressors, inflaters) = pool::idle();
        assert_eq!((compressors, inflaters), (7, 4));
        // What keeps its window is not pooled.
        let (mut server, _) = pair(14, true);
        wire.clear();
        assert!(server.compress(&[b'a'; 1000], &mut wire));
        drop(server);
        assert_eq!(pool::idle(), (compressors, inflaters));
    };
    std::thread::spawn(on_a_fresh_thread).join().unwrap();
}

#[test]
fn a_state_may_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<State>();
}

/// Messages with a mixture of order and none.
fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        (any::<u8>(), 0..3000_usize).prop_map(|(byte, length)| vec![byte; length]),
        (0..5000_usize, 1..2000_usize).prop_map(|(length, period)| text(length, period)),
    ];
    let message = prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    prop::collection::vec(message, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_compressed_comes_back(
        messages in messages(),
        bits in 9..=15_u8,
        keep in any::<bool>(),
        level in 0..=9_u8,
        size in 1..600_usize,
    ) {
        let mut agreement = agree(&Settings {
            server_no_context_takeover: !keep,
            server_max_window_bits: bits,
            min_size: 0,
            ..Settings::default()
        });
        agreement.level = level;
        let mut server = State::new(Role::Server, &agreement);
        let mut client = State::new(Role::Client, &agreement);
        for message in &messages {
            let mut wire = Vec::new();
            if server.compress(message, &mut wire) {
                prop_assert!(wire.len() < message.len());
                prop_assert_eq!(&inflate(&mut client, &wire, size, message.len()).unwrap(), message);
            } else {
                prop_assert!(wire.is_empty());
            }
        }
    }

    #[test]
    fn damage_is_an_error_or_stays_within_the_limit(
        message in messages(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        size in 1..100_usize,
    ) {
        let mut wire = Vec::new();
        let mut message = message.concat();
        message.extend([b'a'; 100]);
        prop_assume!(compress_fresh(&message, 1, 15, &mut wire));
        *at.get_mut(&mut wire) ^= flip;
        let (mut whole, mut pieces) = (pair(15, true).0, pair(15, true).0);
        let mut out = Vec::new();
        let result = whole.decompress(&wire, true, 5000, &mut out);
        prop_assert!(out.len() <= 5000);
        prop_assert_eq!(inflate(&mut pieces, &wire, size, 5000), result.map(|()| out));
    }
}
