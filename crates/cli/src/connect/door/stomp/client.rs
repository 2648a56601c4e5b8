//! The client's side of a conversation.

use std::time::{Duration, Instant};

use bytes::Bytes;
use madang::websocket::{ByteString, Message};
use serde::de::IgnoredAny;

use super::{
    super::{Act, Command, Door, word},
    frame::{Frame, FrameError, Parser},
};
use crate::connect::show::{self, Body, Shown};

/// How often we send at least, and want to hear.
const HEART_BEAT: Duration = Duration::from_secs(10);
/// Longest frame that is taken, where nothing else is asked for.
const MAX_FRAME: usize = 16 << 20;
/// Most subscriptions at once.
const MAX_SUBSCRIPTIONS: usize = 1_000;

const COMMANDS: &[Command] = &[
    Command {
        name: "/subscribe",
        usage: "DESTINATION",
        about: "get what is sent there, such as /subscribe /topic/kitchen",
    },
    Command { name: "/unsubscribe", usage: "DESTINATION", about: "get no more of it" },
    Command {
        name: "/send",
        usage: "DESTINATION [-H NAME:VALUE]… TEXT",
        about: "send there; a line without a slash goes to the destination used last",
    },
];

/// A STOMP client. It subscribes again by itself after a reconnect.
#[derive(Debug)]
pub(crate) struct Stomp {
    host: String,
    /// Headers of CONNECT, such as login and passcode.
    login: Vec<(String, String)>,
    state: State,
    parser: Parser,
    /// Longest frame that is taken.
    max_frame: usize,
    subscriptions: Vec<Subscription>,
    next_id: u64,
    /// Where a line without a slash goes.
    destination: Option<String>,
    beats: Beats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// CONNECT is sent, CONNECTED awaited.
    Connecting,
    Connected,
    /// DISCONNECT is sent, its RECEIPT awaited.
    Leaving,
    Gone,
}

#[derive(Debug)]
struct Subscription {
    id: String,
    destination: String,
}

/// Heart-beats: when we must send, and when we must have heard.
#[derive(Debug, Default)]
struct Beats {
    send: Option<(Duration, Instant)>,
    hear: Option<(Duration, Instant)>,
}

impl Stomp {
    /// A client for this virtual host, with further headers for CONNECT.
    pub(crate) fn new(host: &str, login: Vec<(String, String)>) -> Self {
        Self {
            host: host.to_owned(),
            login,
            state: State::Connecting,
            parser: Parser::new(MAX_FRAME),
            max_frame: MAX_FRAME,
            subscriptions: Vec::new(),
            next_id: 0,
            destination: None,
            beats: Beats::default(),
        }
    }

    /// Takes frames of so many bytes.
    pub(crate) fn at_most(self, max_frame: usize) -> Self {
        Self { max_frame, parser: Parser::new(max_frame), ..self }
    }

    fn send(&mut self, frame: &Frame, now: Instant, out: &mut Vec<Act>) {
        let bytes = frame.encode();
        // Text where it can be: some servers take no binary frames.
        let message = match String::from_utf8(bytes) {
            Ok(text) => Message::text(text),
            Err(error) => Message::binary(error.into_bytes()),
        };
        out.push(Act::Send(message));
        if let Some((every, due)) = &mut self.beats.send {
            *due = now + *every;
        }
    }

    fn connected(&mut self, frame: &Frame, now: Instant, out: &mut Vec<Act>) {
        self.state = State::Connected;
        self.beats = Beats::agreed(frame.header("heart-beat").unwrap_or("0,0"), now);
        let server = frame.header("server").unwrap_or("a server that gives no name");
        let version = frame.header("version").unwrap_or("1.0");
        out.push(Act::Note(format!("STOMP {version} with {server}")));
        for at in 0..self.subscriptions.len() {
            if let Some(frame) = self.subscriptions.get(at).map(Subscription::frame) {
                self.send(&frame, now, out);
            }
        }
    }

    fn frame(&mut self, frame: Frame, now: Instant, out: &mut Vec<Act>) {
        match (frame.command.as_str(), self.state) {
            ("CONNECTED", State::Connecting) => self.connected(&frame, now, out),
            ("ERROR", _) => {
                let why = frame.header("message").unwrap_or("no reason given").to_owned();
                let body = String::from_utf8_lossy(&frame.body).to_ascii_lowercase();
                let hint = if self.state == State::Connecting && body.contains("virtual host") {
                    "; --auth '{\"host\":\"/\"}' names another virtual host"
                } else {
                    ""
                };
                out.push(Act::Show(shown(frame)));
                out.push(Act::Refused(format!("the server gave a STOMP error: {why}{hint}")));
                self.state = State::Gone;
            }
            ("RECEIPT", State::Leaving) if frame.header("receipt-id") == Some("goodbye") => {
                self.state = State::Gone;
            }
            ("MESSAGE" | "RECEIPT", State::Connected | State::Leaving) => {
                out.push(Act::Show(shown(frame)));
            }
            (command, _) => {
                let command = command.chars().take(40).collect::<String>();
                out.push(Act::Broken(format!("the STOMP frame {command} is out of place here")));
                self.state = State::Gone;
            }
        }
    }

