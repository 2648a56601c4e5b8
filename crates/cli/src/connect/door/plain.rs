//! Plain messages.

use std::time::Instant;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use madang::websocket::Message;

use super::{Act, Command, Door};
use crate::connect::show::Shown;

/// Nothing on top of the WebSocket.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// Lines are Base64 of binary messages.
    is_binary: bool,
}

impl Plain {
    pub(crate) fn new(is_binary: bool) -> Self {
        Self { is_binary }
    }
}

const COMMANDS: &[Command] =
    &[Command { name: "/binary", usage: "HEX", about: "send bytes, such as /binary 00 ff 7f" }];

impl Door for Plain {
    fn opened(&mut self, _: Instant, _: &mut Vec<Act>) {}

    fn received(&mut self, message: Message, _: Instant, out: &mut Vec<Act>) {
        out.push(Act::Show(Shown::Plain(message)));
    }

    fn line(&mut self, line: &str, _: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        let message = if self.is_binary {
            let bytes = BASE64_STANDARD.decode(line.trim());
            Message::binary(bytes.map_err(|error| format!("this is no Base64: {error}"))?)
        } else {
            Message::text(line)
        };
        out.push(Act::Send(message));
        Ok(())
    }

    fn command(
        &mut self,
        _: &str,
        rest: &str,
        _: Instant,
        out: &mut Vec<Act>,
    ) -> Result<(), String> {
        out.push(Act::Send(Message::binary(bytes(rest)?)));
        Ok(())
    }

    fn commands(&self) -> &'static [Command] {
        COMMANDS
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn leave(&mut self, _: Instant, _: &mut Vec<Act>) {}

    fn is_gone(&self) -> bool {
        true
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant, _: &mut Vec<Act>) {}
}

/// Pairs of hexadecimal digits; spaces may stand between them.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let digit = |c: char| {
        let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digit.ok_or_else(|| format!("`{c}` is no hexadecimal digit; write /binary 00 ff 7f"))
    };
    let digits: Vec<u8> =
        text.chars().filter(|c| !c.is_whitespace()).map(digit).collect::<Result<_, _>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a byte has two digits; write /binary 00 ff 7f".into());
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_be_base64() {
        let (now, mut out) = (Instant::now(), Vec::new());
        Plain::new(true).line(" AP8=", now, &mut out).unwrap();
        assert_eq!(out, [Act::Send(Message::binary(vec![0, 255]))]);
        assert!(Plain::new(true).line("AP8", now, &mut out).is_err());
    }

    #[test]
    fn hexadecimal_digits() {
        assert_eq!(bytes("00 fF7f"), Ok(vec![0, 255, 127]));
        assert_eq!(bytes(""), Ok(vec![]));
        assert!(bytes("0").is_err() && bytes("0g").is_err() && bytes("한한").is_err());
    }
}
