//! Clients and handlers that ask for more than their share.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use madang::{
    Message, OutboxLimits, Server, Socket,
    hub::Draft,
    proto::{Body, Cursor, Topic, raw::PROTOCOL},
    ws::deflate,
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use super::{
    client::{Client, News},
    start, yard,
};

const PATIENCE: Duration = Duration::from_secs(20);
static CHUNK: &[u8] = &[0; 8_192];

fn echo() -> Server {
    Server::new()
        .workers(1)
        .inline("/echo", |reply, kind, bytes| {
            reply.send(kind, bytes);
        })
        .inline("/sink", |_, _, _| {})
}

/// Sends one binary message after the other until told to stop.
fn flooder(address: SocketAddr, stop: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let stop = Arc::clone(stop);
    let mut client = Client::connect(address, "/sink");
    thread::spawn(move || {
        // Frames of 64 KiB with a mask of zeros, many in one write.
        let mut frame = vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        frame.resize(14 + 65_536, 0);
        let burst = frame.repeat(32);
        while !stop.load(Ordering::Relaxed) {
            client.bytes(&burst);
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_starve_nobody() {
    let (address, _running) = start(echo());
    let mut quiet: Vec<_> = (0..4).map(|_| Client::connect(address, "/echo")).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..6).map(|_| flooder(address, &stop)).collect();
    quiet.extend((0..4).map(|_| Client::connect(address, "/echo")));
    for round in 0..20 {
        for client in &mut quiet {
            let text = round.to_string();
            client.text(&text);
            assert_eq!(client.next_text(), text);
        }
    }
    stop.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_its_own_client_and_nobody_else() {
    let server = echo()
        .inline("/boom", |_, _, _| panic!("a mistake in a handler"))
        .websocket("/early", |_: Socket| -> std::future::Ready<()> {
            panic!("a mistake before the handler's future")
        })
        .websocket("/late", async |mut socket: Socket| {
            socket.recv().await;
            panic!("a mistake in a handler's future")
        });
    let (address, _running) = start(server);
    let mut bystander = Client::connect(address, "/echo");
    let mut boom = Client::connect(address, "/boom");
    boom.text("x");
    assert_eq!(boom.closed().0, 1011);
    assert_eq!(Client::connect(address, "/early").closed().0, 1011);
    let mut late = Client::connect(address, "/late");
    late.text("x");
    assert_eq!(late.closed().0, 1011);
    bystander.text("still here");
    assert_eq!(bystander.next_text(), "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_sends_without_end_loses_its_client() {
    let (sender, mut ended) = mpsc::unbounded_channel();
    let limits = OutboxLimits { max_stall: Duration::MAX, ..OutboxLimits::default() };
    let server =
        Server::new().workers(1).outbox(limits).websocket("/", move |mut socket: Socket| {
            let sender = sender.clone();
            async move {
                let chunk = Bytes::from_static(CHUNK);
                for _ in 0..16_000 {
                    if socket.send(Message::Binary(chunk.clone())).is_err() {
                        break;
                    }
                }
                assert!(socket.recv().await.is_none());
                sender.send(()).unwrap();
            }
        });
    let (address, _running) = start(server);
    let client = Client::connect(address, "/");
    timeout(PATIENCE, ended.recv()).await.expect("the client was not given up").unwrap();
    assert_eq!(client.closed(), (1008, "M503 slow consumer".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_not_taken_for_gone_while_its_handler_is_busy() {
    const COUNT: usize = 300;
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let server = Server::new()
        .workers(1)
        .ping(Duration::from_secs(1), Duration::from_secs(1))
        .inline("/silent", |_, _, _| {})
        .websocket("/busy", move |mut socket: Socket| {
            let gate = Arc::clone(&inner);
            async move {
                gate.acquire().await.unwrap().forget();
                while let Some(message) = socket.recv().await {
                    if socket.send(message).is_err() {
                        break;
                    }
                }
            }
        });
    let (address, _running) = start(server);
    let mut busy = Client::connect(address, "/busy");
    for number in 0..COUNT {
        busy.text(&number.to_string());
    }
    // Two clients, one after the other, that are pinged, do not answer, and are cut.
    for _ in 0..2 {
        let mut silent = Client::connect(address, "/silent");
        let mut all = Vec::new();
        silent.stream.read_to_end(&mut all).unwrap();
        assert!(!all.is_empty(), "it was not pinged");
    }
    gate.add_permits(1);
    for number in 0..COUNT {
        assert_eq!(busy.next_text(), number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_messages_for_a_slow_handler_cost_no_more_than_their_bytes() {
    const COUNT: usize = 80_000;
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let (sender, mut done) = mpsc::unbounded_channel();
    let server = Server::new().workers(1).websocket("/", move |mut socket: Socket| {
        let (gate, sender) = (Arc::clone(&inner), sender.clone());
        async move {
            gate.acquire().await.unwrap().forget();
            let mut count = 0_usize;
            while let Some(message) = socket.recv().await {
                assert_eq!(message.as_text(), Some(["a", "b", "c"][count % 3]));
                count += 1;
            }
            sender.send(count).unwrap();
        }
    });
    let (address, _running) = start(server);
    let mut client = Client::connect(address, "/");
    let frames: Vec<u8> =
        (0..COUNT).flat_map(|n| [0x81, 0x81, 0, 0, 0, 0, b"abc"[n % 3]]).collect();
    client.bytes(&frames);
    gate.add_permits(1);
    assert_eq!(client.close().0, 1000);
    assert_eq!(timeout(PATIENCE, done.recv()).await.unwrap(), Some(COUNT));
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let (address, _running) = yard(1);
    let silent: Vec<_> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut kept = TcpStream::connect(address).unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut dripping = TcpStream::connect(address).unwrap();
    let mut writer = dripping.try_clone().unwrap();
    thread::spawn(move || {
        let head = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(10_000));
        for byte in head.bytes() {
            thread::sleep(Duration::from_millis(50));
            if writer.write_all(&[byte]).is_err() {
                break;
            }
        }
    });
    let mut buffer = Vec::new();
    for mut stream in silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read_to_end(&mut buffer).unwrap(), 0);
    }
    for stream in [&mut kept, &mut dripping] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The end may come as a reset, but no timeout.
        if let Err(error) = stream.read_to_end(&mut buffer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
}

#[tokio::test]
async fn whoever_is_reset_at_any_stage_leaves_nothing_behind() {
    let (address, running) = yard(4);
    let hub = running.hub().clone();
    let room = Topic::new("room").unwrap();
    for round in 0..200 {
        let mut client = Client::connect(address, "/ws/room");
        match round % 5 {
            0 => client.bytes(&[0x81]),
            1 => client.text("a message"),
            2 => client.bytes(&[0x88, 0x80, 0, 0, 0, 0]),
            3 => client.bytes(&[0xff, 0xff]),
            _ => {}
        }
        if round % 2 == 0 {
            let socket = socket2::SockRef::from(&client.stream);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(client);
    }
    // Nobody is left after the grace for those who were cut.
    let mut other = Client::connect(address, "/ws/other");
    while !hub.presence(&room).is_empty() {
        other.ping(b"");
        assert_eq!(other.next(), News::Pong(Vec::new()));
        thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_messages_to_members_who_do_not_read_stay_bounded() {
    let server = Server::new().workers(2).protocol(&PROTOCOL);
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let members: Vec<_> =
        (0..50).map(|_| Client::connect(address, "/ws/room?envelope=json")).collect();
    let room = Topic::new("room").unwrap();
    let before = resident();
    for _ in 0..400_000 {
        hub.publish(&room, Draft::new(Body::Text(Bytes::new()))).unwrap();
    }
    let mut fast = Client::connect(address, "/ws/room");
    fast.text("the last");
    while fast.next_text() != "the last" {}
    // Far less than each of the members could be owed.
    let grown = resident().saturating_sub(before) / 1024;
    assert!(grown < 400, "{grown} MiB");
    drop(members);
}

/// More of them in one read than a turn hears.
#[test]
fn small_messages_without_end_come_back_once_and_in_order() {
    const COUNT: usize = 600_000;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let outbox = OutboxLimits { max_bytes: 16 * 1024 * 1024, ..OutboxLimits::default() };
    let (address, _running) = start(echo().outbox(outbox));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(
            b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut reader = std::io::BufReader::with_capacity(1 << 20, stream.try_clone().unwrap());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let frames: Vec<u8> =
        (0..COUNT).flat_map(|number| [0x82, 0x81, 0, 0, 0, 0, (number % 251) as u8]).collect();
    let writer = thread::spawn(move || stream.write_all(&frames).unwrap());
    for number in 0..COUNT {
        let mut frame = [0; 3];
        reader.read_exact(&mut frame).unwrap();
        assert_eq!(frame, [0x82, 1, (number % 251) as u8], "{number}");
    }
    writer.join().unwrap();
}

/// Nine messages of a megabyte in a read of some kilobytes: more than a turn hears.
#[test]
fn what_was_said_before_the_end_is_heard() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, running) = yard(1);
    let mut packed = Vec::new();
    assert!(deflate::compress_fresh(&vec![0; 1_000_000], 9, 15, &mut packed));
    let mut frame = vec![0xc2, 0xfe];
    frame.extend((packed.len() as u16).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(&packed);
    for number in 0..5 {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET /ws/bye{number} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        stream.write_all(&frame.repeat(9)).unwrap();
        // Its own messages, which come back, are unread: it goes with a reset.
        drop(stream);
        let topic = Topic::new(&format!("bye{number}")).unwrap();
        let begun = std::time::Instant::now();
        let heard = || running.hub().history(&topic, Cursor::Earliest, 100).messages.len();
        while heard() < 9 {
            assert!(begun.elapsed() < PATIENCE, "{} of 9 were heard", heard());
            thread::yield_now();
        }
    }
}

/// The process's memory in KiB.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
