//! What is spoken on the WebSocket: plain messages, or a protocol on top. Each door is a state
//! machine: messages, lines and the time in, [`Act`]s out. None of them touches a socket or a
//! clock.

mod plain;
mod socketio;
mod stomp;

use std::time::Instant;

use clap::ValueEnum;
use madang::websocket::Message;

use super::show::Shown;

pub(crate) use plain::Plain;
pub(crate) use socketio::SocketIo;
pub(crate) use stomp::Stomp;

/// `--as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// STOMP 1.2.
    Stomp,
    /// Socket.IO 3 and newer (Engine.IO 4), over WebSocket only.
    Socketio,
}

/// What a door wants to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Send a message.
    Send(Message),
    /// Show what came.
    Show(Shown),
    /// Tell of the protocol's own affairs.
    Note(String),
    /// The same, for `--verbose`.
    Detail(String),
    /// The login was refused, or the server gave an error that ends the protocol.
    Refused(String),
    /// The server speaks something else.
    Broken(String),
    /// More at once than is taken.
    TooBig(String),
    /// The server ended the protocol in a regular way.
    Ended(String),
    /// No sign of life in the time that was agreed on.
    Silent(String),
}

/// A command that begins with a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Command {
    /// With its slash.
    pub(crate) name: &'static str,
    /// What stands behind it.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
}

/// What is spoken.
pub(crate) trait Door {
    /// The WebSocket is open, perhaps again.
    fn opened(&mut self, now: Instant, out: &mut Vec<Act>);

    fn received(&mut self, message: Message, now: Instant, out: &mut Vec<Act>);

    /// A line that is no command.
    fn line(&mut self, line: &str, now: Instant, out: &mut Vec<Act>) -> Result<(), String>;

    /// A command of [`commands`](Self::commands), with what stood behind it.
    fn command(
        &mut self,
        name: &str,
        rest: &str,
        now: Instant,
        out: &mut Vec<Act>,
    ) -> Result<(), String>;

    fn commands(&self) -> &'static [Command];

    /// Whether the login is done, so that lines may come.
    fn is_ready(&self) -> bool;

    /// Says goodbye; whether an answer is to be waited for, until [`is_gone`](Self::is_gone).
    fn leave(&mut self, now: Instant, out: &mut Vec<Act>);

    /// Whether the goodbye is answered, or needs no answer.
    fn is_gone(&self) -> bool;

    /// When [`handle_timeout`](Self::handle_timeout) is to be called; it changes with every call.
    fn poll_timeout(&self) -> Option<Instant>;

    fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Act>);
}

/// A word and what follows the space behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}
