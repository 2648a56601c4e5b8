//! What outlives a connection: connecting, coming back, and the end.

use std::{
    collections::VecDeque,
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use http::Response;
use madang::websocket::{CloseCode, Message, WebSocket};
use tokio::time::sleep_until;

use super::{
    Ending, Exit,
    dial::{Dialer, NoSocket},
    door::Door,
    face::{Face, is_person},
    flags::Connect,
    input::{Given, Input},
    refused,
    save::Saver,
    show::Style,
    term::History,
    typed,
};
use crate::cmd::tail::Pauses;

/// How long answers are waited for after the end of the input.
const WAIT: Duration = Duration::from_secs(1);

/// Everything that outlives a connection.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line or of its own"
)]
pub(super) struct Session {
    pub(super) dialer: Arc<Dialer>,
    pub(super) door: Box<dyn Door>,
    pub(super) face: Face,
    pub(super) style: Style,
    pub(super) saver: Option<Saver>,
    pub(super) input: Input,
    pauses: Pauses,
    pub(super) reconnects: bool,
    /// Whether nothing is spoken on top, so that messages are for any connection.
    pub(super) is_plain: bool,
    has_history: bool,
    /// Whether lines that begin with a slash are commands.
    pub(super) has_commands: bool,
    /// Messages that have not gone into the socket.
    pub(super) pending: VecDeque<Message>,
    /// Whether what has gone into the socket may not have left it.
    pub(super) is_unflushed: bool,
    /// Since when answers are waited for: all of the input has left.
    pub(super) all_sent: Option<Instant>,
    /// When a message came last.
    pub(super) last_came: Option<Instant>,
    /// Messages that are still wanted.
    pub(super) left: Option<u64>,
    /// How long to go on after the end of the input.
    pub(super) wait: Option<Duration>,
    pub(super) login_time: Duration,
    timeout: Option<Duration>,
    pub(super) deadline: Option<Instant>,
    /// By when the goodbye must be answered, when it was said.
    pub(super) leaving: Option<Instant>,
    /// By when what waits must have left, when it ended on this side.
    pub(super) end_by: Option<Instant>,
    /// Whether a person asked for the end.
    pub(super) was_asked_to_end: bool,
    /// Whether a signal asked for it: nothing is waited for that may not come.
    pub(super) is_stopped: bool,
    /// Whether lines that are typed are not taken until those that wait have left.
    pub(super) is_full: bool,
    /// Lines that were typed and not taken.
    pub(super) untaken: u64,
    /// Whether a script asked for what cannot be.
    pub(super) is_spoilt: bool,
    /// How it ended on this side, when it has.
    pub(super) ended: Option<Ending>,
    /// A close that was typed.
    pub(super) closing: Option<(CloseCode, String)>,
    /// A ping that was typed and has not left.
    pub(super) ping: Option<Vec<u8>>,
    /// Pings that have left, and when.
    pub(super) pings: VecDeque<(Vec<u8>, Instant)>,
}

impl Session {
    pub(super) fn new(flags: Connect, dialer: Dialer, door: Box<dyn Door>) -> Result<Self, String> {
        let style = Style {
            is_pretty: flags.pretty,
            is_verbose: flags.verbose,
            has_time: flags.time,
            is_json: flags.json,
        };
        let wait = flags.wait.or_else(|| flags.count.is_none().then_some(WAIT));
        Ok(Self {
            dialer: Arc::new(dialer),
            has_commands: flags.protocol.is_some(),
            is_plain: flags.protocol.is_none(),
            door,
            face: Face::pipe(),
            style,
            saver: flags.binary_to.map(Saver::new).transpose()?,
            input: Input::new(flags.max_message, flags.binary),
            pauses: Pauses::default(),
            reconnects: flags.reconnect,
            has_history: !flags.no_history,
            pending: VecDeque::new(),
            is_unflushed: false,
            all_sent: None,
            last_came: None,
            left: flags.count,
            wait,
            login_time: flags.connect_timeout,
            timeout: flags.timeout,
            deadline: None,
            leaving: None,
            end_by: None,
            was_asked_to_end: false,
            is_stopped: false,
            is_full: false,
            untaken: 0,
            is_spoilt: false,
            ended: None,
            closing: None,
            ping: None,
            pings: VecDeque::new(),
        })
    }

    /// Connects, talks, and comes back where that is wanted.
    pub(super) async fn run(mut self) -> Ending {
        self.deadline = self.timeout.and_then(|time| Instant::now().checked_add(time));
        let mut ending = self.come_and_go().await.unwrap_or_else(|ending| ending);
        self.tell_untaken();
        if ending.exit == Exit::Login
            && let Some(told) = &mut ending.told
        {
            told.push('\n');
            told.push_str(&refused::doctor(&self.dialer.doctor));
        }
        if let Err(error) = self.face.close()
            && ending.exit == Exit::Clean
        {
            return Ending::unwritable(&error);
        }
        if self.is_spoilt && ending.exit == Exit::Clean {
            ending.exit = Exit::Usage;
        }
        match self.left {
            Some(left @ 1..) if ending.exit == Exit::Clean && !self.was_asked_to_end => {
                let before = ending.told.map_or(String::new(), |told| format!("{told}; "));
                Ending::new(
                    Exit::Late,
                    format!("{before}messages that --count still waits for: {left}"),
                )
            }
            _ => ending,
        }
    }

