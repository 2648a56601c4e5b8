//! The clients.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use madang::{Message, WebSocket, connect, websocket::Connect, ws::CloseCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connected: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) slow_closed: AtomicU64,
    pub(crate) lost: AtomicU64,
    /// The longest time of a neighbour's message there and back, since it was last looked at.
    pub(crate) worst_ms: AtomicU64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let all = [&self.connected, &self.messages, &self.cut, &self.refused, &self.slow_closed];
        for count in all {
            write!(f, "{}\t", of(count))?;
        }
        write!(f, "{}\t{}", of(&self.lost), of(&self.worst_ms))
    }
}

fn one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Starts everybody; they go when the time is over.
pub(crate) fn start(port: u16, counts: &Arc<Counts>, end: Instant) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    let mut add = |task: JoinHandle<()>| tasks.push(task);
    for number in 0..20 {
        add(tokio::spawn(chat(port, number, Arc::clone(counts), end)));
    }
    for number in 0..10 {
        add(tokio::spawn(come_and_go(port, number, Arc::clone(counts), end)));
    }
    for _ in 0..4 {
        add(tokio::spawn(cut(port, Arc::clone(counts), end)));
    }
    for _ in 0..2 {
        add(tokio::spawn(read_slowly(port, Arc::clone(counts), end)));
        add(tokio::spawn(be_refused(port, Arc::clone(counts), end)));
    }
    tasks
}

/// A neighbour that stays: says something in a topic of its own and hears it back.
async fn chat(port: u16, number: u32, counts: Arc<Counts>, end: Instant) {
    let Ok(mut socket) = connect(format!("ws://127.0.0.1:{port}/ws/own-{number}")).await else {
        return one(&counts.lost);
    };
    one(&counts.connected);
    let mut round = 0_u32;
    while Instant::now() < end {
        round += 1;
        let text = format!("{number} {round} {}", "마당 ".repeat((round % 50) as usize));
        let begun = Instant::now();
        let back = async {
            socket.send(text.as_str()).await.ok()?;
            socket.recv().await?.ok()
        };
        match timeout(Duration::from_secs(30), back).await {
            Ok(Some(message)) if message.as_text() == Some(&text) => one(&counts.messages),
            _ => return one(&counts.lost),
        }
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        counts.worst_ms.fetch_max(took, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
    }
    drop(socket.close(CloseCode::NORMAL, "").await);
}

/// Comes with history and presence, says some things in a shared topic, and says goodbye.
async fn come_and_go(port: u16, number: u32, counts: Arc<Counts>, end: Instant) {
    let mut round = number;
    while Instant::now() < end {
        round = round.wrapping_add(1);
        let topic = round % 97;
        let query = "since=earliest&envelope=json&presence=1";
        let url = format!("ws://127.0.0.1:{port}/ws/shared-{topic}?{query}&name=n{number}");
        let Ok(mut socket) = connect(url).await else { return one(&counts.lost) };
        one(&counts.connected);
        for _ in 0..5 {
            let size = (round as usize * 131) % 5_000;
            if socket.send(Message::binary(vec![round as u8; size])).await.is_err() {
                return one(&counts.lost);
            }
            one(&counts.messages);
            // Whoever is in the topic hears it; this one reads some of what there is.
            drop(timeout(Duration::from_millis(20), socket.recv()).await);
        }
        let _: Result<_, _> =
            timeout(Duration::from_secs(5), socket.close(CloseCode::NORMAL, "")).await;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Is cut in the middle of a frame, of a message, or of a handshake.
async fn cut(port: u16, counts: Arc<Counts>, end: Instant) {
    let mut round = 0_usize;
    while Instant::now() < end {
        round += 1;
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
        let request = format!(
            "GET /ws/cut-{} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            round % 13
        );
        // A first fragment, a ping, and half of the rest.
        let frames = b"\x01\x82\0\0\0\0ab\x89\x80\0\0\0\0\x80\xfe\x10\x00\0\0\0\0half of it";
        let bytes = [request.as_bytes(), frames].concat();
        let part = &bytes[..(round * 37) % bytes.len()];
        drop(stream.write_all(part).await);
        drop(timeout(Duration::from_millis(10), stream.read(&mut [0; 256])).await);
        drop(stream);
        one(&counts.cut);
        sleep(Duration::from_millis(20)).await;
    }
}

/// Asks for much and reads nothing until it is closed.
async fn read_slowly(port: u16, counts: Arc<Counts>, end: Instant) {
    while Instant::now() < end {
        let url = format!("ws://127.0.0.1:{port}/ws/slow");
        let (Ok((mut slow, _)), Ok((mut fast, _))) = (
            Connect::to(&url).deflate(false).open().await,
            Connect::to(&url).deflate(false).open().await,
        ) else {
            return one(&counts.lost);
        };
        for _ in 0..400 {
            let sent = fast.send(Message::binary(vec![7; 32 * 1024])).await;
            // Its own messages come back to it, and those of its like.
            if sent.is_err() || timeout(Duration::from_secs(30), fast.recv()).await.is_err() {
                break;
            }
        }
        if is_closed(&mut slow).await {
            one(&counts.slow_closed);
        }
        sleep(Duration::from_secs(2)).await;
    }
}

async fn is_closed(socket: &mut WebSocket) -> bool {
    let drained =
        timeout(Duration::from_secs(10), async { while let Some(Ok(_)) = socket.recv().await {} });
    drained.await.is_ok()
}

/// Asks for what is not given.
async fn be_refused(port: u16, counts: Arc<Counts>, end: Instant) {
    let mut round = 0;
    while Instant::now() < end {
        round += 1;
        let asked = Connect::to(format!("ws://127.0.0.1:{port}/ws/x"));
        let asked = match round % 3 {
            0 => asked.origin("https://elsewhere.example"),
            1 => asked.header("Content-Length", "5"),
            _ => Connect::to(format!("ws://127.0.0.1:{port}/nowhere")),
        };
        match asked.open().await {
            Ok(_) => one(&counts.lost),
            Err(_) => one(&counts.refused),
        }
        sleep(Duration::from_millis(50)).await;
    }
}
