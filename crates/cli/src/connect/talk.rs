//! One connection, from its opening to its end.

use std::{
    fmt::Write as _,
    future::{Future as _, poll_fn},
    pin::pin,
    task::Poll,
    time::Instant,
};

use madang::websocket::{ClosedBy, Error, Event, Message, Reader, WebSocket, Writer};

use super::{
    Ending, Exit,
    door::{Act, Door},
    end::{of_close, of_error},
    input::{Given, PIECE},
    session::{Session, until},
    show::Shown,
};
use crate::client::{Keep, escaped};

/// Messages that may wait for the socket: more than lines in a piece of input.
const MAX_PENDING: usize = 2 * PIECE;
/// Events that are taken before the screen is drawn again.
const BURST: usize = 256;
/// Pings whose pongs are waited for.
const MAX_PINGS: usize = 100;

type Came = Option<Result<Event, Error>>;

/// What woke the loop.
enum Woken {
    Socket(Came),
    /// The server broke a rule. What still comes is the end.
    Failed(Error),
    Fed(Result<(), Error>),
    Flushed(Result<(), Error>),
    Pinged(Result<(), Error>),
    Given(Given),
    Time,
}

impl Session {
    pub(super) async fn talk(&mut self, socket: WebSocket) -> Ending {
        let (mut reader, mut writer) = socket.split();
        let login_by = Instant::now() + self.login_time;
        let (mut is_writable, mut has_come) = (true, false);
        self.is_unflushed = false;
        self.end_by = None;
        self.pings.clear();
        self.ping = None;
        self.with_door(|door, now, out| door.opened(now, out));
        loop {
            if let Err(error) = self.face.flush() {
                self.ended.get_or_insert(Ending::unwritable(&error));
            }
            // Counted from when it is shown: whoever reads slowly does not lose answers.
            if std::mem::take(&mut has_come) {
                self.last_came = Some(Instant::now());
            }
            if let Some(leave) = self.due(login_by) {
                return self.close(&mut writer, leave).await;
            }
            let mut first = None;
            match self.woken(&mut reader, &mut writer, is_writable, login_by).await {
                Woken::Socket(came) => first = Some(came),
                Woken::Failed(error) => return self.failed(&mut reader, &error).await,
                Woken::Fed(Ok(())) => {
                    self.pending.pop_front();
                    self.is_unflushed = true;
                }
                Woken::Flushed(Ok(())) => self.is_unflushed = false,
                Woken::Pinged(Ok(())) => {
                    if let Some(ping) = self.ping.take() {
                        self.pings.truncate(MAX_PINGS - 1);
                        self.pings.push_back((ping, Instant::now()));
                    }
                }
                // How it ended is what reading says.
                Woken::Fed(Err(_)) | Woken::Flushed(Err(_)) | Woken::Pinged(Err(_)) => {
                    is_writable = false;
                }
                Woken::Given(given) => self.given(given, true),
                Woken::Time => {
                    self.with_door(|door, now, out| door.handle_timeout(now, out));
                    // What has come by then came in time.
                    first = ready(&mut reader).await;
                }
            }
            if let Some(came) = first {
                has_come = matches!(came, Some(Ok(Event::Message(_))));
                if let Some(ending) = self.burst(&mut reader, came).await {
                    return self.left_behind(ending);
                }
            }
            if self.was_asked_to_end {
                self.leave();
            }
        }
    }

    async fn woken(
        &mut self,
        reader: &mut Reader,
        writer: &mut Writer,
        is_writable: bool,
        login_by: Instant,
    ) -> Woken {
        let takes = self.takes_input();
        let time = self.next_time(login_by);
        // While there is input, what was fed leaves with reading.
        let flushes = self.is_unflushed && self.input.is_over && self.all_sent.is_none();
        let (first, ping) = (self.pending.front().cloned(), self.ping.clone());
        tokio::select! {
            seen = seen(reader) => seen,
            pushed = push(writer, first, ping, flushes), if is_writable => pushed,
            given = self.input.next(takes) => Woken::Given(given),
            () = until(time) => Woken::Time,
        }
    }

    /// Whether what is typed or piped is read: a pipe as fast as the server takes it, a person
    /// always, so that the key that ends it is heard.
    fn takes_input(&self) -> bool {
        let is_over = self.leaving.is_some() || self.ended.is_some();
        let takes_pipe = self.pending.is_empty() && self.door.is_ready();
        self.face.is_terminal() || (takes_pipe && !is_over && !self.input.is_over)
    }

    /// When something is to be done without anything coming.
    fn next_time(&self, login_by: Instant) -> Option<Instant> {
        let is_over = self.leaving.is_some() || self.ended.is_some();
        let login = Some(login_by).filter(|_| !self.door.is_ready() && !is_over);
        let wait = self.wait_ends().filter(|_| !is_over);
        let end_by = self.end_by.or(self.leaving);
        let times = [self.door.poll_timeout(), self.deadline, end_by, login, wait];
        times.into_iter().flatten().min()
    }

    /// Takes what came, and what came with it, so that the screen is drawn once for all of it.
    async fn burst(&mut self, reader: &mut Reader, first: Came) -> Option<Ending> {
        let mut came = Some(first);
        for _ in 0..BURST {
            let Some(event) = came else { break };
            if let Some(ending) = self.came(event, reader) {
                return Some(ending);
            }
            if self.face.is_full() {
                return None;
            }
            came = ready(reader).await;
        }
        match came {
            Some(event) => self.came(event, reader),
            None => None,
        }
    }

