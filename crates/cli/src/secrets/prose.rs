//! Sentences and code that name secrets: what of them is none, and what is one all the same.

use super::{
    names::{Kind, kind},
    text::{SCHEMES, looks_random},
};

/// A longer word is none of a language.
const MAX_WORD: usize = 20;

/// Whether a word goes on as a sentence: `wrong password: try it again`. What people make up may
/// begin with a capital; then it is none.
pub(super) fn is_sentence(word: &str, behind: &str, is_made_up: bool) -> bool {
    let rest = if is_made_up { word } else { word.get(1..).unwrap_or_default() };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let is_plain = is_word(rest)
        && word.len() < MAX_WORD
        && word.bytes().all(|b| b.is_ascii_alphabetic())
        && !SCHEMES.contains(&word.to_ascii_lowercase().as_str());
    let next = behind.strip_prefix(' ').and_then(|more| {
        let end = more.find(|c: char| !c.is_alphanumeric()).unwrap_or(more.len());
        more.get(..end)
    });
    is_plain && next.is_some_and(is_word)
}

/// `request.headers["Authorization"]`: code that gets a secret.
pub(super) fn is_code(value: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '.');
    let end = value.find(|c| !is_name(c)).unwrap_or(value.len());
    let line = value.get(end..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let closes = |open, close| line.starts_with(open) && line.contains(close);
    end > 0 && (closes('[', ']') || closes('(', ')'))
}

/// The text without what looks random behind the name of a secret: `token 0123456789abcdef expired`.
pub(super) fn without_named(text: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut was_name = false;
    for piece in text.split_inclusive([' ', '\n', '\t']) {
        let is_edge = |c: char| !c.is_alphanumeric();
        let word = piece.trim_matches(is_edge);
        let is_key = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if was_name && is_key && looks_random(word) {
            out.push_str(&piece.replacen(word, instead, 1));
        } else {
            out.push_str(piece);
        }
        // Not `token:`, whose value is a pair, nor `token,`, with which it ends.
        let name = piece.strip_suffix(' ').unwrap_or_default();
        let name = name.trim_start_matches(is_edge);
        was_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            && (kind(name) == Kind::Secret || name.eq_ignore_ascii_case("key"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_go_on_with_words() {
        for (word, behind, is_made_up, is) in [
            ("try", " it again", true, true),
            ("Session", " has expired", false, true),
            ("Session", " has expired", true, false),
            ("closed", " by admin", false, true),
            ("hunter", "", false, false),
            ("hunter2", " is it", false, false),
            ("Bearer", " abc", false, false),
            ("abc", " 0123", false, false),
            ("가", " is", false, false),
        ] {
            assert_eq!(is_sentence(word, behind, is_made_up), is, "{word}{behind}");
        }
    }

    #[test]
    fn code_is_a_name_and_what_it_is_asked() {
        for (value, is) in [
            ("request.headers[\"A\"]", true),
            ("get_token()", true),
            ("hunter", false),
            ("(x)", false),
            ("ab12(x)", false),
            ("cut(", false),
        ] {
            assert_eq!(is_code(value), is, "{value}");
        }
    }
}
