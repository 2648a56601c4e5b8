//! Peers that send anything at all: the doctor ends, says something, and does not panic.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use super::{
    bed,
    wire::{Answering, Server, frame, head, listen, upgrade},
};

/// Bytes that look random, the same at every run (Knuth's MMIX).
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

const STARTS: [&str; 9] = [
    "",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n",
    "HTTP/1.1 400 Bad Request\r\nLocation: ",
    "HTTP/1.1 302 Found\r\nLocation: https://\u{2028}a@@b\u{9b}5n@/?x=1&token=é&&=\r\nServer: \u{1b}[2J\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: \u{202e}\r\nSet-Cookie: =;;=\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
    "\u{16}\u{3}\u{3}",
    "HTTP/1.1 200 OK\r\n\r\n0{\"sid\":\"\r\n",
];

#[test]
fn whatever_comes_the_doctor_does_not_panic() {
    let work: Vec<_> = (0..STARTS.len() * 4).collect();
    thread::scope(|scope| {
        for part in work.chunks(6) {
            scope.spawn(move || part.iter().for_each(|&at| one(at)));
        }
    });
}

fn one(at: usize) {
    let start = STARTS[at % STARTS.len()];
    let server = Server::new(move |mut stream, _| {
        if at.is_multiple_of(2) {
            drop(head(&mut stream));
        }
        let noise = bytes(at as u64, 3_000);
        drop(stream.write_all(&[start.as_bytes(), &noise].concat()));
        drop(stream.shutdown(std::net::Shutdown::Write));
        listen(&mut stream);
    });
    let door = ["raw", "socketio", "sse", "stomp"][at / STARTS.len()];
    let scheme = if at.is_multiple_of(3) { "wss" } else { "ws" };
    let url = format!("{scheme}://localhost:{}/ws", server.port());
    let arguments =
        [&url, "--as", door, "--timeout", "500ms", "--resolve", "127.0.0.1"].map(str::to_owned);
    let output = bed::doctor(&arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("panicked"), "{at}: {errors}");
    assert!(
        matches!(output.status.code(), Some(10 | 20 | 30 | 40 | 50)),
        "{at}: {:?}",
        output.status
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let bad = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}')
    };
    assert!(!text.contains(bad), "{at}: {text:?}");
}

/// It talks without end and never reads, so that what is written to it waits, pongs among it.
#[test]
fn a_server_that_never_stops_talking_is_left_in_time() {
    for opcode in [0x89, 0x81] {
        let server = Server::new(move |mut stream, _| {
            let Some(head) = head(&mut stream) else { return };
            if !upgrade(&mut stream, &head, &Answering::default()) {
                return;
            }
            let flood = frame(opcode, &[b'x'; 100]).repeat(500);
            while stream.write_all(&flood).is_ok() {}
        });
        let began = Instant::now();
        let told = bed::examine(&[server.url("/ws"), "--timeout".into(), "500ms".into()]);
        assert_eq!((told.exit, told.codes.as_slice()), (40, &["D36".to_owned()][..]));
        // One write alone would wait for ten seconds, and then for ten more.
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    }
}
