//! An open WebSocket.

use std::{collections::VecDeque, time::Duration};

use madang_ws::{
    CloseCode, Closed, ClosedBy, Connection, Event, Input, Kind, Limits, Payload, Role,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout_at},
};

use super::{Io, http::Open};
use crate::doctor::evidence::{By, Bytes, End, Socket};

/// Most of what a server says that is kept.
const MAX_MESSAGES: usize = 5;
const MAX_SHOWN: usize = 300;
const MAX_RAW: usize = 512;
/// A larger message is not for a doctor.
pub(in crate::doctor) const MAX_MESSAGE: usize = 64 << 20;
/// Time to write something.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// Something that happened.
#[derive(Debug, Clone)]
pub(in crate::doctor) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Pong,
    End(End),
}

/// A WebSocket that is open, or was.
pub(in crate::doctor) struct Live {
    io: Box<dyn Io>,
    connection: Connection,
    opened: Instant,
    seen: VecDeque<Seen>,
    ended: bool,
    /// Something could not be written in time: whatever follows would stand within a frame.
    is_mute: bool,
    /// Engine.IO's pings are answered, as every client does.
    is_engine: bool,
    /// The first bytes, as they came.
    raw: Vec<u8>,
}

impl Live {
    pub(in crate::doctor) fn new(open: Open) -> Self {
        let limits =
            Limits { max_message: MAX_MESSAGE, max_control_per_second: 0, ..Limits::default() };
        let connection = Connection::new(Role::Client, &limits, open.deflate);
        let opened = Instant::now();
        let mut live = Self {
            io: open.io,
            connection,
            opened,
            seen: VecDeque::new(),
            ended: false,
            is_mute: false,
            is_engine: false,
            raw: Vec::new(),
        };
        let mut early = open.early;
        live.take(&mut early);
        live
    }

    /// From now on Engine.IO is spoken.
    pub(in crate::doctor) fn speaks_engine(&mut self) {
        self.is_engine = true;
    }

    pub(in crate::doctor) fn is_over(&self) -> bool {
        self.ended
    }

