//! A prompt at the bottom of what is printed. The line that is being typed always takes one row
//! of the screen: to print something, the row is wiped, the text is written in its place, and the
//! row is drawn again below, all in one write. So nothing tears it.

mod editor;
mod history;
mod keys;
mod raw;

use std::io::{self, Write as _};

use unicode_width::UnicodeWidthStr as _;

use editor::Editor;
pub(crate) use editor::Typed;
pub(crate) use history::History;
use keys::Keys;
use raw::RawMode;

/// The terminal of somebody who types.
pub(crate) struct Terminal {
    keys: Keys,
    editor: Editor,
    raw: RawMode,
    columns: usize,
    /// Where the row that is drawn ends and its cursor stands, in columns.
    drawn: Option<Drawn>,
    prompt: Prompt,
    /// What is to be written.
    out: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Drawn {
    cursor: usize,
}

/// What stands before the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// As it is seen.
    pub(crate) text: &'static str,
    /// What is written before and after it: colours.
    pub(crate) colour: (&'static str, &'static str),
}

impl Terminal {
    /// Takes the terminal over; given back when this is dropped.
    pub(crate) fn open(
        history: History,
        words: Vec<&'static str>,
        prompt: Prompt,
    ) -> io::Result<Self> {
        let raw = RawMode::enter()?;
        Ok(Self {
            keys: Keys::default(),
            editor: Editor::new(history, words),
            columns: RawMode::columns(),
            raw,
            drawn: None,
            prompt,
            out: Vec::new(),
        })
    }

    /// What the keys in these bytes led to.
    pub(crate) fn typed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        for key in self.keys.push(bytes) {
            match self.editor.press(key) {
                Typed::Edited => {}
                Typed::ClearScreen => {
                    self.out.extend_from_slice(b"\x1b[H\x1b[2J");
                    self.drawn = None;
                }
                other => typed.push(other),
            }
        }
        typed
    }

    /// Prints lines above the prompt.
    pub(crate) fn print(&mut self, text: &str) {
        self.wipe();
        self.out.extend_from_slice(text.as_bytes());
        if !text.ends_with('\n') {
            self.out.push(b'\n');
        }
    }

    /// Changes what stands before the line.
    pub(crate) fn prompt(&mut self, prompt: Prompt) {
        self.prompt = prompt;
    }

    /// The window has another size: what was drawn may have been broken into several rows.
    pub(crate) fn resized(&mut self) {
        let columns = RawMode::columns();
        if let Some(Drawn { cursor }) = self.drawn
            && let rows @ 1.. = cursor / columns
        {
            // Writing to memory does not fail.
            let _ = write!(self.out, "\x1b[{rows}A");
        }
        self.columns = columns;
    }

    /// Draws the prompt and writes everything.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.wipe();
        // The last column stays free: a cursor behind it would be on the next row on some terminals.
        let room = self.columns.saturating_sub(self.prompt.text.width() + 1);
        let view = self.editor.view(room);
        let (before, after) = self.prompt.colour;
        let cursor = self.prompt.text.width() + view.cursor;
        // Writing to memory does not fail.
        let _ = write!(self.out, "{before}{}{after}{}\r", self.prompt.text, view.text);
        if cursor > 0 {
            let _ = write!(self.out, "\x1b[{cursor}C");
        }
        self.drawn = Some(Drawn { cursor });
        self.write()
    }

    /// Bytes that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Gives the terminal back, and stops until somebody brings the program back.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        self.wipe();
        self.write()?;
        self.raw.suspend()?;
        self.columns = RawMode::columns();
        Ok(())
    }

    /// Removes the prompt and writes what is left.
    pub(crate) fn close(mut self) {
        self.wipe();
        // Nobody can be told where a terminal is gone.
        drop(self.write());
    }

    fn wipe(&mut self) {
        if self.drawn.take().is_some() {
            self.out.extend_from_slice(b"\r\x1b[J");
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&self.out)?;
        self.out.clear();
        stdout.flush()
    }
}

/// An editor with its keys, to be tested.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Typist {
    keys: Keys,
    editor: Editor,
}

#[cfg(test)]
impl Typist {
    pub(crate) fn press(&mut self, bytes: &[u8]) {
        for key in self.keys.push(bytes) {
            self.editor.press(key);
        }
    }

    pub(crate) fn view(&mut self, columns: usize) -> (String, usize) {
        let editor::View { text, cursor } = self.editor.view(columns);
        (text, cursor)
    }
}