    fn subscribe(&mut self, rest: &str, now: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        let (destination, more) = word(rest);
        if destination.is_empty() || !more.is_empty() {
            return Err("say where, such as /subscribe /topic/kitchen".into());
        }
        if self.subscriptions.iter().any(|one| one.destination == destination) {
            return Err(format!("you are subscribed to {destination} already"));
        }
        if self.subscriptions.len() == MAX_SUBSCRIPTIONS {
            return Err(format!("{MAX_SUBSCRIPTIONS} subscriptions are the most"));
        }
        self.next_id += 1;
        let one =
            Subscription { id: self.next_id.to_string(), destination: destination.to_owned() };
        self.send(&one.frame(), now, out);
        self.subscriptions.push(one);
        self.destination = Some(destination.to_owned());
        Ok(())
    }

    fn unsubscribe(&mut self, rest: &str, now: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        let destination = rest.trim();
        let at = self.subscriptions.iter().position(|one| one.destination == destination);
        let Some(at) = at else {
            let all: Vec<_> = self.subscriptions.iter().map(|one| &*one.destination).collect();
            return Err(match all.as_slice() {
                [] => "you are subscribed to nothing".to_owned(),
                all => format!("you are subscribed to {}", all.join(", ")),
            });
        };
        let one = self.subscriptions.remove(at);
        self.send(&Frame::new("UNSUBSCRIBE", &[("id", &one.id)]), now, out);
        Ok(())
    }

    fn send_to(&mut self, rest: &str, now: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        let (destination, mut rest) = word(rest);
        if destination.is_empty() {
            return Err("say where and what, such as /send /topic/kitchen soup is ready".into());
        }
        let mut frame = Frame::new("SEND", &[("destination", destination)]);
        while let (header, Some(behind)) = header(rest)? {
            if let Some((name, value)) = header {
                frame.headers.push((name.to_owned(), value.to_owned()));
            }
            rest = behind;
        }
        self.destination = Some(destination.to_owned());
        self.publish(frame, rest, now, out);
        Ok(())
    }

    fn publish(&mut self, mut frame: Frame, body: &str, now: Instant, out: &mut Vec<Act>) {
        if frame.header("content-type").is_none() {
            let is_json =
                body.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(body).is_ok();
            let kind = if is_json { "application/json" } else { "text/plain;charset=utf-8" };
            frame.headers.push(("content-type".into(), kind.into()));
        }
        // "All frames MAY include a content-length header"; with one, a NUL may stand in the body.
        frame.headers.push(("content-length".into(), body.len().to_string()));
        frame.body = Bytes::copy_from_slice(body.as_bytes());
        self.send(&frame, now, out);
    }

    fn check_connected(&self) -> Result<(), String> {
        match self.state {
            State::Connected => Ok(()),
            _ => Err("not connected yet".into()),
        }
    }
}

type Header<'a> = Option<(&'a str, &'a str)>;

/// `-H NAME:VALUE` at the start, and what stands behind it.
fn header(text: &str) -> Result<(Header<'_>, Option<&str>), String> {
    let (flag, rest) = word(text);
    if flag != "-H" {
        return Ok((None, None));
    }
    let (pair, rest) = word(rest);
    let pair = pair.split_once(':').ok_or("a header is written -H NAME:VALUE")?;
    Ok((Some(pair), Some(rest)))
}

impl Subscription {
    fn frame(&self) -> Frame {
        let headers = [("id", &*self.id), ("destination", &*self.destination), ("ack", "auto")];
        Frame::new("SUBSCRIBE", &headers)
    }
}

impl Beats {
    /// What both sides can and want: "the sender of the frame … can guarantee" first, "would like
    /// to get" second, 0 for neither.
    fn agreed(theirs: &str, now: Instant) -> Self {
        let read = |text: &str| text.trim().parse::<u64>().map(Duration::from_millis);
        let (can, wants) = theirs.split_once(',').unwrap_or(("0", "0"));
        let of = |text| read(text).ok().filter(|every| !every.is_zero());
        // A day is as good as never, and cannot overflow.
        let longest = |every: Duration| every.max(HEART_BEAT).min(Duration::from_hours(24));
        let send = of(wants).map(longest).map(|every| (every, now + every));
        // "the receiver MUST take into account an error margin": twice the time.
        let hear = of(can).map(longest).map(|every| (2 * every, now + 2 * every));
        Self { send, hear }
    }
}