    pub(in crate::doctor) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// What happens next; `None` when nothing does until then.
    pub(in crate::doctor) async fn next(&mut self, deadline: Instant) -> Option<Seen> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            self.transmit(deadline).await;
            match self.seen.pop_front() {
                Some(Seen::Text(text)) if self.is_engine && text == "2" => {
                    self.send("3").await;
                    continue;
                }
                Some(seen) => return Some(seen),
                None => {}
            }
            // Of a server that never stops talking there is always something to read.
            if self.ended || Instant::now() >= deadline {
                return None;
            }
            match timeout_at(deadline, self.io.read(&mut buffer)).await {
                Err(_) => return None,
                Ok(Ok(length)) if length > 0 => {
                    self.take(buffer.get_mut(..length).unwrap_or_default());
                }
                // A reset and an end without a close frame are the same here: 1006.
                Ok(_) => {
                    self.connection.handle_eof();
                    while let Some(event) = self.connection.poll_event() {
                        self.note(event);
                    }
                    self.ended = true;
                }
            }
        }
    }

    fn take(&mut self, bytes: &mut [u8]) {
        let room = MAX_RAW.saturating_sub(self.raw.len());
        self.raw.extend(bytes.iter().take(room));
        let mut input = Input::new(bytes);
        let now = std::time::Instant::now();
        let mut events = Vec::new();
        while let Some(event) = self.connection.handle_input(&mut input, now) {
            events.push(event.into_owned());
        }
        for event in events {
            self.note(event);
        }
    }

    fn note(&mut self, event: Event<'static>) {
        let seen = match event {
            Event::Message { payload: Payload::Text(text), .. } => Seen::Text(text.into_owned()),
            Event::Message { payload, .. } => Seen::Binary(payload.as_bytes().to_vec()),
            Event::Ping(_) => Seen::Ping,
            Event::Pong(_) => Seen::Pong,
            Event::Closed(closed) => {
                self.ended = true;
                Seen::End(self.end(&closed))
            }
        };
        self.seen.push_back(seen);
    }

    fn end(&self, closed: &Closed) -> End {
        let by = match closed.by {
            ClosedBy::Failure(why) => By::Us(why.to_string()),
            ClosedBy::Peer | ClosedBy::Us => By::Server,
            _ => By::Cut,
        };
        let reason = crate::client::escaped(&closed.reason, crate::client::Keep::None).into_owned();
        End { code: closed.code.as_u16(), reason, by, after: self.opened.elapsed() }
    }

    async fn transmit(&mut self, deadline: Instant) {
        let mut out = Vec::new();
        if self.connection.poll_transmit(&mut out) {
            self.write(&out, deadline).await;
        }
    }

    async fn write(&mut self, bytes: &[u8], deadline: Instant) {
        if self.is_mute {
            return;
        }
        let wrote = timeout_at(deadline, async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        });
        // Whether it arrived is seen in what comes, or does not.
        self.is_mute = wrote.await.is_err();
    }

    pub(in crate::doctor) async fn send(&mut self, text: &str) {
        let mut out = Vec::new();
        if self.connection.send(Kind::Text, text.as_bytes(), &mut out).is_ok() {
            self.write(&out, Instant::now() + WRITE_TIME).await;
        }
    }

    pub(in crate::doctor) async fn ping(&mut self) {
        let mut out = Vec::new();
        if self.connection.ping(b"madang", &mut out).is_ok() {
            self.write(&out, Instant::now() + WRITE_TIME).await;
        }
    }

    /// Says goodbye, and does not wait long.
    pub(in crate::doctor) async fn close(mut self) {
        if self.ended {
            return;
        }
        let now = std::time::Instant::now();
        if self.connection.close(CloseCode::NORMAL, "", now).is_ok() {
            let deadline = Instant::now() + Duration::from_millis(500);
            while self.next(deadline).await.is_some() {}
        }
    }

    /// Watches until `until`, or to the end; everything goes into `socket`.
    pub(in crate::doctor) async fn watch(&mut self, socket: &mut Socket, until: Instant) {
        while let Some(seen) = self.next(until).await {
            let is_pong = matches!(seen, Seen::Pong);
            note(socket, seen);
            if is_pong {
                return;
            }
        }
    }
}

/// Keeps what happened.
pub(in crate::doctor) fn note(socket: &mut Socket, seen: Seen) {
    match seen {
        Seen::Text(text) if socket.messages.len() < MAX_MESSAGES => {
            let safe = crate::client::escaped(&text, crate::client::Keep::None);
            socket.messages.push(safe.chars().take(MAX_SHOWN).collect());
        }
        Seen::Binary(bytes) if socket.messages.len() < MAX_MESSAGES => {
            socket.messages.push(format!("({} B)", bytes.len()));
        }
        Seen::End(end) => socket.end = Some(end),
        _ => {}
    }
}

/// The first exchange: a ping, its pong, and a moment in which the server may close.
pub(in crate::doctor) async fn first_exchange(
    live: &mut Live,
    patience: Duration,
    moment: Duration,
) -> Socket {
    let mut socket = Socket { pinged: true, ..Socket::default() };
    let asked = Instant::now();
    live.ping().await;
    let deadline = asked + patience;
    while let Some(seen) = live.next(deadline).await {
        if matches!(seen, Seen::Pong) {
            socket.pong = Some(asked.elapsed());
            break;
        }
        note(&mut socket, seen);
    }
    if socket.pong.is_some() {
        let until = Instant::now() + moment;
        live.watch(&mut socket, until).await;
    }
    // Bytes that are no frames tell more than the rule that they break.
    if socket.end.as_ref().is_some_and(|end| matches!(end.by, By::Us(_))) {
        socket.raw = Some(Bytes(live.raw.clone()));
    }
    socket
}
