//! Keys out of a terminal's bytes.

/// What was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// A character of the text.
    Char(char),
    /// What was pasted in one go (bracketed paste), line ends included.
    Paste(String),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    /// Ctrl-W, or Alt-Backspace.
    CutWord,
    /// Ctrl-U.
    CutToStart,
    /// Ctrl-K.
    CutToEnd,
    /// Ctrl-Y: what was cut last.
    Yank,
    /// Ctrl-L.
    ClearScreen,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D: delete, or the end.
    EndOfInput,
    /// Ctrl-Z.
    Suspend,
}

/// More than this is not held of one sequence.
const MAX_SEQUENCE: usize = 32;
/// More than this is not held of one paste.
const MAX_PASTE: usize = 1 << 20;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Takes bytes in any pieces.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Ground,
    /// The beginning of a character of UTF-8.
    Utf8(Vec<u8>),
    /// After ESC.
    Escape,
    /// After `ESC [` or `ESC O`, with what came since.
    Sequence(Vec<u8>),
    Paste(Vec<u8>),
}

impl Keys {
    /// The keys in `bytes`, and in what came before.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        for &byte in bytes {
            keys.extend(self.take(byte));
        }
        // A lone ESC is the key of that name, which means nothing here. A terminal sends a
        // sequence in one piece.
        if matches!(self.state, State::Escape) {
            self.state = State::Ground;
        }
        keys
    }

    fn take(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte),
            State::Utf8(mut held) => {
                held.push(byte);
                match std::str::from_utf8(&held) {
                    Ok(text) => text.chars().next().map(Key::Char),
                    Err(error) if error.error_len().is_none() => {
                        self.state = State::Utf8(held);
                        None
                    }
                    // It was no UTF-8; the byte begins anew.
                    Err(_) => self.ground(byte),
                }
            }
            State::Escape => self.escape(byte),
            State::Sequence(held) => self.sequence(held, byte),
            State::Paste(held) => self.paste(held, byte),
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            b'\r' | b'\n' => Key::Enter,
            b'\t' => Key::Tab,
            0x7f | 0x08 => Key::Backspace,
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x03 => Key::Interrupt,
            0x04 => Key::EndOfInput,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x0b => Key::CutToEnd,
            0x0c => Key::ClearScreen,
            0x0e => Key::Down,
            0x10 => Key::Up,
            0x15 => Key::CutToStart,
            0x17 => Key::CutWord,
            0x19 => Key::Yank,
            0x1a => Key::Suspend,
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            b' '..=b'~' => Key::Char(char::from(byte)),
            0xc2..=0xf4 => {
                self.state = State::Utf8(vec![byte]);
                return None;
            }
            _ => return None,
        })
    }

    fn escape(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'[' | b'O' => {
                self.state = State::Sequence(vec![byte]);
                None
            }
            b'b' | b'B' => Some(Key::WordLeft),
            b'f' | b'F' => Some(Key::WordRight),
            0x7f | 0x08 => Some(Key::CutWord),
            0x1b => {
                self.state = State::Escape;
                None
            }
            _ => None,
        }
    }

    fn sequence(&mut self, mut held: Vec<u8>, byte: u8) -> Option<Key> {
        held.push(byte);
        // ECMA-48 §5.4: parameters and intermediates are 0x20-0x3F, the final byte is 0x40-0x7E.
        // The Linux console's function keys are `ESC [ [ A`.
        let is_final = matches!(byte, 0x40..=0x7e) && held.as_slice() != b"[[";
        if !is_final {
            if held.len() < MAX_SEQUENCE && byte >= 0x20 {
                self.state = State::Sequence(held);
            }
            return None;
        }
        Some(match held.as_slice() {
            b"[A" | b"OA" => Key::Up,
            b"[B" | b"OB" => Key::Down,
            b"[C" | b"OC" => Key::Right,
            b"[D" | b"OD" => Key::Left,
            b"[H" | b"OH" | b"[1~" | b"[7~" => Key::Home,
            b"[F" | b"OF" | b"[4~" | b"[8~" => Key::End,
            b"[3~" => Key::Delete,
            b"[1;5C" | b"[1;3C" | b"Oc" => Key::WordRight,
            b"[1;5D" | b"[1;3D" | b"Od" => Key::WordLeft,
            b"[200~" => {
                self.state = State::Paste(Vec::new());
                return None;
            }
            _ => return None,
        })
    }

    fn paste(&mut self, mut held: Vec<u8>, byte: u8) -> Option<Key> {
        held.push(byte);
        if !held.ends_with(PASTE_END) {
            if held.len() > MAX_PASTE {
                // Keeps what the end is found by, and drops the byte before it.
                held.remove(MAX_PASTE - PASTE_END.len());
            }
            self.state = State::Paste(held);
            return None;
        }
        held.truncate(held.len() - PASTE_END.len());
        // Terminals send CR for each line end of what is pasted.
        let text = String::from_utf8_lossy(&held).replace("\r\n", "\n").replace('\r', "\n");
        let text = text.trim_end_matches('\n');
        let is_kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
        Some(Key::Paste(text.chars().filter(is_kept).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_any_pieces() {
        let bytes = "a마\x1b[A\x1b[1;5D\x1bOF\x01\x1bb\x1b[3~\x1b[99~\x1b[[Ax\x1b[200~1\r\n\x1b[2\r\t3\r\x1b[201~\x7f";
        let is = [
            Key::Char('a'),
            Key::Char('마'),
            Key::Up,
            Key::WordLeft,
            Key::End,
            Key::Home,
            Key::WordLeft,
            Key::Delete,
            Key::Char('x'),
            Key::Paste("1\n[2\n\t3".into()),
            Key::Backspace,
        ];
        assert_eq!(Keys::default().push(bytes.as_bytes()), is);
        // Cut anywhere but behind an ESC, where a read of a terminal does not end.
        let mut keys = Keys::default();
        let mut found = Vec::new();
        for piece in bytes.as_bytes().chunk_by(|before, _| *before == 0x1b) {
            found.extend(keys.push(piece));
        }
        assert_eq!(found, is);
    }

    #[test]
    fn what_is_no_key_does_nothing_and_is_not_held() {
        let mut keys = Keys::default();
        assert_eq!(keys.push(b"\xff\xc2x\x1b"), [Key::Char('x')]);
        assert_eq!(keys.push(b"[A"), [Key::Char('['), Key::Char('A')]);
        keys.push(b"\x1b[");
        assert_eq!(keys.push(&[b'0'; 100]).len(), 100 + 1 - MAX_SEQUENCE);
        keys.push(b"\x1b[200~");
        keys.push(&vec![b'a'; 2 << 20]);
        let State::Paste(held) = &keys.state else { panic!() };
        assert!(held.len() <= MAX_PASTE);
        let pasted = keys.push(PASTE_END);
        assert!(matches!(&pasted[..], [Key::Paste(text)] if text.len() <= MAX_PASTE));
    }
}
