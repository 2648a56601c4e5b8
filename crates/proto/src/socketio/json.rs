//! Reads JSON token by token, without recursion and without building anything.
//!
//! Arguments pass through unchanged, so all that is asked of them here is that they are JSON, that
//! they are not nested deeply, and where each of them begins and ends.

use std::ops::Range;

/// The deepest nesting that a limit can allow, as deep as `serde_json` reads.
pub const MAX_DEPTH: usize = 128;

/// Why a text is not taken as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is none, from this byte on.
    #[error("the JSON is wrong or cut off at byte {0}")]
    Syntax(usize),
    /// Arrays and objects stand in one another more often than is taken.
    #[error("the JSON is nested deeper than {0} levels; make it flatter")]
    TooDeep(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Array,
    Object,
    /// The end of either.
    End,
    /// A member's name; its text has the quotes.
    Key,
    String,
    Number,
    True,
    /// `false` or `null`.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

/// Reads JSON values with commas between them: one value, or the elements of an array without its
/// brackets.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// A bit for each open array (0) or object (1), the innermost lowest.
    stack: u128,
    depth: usize,
    limit: usize,
    expect: Expect,
}

impl<'a> Reader<'a> {
    /// `limit` is how many arrays and objects may stand in one another, at most [`MAX_DEPTH`].
    pub(super) fn new(text: &'a str, limit: usize) -> Self {
        let limit = limit.min(MAX_DEPTH);
        Self { text, at: 0, stack: 0, depth: 0, limit, expect: Expect::ValueOrEnd }
    }

    /// The next token and where it stands, or that the text ends as it should.
    pub(super) fn next(&mut self) -> Result<Option<(Token, Range<usize>)>, JsonError> {
        self.skip_space();
        if self.expect == Expect::CommaOrEnd && self.peek() == Some(b',') {
            self.at += 1;
            self.expect = if self.in_object() { Expect::Key } else { Expect::Value };
            self.skip_space();
        }
        let start = self.at;
        let Some(byte) = self.peek() else {
            let may_end = matches!(self.expect, Expect::CommaOrEnd | Expect::ValueOrEnd);
            return if may_end && self.depth == 0 { Ok(None) } else { Err(self.wrong()) };
        };
        let token = match self.expect {
            Expect::ValueOrEnd if byte == b']' => self.close(byte)?,
            Expect::Value | Expect::ValueOrEnd => self.value(byte)?,
            Expect::KeyOrEnd if byte == b'}' => self.close(byte)?,
            Expect::Key | Expect::KeyOrEnd => self.key(byte)?,
            Expect::CommaOrEnd => self.close(byte)?,
        };
        let end = if token == Token::Key { self.key_end(start) } else { self.at };
        Ok(Some((token, start..end)))
    }

    /// Reads on to the end of the value of which `token` was the first.
    pub(super) fn skip(&mut self, token: Token) -> Result<(), JsonError> {
        if !matches!(token, Token::Array | Token::Object) {
            return Ok(());
        }
        let outside = self.depth - 1;
        while self.depth > outside {
            if self.next()?.is_none() {
                return Err(self.wrong());
            }
        }
        Ok(())
    }

    /// Where the value or token that was read last ends.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self) -> JsonError {
        JsonError::Syntax(self.at)
    }

    fn in_object(&self) -> bool {
        self.depth > 0 && self.stack & 1 == 1
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, byte: u8) -> Result<Token, JsonError> {
        let token = match byte {
            b'[' => return self.open(0, Expect::ValueOrEnd, Token::Array),
            b'{' => return self.open(1, Expect::KeyOrEnd, Token::Object),
            b'"' => {
                self.string()?;
                Token::String
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Token::Number
            }
            b't' => self.literal("true", Token::True)?,
            b'f' => self.literal("false", Token::Other)?,
            b'n' => self.literal("null", Token::Other)?,
            _ => return Err(self.wrong()),
        };
        self.expect = Expect::CommaOrEnd;
        Ok(token)
    }

    fn open(&mut self, bit: u128, expect: Expect, token: Token) -> Result<Token, JsonError> {
        if self.depth == self.limit {
            return Err(JsonError::TooDeep(self.limit));
        }
        self.depth += 1;
        self.stack = self.stack << 1 | bit;
        self.expect = expect;
        self.at += 1;
        Ok(token)
    }

    fn close(&mut self, byte: u8) -> Result<Token, JsonError> {
        let bracket = if self.in_object() { b'}' } else { b']' };
        if self.depth == 0 || byte != bracket {
            return Err(self.wrong());
        }
        self.depth -= 1;
        self.stack >>= 1;
        self.expect = Expect::CommaOrEnd;
        self.at += 1;
        Ok(Token::End)
    }

    /// A member's name and the colon behind it.
    fn key(&mut self, byte: u8) -> Result<Token, JsonError> {
        if byte != b'"' {
            return Err(self.wrong());
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.wrong());
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Token::Key)
    }

    /// The end of the name that began at `start`, without the colon.
    fn key_end(&self, start: usize) -> usize {
        let key = &self.text[start..self.at - 1];
        start + key.trim_end_matches([' ', '\t', '\n', '\r']).len()
    }

    fn literal(&mut self, word: &str, token: Token) -> Result<Token, JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.wrong());
        }
        self.at += word.len();
        Ok(token)
    }

    /// RFC 8259 §6: `-`, then 0 or digits that do not begin with it, a fraction, an exponent.
    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong()) } else { Ok(()) }
    }

    /// RFC 8259 §7: control characters are escaped, and so are `"` and `\`.
    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            self.at += plain(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.wrong()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        let length = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
            Some(b'u') => {
                let hex = self.text.as_bytes().get(self.at + 1..self.at + 5);
                if !hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.wrong());
                }
                5
            }
            _ => return Err(self.wrong()),
        };
        self.at += length;
        Ok(())
    }
}

/// How many bytes stand in a string for themselves.
fn plain(bytes: &[u8]) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // Not zero if a byte of `word` is below `limit` (at most 0x80).
    let below = |word: u64, limit: u64| word.wrapping_sub(LOW * limit) & !word & HIGH;
    let mut at = 0;
    for chunk in bytes.as_chunks::<8>().0 {
        let word = u64::from_ne_bytes(*chunk);
        let quote = word ^ (LOW * u64::from(b'"'));
        let backslash = word ^ (LOW * u64::from(b'\\'));
        if (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) != 0 {
            break;
        }
        at += 8;
    }
    let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    bytes[at..].iter().position(special).map_or(bytes.len(), |found| at + found)
}

/// Reads `json`, which is to be one value, to its end, and says what it begins with.
pub(super) fn single(json: &str, depth: usize) -> Result<Token, JsonError> {
    let mut reader = Reader::new(json, depth);
    let (first, _) = reader.next()?.ok_or(JsonError::Syntax(0))?;
    reader.skip(first)?;
    match reader.next()? {
        None => Ok(first),
        Some((_, more)) => Err(JsonError::Syntax(more.start)),
    }
}

/// Whether the text of a member's name or of a string, with its quotes, says `word`.
pub(super) fn says(quoted: &str, word: &str) -> bool {
    let inner = inside(quoted);
    inner == word
        || inner.contains('\\')
            && serde_json::from_str::<String>(quoted).is_ok_and(|text| text == word)
}

/// A string's text without its quotes, escapes as they are.
pub(super) fn inside(quoted: &str) -> &str {
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(quoted)
}
