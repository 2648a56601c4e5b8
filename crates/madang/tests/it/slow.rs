//! Clients that read too slowly, under each policy.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang::{
    OutboxLimits, Server, SlowConsumer,
    hub::{Draft, Hub},
    proto::{Body, Topic, engineio, raw::PROTOCOL},
};

use super::{
    client::{Client, News},
    echo,
    links::{ENGINE, Feed},
    links_hostile::WEBSOCKET,
    start,
};

const SIZE: usize = 16 * 1024;

fn server(policy: SlowConsumer) -> Server {
    let limits = OutboxLimits {
        max_bytes: 8 * SIZE,
        max_stall: Duration::from_mins(1),
        policy,
        ..OutboxLimits::default()
    };
    Server::new().workers(1).protocol(&PROTOCOL).outbox(limits)
}

/// Publishes numbered messages until the kernel's buffers are full several times over.
fn flood(hub: &Hub, event: Option<&str>) -> usize {
    const COUNT: usize = 2_000;
    let topic = Topic::new("room").unwrap();
    let filler = "x".repeat(SIZE);
    for number in 0..COUNT {
        let mut draft = Draft::new(Body::Text(format!("{number} {filler}").into()));
        draft.event = event.map(Into::into);
        hub.publish(&topic, draft).unwrap();
    }
    COUNT
}

fn number(text: &str) -> usize {
    assert!(text.len() > SIZE, "a torn message");
    text.split(' ').next().unwrap().parse().unwrap()
}

/// A reader that has joined, and a sign by which it knows that all is published.
fn reader(address: std::net::SocketAddr) -> Client {
    let mut reader = Client::connect(address, "/ws/room");
    reader.ping(b"");
    assert_eq!(reader.next(), News::Pong(Vec::new()));
    reader
}

#[tokio::test]
async fn by_default_it_is_disconnected_and_told_why() {
    let server = server(SlowConsumer::Disconnect);
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let slow = reader(address);
    flood(&hub, None);
    let (code, reason) = slow.closed();
    assert_eq!((code, reason.as_str()), (1008, "M503 slow consumer"));
}

#[tokio::test]
async fn drop_oldest_loses_whole_messages_and_keeps_the_newest() {
    loses_some_and_keeps_the_newest(SlowConsumer::DropOldest, None);
}

#[tokio::test]
async fn latest_keeps_the_newest_of_the_event() {
    loses_some_and_keeps_the_newest(SlowConsumer::Latest, Some("price"));
}

fn loses_some_and_keeps_the_newest(policy: SlowConsumer, event: Option<&str>) {
    let server = server(policy);
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let mut slow = reader(address);
    let last = flood(&hub, event) - 1;
    let mut seen = vec![number(&slow.next_text())];
    while *seen.last().unwrap() != last {
        seen.push(number(&slow.next_text()));
    }
    assert!(seen.is_sorted_by(|a, b| a < b));
    assert!(seen.len() < last, "nothing was dropped, so nothing was tested");
}

#[tokio::test]
async fn a_slow_reader_delays_nobody() {
    let server = server(SlowConsumer::DropOldest);
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let _slow = reader(address);
    let fast = std::thread::spawn(move || {
        let mut fast = reader(address);
        fast.text("ready");
        let mut last = fast.next_text();
        while !last.starts_with("1999 ") {
            last = fast.next_text();
        }
    });
    let mut waiting = Client::connect(address, "/ws/room?since=earliest");
    assert_eq!(waiting.next_text(), "ready");
    drop(waiting);
    flood(&hub, None);
    fast.join().unwrap();
}

#[tokio::test]
async fn who_reads_nothing_for_too_long_is_disconnected() {
    let limits = OutboxLimits {
        max_bytes: usize::MAX,
        max_messages: usize::MAX,
        max_stall: Duration::from_secs(1),
        ..OutboxLimits::default()
    };
    let server = Server::new().workers(1).protocol(&PROTOCOL).outbox(limits);
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let mut watcher = Client::connect(address, "/ws/watch?presence=1");
    watcher.next();
    let stalled = reader(address);
    flood(&hub, None);
    // It is out of the topic when nobody but the history needs it.
    let topic = Topic::new("room").unwrap();
    while !hub.presence(&topic).is_empty() {
        std::thread::yield_now();
    }
    drop(stalled);
}

/// An outbox that takes whatever there is.
fn endless() -> OutboxLimits {
    OutboxLimits {
        max_bytes: usize::MAX,
        max_messages: usize::MAX,
        max_stall: Duration::from_mins(1),
        ..OutboxLimits::default()
    }
}

/// A client that reads slowly is asked whether it is there before it has had all that waits.
#[test]
fn a_ping_goes_before_what_waits() {
    let server = Server::new().workers(1).protocol(&PROTOCOL).outbox(endless());
    let server = server.ping(Duration::from_secs(1), Duration::from_mins(1));
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let mut slow = reader(address);
    let last = flood(&hub, None) - 1;
    // It has come later and is pinged no sooner.
    reader(address).await_pings(1);
    let mut seen = 0;
    while slow.pings == 0 {
        seen = number(&slow.next_text());
    }
    assert!(seen < last, "the ping came behind everything");
    while seen < last {
        seen = number(&slow.next_text());
    }
}

/// Engine.IO's own ping is a message like any other.
#[test]
fn a_heartbeat_goes_before_what_waits() {
    let settings = engineio::Settings {
        ping_interval: Duration::from_secs(1),
        ping_timeout: Duration::from_mins(1),
        ..engineio::Settings::default()
    };
    let reception = engineio::Reception::new(settings, |_| Feed);
    let server = Server::new().workers(1).outbox(endless());
    let server = server.reception("/engine.io", &ENGINE, Arc::new(reception));
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let mut slow = Client::connect(address, WEBSOCKET);
    assert!(slow.next_text().starts_with("0{"));
    let last = flood(&hub, None) - 1;
    // It has come later and is pinged no sooner.
    let mut other = Client::connect(address, WEBSOCKET);
    assert!(other.next_text().starts_with("0{"));
    assert_eq!(other.next_text(), "2");
    let (mut seen, mut pinged_at) = (None, None);
    while seen != Some(last) {
        match slow.next_text().split_at(1) {
            ("2", "") => pinged_at = seen,
            (_, text) => seen = Some(number(text)),
        }
    }
    assert!(pinged_at.is_some_and(|at| at < last), "{pinged_at:?}");
}

/// What the socket takes again before the worker waits for that is told by no event of its own.
#[test]
fn a_large_echo_goes_on_when_there_is_room_again() {
    const LARGE: usize = 4 * 1024 * 1024;
    let limits = madang::ws::Limits { max_message: LARGE, ..madang::ws::Limits::default() };
    let outbox = OutboxLimits { max_bytes: 2 * LARGE, ..OutboxLimits::default() };
    let server = Server::new().workers(1).limits(limits).outbox(outbox).inline("/", echo);
    let (address, _running) = start(server);
    let message = vec![7; LARGE];
    let begun = Instant::now();
    for _ in 0..20 {
        let mut client = Client::connect(address, "/");
        client.binary(&message);
        assert!(client.next() == News::Binary(message.clone()), "the echo is another");
    }
    // The sweep would help each of them on after a second; they take a thirtieth of that.
    assert!(begun.elapsed() < Duration::from_secs(12), "the echoes stalled");
}
