//! Parsing, unmasking, UTF-8 and compression, beside what `memcpy` does with as many bytes. Prints
//! a table. A harness of its own: it needs rates beside each other, not a history.
#![allow(clippy::cast_precision_loss, reason = "figures for people")]
#![allow(clippy::expect_used, reason = "a benchmark may stop")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use madang_ws::deflate::{Settings, State, answer, compress_fresh, parse_offers};
use madang_ws::testing::{apply_mask, frame, is_text};
use madang_ws::{Connection, Event, Input, Limits, Role};

/// Short rounds of each measurement; the best counts, which is the one least disturbed.
const ROUNDS: usize = 40;
const ROUND: Duration = Duration::from_millis(8);

/// Seconds that one call takes.
fn seconds(mut call: impl FnMut()) -> f64 {
    let mut calls: u32 = 1;
    // As many calls as fill a round.
    let mut took = time(calls, &mut call);
    while took < ROUND && calls < u32::MAX / 2 {
        calls *= 2;
        took = time(calls, &mut call);
    }
    let best = (0..ROUNDS).map(|_| time(calls, &mut call)).min().unwrap_or(took);
    best.as_secs_f64() / f64::from(calls)
}

fn time(calls: u32, call: &mut impl FnMut()) -> Duration {
    let began = Instant::now();
    for _ in 0..calls {
        call();
    }
    began.elapsed()
}

/// GB/s of copying `len` bytes.
fn memcpy(len: usize) -> f64 {
    let (from, mut to) = (vec![7_u8; len], vec![0_u8; len]);
    let took = seconds(|| {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
    });
    len as f64 / took / 1e9
}

fn row(what: &str, len: usize, rate: &str, gigabytes: f64, memory: f64) {
    let share = 100.0 * gigabytes / memory;
    println!("| {what} | {} | {rate} | {gigabytes:.1} | {memory:.1} | {share:.0} % |", size(len));
}

fn size(len: usize) -> String {
    match len {
        0..1024 => format!("{len} B"),
        1024..1_048_576 => format!("{} KiB", len / 1024),
        _ => format!("{} MiB", len / 1_048_576),
    }
}

/// Frames of a client in one read of 64 KiB or one frame, whichever is more, as a connection takes
/// them: header, unmasking in place, and the UTF-8 of text.
fn parse(what: &str, first: u8, len: usize) {
    let one = if first == 0x82 {
        frame(Role::Client, first, &vec![b'a'; len])
    } else {
        // A key of zeros costs the same and leaves text text, read after read.
        let mut bytes = frame(Role::Client, first, &vec![b'a'; len]);
        let at = bytes.len() - len;
        bytes[at..].fill(b'a');
        bytes[at - 4..at].fill(0);
        bytes
    };
    let count = (65_536 / one.len()).max(1);
    let mut bytes = one.repeat(count);
    let mut connection = Connection::new(Role::Server, &Limits::default(), None);
    let now = Instant::now();
    let took = seconds(|| {
        let mut input = Input::new(&mut bytes);
        let mut seen = 0;
        while let Some(event) = connection.handle_input(&mut input, now) {
            assert!(matches!(event, Event::Message { .. }));
            seen += 1;
        }
        assert_eq!(seen, count);
    });
    let frames = count as f64 / took;
    let rate = format!("{:.1} M frames/s, {:.0} ns each", frames / 1e6, 1e9 / frames);
    row(what, len, &rate, frames * len as f64 / 1e9, memcpy(len));
}

fn unmask(len: usize) {
    let mut bytes = vec![7_u8; len];
    let took = seconds(|| apply_mask(black_box(&mut bytes), [0x37, 0xFA, 0x21, 0x3D]));
    row("unmask", len, "", len as f64 / took / 1e9, memcpy(len));
}