/// A frame, as it is shown.
fn shown(frame: Frame) -> Shown {
    let (kind, title) = match frame.command.as_str() {
        "MESSAGE" => ("message", frame.header("destination").unwrap_or("MESSAGE").to_owned()),
        "RECEIPT" => ("receipt", format!("RECEIPT {}", frame.header("receipt-id").unwrap_or(""))),
        _ => ("error", format!("ERROR {}", frame.header("message").unwrap_or(""))),
    };
    let is_text = frame.header("content-type").is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
    });
    let body = match ByteString::try_from(frame.body.clone()) {
        _ if frame.body.is_empty() => Vec::new(),
        Ok(text) if is_text => vec![Body::Text(text)],
        _ => vec![Body::Binary(frame.body)],
    };
    let counts = kind == "message";
    let headers = frame.headers;
    Shown::Frame(show::Frame { kind, title, headers, body, counts, ..show::Frame::default() })
}

impl Door for Stomp {
    fn opened(&mut self, now: Instant, out: &mut Vec<Act>) {
        self.state = State::Connecting;
        self.parser = Parser::new(self.max_frame);
        self.beats = Beats::default();
        let every = HEART_BEAT.as_millis();
        let beat = format!("{every},{every}");
        let mut frame = Frame::new("CONNECT", &[("accept-version", "1.2")]);
        if !self.login.iter().any(|(name, _)| name == "host") {
            frame.headers.push(("host".into(), self.host.clone()));
        }
        frame.headers.push(("heart-beat".into(), beat));
        frame.headers.extend(self.login.clone());
        self.send(&frame, now, out);
    }

    fn received(&mut self, message: Message, now: Instant, out: &mut Vec<Act>) {
        if self.state == State::Gone {
            return;
        }
        if let Some((every, due)) = &mut self.beats.hear {
            *due = now + *every;
        }
        self.parser.push(message.as_bytes());
        while self.state != State::Gone {
            match self.parser.next_frame() {
                Ok(Some(frame)) => self.frame(frame, now, out),
                Ok(None) => return,
                Err(error) => {
                    out.push(match error {
                        FrameError::LongFrame => Act::TooBig(error.to_string()),
                        error => Act::Broken(format!("this is no STOMP: {error}")),
                    });
                    self.state = State::Gone;
                    self.parser = Parser::new(self.max_frame);
                    return;
                }
            }
        }
    }

    fn line(&mut self, line: &str, now: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        self.check_connected()?;
        let Some(destination) = &self.destination else {
            return Err("say where first: /subscribe DESTINATION or /send DESTINATION TEXT".into());
        };
        let frame = Frame::new("SEND", &[("destination", destination)]);
        self.publish(frame, line, now, out);
        Ok(())
    }

    fn command(
        &mut self,
        name: &str,
        rest: &str,
        now: Instant,
        out: &mut Vec<Act>,
    ) -> Result<(), String> {
        self.check_connected()?;
        match name {
            "/subscribe" => self.subscribe(rest, now, out),
            "/unsubscribe" => self.unsubscribe(rest, now, out),
            _ => self.send_to(rest, now, out),
        }
    }

    fn commands(&self) -> &'static [Command] {
        COMMANDS
    }

    fn is_ready(&self) -> bool {
        self.state == State::Connected
    }

    fn leave(&mut self, now: Instant, out: &mut Vec<Act>) {
        if self.state == State::Connected {
            // "SHOULD": with a receipt the client knows that all that it sent has arrived.
            self.send(&Frame::new("DISCONNECT", &[("receipt", "goodbye")]), now, out);
            self.state = State::Leaving;
        } else {
            self.state = State::Gone;
        }
    }

    fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let Beats { send, hear } = &self.beats;
        [send, hear].into_iter().flatten().map(|(_, due)| *due).min()
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Act>) {
        if let Some((every, due)) = &mut self.beats.send
            && *due <= now
        {
            *due = now + *every;
            out.push(Act::Send(Message::text("\n")));
        }
        if let Some((every, due)) = self.beats.hear
            && due <= now
        {
            self.beats = Beats::default();
            out.push(Act::Silent(format!("no STOMP heart-beat came for {} s", every.as_secs())));
        }
    }
}