    /// Takes an event; an ending when it is the last.
    fn came(&mut self, came: Came, reader: &Reader) -> Option<Ending> {
        match came {
            Some(Ok(Event::Message(message))) => {
                self.with_door(|door, now, out| door.received(message, now, out));
                None
            }
            Some(Ok(Event::Ping(payload))) => {
                if self.style.is_verbose {
                    self.face.note(&format!("ping{}, answered", told(&payload)));
                }
                None
            }
            Some(Ok(Event::Pong(payload))) => {
                self.pong(&payload);
                None
            }
            Some(Err(error)) => Some(of_error(&error, self.dialer.max_message)),
            None => Some(match reader.closed() {
                Some(closed) => {
                    let ending = of_close(&closed);
                    // However politely it is said.
                    let is_login = closed.by == ClosedBy::Peer && !self.door.is_ready();
                    match ending.exit {
                        Exit::Clean if is_login => Ending::new(
                            Exit::Unreachable,
                            format!(
                                "{}, before it answered the login",
                                ending.told.unwrap_or_default()
                            ),
                        ),
                        _ => ending,
                    }
                }
                None => Ending::new(Exit::Cut, "the connection is over"),
            }),
        }
    }

    fn pong(&mut self, payload: &[u8]) {
        let at = self.pings.iter().position(|(ping, _)| ping == payload);
        if let Some((_, sent)) = at.and_then(|at| self.pings.remove(at)) {
            let millis = sent.elapsed().as_secs_f64() * 1_000.0;
            self.face.note(&format!("pong{} after {millis:.1} ms", told(payload)));
        } else if self.style.is_verbose {
            self.face.note(&format!("pong{}, which nobody asked for", told(payload)));
        }
    }

    /// Calls the door, and does what it wants.
    pub(super) fn with_door(&mut self, call: impl FnOnce(&mut dyn Door, Instant, &mut Vec<Act>)) {
        let mut out = Vec::new();
        call(self.door.as_mut(), Instant::now(), &mut out);
        self.act(out);
    }

    pub(super) fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Send(message) => self.pending.push_back(message),
                Act::Show(shown) => self.show(&shown),
                Act::Note(text) if self.face.is_terminal() || self.style.is_verbose => {
                    self.face.note(&text);
                }
                Act::Detail(text) if self.style.is_verbose => self.face.note(&text),
                Act::Note(_) | Act::Detail(_) => {}
                Act::Refused(why) => self.end(Exit::Login, why, false),
                Act::Broken(why) => self.end(Exit::Misbehaved, why, false),
                Act::TooBig(why) => self.end(Exit::Cut, why, false),
                Act::Ended(why) => self.end(Exit::ClosedWithError, why, true),
                Act::Silent(why) => self.end(Exit::Cut, why, true),
            }
        }
        if self.pending.len() > MAX_PENDING {
            self.end(Exit::Cut, "the server takes nothing of what it asks for".into(), true);
        }
    }

    fn end(&mut self, exit: Exit, why: String, is_passing: bool) {
        self.ended.get_or_insert(Ending { exit, told: Some(why), is_passing });
    }

    fn show(&mut self, shown: &Shown) {
        if shown.counts()
            && let Some(left) = &mut self.left
        {
            let Some(fewer) = left.checked_sub(1) else { return };
            *left = fewer;
        }
        let mut saved = Vec::new();
        if let Some(saver) = &mut self.saver {
            for bytes in shown.binaries() {
                match saver.save(&bytes) {
                    Ok(path) => saved.push(path),
                    Err(error) => {
                        let why = format!("--binary-to: cannot write: {error}");
                        self.ended.get_or_insert(Ending::new(Exit::Usage, why));
                        return;
                    }
                }
            }
        }
        if let Err(error) = self.face.show(shown, self.style, &saved) {
            self.ended.get_or_insert(Ending::unwritable(&error));
        }
    }
}

/// The next event, or that the server broke a rule: the event that says so comes when the server
/// has closed.
async fn seen(reader: &mut Reader) -> Woken {
    poll_fn(|cx| {
        if let Poll::Ready(came) = pin!(reader.recv_event()).poll(cx) {
            return Poll::Ready(Woken::Socket(came));
        }
        match reader.closed().map(|closed| closed.by) {
            Some(ClosedBy::Failure(error)) => Poll::Ready(Woken::Failed(Error::Failed(error))),
            _ => Poll::Pending,
        }
    })
    .await
}

/// Gives the socket what waits. Dropped before it is done, it has given nothing, or a ping whose
/// sending again does no harm.
async fn push(
    writer: &mut Writer,
    first: Option<Message>,
    ping: Option<Vec<u8>>,
    flushes: bool,
) -> Woken {
    match (first, ping) {
        (Some(message), _) => Woken::Fed(writer.feed(message).await),
        (None, Some(payload)) => Woken::Pinged(writer.ping(&payload).await),
        (None, None) if flushes => Woken::Flushed(writer.flush().await),
        (None, None) => std::future::pending().await,
    }
}

/// The next event if it is there already.
async fn ready(reader: &mut Reader) -> Option<Came> {
    let mut next = pin!(reader.recv_event());
    poll_fn(|cx| match next.as_mut().poll(cx) {
        Poll::Ready(came) => Poll::Ready(Some(came)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The payload of a ping, where it has one.
fn told(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok("") => String::new(),
        Ok(text) => format!(" \"{}\"", escaped(text, Keep::None)),
        Err(_) => {
            let mut digits = String::from(" ");
            for byte in payload {
                // Writing to a string does not fail.
                let _ = write!(digits, "{byte:02x}");
            }
            digits
        }
    }
}
