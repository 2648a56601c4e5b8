//! How a connection ends: when, with which code, and what is said of it.

use std::{
    fmt::Write as _,
    pin::pin,
    time::{Duration, Instant},
};

use madang::websocket::{CloseCode, Closed, ClosedBy, Error, Reader, Writer};

use super::{Ending, Exit, closed, session::Session};
use crate::client::{Keep, escaped};

/// Time for the answer to a goodbye of a protocol, and for what waits to leave.
const GOODBYE: Duration = Duration::from_secs(2);

/// Time for the answer to our close frame where there is no more time, or no more sense in it.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// Answers that come faster than this stream in, and are not cut off by the end of `--wait`.
const STREAMING: Duration = Duration::from_millis(200);

/// So much longer they are waited for.
const MOST_STREAMING: Duration = Duration::from_secs(10);

/// How to close, and what to say of it.
pub(super) struct Leave {
    code: CloseCode,
    reason: String,
    ending: Ending,
}

impl Session {
    /// Whether it is time to close, and how.
    pub(super) fn due(&mut self, login_by: Instant) -> Option<Leave> {
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(self.farewell(Ending::late()));
        }
        if self.ended.is_some() {
            self.end_by.get_or_insert(now + GOODBYE);
        } else if self.leaving.is_none() {
            if self.input.is_over && self.pending.is_empty() && !self.is_unflushed {
                self.all_sent.get_or_insert(now);
            }
            if self.left == Some(0) || self.wait_ends().is_some_and(|end| end <= now) {
                self.leave();
            } else if !self.door.is_ready() && login_by <= now {
                let why = "no answer to the login in time; does the server speak what --as names?";
                return Some(self.farewell(Ending::new(Exit::Unreachable, why)));
            }
        }
        let end_by = self.end_by.or(self.leaving)?;
        let is_gone = self.ended.is_some() || self.door.is_gone();
        let is_sent = self.pending.is_empty() && is_gone;
        if !is_sent && end_by > now {
            return None;
        }
        let ending = self.ended.take().unwrap_or_else(Ending::clean);
        Some(self.farewell(ending))
    }

    /// How to close at last. What could not be sent by now is told.
    fn farewell(&mut self, mut ending: Ending) -> Leave {
        let typed = self.closing.take();
        if let Some((code, reason)) = &typed
            && ending.told.is_none()
            && self.face.is_terminal()
        {
            let closed = format!("closed with {code} {reason}");
            ending.told = Some(closed.trim_end().to_owned());
        }
        let (code, reason) = typed.unwrap_or((CloseCode::NORMAL, String::new()));
        let unsent = std::mem::take(&mut self.pending).len();
        if unsent > 0 {
            let before = ending.told.map_or(String::new(), |told| format!("{told}; "));
            ending.told = Some(format!("{before}messages that were not sent: {unsent}"));
            // Who has got what was asked for is content.
            if ending.exit == Exit::Clean && self.left != Some(0) {
                ending.exit = Exit::Cut;
            }
        }
        Leave { code, reason, ending }
    }

    /// Begins the end: what waits is still sent, and the protocol says goodbye.
    pub(super) fn leave(&mut self) {
        let by = Instant::now() + if self.is_stopped { LAST_WAIT } else { GOODBYE };
        if let Some(leaving) = &mut self.leaving {
            *leaving = by.min(*leaving);
        } else {
            self.leaving = Some(by);
            self.with_door(|door, now, out| door.leave(now, out));
        }
    }

    /// Closes and waits for the answer, or until a person has waited enough.
    pub(super) async fn close(&mut self, writer: &mut Writer, leave: Leave) -> Ending {
        let Leave { code, reason, ending } = leave;
        let is_terminal = self.face.is_terminal();
        let was_asked = std::mem::take(&mut self.was_asked_to_end);
        self.end_by.get_or_insert_with(Instant::now);
        let limit = match ending.exit {
            Exit::Late => LAST_WAIT,
            _ if self.is_stopped => LAST_WAIT,
            // A person has waited already.
            Exit::Cut if is_terminal => GOODBYE,
            // The WebSocket has a limit of its own, for what has not left.
            _ if self.is_unflushed => Duration::MAX,
            _ => GOODBYE,
        };
        let mut late = pin!(tokio::time::sleep(limit));
        let by = {
            let mut closing = pin!(writer.close(code, &reason));
            loop {
                tokio::select! {
                    closed = &mut closing => break closed.ok().map(|closed| closed.by),
                    given = self.input.next(is_terminal) => self.given(given, false),
                    () = &mut late => break Some(ClosedBy::Cut),
                }
                if self.was_asked_to_end || self.face.flush().is_err() {
                    break None;
                }
            }
        };
        self.was_asked_to_end |= was_asked;
        // A server that answered and leaves TCP open has answered.
        let known = writer.closed().map(|closed| closed.by);
        match by.map(|by| known.unwrap_or(by)) {
            _ if ending.exit != Exit::Clean => ending,
            Some(ClosedBy::Failure(error)) => {
                of_error(&Error::Failed(error), self.dialer.max_message)
            }
            Some(ClosedBy::Cut) => self.unanswered(writer, ending).await,
            _ => ending,
        }
    }

    /// The server did not answer our close frame. That is no harm where all has left.
    async fn unanswered(&self, writer: &mut Writer, mut ending: Ending) -> Ending {
        let before = ending.told.map_or(String::new(), |told| format!("{told}; "));
        let mut told = format!("{before}the server did not answer our close frame");
        // This waits for nothing more.
        let flushed = tokio::time::timeout(Duration::ZERO, writer.flush());
        if self.is_unflushed && !matches!(flushed.await, Ok(Ok(()))) {
            ending.exit = Exit::Cut;
            told.push_str("; what was sent last may not have arrived");
        }
        ending.told = Some(told);
        ending
    }

    /// Ends what the server has spoilt. It hears why, and is not waited for.
    pub(super) async fn failed(&mut self, reader: &mut Reader, error: &Error) -> Ending {
        let end = async { while reader.recv_event().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WAIT, end).await;
        self.left_behind(of_error(error, self.dialer.max_message))
    }

    /// What becomes of messages that a connection did not take: plain ones are for the next. Loss is
    /// never silent.
    pub(super) fn left_behind(&mut self, mut ending: Ending) -> Ending {
        let mut lost = String::new();
        let is_cut = ending.exit == Exit::Cut || (self.reconnects && ending.is_passing);
        if self.is_unflushed && is_cut {
            lost.push_str("; what was sent last may not have arrived");
        }
        if !(self.is_plain && self.reconnects && ending.is_passing) {
            let unsent = std::mem::take(&mut self.pending).len();
            if unsent > 0 {
                // Writing to a string does not fail.
                let _ = write!(lost, "; messages that were not sent: {unsent}");
                if ending.exit == Exit::Clean && self.left != Some(0) {
                    ending.exit = Exit::Cut;
                }
            }
        }
        if let Some(told) = &mut ending.told {
            told.push_str(&lost);
        }
        ending
    }

    /// When answers to what a pipe gave have been waited for long enough.
    pub(super) fn wait_ends(&self) -> Option<Instant> {
        let (sent, wait) = self.all_sent.zip(self.wait)?;
        wait_end(sent, wait, self.last_came)
    }
}

