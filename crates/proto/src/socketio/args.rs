//! Arguments of an event or an acknowledgement, as the JSON that they came in.

use super::json::{JsonError, MAX_DEPTH, Reader, Token};

/// JSON texts with commas between them. They have been read once, so each is JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Args<'a> {
    /// The elements of an array without its brackets.
    text: &'a str,
}

impl<'a> Args<'a> {
    /// Arguments of this JSON: texts with commas between them, without brackets around. Whoever
    /// makes them has checked that it is.
    pub fn trusted(text: &'a str) -> Self {
        Self { text }
    }

    /// Those behind the first `count`.
    #[must_use]
    pub fn skip(self, count: usize) -> Self {
        let mut all = self.iter();
        for _ in 0..count {
            all.next();
        }
        let at = all.reader.at();
        let rest = self.text.get(at..).unwrap_or_default().trim_start();
        Self { text: rest.strip_prefix(',').unwrap_or(rest) }
    }

    /// Takes the elements of the JSON array `array`, which is read but not changed.
    pub fn from_array(array: &'a str) -> Result<Self, JsonError> {
        Ok(Elements::read(array, MAX_DEPTH)?.ok_or(JsonError::Syntax(0))?.all)
    }

    /// All of them with commas between, without the array's brackets.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.text.bytes().all(|byte| byte.is_ascii_whitespace())
    }

    /// Each as its JSON text. Reads as it goes; there is no list of them.
    pub fn iter(self) -> Iter<'a> {
        Iter { text: self.text, reader: Reader::new(self.text, MAX_DEPTH) }
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a str;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The texts of arguments, in order.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    text: &'a str,
    reader: Reader<'a>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        // The text was read when the arguments were made; what would be wrong now would be the end.
        let (token, range) = self.reader.next().ok()??;
        self.reader.skip(token).ok()?;
        self.text.get(range.start..self.reader.at())
    }
}

/// What a packet's array consists of.
pub(super) struct Elements<'a> {
    /// The first element, if there is one, and what it begins with.
    pub(super) first: Option<(Token, &'a str)>,
    /// Those after the first.
    pub(super) rest: Args<'a>,
    /// All of them.
    pub(super) all: Args<'a>,
}

impl<'a> Elements<'a> {
    /// Reads `array` to its end. It is `None` if it is no array.
    pub(super) fn read(array: &'a str, depth: usize) -> Result<Option<Self>, JsonError> {
        let mut reader = Reader::new(array, depth);
        let Some((Token::Array, bracket)) = reader.next()? else { return Ok(None) };
        let mut first = None;
        let mut rest_start = None;
        let end = loop {
            let at = reader.at();
            let (token, range) = reader.next()?.ok_or(JsonError::Syntax(at))?;
            if token == Token::End {
                break range.start;
            }
            reader.skip(token)?;
            if first.is_none() {
                first = Some((token, &array[range.start..reader.at()]));
            } else if rest_start.is_none() {
                rest_start = Some(range.start);
            }
        };
        if let Some((_, more)) = reader.next()? {
            return Err(JsonError::Syntax(more.start));
        }
        let all = Args { text: &array[bracket.end..end] };
        let rest = Args { text: &array[rest_start.unwrap_or(end)..end] };
        Ok(Some(Self { first, rest, all }))
    }
}
