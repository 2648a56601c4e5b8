//! Plain messages.

use std::time::Instant;

use madang::websocket::Message;

use super::{Act, Command, Door};
use crate::connect::show::Shown;

/// Nothing on top of the WebSocket.
#[derive(Debug, Default)]
pub(crate) struct Plain;

const COMMANDS: &[Command] =
    &[Command { name: "/binary", usage: "HEX", about: "send bytes, such as /binary 00 ff 7f" }];

impl Door for Plain {
    fn opened(&mut self, _: Instant, _: &mut Vec<Act>) {}

    fn received(&mut self, message: Message, _: Instant, out: &mut Vec<Act>) {
        out.push(Act::Show(Shown::Plain(message)));
    }

    fn line(&mut self, line: &str, _: Instant, out: &mut Vec<Act>) -> Result<(), String> {
        out.push(Act::Send(Message::text(line)));
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
    fn hexadecimal_digits() {
        assert_eq!(bytes("00 fF7f"), Ok(vec![0, 255, 127]));
        assert_eq!(bytes(""), Ok(vec![]));
        assert!(bytes("0").is_err() && bytes("0g").is_err() && bytes("한한").is_err());
    }
}
