//! One connection, from its opening to its end.

use std::{
    fmt::Write as _,
    future::{Future as _, poll_fn},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use madang::websocket::{
    CloseCode, Closed, ClosedBy, Error, Event, Message, Reader, WebSocket, Writer,
};

use super::{
    Ending, Exit, closed,
    door::{Act, Door},
    input::Given,
    session::{Session, until},
    show::Shown,
};
use crate::client::{Keep, escaped};

/// Messages that may wait for the socket.
pub(super) const MAX_PENDING: usize = 10_000;
/// Events that are taken before the screen is drawn again.
const BURST: usize = 256;
/// Time for the answer to a goodbye of a protocol.
const GOODBYE: Duration = Duration::from_secs(2);
/// Pings whose pongs are waited for.
const MAX_PINGS: usize = 100;

type Came = Option<Result<Event, Error>>;

/// What woke the loop.
enum Woken {
    Socket(Came),
    Fed(Result<(), Error>),
    Flushed(Result<(), Error>),
    Pinged(Result<(), Error>),
    Given(Given),
    Time,
}

/// How to close, and what to say of it.
struct Leave {
    code: CloseCode,
    reason: String,
    ending: Ending,
}

impl Session {
    pub(super) async fn talk(&mut self, socket: WebSocket) -> Ending {
        let (mut reader, mut writer) = socket.split();
        let login_by = Instant::now() + self.login_time;
        // What was meant for the connection before is not for this one.
        self.pending.clear();
        self.is_unflushed = false;
        self.pings.clear();
        self.ping = None;
        self.with_door(|door, now, out| door.opened(now, out));
        loop {
            if let Err(error) = self.face.flush() {
                self.ended.get_or_insert(Ending::unwritable(&error));
            }
            if let Some(leave) = self.due(login_by) {
                return self.close(&mut writer, leave).await;
            }
            match self.woken(&mut reader, &mut writer, login_by).await {
                Woken::Socket(came) => {
                    if let Some(ending) = self.burst(&mut reader, came).await {
                        return ending;
                    }
                }
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
                    self.pending.clear();
                    self.is_unflushed = false;
                    self.ping = None;
                }
                Woken::Given(given) => self.given(given, true),
                Woken::Time => self.with_door(|door, now, out| door.handle_timeout(now, out)),
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
        login_by: Instant,
    ) -> Woken {
        // A pipe is read as fast as the server takes it.
        let is_free = self.pending.is_empty() && self.door.is_ready() && self.leaving.is_none();
        let takes = self.face.is_terminal() || is_free;
        let time = self.next_time(login_by);
        // While there is input, what was fed leaves with reading.
        let flushes = self.is_unflushed && self.input.is_over && self.all_sent.is_none();
        let (first, ping) = (self.pending.front().cloned(), self.ping.clone());
        tokio::select! {
            came = reader.recv_event() => Woken::Socket(came),
            pushed = push(writer, first, ping, flushes) => pushed,
            given = self.input.next(takes) => Woken::Given(given),
            () = until(time) => Woken::Time,
        }
    }

    /// When something is to be done without anything coming.
    fn next_time(&self, login_by: Instant) -> Option<Instant> {
        let login = (!self.door.is_ready()).then_some(login_by);
        let wait = self.wait_ends().filter(|_| self.leaving.is_none());
        let times = [self.door.poll_timeout(), self.deadline, self.leaving, login, wait];
        times.into_iter().flatten().min()
    }

    /// When answers to what a pipe gave have been waited for long enough.
    fn wait_ends(&self) -> Option<Instant> {
        let (sent, wait) = self.all_sent.zip(self.wait)?;
        sent.checked_add(wait)
    }

    /// Whether it is time to close, and how.
    fn due(&mut self, login_by: Instant) -> Option<Leave> {
        let now = Instant::now();
        let normal = |ending| Leave { code: CloseCode::NORMAL, reason: String::new(), ending };
        if let Some(ending) = self.ended.take() {
            return Some(normal(ending));
        }
        if let Some((code, reason)) = self.closing.take() {
            return Some(Leave { code, reason, ending: Ending::clean() });
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(normal(Ending::late()));
        }
        if self.leaving.is_none() {
            if self.input.is_over && self.pending.is_empty() && !self.is_unflushed {
                self.all_sent.get_or_insert(now);
            }
            let is_over = self.wait_ends().is_some_and(|end| end <= now);
            if is_over || self.left == Some(0) {
                self.leave();
            } else if !self.door.is_ready() && login_by <= now {
                let why = "no answer to the login in time; does the server speak what --as names?";
                return Some(normal(Ending::new(Exit::Unreachable, why)));
            }
        }
        let leaving = self.leaving?;
        let is_sent = self.pending.is_empty() && self.door.is_gone();
        (is_sent || leaving <= now).then(|| normal(Ending::clean()))
    }

    /// Begins the end: what waits is still sent, and the protocol says goodbye.
    pub(super) fn leave(&mut self) {
        if self.leaving.is_none() {
            self.leaving = Some(Instant::now() + GOODBYE);
            self.with_door(|door, now, out| door.leave(now, out));
        }
    }

    /// Closes and waits for the answer, or until a person has waited enough.
    async fn close(&mut self, writer: &mut Writer, leave: Leave) -> Ending {
        let Leave { code, reason, ending } = leave;
        let is_terminal = self.face.is_terminal();
        let was_asked = std::mem::take(&mut self.was_asked_to_end);
        let mut closing = pin!(writer.close(code, &reason));
        let closed = loop {
            tokio::select! {
                closed = &mut closing => break closed.ok(),
                given = self.input.next(is_terminal) => self.given(given, false),
            }
            if self.was_asked_to_end {
                break None;
            }
        };
        self.was_asked_to_end |= was_asked;
        match closed {
            Some(closed) if closed.by == ClosedBy::Cut && ending.exit == Exit::Clean => {
                Ending::new(Exit::Cut, "the server did not answer our close frame")
            }
            _ => ending,
        }
    }

    /// Takes what came, and what came with it, so that the screen is drawn once for all of it.
    async fn burst(&mut self, reader: &mut Reader, first: Came) -> Option<Ending> {
        let mut came = Some(first);
        for _ in 0..BURST {
            let Some(event) = came else { break };
            if let Some(ending) = self.came(event, reader) {
                return Some(ending);
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
            Some(Err(error)) => Some(of_error(&error)),
            None => Some(match reader.closed() {
                Some(closed) => of_close(&closed),
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

fn of_close(closed: &Closed) -> Ending {
    let code = closed.code.as_u16();
    if closed.by == ClosedBy::Us {
        return Ending::clean();
    }
    let words = closed::meaning(code).unwrap_or("a code that means nothing to anybody we know");
    let mut told = format!("the server closed: {code}, {words}");
    if !closed.reason.is_empty() {
        told.push_str("; its reason: ");
        told.push_str(&escaped(&closed.reason, Keep::None));
        if let Some(code) = closed.reason.get(..4).and_then(madang::codes::Code::find) {
            // Writing to a string does not fail.
            let _ = write!(told, " (`madang explain {code}` says more)");
        }
    }
    let exit = if closed::is_clean(code) { Exit::Clean } else { Exit::ClosedWithError };
    Ending { exit, told: Some(told), is_passing: closed::is_passing(code) }
}

fn of_error(error: &Error) -> Ending {
    match error {
        Error::Failed(error) => {
            let code = error.close_code();
            Ending::new(
                Exit::Misbehaved,
                format!("the server broke the protocol ({code}): {error}"),
            )
        }
        error => {
            let words = closed::meaning(1006).unwrap_or_default();
            Ending {
                exit: Exit::Cut,
                told: Some(format!("{error}: 1006, {words}")),
                is_passing: true,
            }
        }
    }
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
