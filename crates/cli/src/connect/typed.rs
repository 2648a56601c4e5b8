//! What a person types, or a pipe gives: lines and commands.

use std::time::Instant;

use madang::websocket::CloseCode;

use super::{
    Ending,
    door::{Command, Door},
    face::Face,
    input::PIECE,
    session::Session,
    term::Typed,
};

/// Commands that there are whatever is spoken.
const COMMANDS: &[Command] = &[
    Command { name: "/ping", usage: "[TEXT]", about: "ping, and say how long the pong takes" },
    Command {
        name: "/close",
        usage: "[CODE [REASON]]",
        about: "close with a code, such as /close 4000 enough",
    },
    Command { name: "/quit", usage: "", about: "close with 1000, like Ctrl-D" },
    Command { name: "/help", usage: "", about: "list the commands" },
];

/// The names of all commands, for Tab.
pub(super) fn words(door: &dyn Door) -> Vec<&'static str> {
    door.commands().iter().chain(COMMANDS).map(|command| command.name).collect()
}

impl Session {
    /// Takes bytes of the standard input.
    pub(super) fn bytes(&mut self, bytes: &[u8], is_connected: bool) {
        let Face::Terminal(person) = &mut self.face else { return self.lines(bytes) };
        for typed in person.terminal.typed(bytes) {
            match typed {
                Typed::Edited | Typed::ClearScreen => {}
                Typed::End => {
                    // Whoever asks twice does not want to wait.
                    self.is_stopped |= self.leaving.is_some();
                    self.was_asked_to_end = true;
                }
                Typed::Suspend => self.suspend(),
                Typed::Line(line) if line.is_empty() => {}
                Typed::Line(line) => self.typed(&line, is_connected),
            }
        }
    }

    /// The standard input has ended: a person is gone, a pipe waits for answers.
    pub(super) fn end_of_input(&mut self) {
        if self.face.is_terminal() {
            self.was_asked_to_end = true;
            return;
        }
        self.input.is_over = true;
        let rest = self.input.rest();
        if let Some(line) = self.checked(rest) {
            self.piped(&line);
        }
    }

    fn lines(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
        while self.ended.is_none() && !self.is_spoilt {
            let line = self.input.line();
            let Some(line) = self.checked(line) else { return };
            self.piped(&line);
        }
    }

    fn checked(&mut self, line: Result<Option<String>, String>) -> Option<String> {
        line.unwrap_or_else(|why| {
            self.spoilt(&format!("{why}; nothing from there on is sent"));
            None
        })
    }

    /// A line of a pipe. One that cannot be understood ends a script.
    fn piped(&mut self, line: &str) {
        if let Err(why) = self.line(line) {
            let why = self.input.at_line(&why);
            self.spoilt(&format!("{why}; nothing from there on is sent"));
        }
    }

    fn typed(&mut self, line: &str, is_connected: bool) {
        let name = line.split(char::is_whitespace).next().unwrap_or_default();
        let ends = self.has_commands && matches!(name, "/quit" | "/close");
        let is_over = self.leaving.is_some() || self.end_by.is_some() || self.ended.is_some();
        // All that waits leaves first: of what is pasted, one part is sent, and one is not.
        self.is_full = !self.pending.is_empty() && (self.is_full || self.pending.len() >= PIECE);
        if !ends && (is_over || (is_connected && self.is_full)) {
            if self.untaken == 0 && !is_over {
                self.face
                    .trouble("the server reads too slowly; until it does, lines are not taken");
            }
            self.untaken += 1;
            return;
        }
        self.tell_untaken();
        self.face.sent(line);
        let done = if !is_connected && !line.starts_with("/quit") {
            Err("not connected; this was not sent".to_owned())
        } else {
            self.line(line)
        };
        if let Err(why) = done {
            self.face.trouble(&why);
        }
    }

    /// Tells once of all lines that were not taken.
    pub(super) fn tell_untaken(&mut self) {
        let untaken = std::mem::take(&mut self.untaken);
        if untaken > 0 {
            self.face.trouble(&format!("lines that were not taken: {untaken}"));
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let command = line.strip_prefix('/').filter(|_| self.has_commands);
        let text = match command {
            // `//` is a slash.
            Some(rest) if rest.starts_with('/') => rest,
            Some(_) => return self.command(line),
            // On top of a protocol an empty line says nothing.
            None if self.has_commands && line.is_empty() => return Ok(()),
            None => line,
        };
        let mut out = Vec::new();
        self.door.line(text, Instant::now(), &mut out)?;
        self.act(out);
        Ok(())
    }

    fn command(&mut self, line: &str) -> Result<(), String> {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if self.door.commands().iter().any(|command| command.name == name) {
            let mut out = Vec::new();
            self.door.command(name, rest.trim_start(), Instant::now(), &mut out)?;
            self.act(out);
            return Ok(());
        }
        match name {
            "/help" => self.help(),
            "/quit" => self.was_asked_to_end = true,
            "/close" => self.closing = Some(close_of(rest)?),
            "/ping" if rest.len() > 125 => return Err("125 bytes are the most".into()),
            "/ping" => self.ping = Some(rest.as_bytes().to_vec()),
            _ => {
                return Err(format!(
                    "there is no command {name}; /help lists them, and //text sends /text"
                ));
            }
        }
        if name == "/close" {
            self.was_asked_to_end = true;
        }
        Ok(())
    }

    fn help(&mut self) {
        let of = |command: &Command| (format!("{} {}", command.name, command.usage), command.about);
        let commands: Vec<_> = self.door.commands().iter().chain(COMMANDS).map(of).collect();
        let width = commands.iter().map(|(usage, _)| usage.chars().count()).max().unwrap_or(0);
        let line = |(usage, about): &(String, &str)| format!("{usage:width$}  {about}");
        let lines: Vec<_> = commands.iter().map(line).collect();
        self.face.note(&format!("commands:\n{}", lines.join("\n")));
    }

    fn suspend(&mut self) {
        let Face::Terminal(person) = &mut self.face else { return };
        if let Err(error) = person.terminal.suspend() {
            self.ended.get_or_insert(Ending::unwritable(&error));
        }
    }
}

fn close_of(text: &str) -> Result<(CloseCode, String), String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok((CloseCode::NORMAL, String::new()));
    }
    let (code, reason) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let code = code.parse().map(CloseCode::new).ok().filter(|code| code.may_be_sent());
    let code =
        code.ok_or("a code that may be sent is 1000 to 1003, 1007 to 1014 or 3000 to 4999")?;
    Ok((code, reason.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_are_typed() {
        assert_eq!(close_of(" "), Ok((CloseCode::NORMAL, String::new())));
        assert_eq!(close_of("4000 so it is"), Ok((CloseCode::new(4000), "so it is".into())));
        assert!(close_of("1006").is_err() && close_of("x").is_err());
    }
}
