//! Attacks before the first frame.

use std::{
    net::{IpAddr, Ipv4Addr},
    thread,
    time::{Duration, Instant},
};

use super::{
    peer::{PATIENCE, Peer, frame, upgrade},
    yard::Yard,
};

/// The status of the answer to these bytes; 0 if there is none.
fn status(yard: &Yard, request: &[u8]) -> u16 {
    let mut peer = Peer::connect(yard.address);
    peer.send(request);
    let head = peer.head();
    head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn only_listed_origins_and_its_own_come_in_at_each_path() {
    let yard = Yard::start(&["--allowed-origin", "https://app.example"]);
    for path in ["/ws", "/ws/kitchen", "/ws/kitchen?presence=1", "/ws?envelope=json"] {
        for (origin, expected) in [
            ("", 101),
            ("Origin: https://app.example\r\n", 101),
            ("Origin: http://yard.example\r\n", 101),
            ("Origin: null\r\n", 403),
            ("Origin: http://app.example\r\n", 403),
            ("Origin: https://app.example.evil\r\n", 403),
            ("Origin: https://evilapp.example\r\n", 403),
            ("Origin: https://app.example:8443\r\n", 403),
            ("Origin: https://app.example@evil.example\r\n", 403),
            ("Origin: https://*\r\n", 403),
            ("Origin: http://yard.example.evil\r\n", 403),
            ("Origin: http://yard.example:81\r\n", 403),
        ] {
            let request = upgrade(path, origin);
            assert_eq!(status(&yard, request.as_bytes()), expected, "{path} {origin}");
        }
        let two = upgrade(path, "Origin: https://app.example\r\nOrigin: https://evil.example\r\n");
        let refused = status(&yard, two.as_bytes());
        assert!(matches!(refused, 400 | 403), "{path}: {refused}");
    }
    yard.held("origins", 8);
}

#[test]
fn ten_thousand_heads_of_a_byte_a_second_are_bounded_and_ended_in_time() {
    let yard = Yard::start(&["--head-timeout", "2", "--max-pending", "2000"]);
    let mut slow: Vec<Peer> = (0..10_000).map(|_| Peer::connect(yard.address)).collect();
    for peer in &mut slow {
        peer.send(b"GET /ws HTTP/1.1\r\nX: ");
    }
    // Whoever asks at once comes in while they drip; whoever takes his time is told why he does not.
    let mut quick = Peer::upgraded(yard.address, "/ws/quick", "");
    assert!(quick.send(&frame(0x81, b"here")) && quick.frame() == Some((0x81, b"here".to_vec())));
    let mut late = Peer::connect(yard.address);
    late.send(b"GET / HT");
    let head = late.head();
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("Madang-Code: M510"), "{head}");
    drop((quick, late));
    let start = Instant::now();
    while !slow.is_empty() {
        assert!(start.elapsed() < PATIENCE, "{} still drip", slow.len());
        // The attack's own pace.
        thread::sleep(Duration::from_secs(1));
        slow.retain_mut(|peer| peer.send(b"x"));
    }
    yard.empties();
    yard.held("slowloris of 10,000", 96);
}

#[test]
fn a_head_that_begins_like_http_2_has_no_more_time_than_others() {
    let yard = Yard::start(&["--head-timeout", "4"]);
    let mut peer = Peer::connect(yard.address);
    let start = Instant::now();
    peer.send(b"P");
    // The attack's own pace: late, and in time.
    thread::sleep(Duration::from_millis(3_200));
    peer.send(b"OST / HTT");
    assert!(peer.rest().is_empty());
    let took = start.elapsed();
    assert!(took < Duration::from_secs(6), "its head had {took:?}");
    yard.held("a head that begins like HTTP/2", 8);
}

#[test]
fn slow_heads_of_one_address_keep_nobody_else_out() {
    let yard = Yard::start(&["--head-timeout", "25", "--max-pending", "64"]);
    let mut slow: Vec<Peer> = (0..100)
        .map(|_| {
            let mut peer = Peer::from(IpAddr::V4(Ipv4Addr::new(127, 0, 4, 1)), yard.address);
            peer.send(b"GET /ws HTTP/1.1\r\nX: ");
            peer
        })
        .collect();
    // If one address could have them all, they would be gone when 36 have been told that.
    let start = Instant::now();
    let answered = |peer: &mut Peer| {
        peer.0.set_nonblocking(true).unwrap();
        matches!(peer.0.peek(&mut [0]), Ok(1))
    };
    while slow.iter_mut().filter_map(|peer| answered(peer).then_some(())).count() < 36 {
        assert!(start.elapsed() < PATIENCE, "all of them are let begin");
        // The pace of looking.
        thread::sleep(Duration::from_millis(20));
    }
    let mut other = Peer::from(IpAddr::V4(Ipv4Addr::new(127, 0, 4, 2)), yard.address);
    other.send(b"GET /hea");
    // A part of its own is what makes it begin.
    thread::sleep(Duration::from_millis(100));
    other.send(b"lthz HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = other.head();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    drop((slow, other));
    yard.empties();
    yard.held("slow heads of one address", 16);
}

#[test]
fn heads_that_are_too_large_are_refused_before_they_are_read() {
    let yard = Yard::start(&[]);
    let many = "a-header: 1\r\n".repeat(2_000);
    assert_eq!(status(&yard, upgrade("/ws", &many).as_bytes()), 431);
    let few = "h: 1\r\n".repeat(200);
    assert_eq!(status(&yard, upgrade("/ws", &few).as_bytes()), 431);
    let mut peer = Peer::connect(yard.address);
    peer.send(b"GET /ws HTTP/1.1\r\nHost: x\r\nX: ");
    let piece = vec![b'x'; 65_536];
    let taken = (0..256).take_while(|_| peer.send(&piece)).count();
    assert!(taken < 256, "16 MiB of one header were taken");
    yard.empties();
    yard.held("2,000 headers, a header of 16 MiB", 8);
}

/// Eight times the length may take eight times as long, not sixty-four.
#[test]
fn lists_in_headers_take_time_in_proportion_to_their_length() {
    let yard = Yard::start(&["--max-head", "1MiB"]);
    for (name, element) in [
        ("Sec-WebSocket-Protocol", "a ,"),
        ("Sec-WebSocket-Extensions", "x; y=\"z\" ,"),
        ("Connection", "keep ,"),
        ("Sec-WebSocket-Extensions", "\"\\"),
    ] {
        let time = |length: usize| {
            let list = element.repeat(length / element.len());
            let request = upgrade("/ws", &format!("{name}: {list}\r\n"));
            let once = |_| {
                let start = Instant::now();
                assert_ne!(status(&yard, request.as_bytes()), 0, "{name}");
                start.elapsed()
            };
            (0..5).map(once).min().unwrap()
        };
        let (short, long) = (time(60_000), time(480_000));
        let most = short * 24 + Duration::from_millis(50);
        assert!(long < most, "{name}: {short:?} for 60 kB, {long:?} for 480 kB");
    }
    yard.held("long lists in headers", 32);
}

/// A sequence that is the same in each run.
fn dice(state: &mut u64, sides: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state % sides as u64) as usize
}

