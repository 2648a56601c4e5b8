//! Finds in Rust text which modules of its own crate, and which other crates, it names.
//!
//! A lexer, not a parser: comments, strings and lifetimes are passed over, and what follows
//! `crate::`, `super::` or stands before a first `::` is taken as a path.

use std::collections::HashMap;

/// What a file names.
pub(super) struct Source {
    /// References to modules of the same crate.
    pub(super) modules: Vec<Reference>,
    /// First segments of all other paths, with their lines.
    pub(super) crates: Vec<(usize, String)>,
}

/// One module's use of another; both are modules right below the crate's root.
pub(super) struct Reference {
    /// Where the reference stands; empty for the root itself.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) line: usize,
}

#[derive(Debug, PartialEq)]
enum Token {
    Name(String),
    /// `::`
    Colons,
    Mark(char),
}

struct Lexed {
    tokens: Vec<(Token, usize)>,
}

impl Source {
    pub(super) fn read(module: &[String], text: &str) -> Self {
        let lexed = Lexed::of(text);
        let mut source = Self { modules: Vec::new(), crates: Vec::new() };
        // Modules written inside this file, each with the depth of braces it began at.
        let mut inner: Vec<(String, usize)> = Vec::new();
        let mut depth = 0;
        for at in 0..lexed.tokens.len() {
            match lexed.mark(at) {
                Some('{') => {
                    depth += 1;
                    if let (true, Some(name)) = (
                        at >= 2 && lexed.name(at - 2) == Some("mod"),
                        at.checked_sub(1).and_then(|i| lexed.name(i)),
                    ) {
                        inner.push((name.to_owned(), depth));
                    }
                }
                Some('}') => {
                    inner.retain(|(_, began)| *began < depth);
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            let starts = at == 0 || !lexed.is_colons(at - 1);
            let Some(name) = lexed.name(at).filter(|_| starts && lexed.is_colons(at + 1)) else {
                continue;
            };
            let mut here: Vec<&str> = module.iter().map(String::as_str).collect();
            here.extend(inner.iter().map(|(name, _)| name.as_str()));
            source.path(&lexed, at, name, &here);
        }
        source
    }

    /// Takes the path that begins at token `at` in module `here`.
    fn path(&mut self, lexed: &Lexed, at: usize, name: &str, here: &[&str]) {
        let mut base = match name {
            "crate" => &[],
            "super" => here.split_last().map_or(&[][..], |(_, above)| above),
            "self" => here,
            _ => {
                self.crates.push((lexed.line(at), name.to_owned()));
                return;
            }
        };
        let mut next = at + 2;
        while lexed.name(next) == Some("super") && lexed.is_colons(next + 1) {
            base = base.split_last().map_or(&[][..], |(_, above)| above);
            next += 2;
        }
        let from = here.first().copied().unwrap_or_default();
        let mut add = |to: &str, line| {
            self.modules.push(Reference { from: from.to_owned(), to: to.to_owned(), line });
        };
        if let Some(top) = base.first() {
            add(top, lexed.line(next));
            return;
        }
        for first in lexed.firsts(next) {
            add(lexed.name(first).unwrap_or_default(), lexed.line(first));
        }
    }
}

/// Names that the root `text` re-exports, each with the module below the root it comes from.
pub(super) fn exports(text: &str) -> HashMap<String, String> {
    let lexed = Lexed::of(text);
    let mut names = HashMap::new();
    for at in (0..lexed.tokens.len()).filter(|at| lexed.name(*at) == Some("use")) {
        let mut first = at + 1;
        while matches!(lexed.name(first), Some("crate" | "self")) {
            first += 2;
        }
        let Some(module) = lexed.name(first).filter(|_| lexed.is_colons(first + 1)) else {
            continue;
        };
        let mut next = first + 2;
        while next < lexed.tokens.len() && lexed.mark(next) != Some(';') {
            let ends = matches!(lexed.mark(next + 1), Some(',' | '}' | ';'));
            if let (true, Some(leaf)) = (ends, lexed.name(next)) {
                names.insert(leaf.to_owned(), module.to_owned());
            }
            next += 1;
        }
    }
    names
}

impl Lexed {
    fn of(text: &str) -> Self {
        let mut tokens = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        let (mut at, mut line) = (0, 1);
        while let Some(&c) = chars.get(at) {
            let end = skip(&chars, at);
            if let Some(end) = end {
                line += chars[at..end].iter().filter(|c| **c == '\n').count();
                at = end;
            } else if c.is_alphabetic() || c == '_' {
                let len =
                    chars[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
                tokens.push((Token::Name(chars[at..at + len].iter().collect()), line));
                at += len;
            } else if c == ':' && chars.get(at + 1) == Some(&':') {
                tokens.push((Token::Colons, line));
                at += 2;
            } else {
                line += usize::from(c == '\n');
                if !c.is_whitespace() {
                    tokens.push((Token::Mark(c), line));
                }
                at += 1;
            }
        }
        Self { tokens }
    }

    fn name(&self, at: usize) -> Option<&str> {
        match self.tokens.get(at) {
            Some((Token::Name(name), _)) => Some(name),
            _ => None,
        }
    }

    fn mark(&self, at: usize) -> Option<char> {
        match self.tokens.get(at) {
            Some((Token::Mark(c), _)) => Some(*c),
            _ => None,
        }
    }

    fn is_colons(&self, at: usize) -> bool {
        matches!(self.tokens.get(at), Some((Token::Colons, _)))
    }

    fn line(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(0, |(_, line)| *line)
    }

    /// The first segments of what stands at `at`: one name, or each entry of a `{…}` group.
    fn firsts(&self, at: usize) -> Vec<usize> {
        if self.mark(at) != Some('{') {
            return if self.name(at).is_some() { vec![at] } else { Vec::new() };
        }
        let (mut found, mut depth, mut next) = (Vec::new(), 0, at);
        while next < self.tokens.len() {
            match self.mark(next) {
                Some('{') => depth += 1,
                Some('}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            let opens = matches!(self.mark(next), Some('{' | ','));
            if depth == 1 && opens && self.name(next + 1).is_some() {
                found.push(next + 1);
            }
            next += 1;
        }
        found
    }
}

/// The end of a comment, string, character or lifetime that begins at `at`.
fn skip(chars: &[char], at: usize) -> Option<usize> {
    let is = |i: usize, c: char| chars.get(i) == Some(&c);
    let rest = &chars[at..];
    if is(at, '/') && is(at + 1, '/') {
        return Some(at + rest.iter().take_while(|c| **c != '\n').count());
    }
    if is(at, '/') && is(at + 1, '*') {
        return Some(block_comment(chars, at));
    }
    if is(at, 'r')
        && (is(at + 1, '"') || is(at + 1, '#'))
        && (at == 0 || !chars[at - 1].is_alphanumeric())
    {
        return raw_string(chars, at);
    }
    if is(at, '"') {
        return Some(quoted(chars, at + 1, '"'));
    }
    if is(at, '\'') {
        // `'a'` and `'\n'` are characters, `'a` is a lifetime.
        return Some(if is(at + 2, '\'') || is(at + 1, '\\') {
            quoted(chars, at + 1, '\'')
        } else {
            at + 1
        });
    }
    None
}

/// The place after the closing `end`, where a backslash hides the character after it.
fn quoted(chars: &[char], mut at: usize, end: char) -> usize {
    while let Some(&c) = chars.get(at) {
        match c {
            '\\' => at += 2,
            c if c == end => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None; // `r#type` is a name.
    }
    let closes = |i: usize| {
        chars[i] == '"'
            && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    let end = (open + 1..chars.len()).find(|i| closes(*i));
    Some(end.map_or(chars.len(), |i| i + 1 + hashes))
}

fn block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}
