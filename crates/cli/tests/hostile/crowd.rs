//! Attacks by number, and by reading nothing.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    peer::{Peer, frame, upgrade},
    yard::Yard,
};

#[test]
fn readers_who_read_nothing_cost_their_outbox_and_then_nothing() {
    let yard = Yard::start(&["--max-stall", "2"]);
    let readers: Vec<Peer> =
        (0..20).map(|_| Peer::upgraded(yard.address, "/ws/fast", "")).collect();
    let mut publisher = Peer::upgraded(yard.address, "/ws/fast", "");
    let some = frame(0x82, &[7; 4_000]).repeat(50);
    // 20 readers are sent 40 MB each.
    for _ in 0..200 {
        assert!(publisher.send(&some));
        for _ in 0..50 {
            assert_eq!(
                publisher.frame().map(|(first, bytes)| (first, bytes.len())),
                Some((0x82, 4_000))
            );
        }
    }
    drop(publisher);
    yard.empties();
    drop(readers);
    yard.held("20 readers of nothing under 40 MB", 48);
}

#[test]
fn streams_that_nobody_reads_cost_their_outbox_and_then_nothing() {
    let yard = Yard::start(&["--max-stall", "2"]);
    // Ten that the worker answers, ten that an HTTP library carries.
    let readers: Vec<Peer> = (0..20)
        .map(|number| {
            let mut peer = Peer::connect(yard.address);
            if number % 2 == 1 {
                peer.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
                assert!(peer.head().starts_with("HTTP/1.1 200"));
                peer.read(3);
            }
            let kind = if number % 4 < 2 { "sse" } else { "stream" };
            let request = format!("GET /topics/fast/{kind} HTTP/1.1\r\nHost: x\r\n\r\n");
            peer.send(request.as_bytes());
            assert!(peer.head().starts_with("HTTP/1.1 200"));
            peer
        })
        .collect();
    let mut publisher = Peer::connect(yard.address);
    let body = "x".repeat(40_000);
    let post =
        format!("POST /topics/fast HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n{body}");
    // Each is sent 40 MB.
    for _ in 0..1_000 {
        assert!(publisher.send(post.as_bytes()));
        let head = publisher.answer();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    drop(publisher);
    yard.empties();
    drop(readers);
    yard.held("20 streams that nobody reads under 40 MB", 48);
}

#[test]
fn history_that_readers_take_slowly_is_bounded_for_all_together() {
    let yard = Yard::start(&["--history-bytes", "16MiB", "--max-replay", "32MiB"]);
    let body = "x".repeat(1_000_000);
    let mut readers = Vec::new();
    for topic in 0..30 {
        let mut publisher = Peer::connect(yard.address);
        let post = format!(
            "POST /topics/pin{topic} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{body}"
        );
        for _ in 0..15 {
            assert!(publisher.send(post.as_bytes()));
            assert!(publisher.answer().starts_with("HTTP/1.1 200"));
        }
        // It reads nothing of the 15 MB that the topic holds, and the next topic drives them out.
        let path = format!("/ws/pin{topic}?since=earliest");
        readers.push(Peer::upgraded(yard.address, &path, ""));
    }
    drop(readers);
    yard.empties();
    yard.held("30 × 15 MB of history that nobody reads", 176);
}

#[test]
fn fifteen_thousand_of_250_addresses_come_and_go() {
    let yard = Yard::start(&["--max-connections-per-address", "60"]);
    let source = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 1, last));
    let mut crowd = Vec::new();
    for last in 1..=250 {
        for _ in 0..60 {
            let mut peer = Peer::from(source(last), yard.address);
            peer.send(upgrade("/ws/square", "").as_bytes());
            let head = peer.head();
            assert!(head.starts_with("HTTP/1.1 101"), "{head}");
            crowd.push(peer);
        }
        // One more of the same address is sent away.
        let head = Peer::from(source(last), yard.address).head();
        assert!(head.starts_with("HTTP/1.1 503") || head.starts_with("HTTP/1.1 429"), "{head}");
    }
    drop(crowd);
    yard.empties();
    yard.held("15,000 of 250 addresses", 96);
}

#[test]
fn those_who_are_turned_away_hold_few_descriptors() {
    let yard = Yard::start(&["--max-connections-per-address", "2"]);
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 3, 1));
    let inside: Vec<_> = (0..2)
        .map(|_| {
            let mut peer = Peer::from(source, yard.address);
            peer.send(upgrade("/ws/full", "").as_bytes());
            assert!(peer.head().starts_with("HTTP/1.1 101"));
            peer
        })
        .collect();
    let before = yard.descriptors();
    let mut most = 0;
    let crowd: Vec<_> = (0..500)
        .map(|_| {
            let mut peer = Peer::from(source, yard.address);
            let head = peer.head();
            assert!(head.contains("Madang-Code: M502"), "{head}");
            most = most.max(yard.descriptors() - before);
            peer
        })
        .collect();
    assert!(most <= 40, "{most} descriptors are held by those who are turned away");
    drop((inside, crowd));
    yard.empties();
    yard.held("500 more of an address that is full", 8);
}

#[test]
fn who_says_to_be_somebody_else_is_not_believed() {
    let yard = Yard::start(&["--max-connections-per-address", "2"]);
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 2, 1));
    let come = |claimed: u8| {
        let mut peer = Peer::from(source, yard.address);
        let forwarded = format!(
            "X-Forwarded-For: 203.0.113.{claimed}\r\nForwarded: for=203.0.113.{claimed}\r\n\
             X-Real-IP: 203.0.113.{claimed}\r\nX-Forwarded-Host: evil.example\r\n"
        );
        peer.send(upgrade("/ws/masks", &forwarded).as_bytes());
        let head = peer.head();
        (peer, head)
    };
    let inside = [come(1), come(2)];
    assert!(inside.iter().all(|(_, head)| head.starts_with("HTTP/1.1 101")));
    let (_, head) = come(3);
    assert!(!head.starts_with("HTTP/1.1 101"), "{head}");
    // A host that is only claimed does not make a page the server's own.
    drop(inside);
    yard.empties();
    let mut peer = Peer::from(source, yard.address);
    let claim = "Origin: http://evil.example\r\nX-Forwarded-Host: evil.example\r\n";
    peer.send(upgrade("/ws/masks", claim).as_bytes());
    assert!(peer.head().starts_with("HTTP/1.1 403"));
    drop(peer);
    yard.held("forwarded headers of nobody", 8);
}
