//! What a peer wrote, made safe to be shown.

use std::{borrow::Cow, fmt::Write as _};

/// Which control characters stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// None: the text is part of one line.
    None,
    /// Line ends and tabs.
    Lines,
}

/// Writes control characters as JSON does (`\u001b`), and those that turn the direction of
/// writing: a peer must neither drive the terminal nor show what is not there.
pub(crate) fn escaped(text: &str, keep: Keep) -> Cow<'_, str> {
    let is_bad = |c: char| {
        let is_kept = keep == Keep::Lines && matches!(c, '\n' | '\t');
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() && !is_kept) || turns
    };
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_bad(c) {
            // Writing to a string does not fail. All of these are below U+FFFF.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        let text = "a\u{1b}[2J\r\n\tb\u{7f}\u{9b}5n\u{202e}마당";
        let lines = "a\\u001b[2J\\u000d\n\tb\\u007f\\u009b5n\\u202e마당";
        assert_eq!(escaped(text, Keep::Lines), lines);
        assert_eq!(escaped("a\n\tb", Keep::None), "a\\u000a\\u0009b");
        assert!(matches!(escaped("plain\n", Keep::Lines), Cow::Borrowed(_)));
    }
}
