//! Names with values, as JSON, forms, headers, variables and sentences write them.

use super::{
    names::{Kind, kind},
    prose::{is_code, is_sentence},
    text::{SCHEMES, is_harmless, looks_random},
};

/// The text without the values of what is named like a secret.
pub(super) fn without_pairs(text: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, separator) in text.match_indices([':', '=']) {
        if at < done {
            continue;
        }
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + 1..).unwrap_or_default();
        let Some(name) = Name::before(before) else { continue };
        let what = kind(name.text);
        if what == Kind::Plain {
            continue;
        }
        let Some(value) = Value::after(after, separator == ":", &name) else { continue };
        let gap = before.ends_with(' ') && after.starts_with(' ');
        if separator == "=" && gap && !name.is_quoted && is_code(after.trim_start()) {
            continue;
        }
        if let Some(shown) = shown(&name, what, &value, instead) {
            let start = at + 1 + value.at;
            out.push_str(text.get(done..start).unwrap_or_default());
            out.push_str(&shown);
            done = start + value.text.len();
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// What takes the value's place; `None` when it may stay.
fn shown(name: &Name<'_>, what: Kind, value: &Value<'_>, instead: &str) -> Option<String> {
    let text = value.text;
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    let stays = match what {
        Kind::Plain => true,
        Kind::Maybe => name.place != Place::Query && !looks_random(text),
        // Tokens and sessions are also counted.
        Kind::Secret => is_number && name.text.to_ascii_lowercase().ends_with('s'),
    };
    if stays || text.is_empty() || (name.place != Place::Query && is_harmless(text)) {
        return None;
    }
    let lower = name.text.to_ascii_lowercase();
    if lower.ends_with("cookie") && text.contains('=') {
        return Some(cookies(text, instead));
    }
    // A scheme alone stands before a placeholder.
    if lower.contains("auth") && SCHEMES.contains(&text.to_ascii_lowercase().as_str()) {
        return None;
    }
    // The scheme tells much, and is no secret.
    match text.split_once(' ') {
        Some((scheme, rest)) if SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) => {
            (!is_harmless(rest)).then(|| format!("{scheme} {instead}"))
        }
        _ => Some(instead.to_owned()),
    }
}

/// Of a cookie the names stay, which tell what is missing.
pub(crate) fn cookies(text: &str, instead: &str) -> String {
    const ATTRIBUTES: &[&str] = &["path", "domain", "expires", "max-age", "samesite", "priority"];
    let cookie = |part: &str| match part.split_once('=') {
        Some((name, _)) if !ATTRIBUTES.contains(&name.to_ascii_lowercase().as_str()) => {
            format!("{name}={instead}")
        }
        _ => part.to_owned(),
    };
    text.split("; ").map(cookie).collect::<Vec<_>>().join("; ")
}

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line.
    Line,
    /// Behind `?`, `&` or `#`.
    Query,
    Within,
}

struct Name<'a> {
    text: &'a str,
    is_quoted: bool,
    place: Place,
}

impl<'a> Name<'a> {
    /// The name that ends here: `password`, `"password"`, `user[password]`.
    fn before(text: &'a str) -> Option<Self> {
        let text = text.trim_end_matches([' ', '\t']);
        let bare = text.strip_suffix(['"', '\'']).map(|text| text.trim_end_matches('\\'));
        let bare = bare.or_else(|| QUOTES.iter().find_map(|quote| text.strip_suffix(quote)));
        let is_quoted = bare.is_some();
        let bare = bare.or_else(|| text.strip_suffix(']')).unwrap_or(text);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = bare.rsplit(|c: char| !is_name(c)).next().filter(|name| !name.is_empty())?;
        let before = bare.get(..bare.len() - name.len())?;
        // `\n` of a line that was written as a string.
        let escaped = before.ends_with('\\').then(|| name.strip_prefix(['n', 'r', 't'])).flatten();
        let start = before.trim_end_matches([' ', '\t', '"', '\'', '\\']);
        let place = if before.ends_with(['?', '&', '#']) || before.ends_with("&amp;") {
            Place::Query
        } else if escaped.is_some() || start.is_empty() || start.ends_with('\n') {
            Place::Line
        } else {
            Place::Within
        };
        Some(Self { text: escaped.unwrap_or(name), is_quoted, place })
    }