    /// An ending comes as an error where there was no socket.
    async fn come_and_go(&mut self) -> Result<Ending, Ending> {
        let mut was_open = false;
        loop {
            let began = Instant::now();
            let dialer = Arc::clone(&self.dialer);
            let ending = match self.apart(dialer.open()).await? {
                Ok((socket, response)) => {
                    if !was_open {
                        self.begin()?;
                    }
                    was_open = true;
                    self.face.connected(true);
                    self.greet(&socket, &response);
                    let ending = self.talk(socket).await;
                    self.end_by = None;
                    ending
                }
                Err(NoSocket { exit, told, is_passing }) => {
                    Ending { exit, told: Some(told), is_passing }
                }
            };
            self.face.connected(false);
            let is_over = self.leaving.is_some() || self.was_asked_to_end;
            if is_over || !self.reconnects || !was_open || !ending.is_passing {
                return Ok(ending);
            }
            if began.elapsed() > Pauses::MOST {
                self.pauses.reset();
            }
            let pause = self.pauses.next(None);
            let why = ending.told.unwrap_or_default();
            let why = why.lines().next().unwrap_or_default();
            self.face.trouble(&format!("{why}; trying again in {:.1} s", pause.as_secs_f32()));
            self.apart(tokio::time::sleep(pause)).await?;
        }
    }

    /// With the first connection the terminal is taken and the input read. Before, Ctrl-C is enough.
    fn begin(&mut self) -> Result<(), Ending> {
        let failed =
            |error: std::io::Error| Ending::new(Exit::Usage, format!("cannot start: {error}"));
        let is_terminal = is_person();
        if is_terminal {
            self.has_commands = true;
            let place = if self.has_history { History::place() } else { None };
            let history = place.map(History::load).unwrap_or_default();
            let words = typed::words(self.door.as_ref());
            self.face = Face::terminal(history, words, self.style).map_err(failed)?;
        }
        self.input.begin(is_terminal).map_err(failed)
    }

    fn greet(&mut self, socket: &WebSocket, response: &Response<()>) {
        let protocol = socket.protocol();
        let missed = self.dialer.missed_subprotocol(protocol);
        let mut text = format!("connected to {}", self.dialer.shown_url());
        if let Some(protocol) = protocol {
            text.push_str(", subprotocol ");
            text.push_str(protocol);
        }
        if socket.deflate().is_some() {
            text.push_str(", compressed");
        }
        if self.face.is_terminal() {
            text.push_str("\n/help lists the commands, Ctrl-D ends");
        }
        if self.style.is_verbose {
            text.push_str(&self.dialer.headers_of(response));
        }
        if self.face.is_terminal() || self.style.is_verbose {
            self.face.note(&text);
        }
        if let Some(missed) = missed {
            self.face.trouble(&missed);
        }
    }

    /// Waits for something without a socket. A person can still type and end it.
    async fn apart<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ending> {
        let mut work = pin!(work);
        loop {
            self.face.flush().map_err(|error| Ending::unwritable(&error))?;
            let is_terminal = self.face.is_terminal();
            let given = tokio::select! {
                done = &mut work => return Ok(done),
                given = self.input.next(is_terminal) => given,
                () = until(self.deadline) => return Err(Ending::late()),
            };
            self.given(given, false);
            if let Some(ending) = self.ended.take() {
                return Err(ending);
            }
            if self.was_asked_to_end {
                return Err(Ending::clean());
            }
        }
    }

    /// A script asked for what cannot be: nothing more is read, and what was sent before is still
    /// answered.
    pub(super) fn spoilt(&mut self, why: &str) {
        self.face.trouble(why);
        self.is_spoilt = true;
        self.input.is_over = true;
        // Messages that --count waits for may never be asked for.
        self.wait.get_or_insert(WAIT);
    }

    /// Takes what a person or a pipe gave.
    pub(super) fn given(&mut self, given: Given, is_connected: bool) {
        match given {
            Given::Bytes(bytes) => self.bytes(&bytes, is_connected),
            Given::End => self.end_of_input(),
            Given::Failed(error) => {
                self.spoilt(&format!("cannot read the standard input: {error}"));
            }
            Given::Resized => {
                if let Face::Terminal(person) = &mut self.face {
                    person.terminal.resized();
                }
            }
            Given::Stopped => {
                self.was_asked_to_end = true;
                self.is_stopped = true;
            }
        }
    }
}

impl Ending {
    pub(super) fn late() -> Self {
        Self::new(Exit::Late, "time ran out (--timeout)")
    }

    /// Whoever reads no more has enough.
    pub(super) fn unwritable(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::clean(),
            _ => Self::new(Exit::Usage, format!("cannot write to the standard output: {error}")),
        }
    }
}

/// Waits for a time; without one for ever.
pub(super) async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
