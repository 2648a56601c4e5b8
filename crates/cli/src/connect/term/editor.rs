//! A line that is being typed.

use unicode_width::UnicodeWidthChar as _;

use super::{history::History, keys::Key};

/// More characters are not taken.
const MAX_LINE: usize = 1 << 20;

/// What a key led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// The line may look different now.
    Edited,
    /// Enter: this line.
    Line(String),
    ClearScreen,
    Suspend,
    /// Ctrl-D or Ctrl-C on an empty line.
    End,
}

/// A line and its cursor. It knows nothing of the terminal.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    text: Vec<char>,
    /// Before which character the cursor stands.
    cursor: usize,
    cut: Vec<char>,
    history: History,
    /// The first character that is shown.
    scroll: usize,
    /// Words that Tab completes at the start of a line.
    words: Vec<&'static str>,
}

/// What is to be seen of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) text: String,
    /// Columns before the cursor.
    pub(crate) cursor: usize,
}

impl Editor {
    pub(crate) fn new(history: History, words: Vec<&'static str>) -> Self {
        Self { history, words, ..Self::default() }
    }

    pub(crate) fn press(&mut self, key: Key) -> Typed {
        match key {
            Key::EndOfInput | Key::Interrupt if self.text.is_empty() => return Typed::End,
            Key::Char(c) => self.insert([c]),
            Key::Paste(text) => self.insert(text.chars()),
            Key::Enter => return self.enter(),
            Key::Tab => self.complete(),
            Key::Backspace => {
                let start = self.left();
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            Key::Delete | Key::EndOfInput => self.delete(),
            Key::Left => self.cursor = self.left(),
            Key::Right => self.cursor = self.right(),
            Key::WordLeft => self.cursor = self.word_left(),
            Key::WordRight => self.cursor = self.word_right(),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.text.len(),
            Key::Up => {
                let typed = self.text();
                if let Some(line) = self.history.older(&typed) {
                    self.set(&line);
                }
            }
            Key::Down => {
                if let Some(line) = self.history.newer() {
                    self.set(&line);
                }
            }
            Key::CutWord => {
                let mut start = self.cursor;
                let is_space = |at: usize| self.text.get(at).is_some_and(|c| c.is_whitespace());
                while start > 0 && is_space(start - 1) {
                    start -= 1;
                }
                while start > 0 && !is_space(start - 1) {
                    start -= 1;
                }
                self.cut = self.text.drain(start..self.cursor).collect();
                self.cursor = start;
            }
            Key::CutToStart => {
                self.cut = self.text.drain(..self.cursor).collect();
                self.cursor = 0;
            }
            Key::CutToEnd => self.cut = self.text.split_off(self.cursor),
            Key::Yank => self.insert(self.cut.clone()),
            Key::ClearScreen => return Typed::ClearScreen,
            Key::Suspend => return Typed::Suspend,
            Key::Interrupt => self.set(""),
        }
        Typed::Edited
    }

    /// The part of the line around the cursor that fits into `columns`.
    pub(crate) fn view(&mut self, columns: usize) -> View {
        let columns = columns.max(2);
        self.scroll = self.scroll.min(self.cursor);
        // Back from the cursor, which much may stand before. A wide character must fit, too.
        let before = self.text.get(self.scroll..self.cursor).unwrap_or_default();
        let mut room = columns - 1;
        let fits = before.iter().rev().take_while(|&&c| {
            let left = room.checked_sub(drawn(c).width().unwrap_or(0));
            room = left.unwrap_or(room);
            left.is_some()
        });
        self.scroll = self.cursor - fits.count();
        let mut text = String::new();
        let mut used = 0;
        for &c in self.text.get(self.scroll..).unwrap_or_default() {
            let c = drawn(c);
            used += c.width().unwrap_or(0);
            if used > columns {
                break;
            }
            text.push(c);
        }
        View { text, cursor: self.width(self.scroll, self.cursor) }
    }

    pub(crate) fn text(&self) -> String {
        self.text.iter().collect()
    }

    fn enter(&mut self) -> Typed {
        let line = self.text();
        self.set("");
        self.history.add(&line);
        Typed::Line(line)
    }

    fn set(&mut self, line: &str) {
        self.text = line.chars().collect();
        self.cursor = self.text.len();
        self.scroll = 0;
    }

    fn insert(&mut self, what: impl IntoIterator<Item = char>) {
        let room = MAX_LINE.saturating_sub(self.text.len());
        let new: Vec<char> = what.into_iter().take(room).collect();
        let count = new.len();
        self.text.splice(self.cursor..self.cursor, new);
        self.cursor += count;
    }

    fn delete(&mut self) {
        let end = self.right();
        self.text.drain(self.cursor..end);
    }

    /// Completes a command at the start of the line as far as it is clear.
    fn complete(&mut self) {
        let typed: String = self.text.get(..self.cursor).unwrap_or_default().iter().collect();
        if !typed.starts_with('/') || typed.contains(' ') {
            return;
        }
        let mut fits = self.words.iter().filter(|word| word.starts_with(&typed));
        let Some(first) = fits.next() else { return };
        let mut common = *first;
        let mut is_whole = true;
        for word in fits {
            is_whole = false;
            while !word.starts_with(common) {
                common = &common[..common.floor_char_boundary(common.len() - 1)];
            }
        }
        let rest = common.strip_prefix(typed.as_str()).unwrap_or_default();
        let space = if is_whole { " " } else { "" };
        self.insert(rest.chars().chain(space.chars()));
    }

    /// Characters without a width belong to the one before them.
    fn is_mark(&self, at: usize) -> bool {
        self.text.get(at).is_some_and(|&c| drawn(c).width() == Some(0))
    }

    fn left(&self) -> usize {
        let mut at = self.cursor.saturating_sub(1);
        while at > 0 && self.is_mark(at) {
            at -= 1;
        }
        at
    }

    fn right(&self) -> usize {
        let mut at = (self.cursor + 1).min(self.text.len());
        while self.is_mark(at) {
            at += 1;
        }
        at
    }

    fn is_word(&self, at: usize) -> bool {
        self.text.get(at).is_some_and(|c| c.is_alphanumeric())
    }

    fn word_left(&self) -> usize {
        let mut at = self.cursor;
        while at > 0 && !self.is_word(at - 1) {
            at -= 1;
        }
        while at > 0 && self.is_word(at - 1) {
            at -= 1;
        }
        at
    }

    fn word_right(&self) -> usize {
        let mut at = self.cursor;
        while at < self.text.len() && !self.is_word(at) {
            at += 1;
        }
        while self.is_word(at) {
            at += 1;
        }
        at
    }

    fn width(&self, from: usize, to: usize) -> usize {
        let part = self.text.get(from..to).unwrap_or_default();
        part.iter().map(|&c| drawn(c).width().unwrap_or(0)).sum()
    }
}

/// The line stays one line, whatever was pasted; nothing in it drives the terminal.
fn drawn(c: char) -> char {
    match c {
        '\n' => '⏎',
        '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::term::keys::Keys;

    /// What is shown after these bytes: the line with `|` for the cursor.
    fn typed(bytes: &str) -> String {
        let mut editor = Editor::new(History::default(), vec!["/help", "/send", "/subscribe"]);
        for key in Keys::default().push(bytes.as_bytes()) {
            editor.press(key);
        }
        let (before, after) = editor.text.split_at(editor.cursor);
        format!("{}|{}", before.iter().collect::<String>(), after.iter().collect::<String>())
    }

    #[test]
    fn editing() {
        for (bytes, is) in [
            ("abc\x1b[D\x1b[DX", "aX|bc"),
            ("abc\x01X\x05Y", "XabcY|"),
            ("one two  \x17", "one |"),
            ("one two\x02\x02\x15", "|wo"),
            ("one two\x02\x02\x0b!", "one t!|"),
            ("one\x15two\x19", "twoone|"),
            ("마당\x7f", "마|"),
            ("a\u{301}b\x1b[D\x7f", "|b"),
            ("ab\x01\x1b[3~\x04", "|"),
            ("one two\x1bb\x1bb\x1bf", "one| two"),
            ("gone\x03here", "here|"),
            ("/su\t", "/subscribe |"),
            ("/s\t", "/s|"),
            ("x/h\t", "x/h|"),
            ("first\rsecond\rdraft\x1b[A\x1b[A", "first|"),
            ("first\rsecond\rdraft\x1b[A\x1b[A\x1b[B\x1b[B", "draft|"),
            ("\x1b[A\x1b[B\x1b[D\x1b[C\x7f\x1b[3~\x17\x15\x0b\x19\x1bb\x1bf", "|"),
        ] {
            assert_eq!(typed(bytes), is, "{bytes:?}");
        }
    }

    #[test]
    fn an_empty_line_ends_it_and_enter_gives_the_line() {
        let mut editor = Editor::default();
        assert_eq!(editor.press(Key::EndOfInput), Typed::End);
        assert_eq!(editor.press(Key::Interrupt), Typed::End);
        editor.press(Key::Paste("a\nb".into()));
        assert_eq!(editor.view(20), View { text: "a⏎b".into(), cursor: 3 });
        assert_eq!(editor.press(Key::Enter), Typed::Line("a\nb".into()));
        assert_eq!(editor.view(20), View { text: String::new(), cursor: 0 });
    }

    #[test]
    fn a_long_line_is_seen_around_its_cursor() {
        let mut editor = Editor::default();
        editor.press(Key::Paste("0123456789마당".into()));
        assert_eq!(editor.view(8), View { text: "789마당".into(), cursor: 7 });
        editor.press(Key::Home);
        assert_eq!(editor.view(8), View { text: "01234567".into(), cursor: 0 });
        assert_eq!(editor.view(0).cursor, 0);
        editor.press(Key::Paste("x".repeat(2 << 20)));
        assert_eq!(editor.text.len(), MAX_LINE);
        // Of a million characters only the last ones are measured: all for each would take hours.
        assert_eq!(editor.view(80), View { text: "x".repeat(79) + "0", cursor: 79 });
    }
}