    /// People make up passwords of words; other secrets are made by machines.
    fn is_made_up(&self) -> bool {
        let lower = self.text.to_ascii_lowercase();
        ["pass", "pwd", "pw", "pin", "secret"].iter().any(|part| lower.contains(part))
    }

    /// Whether what follows is the rest of a sentence.
    fn begins_sentence(&self, rest: &str) -> bool {
        let (word, more) = rest.split_at(rest.find([' ', '\r', '\n']).unwrap_or(rest.len()));
        match self.place {
            Place::Within => is_sentence(word, more, self.is_made_up()),
            Place::Line => !self.is_made_up() && !self.is_login() && is_sentence(word, more, false),
            Place::Query => false,
        }
    }

    /// Headers, whose values are words in any form.
    fn is_login(&self) -> bool {
        let lower = self.text.to_ascii_lowercase();
        lower.ends_with("authorization") || lower.ends_with("cookie")
    }
}

/// Quotes as HTML writes them.
const QUOTES: &[&str] = &["&quot;", "&#34;", "&#39;", "&#039;", "&#x27;", "&#x22;", "&apos;"];

struct Value<'a> {
    /// From the separator.
    at: usize,
    text: &'a str,
}

impl<'a> Value<'a> {
    /// The value that stands behind `:` or `=`.
    fn after(text: &'a str, is_colon: bool, name: &Name<'_>) -> Option<Self> {
        // `::`, `://` and `==` separate no value.
        let is_other = if is_colon {
            text.starts_with(':') || text.starts_with("//")
        } else {
            text.starts_with('=')
        };
        if is_other {
            return None;
        }
        let rest = text.strip_prefix('>').unwrap_or(text).trim_start_matches([' ', '\t']);
        let at = text.len() - rest.len();
        let quoted = rest.trim_start_matches('\\');
        if quoted.starts_with(['"', '\'']) {
            return Some(Self::quoted(at, rest, rest.len() - quoted.len()));
        }
        if let Some(quote) = QUOTES.iter().find(|quote| rest.starts_with(**quote)) {
            let body = rest.get(quote.len()..).unwrap_or_default();
            let text = body.split(quote).next().unwrap_or_default();
            return Some(Self { at: at + quote.len(), text });
        }
        if name.is_quoted && rest.starts_with('[') {
            let inner = rest.split(']').next()?.get(1..)?;
            return (!inner.contains('{')).then_some(Self { at: at + 1, text: inner });
        }
        if rest.starts_with(['{', '[', '(']) {
            return None;
        }
        let has_gap = rest.len() < text.len();
        let is_prose = has_gap && is_colon && !name.is_quoted && name.begins_sentence(rest);
        (!is_prose).then(|| Self { at, text: Self::bare(rest, is_colon, name) })
    }

    /// What has no quotes ends where its place has its ends.
    fn bare(rest: &'a str, is_colon: bool, name: &Name<'_>) -> &'a str {
        if let Some(length) = parameters(rest).filter(|_| name.is_login()) {
            return rest.get(..length).unwrap_or(rest);
        }
        let ends: &str = match name.place {
            _ if name.is_quoted => ",}] \t\r\n\"\\",
            Place::Line if is_colon => "\r\n\\\"<",
            Place::Within => " \t\r\n\"'<>\\&;,)}]",
            Place::Line | Place::Query => " \t\r\n\"'<>\\&;",
        };
        let end = rest.find(|c| ends.contains(c)).unwrap_or(rest.len());
        let value = rest.get(..end).unwrap_or(rest);
        let is_within = name.place == Place::Within && !name.is_quoted && is_colon;
        let value = if is_within { with_scheme(rest, value, ends) } else { value };
        value.trim_end()
    }

    /// Up to the same quote; a quote that is escaped more often is part of the value.
    fn quoted(at: usize, rest: &'a str, escapes: usize) -> Self {
        let open = escapes + 1;
        let (quote, body) = (rest.get(escapes..open), rest.get(open..).unwrap_or_default());
        let close = body.match_indices(quote.unwrap_or("\"")).find_map(|(end, _)| {
            let before = body.get(..end)?;
            let count = end - before.trim_end_matches('\\').len();
            let is_end = if escapes == 0 { count.is_multiple_of(2) } else { count <= escapes };
            is_end.then_some(if escapes == 0 { end } else { end - count })
        });
        Self { at: at + open, text: body.get(..close.unwrap_or(body.len())).unwrap_or(body) }
    }
}