fn utf8(what: &str, unit: &str, len: usize) {
    let text = unit.repeat(len / unit.len());
    let took = seconds(|| assert!(is_text(black_box(text.as_bytes()))));
    row(what, len, "", text.len() as f64 / took / 1e9, memcpy(len));
}

/// About a kilobyte of JSON with names, numbers and text that do not repeat as a whole.
fn json(seed: usize) -> Vec<u8> {
    let mut text = String::from("{\"room\":\"lobby\",\"messages\":[");
    for n in seed..seed + 11 {
        let (user, price) = (n * 7919 % 1000, n * 104_729 % 100_000);
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{{\"id\":{n},\"from\":\"user{user}\",\"text\":\"서울 order {price} of {user}\",\"price\":{price},\"open\":{}}},",
            user % 2 == 0
        );
    }
    text.truncate(text.len() - 1);
    text.push_str("]}");
    text.into_bytes()
}

fn deflate(level: u8) {
    let messages: Vec<Vec<u8>> = (0..64).map(|n| json(n * 11)).collect();
    let len = messages.iter().map(Vec::len).sum::<usize>() / messages.len();
    let settings = Settings { level, ..Settings::default() };
    let offers = parse_offers([&http::HeaderValue::from_static("permessage-deflate")])
        .expect("the plain offer is read");
    let (mut agreement, _) = answer(&offers, &settings).expect("the plain offer is answered");
    let mut out = Vec::new();

    let mut fresh = 0;
    let each = |took: f64| 1e6 * took / messages.len() as f64;
    let took = seconds(|| {
        fresh = 0;
        for message in &messages {
            out.clear();
            assert!(compress_fresh(message, level, 15, &mut out));
            fresh += out.len();
        }
    });
    compressed(&format!("deflate {level}, fresh window"), len, each(took), fresh, &messages);

    agreement.server_no_context_takeover = false;
    agreement.client_no_context_takeover = false;
    let (mut kept, mut sender) = (0, State::new(Role::Server, &agreement));
    let took = seconds(|| {
        kept = 0;
        for message in &messages {
            out.clear();
            assert!(sender.compress(message, &mut out));
            kept += out.len();
        }
    });
    compressed(&format!("deflate {level}, kept window"), len, each(took), kept, &messages);

    agreement.server_no_context_takeover = true;
    let packed: Vec<Vec<u8>> = messages
        .iter()
        .map(|message| {
            let mut packed = Vec::new();
            assert!(compress_fresh(message, level, 15, &mut packed));
            packed
        })
        .collect();
    let mut receiver = State::new(Role::Client, &agreement);
    let took = seconds(|| {
        for message in &packed {
            out.clear();
            receiver.decompress(message, true, 1 << 20, &mut out).expect("what was compressed");
        }
    });
    compressed(&format!("inflate {level}, fresh window"), len, each(took), fresh, &messages);
}

fn compressed(what: &str, len: usize, micros: f64, sum: usize, messages: &[Vec<u8>]) {
    let whole = messages.iter().map(Vec::len).sum::<usize>();
    let rate = format!("{micros:.1} µs, {} %", 100 * sum / whole);
    let gigabytes = len as f64 / micros / 1e3;
    let share = 100.0 * gigabytes / memcpy(len);
    println!(
        "| {what} | {len} B JSON | {rate} | {gigabytes:.2} | {:.1} | {share:.2} % |",
        memcpy(len)
    );
}

fn main() {
    println!("| what | at a time | | GB/s | memcpy GB/s | share |\n|---|---|---|---|---|---|");
    for len in [16, 128, 1024, 16_384] {
        parse("binary frames", 0x82, len);
        parse("text frames", 0x81, len);
    }
    for len in [128, 1024, 16_384, 64 << 20] {
        unmask(len);
    }
    for len in [128, 1024, 16_384, 64 << 20] {
        utf8("UTF-8, ASCII", "a", len);
        utf8("UTF-8, Korean", "가", len);
    }
    for level in [1, 3, 6] {
        deflate(level);
    }
}
