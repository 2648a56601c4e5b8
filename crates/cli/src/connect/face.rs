//! The side of whoever uses it: a terminal with a prompt, or pipes.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

use super::{
    show::{Shown, Style},
    term::{History, Prompt, Terminal},
    time,
};
use crate::client::{Keep, escaped};

/// Where things are shown.
pub(crate) enum Face {
    /// Boxed: it is much larger.
    Terminal(Box<Person>),
    Pipe(Pipe),
}

pub(crate) struct Pipe {
    out: BufWriter<Stdout>,
    /// Lines that were typed elsewhere may still be shown on a terminal.
    is_seen: bool,
}

pub(crate) struct Person {
    pub(crate) terminal: Terminal,
    has_colour: bool,
    has_time: bool,
}

/// The start of a line that says what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Came,
    Sent,
    Note,
    Trouble,
}

impl Mark {
    fn sign(self) -> &'static str {
        match self {
            Self::Came => "<",
            Self::Sent => ">",
            Self::Note => "*",
            Self::Trouble => "!",
        }
    }

    /// SGR: cyan, green, dim, red.
    fn colour(self) -> &'static str {
        match self {
            Self::Came => "\x1b[36m",
            Self::Sent => "\x1b[32m",
            Self::Note => "\x1b[2m",
            Self::Trouble => "\x1b[31m",
        }
    }
}

/// So many bytes wait before the screen is drawn.
const FULL: usize = 256 << 10;

const PLAIN: &str = "\x1b[0m";

/// Whether somebody types, and sees a terminal that can move its cursor.
pub(crate) fn is_person() -> bool {
    let term = std::env::var_os("TERM").unwrap_or_default();
    io::stdin().is_terminal() && io::stdout().is_terminal() && !term.is_empty() && term != "dumb"
}

/// <https://no-color.org>: "when present and not an empty string (regardless of its value)".
fn has_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Face {
    pub(crate) fn pipe() -> Self {
        let stdout = io::stdout();
        let is_seen = stdout.is_terminal();
        Self::Pipe(Pipe { out: BufWriter::new(stdout), is_seen })
    }

    pub(crate) fn terminal(
        history: History,
        words: Vec<&'static str>,
        style: Style,
    ) -> io::Result<Self> {
        let has_colour = has_colour();
        let terminal = Terminal::open(history, words, prompt(true, has_colour))?;
        let has_time = style.has_time;
        Ok(Self::Terminal(Box::new(Person { terminal, has_colour, has_time })))
    }

    /// Shows what came.
    pub(crate) fn show(&mut self, shown: &Shown, style: Style, saved: &[String]) -> io::Result<()> {
        match self {
            Self::Terminal(person) => {
                let text = if style.is_json {
                    escaped(&style.for_programs(shown, saved), Keep::None).into_owned()
                } else {
                    style.for_people(shown, saved)
                };
                person.print(Mark::Came, &text);
                Ok(())
            }
            Self::Pipe(Pipe { out, is_seen }) => {
                let line = style.for_programs(shown, saved);
                let line = if *is_seen { escaped(&line, Keep::None) } else { line.into() };
                writeln!(out, "{line}")
            }
        }
    }

    /// Repeats what was typed; in a pipe nobody wants to see it.
    pub(crate) fn sent(&mut self, line: &str) {
        if let Self::Terminal(person) = self {
            person.print(Mark::Sent, &escaped(line, Keep::Lines));
        }
    }

    /// Tells of something that is no message.
    pub(crate) fn note(&mut self, text: &str) {
        self.tell(Mark::Note, text);
    }

    /// Tells of something that went wrong.
    pub(crate) fn trouble(&mut self, text: &str) {
        self.tell(Mark::Trouble, text);
    }

    fn tell(&mut self, mark: Mark, text: &str) {
        match self {
            Self::Terminal(person) => person.print(mark, &escaped(text, Keep::Lines)),
            Self::Pipe(_) => tell(text),
        }
    }

    /// Writes everything, and draws the prompt anew.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Terminal(person) => person.terminal.flush(),
            Self::Pipe(pipe) => pipe.out.flush(),
        }
    }

    /// Shows by the prompt whether there is a connection.
    pub(crate) fn connected(&mut self, is_connected: bool) {
        if let Self::Terminal(person) = self {
            person.terminal.prompt(prompt(is_connected, person.has_colour));
        }
    }

    /// Whether so much waits to be written that it should be.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Terminal(person) => person.terminal.waiting() > FULL,
            // It writes by itself.
            Self::Pipe(_) => false,
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Gives the terminal back; what is told from now on goes to the standard error.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Self::pipe()) {
            Self::Terminal(person) => {
                person.terminal.close();
                Ok(())
            }
            Self::Pipe(mut pipe) => pipe.out.flush(),
        }
    }
}

impl Person {
    fn print(&mut self, mark: Mark, text: &str) {
        let (before, after) = if self.has_colour { (mark.colour(), PLAIN) } else { ("", "") };
        let time = if self.has_time { format!("{} ", time::time_of_day()) } else { String::new() };
        // Further lines stand below the first.
        let text = text.trim_end_matches('\n').replace('\n', "\n  ");
        let line = match mark {
            Mark::Came | Mark::Sent => format!("{time}{before}{}{after} {text}", mark.sign()),
            Mark::Note | Mark::Trouble => format!("{time}{before}{} {text}{after}", mark.sign()),
        };
        self.terminal.print(&line);
    }
}

fn prompt(is_connected: bool, has_colour: bool) -> Prompt {
    let text = if is_connected { "> " } else { "… " };
    Prompt { text, colour: if has_colour { ("\x1b[1m", PLAIN) } else { ("", "") } }
}

/// Tells something on the standard error. If that is closed, nobody wants to know.
pub(crate) fn tell(text: &str) {
    let text = if io::stderr().is_terminal() { escaped(text, Keep::Lines) } else { text.into() };
    drop(writeln!(io::stderr(), "madang: {text}"));
}