/// When answers have been waited for, where the last message came at `came`.
fn wait_end(sent: Instant, wait: Duration, came: Option<Instant>) -> Option<Instant> {
    let end = sent.checked_add(wait)?;
    let Some(came) = came else { return Some(end) };
    let streams = (came + wait.min(STREAMING)).min(end + MOST_STREAMING);
    Some(end.max(streams))
}

/// What a close frame says.
pub(super) fn of_close(closed: &Closed) -> Ending {
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

/// What the end without one means.
pub(super) fn of_error(error: &Error, max_message: usize) -> Ending {
    match error {
        Error::Failed(error) => {
            let code = error.close_code();
            let told = match error {
                madang_ws::Error::TooBig => format!(
                    "a message is larger than {}; --max-message BYTES takes it",
                    size(max_message)
                ),
                madang_ws::Error::TooManyFragments
                | madang_ws::Error::TooManyControlFrames
                | madang_ws::Error::TooSlow => format!("a limit of madang connect: {error}"),
                error => {
                    let told = format!("the server broke the protocol ({code}): {error}");
                    return Ending::new(Exit::Misbehaved, told);
                }
            };
            Ending::new(Exit::Cut, format!("{told} (we closed with {code})"))
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

/// A number of bytes, as it may be written for a flag.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_stream_in_are_waited_for() {
        let sent = Instant::now();
        for (wait, came, end) in [
            (1_000, None, 1_000),
            (1_000, Some(300), 1_000),
            (1_000, Some(900), 1_100),
            (1_000, Some(5_000), 5_200),
            (1_000, Some(10_950), 11_000),
            (50, Some(40), 90),
            (0, Some(40), 40),
        ] {
            let at = |millis| sent + Duration::from_millis(millis);
            let is = wait_end(sent, Duration::from_millis(wait), came.map(at));
            assert_eq!(is, Some(at(end)), "{wait} {came:?}");
        }
    }
}