#[test]
fn whatever_is_asked_at_whatever_path_is_answered_or_ended() {
    const METHODS: [&str; 8] = ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "get", "\u{1}"];
    const PATHS: [&str; 10] = [
        "/",
        "/ws",
        "/ws/a",
        "/ws/%",
        "/ws/%00",
        "/healthz",
        "*",
        "//",
        "/ws?presence=%ff",
        "http://x/",
    ];
    const VERSIONS: [&str; 5] = ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", ""];
    const HEADERS: [&str; 16] = [
        "Host: x",
        "Host: \u{0}",
        "Upgrade: websocket",
        "Upgrade: h2c, \u{ff}",
        "Connection: Upgrade",
        "Connection: close, keep-alive",
        "Sec-WebSocket-Key: bWFkYW5nIGlzIGEgeWFyZA==",
        "Sec-WebSocket-Key: \"",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Version: -1",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"9999999999\"",
        "Content-Length: 5",
        "Content-Length: -5",
        "Transfer-Encoding: chunked",
        ": empty",
        "Sec-WebSocket-Protocol: ,,\u{e9},",
    ];
    const BODIES: [&[u8]; 4] = [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"\x81\x85\xff\xff"];
    let yard = Yard::start(&["--head-timeout", "1"]);
    let mut state = 0x4d61_6461_6e67;
    for _ in 0..800 {
        let pick = &mut |sides| dice(&mut state, sides);
        let mut request =
            format!("{} {} {}\r\n", METHODS[pick(8)], PATHS[pick(10)], VERSIONS[pick(5)]);
        for _ in 0..pick(8) {
            request = request + HEADERS[pick(16)] + "\r\n";
        }
        request += "\r\n";
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(BODIES[pick(4)]);
        let mut peer = Peer::connect(yard.address);
        peer.send(&bytes);
        drop(peer.0.shutdown(std::net::Shutdown::Write));
        let answer = peer.rest();
        let shown = String::from_utf8_lossy(&bytes);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{shown}: {answer:?}");
    }
    assert_eq!(status(&yard, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    yard.empties();
    yard.held("800 strange requests", 16);
}

#[test]
fn nothing_that_a_peer_says_becomes_a_header() {
    let yard = Yard::start(&["--subprotocol", "chat"]);
    for request in [
        "GET /nowhere%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /ws/a%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        upgrade("/ws/a%0d%0aX-Injected:%201", ""),
        upgrade("/ws/a%00b", ""),
        upgrade("/ws", "Sec-WebSocket-Protocol: chat\rX-Injected: 1\r\n"),
        upgrade("/ws", "Sec-WebSocket-Protocol: chat\0\r\n"),
        upgrade("/ws", "Sec-WebSocket-Protocol: chat\nX-Injected: 1\r\n"),
        upgrade("/ws", "Origin: https://evil.example\rX-Injected: 1\r\n"),
    ] {
        let mut peer = Peer::connect(yard.address);
        peer.send(request.as_bytes());
        let head = peer.head();
        let injected = |line: &str| {
            line.to_ascii_lowercase().starts_with("x-injected")
                || line.contains(|c: char| c.is_control() && c != '\t')
        };
        assert!(head.starts_with("HTTP/1.1 "), "{request}");
        assert!(!head.split("\r\n").any(injected), "{request}: {head}");
    }
    yard.held("line breaks in what is echoed", 8);
}

#[test]
fn behind_a_refused_upgrade_there_is_no_tunnel() {
    let yard = Yard::start(&[]);
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for path in ["/ws", "/ws/kitchen", "/", "/healthz", "/nowhere"] {
        let request = upgrade(path, "").replace("Version: 13", "Version: 777");
        let mut peer = Peer::connect(yard.address);
        peer.send(request.as_bytes());
        let first = peer.head();
        assert!(!first.starts_with("HTTP/1.1 101"), "{path}: {first}");
        peer.send(smuggled.as_bytes());
        let rest = peer.rest();
        assert!(!rest.windows(6).any(|bytes| bytes == b"HTTP/1"), "{path}: {rest:?}");
    }
    yard.held("a second request behind version 777", 8);
}
