//! Attacks on sessions that outlive their connections: Socket.IO over polling and WebSockets.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use super::{
    peer::{Peer, frame},
    yard::Yard,
};

const SIO: &str = "/socket.io/?EIO=4&transport=";

/// A request over a connection of its own, and the answer's head and body.
fn ask(server: SocketAddr, method: &str, target: &str, body: &str) -> (Peer, String) {
    let mut peer = Peer::connect(server);
    let length = body.len();
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
    assert!(peer.send(request.as_bytes()));
    (peer, String::new())
}

fn answered(server: SocketAddr, method: &str, target: &str, body: &str) -> String {
    let (mut peer, _) = ask(server, method, target, body);
    let head = peer.head();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let body = peer.read(length.map_or(0, |length| length.parse().unwrap()));
    String::from_utf8(body.unwrap_or_default()).unwrap()
}

/// The name of a new session.
fn session(server: SocketAddr) -> String {
    let open = answered(server, "GET", &format!("{SIO}polling"), "");
    let after = open.split("\"sid\":\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

/// Begins a session, and leaves it in one of many ways.
fn abandon(server: SocketAddr, way: usize) {
    let sid = session(server);
    let poll = format!("{SIO}polling&sid={sid}");
    if way.is_multiple_of(2) {
        answered(server, "POST", &poll, "40");
    }
    match way % 5 {
        // A poller that hangs up.
        0 => drop(ask(server, "GET", &poll, "")),
        // A WebSocket that asks and goes, before and after the probe.
        1 => drop(Peer::upgraded(server, &format!("{SIO}websocket&sid={sid}"), "")),
        2 | 3 => {
            let mut peer = Peer::upgraded(server, &format!("{SIO}websocket&sid={sid}"), "");
            assert!(peer.send(&frame(0x81, b"2probe")));
            assert_eq!(peer.frame(), Some((0x81, b"3probe".to_vec())));
            if way % 5 == 3 {
                let burst = [frame(0x81, b"5"), frame(0x81, b"42[\"x\"]")].concat();
                peer.send(&burst);
            }
        }
        // Somebody who never comes back.
        _ => {}
    }
}

/// At 200 a second for a minute, or for as long as is asked for.
#[test]
fn sessions_that_are_left_behind_leave_nothing_behind() {
    let seconds: u64 =
        std::env::var("ABANDON_SECONDS").ok().map_or(60, |seconds| seconds.parse().unwrap());
    let yard = Yard::start(&[
        "--socketio-ping-interval",
        "1",
        "--socketio-ping-timeout",
        "1",
        "--socketio-upgrade-timeout",
        "1",
    ]);
    let server = yard.address;
    // What the allocator and the runtime take for the traffic itself is no loss.
    leave_behind(server, Duration::from_secs(2));
    yard.empties();
    let before = yard.resident();
    let count = leave_behind(server, Duration::from_secs(seconds));
    yard.empties();
    let after = yard.resident();
    println!("{count} sessions left behind: {before} KiB before, {after} KiB after");
    assert!(after < before + 4 * 1024, "{before} KiB before, {after} KiB after");
    yard.held("sessions left behind", 32);
}

fn leave_behind(server: SocketAddr, time: Duration) -> usize {
    const AT_ONCE: usize = 4;
    let until = Instant::now() + time;
    let pace = Duration::from_millis(1000 * AT_ONCE as u64 / 200);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|first| {
                scope.spawn(move || {
                    let mut next = Instant::now();
                    let mut count = 0;
                    while Instant::now() < until {
                        abandon(server, first + count);
                        count += 1;
                        next += pace;
                        // The pace is what is asked for.
                        thread::sleep(next.saturating_duration_since(Instant::now()));
                    }
                    count
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// A client of Socket.IO that is in.
fn connected(server: SocketAddr) -> Peer {
    let mut peer = Peer::upgraded(server, &format!("{SIO}websocket"), "");
    assert!(peer.frame().is_some_and(|(_, open)| open.starts_with(b"0{")));
    assert!(peer.send(&frame(0x81, b"40")));
    assert!(peer.frame().is_some_and(|(_, sid)| sid.starts_with(b"40{")));
    peer
}

#[test]
fn packets_that_promise_more_than_they_may_end_their_connection() {
    let yard = Yard::start(&[]);
    let deep = format!("42[\"x\",{}{}]", "[".repeat(200_000), "]".repeat(200_000));
    let packets = [
        "451000000000-[\"x\"]",
        "4511-[\"x\"]",
        "451-[\"x\",{\"_placeholder\":true,\"num\":-1}]",
        "451-[\"x\",{\"_placeholder\":true,\"num\":4294967296}]",
        "451-[\"x\",{\"_placeholder\":true,\"num\":\"0\"}]",
        "4518446744073709551616[\"x\"]",
        &deep,
    ];
    for packet in packets.into_iter().cycle().take(200) {
        let mut peer = connected(yard.address);
        peer.send(&frame(0x81, packet.as_bytes()));
        assert_eq!(peer.code(), Some(1002), "{packet:.60}");
    }
    // Attachments that come one by one, each as large as a message may be.
    let mut peer = connected(yard.address);
    let holders: Vec<String> =
        (0..10).map(|num| format!("{{\"_placeholder\":true,\"num\":{num}}}")).collect();
    let head = format!("4510-[\"x\",{}]", holders.join(","));
    peer.send(&frame(0x81, head.as_bytes()));
    for _ in 0..10 {
        peer.send(&frame(0x82, &vec![7; 900_000]));
    }
    assert_eq!(peer.code(), Some(1002));
    yard.empties();
    yard.held("packets that promise too much", 32);
}

#[test]
fn a_million_joins_of_one_client_cost_nobody_anything() {
    let yard = Yard::start(&[]);
    let mut peer = connected(yard.address);
    let mut reader = Peer(peer.0.try_clone().unwrap());
    let refused = thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let (mut answers, mut refused) = (0, 0);
            while answers < 1_000_000 {
                let (_, answer) = reader.frame().unwrap();
                answers += usize::from(answer.starts_with(b"43"));
                refused += usize::from(answer.ends_with(b"}]"));
            }
            refused
        });
        for first in (0..1_000_000).step_by(1_000) {
            let joins: Vec<u8> = (first..first + 1_000)
                .flat_map(|n| frame(0x81, format!("42{n}[\"join\",\"flood-{n}\"]").as_bytes()))
                .collect();
            assert!(peer.send(&joins));
        }
        reader.join().unwrap()
    });
    assert!(refused > 990_000, "{refused} of a million joins were refused");
    drop(peer);
    yard.empties();
    yard.held("a million joins over one connection", 24);
}

/// A topic is a room of as many namespaces as its name has segments.
#[test]
fn one_topic_in_many_namespaces_stalls_nobody() {
    const ROOMS: usize = 110;
    // Each has its lobby besides; the last of them is the one for which there is not enough room.
    const NAMESPACES: usize = 4_000_usize.div_ceil(ROOMS + 1);
    let yard = Yard::start(&["--max-join-rate", "0"]);
    let mut peer = connected(yard.address);
    let mut reader = Peer(peer.0.try_clone().unwrap());
    let namespaces: Vec<(String, String)> = (0..NAMESPACES)
        .map(|deep| match deep {
            0 => (String::new(), "n/".repeat(NAMESPACES)),
            deep => (format!("{},", "/n".repeat(deep)), "n/".repeat(NAMESPACES - deep)),
        })
        .collect();
    let wanted = namespaces.len() * ROOMS;
    let joined = thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let (mut answers, mut joined) = (0, 0);
            while answers < wanted {
                let (_, answer) = reader.frame().unwrap();
                answers += usize::from(answer.starts_with(b"43"));
                joined += usize::from(answer.ends_with(b"[\"ok\"]"));
            }
            joined
        });
        for (namespace, path) in &namespaces {
            if !namespace.is_empty() {
                assert!(peer.send(&frame(0x81, format!("40{namespace}").as_bytes())));
            }
            for room in 0..ROOMS {
                let join = format!("42{namespace}{room}[\"join\",\"{path}{room}\"]");
                assert!(peer.send(&frame(0x81, join.as_bytes())));
            }
        }
        reader.join().unwrap()
    });
    assert_eq!(joined, 4_000 - NAMESPACES);
    let publish = format!("42[\"publish\",\"{}0\",\"x\"]", namespaces[0].1);
    assert!(peer.send(&frame(0x81, publish.as_bytes())));
    for _ in 0..NAMESPACES {
        assert!(peer.frame().is_some_and(|(_, event)| event.ends_with(b"[\"x\"]")));
    }
    drop(peer);
    yard.empties();
    yard.held("one topic in many namespaces", 32);
}

#[test]
fn a_second_namespace_that_comes_and_goes_leaves_nothing_behind() {
    let yard = Yard::start(&[]);
    let mut peer = connected(yard.address);
    assert!(peer.send(&frame(0x81, b"40/a,")));
    assert!(peer.frame().is_some_and(|(_, sid)| sid.starts_with(b"40/a,")));
    let long = "x".repeat(250);
    assert!(peer.send(&frame(0x81, format!("420[\"join\",\"a/{long}\"]").as_bytes())));
    assert_eq!(peer.frame(), Some((0x81, b"430[\"ok\"]".to_vec())));
    let turn = ["join", "leave"]
        .map(|what| frame(0x81, format!("42/a,0[\"{what}\",\"{long}\"]").as_bytes()))
        .concat();
    let turns = turn.repeat(1_000);
    let mut reader = Peer(peer.0.try_clone().unwrap());
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..400_000 {
                assert!(reader.frame().is_some_and(|(_, answer)| answer.starts_with(b"43/a,0")));
            }
        });
        for _ in 0..200 {
            assert!(peer.send(&turns));
        }
    });
    drop(peer);
    yard.empties();
    yard.held("a namespace that comes and goes", 24);
}