/// How long `Digest username="a", response="X"` is (RFC 9110 §11.4), where it is such a thing.
fn parameters(rest: &str) -> Option<usize> {
    let (scheme, mut list) = rest.split_once(' ')?;
    if !SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
        return None;
    }
    let mut end = None;
    loop {
        list = list.trim_start_matches([',', ' ']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
        let (_, value) = list.split_at(list.find(|c| !is_name(c)).unwrap_or(list.len()));
        // Base64 ends with `=`, but nothing stands behind that.
        let Some(value) = value.strip_prefix('=').filter(|_| !list.starts_with('=')) else { break };
        let bare = value.trim_start_matches('\\');
        let escapes = value.len() - bare.len();
        let length = if bare.starts_with(['"', '\'']) {
            let quoted = Value::quoted(0, value, escapes);
            // With the same quote at its end, where it is not cut.
            (quoted.at + quoted.text.len() + escapes + 1).min(value.len())
        } else {
            value.find([',', ' ', '\r', '\n', '"', '\\', '<', '&']).unwrap_or(value.len())
        };
        if length == 0 {
            break;
        }
        list = value.get(length..).unwrap_or_default();
        end = Some(rest.len() - list.len());
    }
    end
}

/// `Bearer TOKEN` is one value.
fn with_scheme<'a>(rest: &'a str, value: &'a str, ends: &str) -> &'a str {
    if !SCHEMES.contains(&value.to_ascii_lowercase().as_str()) {
        return value;
    }
    let behind = rest.get(value.len()..).unwrap_or_default();
    let word = behind.trim_start_matches(' ');
    let end = word.find(|c| ends.contains(c)).unwrap_or(word.len());
    rest.get(..rest.len() - word.len() + end).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_hidden() {
        for (text, is) in [
            (r#"{"password":"X"}"#, r#"{"password":"…"}"#),
            (r#"{"refresh_token" : "a\"b", "x":1}"#, r#"{"refresh_token" : "…", "x":1}"#),
            (r#"{"token":12345678}"#, r#"{"token":…}"#),
            (r#"{"tokens":["a","b"],"x":[1]}"#, r#"{"tokens":[…],"x":[1]}"#),
            (r#""{\"password\":\"X\",\"a\":1}""#, r#""{\"password\":\"…\",\"a\":1}""#),
            (r#"{"client_secret":"cu"#, r#"{"client_secret":"…"#),
            ("{'password': 'X', 'a': 1}", "{'password': '…', 'a': 1}"),
            ("{:password=>\"X\"}", "{:password=>\"…\"}"),
            ("Authorization: Bearer X", "Authorization: Bearer …"),
            (
                "GET /\\r\\nAuthorization: X Y\\r\\nHost: h",
                "GET /\\r\\nAuthorization: …\\r\\nHost: h",
            ),
            ("a\nset-cookie: a=b; Path=/\nb", "a\nset-cookie: a=…; Path=/\nb"),
            ("password=X&x=1", "password=…&x=1"),
            ("user[password]=X&code=5", "user[password]=…&code=…"),
            ("token: X", "token: …"),
            ("passcode: correct horse\nb", "passcode: …\nb"),
            ("AWS_SECRET_ACCESS_KEY=X", "AWS_SECRET_ACCESS_KEY=…"),
            ("got Authorization: Bearer X, y", "got Authorization: Bearer …, y"),
            ("bad token: X1.", "bad token: …"),
            ("/cb?code=abc {\"key\":\"0123456789abcdef\"}", "/cb?code=… {\"key\":\"…\"}"),
        ] {
            assert_eq!(without_pairs(text, "…"), is);
            assert_eq!(without_pairs(is, "…"), is);
        }
    }

    #[test]
    fn others_stay() {
        for text in [
            r#"{"code":1,"key":"value","total_tokens":12,"session":{"open":false}}"#,
            "Authorization: header missing",
            "Session: not found",
            "wrong password: try it again",
            "token::Kind, session: ",
            "error code=400; status: 200",
        ] {
            assert_eq!(without_pairs(text, "…"), text);
        }
    }
}
