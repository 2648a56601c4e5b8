//! Secrets in texts that somebody else wrote: bodies, messages, reasons, values of headers.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use percent_encoding::percent_decode_str;

use super::{
    fields::without_fields,
    keys::without_keys,
    names::{Kind, kind},
    pairs::without_pairs,
    prose::without_named,
};

/// Words with which a sentence goes on that names a secret, as in `token: expired` or `Bearer token`.
const WORDS: &[&str] = &[
    "access",
    "and",
    "are",
    "auth",
    "authentication",
    "authorization",
    "bad",
    "but",
    "cannot",
    "challenge",
    "check",
    "contact",
    "could",
    "credentials",
    "denied",
    "disabled",
    "does",
    "empty",
    "enabled",
    "error",
    "expired",
    "failed",
    "failure",
    "false",
    "for",
    "format",
    "has",
    "header",
    "in",
    "incorrect",
    "invalid",
    "is",
    "login",
    "malformed",
    "method",
    "mismatch",
    "missing",
    "must",
    "no",
    "none",
    "not",
    "null",
    "of",
    "ok",
    "or",
    "please",
    "prefix",
    "realm",
    "refused",
    "rejected",
    "required",
    "revoked",
    "scheme",
    "schemes",
    "should",
    "string",
    "the",
    "this",
    "to",
    "token",
    "tokens",
    "too",
    "true",
    "type",
    "undefined",
    "unknown",
    "unsupported",
    "use",
    "was",
    "with",
    "wrong",
    "yes",
    "you",
    "your",
];

/// What stands in front of credentials in a header (RFC 9110 §11.4).
pub(super) const SCHEMES: &[&str] =
    &["basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey", "dpop", "hawk"];

/// A text without what is secret by its name or by its form.
pub(crate) fn hidden(text: &str, instead: &str) -> String {
    let text = without_tokens(text, instead);
    let text = without_private_keys(&text, instead);
    let text = without_keys(&text, instead);
    let text = without_logins(&text, instead);
    let text = without_fields(&text, instead);
    let text = without_pairs(&text, instead);
    let text = without_named(&text, instead);
    without_credentials(&text, instead)
}

/// Whether it is nothing, or the words of a sentence.
pub(super) fn is_harmless(value: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric();
    let Some(at) = value.find(is_letter) else { return true };
    let word = value.get(at..).unwrap_or_default();
    let end = word.find(|c: char| !is_letter(c) && c != '\'').unwrap_or(word.len());
    let (word, rest) = word.split_at(end);
    let ends = rest.chars().next().is_none_or(|c| c.is_whitespace() || ".,;:!?\"')]}<".contains(c));
    ends && WORDS.contains(&word.to_ascii_lowercase().as_str())
}

/// Whether nobody writes such a word by hand.
pub(crate) fn looks_random(value: &str) -> bool {
    let is_one = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~+/=".contains(&b));
    let has = |kind: fn(&u8) -> bool| value.as_bytes().iter().any(kind);
    is_one && value.len() >= 16 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// RFC 7519: three parts of Base64 with dots between them, the first of which begins with `{"`.
pub(crate) fn without_tokens(text: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        let (before, from) = rest.split_at(at);
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (word, behind) = from.split_at(end);
        out.push_str(before);
        out.push_str(if word.matches('.').count() >= 2 { instead } else { word });
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// What stands between the lines of a private key's PEM (RFC 7468); its end may have been cut.
fn without_private_keys(text: &str, instead: &str) -> String {
    const HEAD: &str = "PRIVATE KEY-----";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(HEAD) {
        let (head, key) = rest.split_at(at + HEAD.len());
        let (key, behind) = key.split_at(key.find("-----END").unwrap_or(key.len()));
        let is_key = !head.contains("-----END") && !key.trim().is_empty();
        out.push_str(head);
        out.push_str(if is_key { instead } else { key });
        // The head of the end has the same words.
        let end = behind.find(HEAD).map_or(behind.len(), |at| at + HEAD.len());
        let (end, behind) = behind.split_at(end);
        out.push_str(end);
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// `scheme://user:password@host` without the login.
fn without_logins(text: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, from) = rest.split_at(at + 3);
        let is_end = |c: char| c.is_whitespace() || "/?#\"'<>`\\".contains(c);
        let authority = from.find(is_end).map_or(from, |end| from.split_at(end).0);
        out.push_str(before);
        rest = from;
        if let Some(login) = authority.rfind('@').filter(|&at| at > 0) {
            out.push_str(instead);
            rest = from.get(login..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// `Bearer TOKEN` and `Basic BASE64`, wherever they stand.
fn without_credentials(text: &str, instead: &str) -> String {
    // Letters of ASCII only, so that places are the same.
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for scheme in lower.match_indices(['b', 'B']).filter_map(|(at, _)| Scheme::at(&lower, at)) {
        let from = text.get(scheme.end..).unwrap_or_default();
        let is_first = scheme.start >= done
            && !lower
                .get(..scheme.start)
                .is_some_and(|before| before.ends_with(char::is_alphanumeric));
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (word, behind) = from.split_at(end);
        let padding = behind.len() - behind.trim_start_matches('=').len();
        let next = behind.trim_start_matches('=').chars().next();
        // `realm="x"` is a parameter.
        let is_name =
            padding > 0 && next.is_some_and(|c| c == '"' || c == '\'' || c.is_alphanumeric());
        let is_secret = if scheme.is_basic { login(word).is_some() } else { !is_harmless(word) };
        if is_first && is_secret && !is_name {
            out.push_str(text.get(done..scheme.end).unwrap_or_default());
            out.push_str(instead);
            done = scheme.end + end + padding;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

struct Scheme {
    start: usize,
    /// Where the credentials begin.
    end: usize,
    is_basic: bool,
}

impl Scheme {
    fn at(lower: &str, start: usize) -> Option<Self> {
        let rest = lower.get(start..)?;
        let is_basic = rest.starts_with("basic");
        let behind = rest.strip_prefix("basic").or_else(|| rest.strip_prefix("bearer"))?;
        let credentials = ["%20", "+", " "].iter().find_map(|gap| behind.strip_prefix(gap))?;
        let credentials = credentials.trim_start_matches(' ');
        Some(Self { start, end: lower.len() - credentials.len(), is_basic })
    }
}

/// RFC 7617's pair, where this is one; it may have been cut.
pub(crate) fn login(basic: &str) -> Option<(String, String)> {
    let basic = basic.trim_end_matches('=');
    let whole = if basic.len() % 4 == 1 { basic.get(..basic.len() - 1)? } else { basic };
    let cut = || BASE64_STANDARD_NO_PAD.decode(basic.get(..basic.len() / 4 * 4)?).ok();
    let pair = BASE64_STANDARD_NO_PAD.decode(whole).ok().or_else(cut)?;
    let (user, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// A URL or a request target without its login and the secrets of its query.
pub(crate) fn url(text: &str, instead: &str) -> String {
    let text = without_logins(text, instead);
    // Logins that end with a redirect put the token behind the `#`.
    let Some(at) = text.find(['?', '#']) else { return text };
    let (path, query) = text.split_at(at);
    let hidden =
        |part: &str| part.split('&').map(|it| pair(it, instead)).collect::<Vec<_>>().join("&");
    let mut out = path.to_owned();
    for part in query.split_inclusive(['?', '#']) {
        let rest = part.trim_end_matches(['?', '#']);
        out.push_str(&hidden(rest));
        out.push_str(part.get(rest.len()..).unwrap_or_default());
    }
    out
}

fn pair(pair: &str, instead: &str) -> String {
    let Some((name, value)) = pair.split_once('=') else { return pair.to_owned() };
    let is_secret = kind(&percent_decode_str(name).decode_utf8_lossy()) != Kind::Plain
        || value.matches('.').count() == 2 && value.len() > 40;
    if is_secret && !value.is_empty() { format!("{name}={instead}") } else { pair.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever stands before it, also half a string or a tag.
        #[test]
        fn a_password_is_found_behind_anything(
            before in "([\"'<>=:&?{}\\[\\]\\\\ \n-]|[a-z]|é|…|token|Bearer |Basic |://|@|<a |value=){0,30}"
        ) {
            let text = hidden(&format!("{before}\n{{\"password\":\"zq-X\"}}"), "…");
            prop_assert!(!text.contains("zq-X"), "{text}");
        }
    }

    #[test]
    fn secrets_of_every_form_are_hidden() {
        for (text, is) in [
            ("a Bearer X, b", "a Bearer …, b"),
            ("Basic eDp5", "Basic …"),
            ("Basic dXNlcjpwYXNz=", "Basic …"),
            ("q=Bearer%20abc", "q=Bearer%20…"),
            (
                "-----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY-----\n",
                "-----BEGIN PRIVATE KEY-----…-----END PRIVATE KEY-----\n",
            ),
            ("-----BEGIN EC PRIVATE KEY-----\ncut", "-----BEGIN EC PRIVATE KEY-----…"),
            ("Server=db;User Id=sa;Password=X;", "Server=db;User Id=sa;Password=…;"),
            ("postgres://app:X@db/x", "postgres://…@db/x"),
            ("redis://:X@10.0.0.1 and x", "redis://…@10.0.0.1 and x"),
            ("0; url=https://x/?token=X", "0; url=https://x/?token=…"),
            ("eyJh.eyJi.c-_d eyJson!", "… eyJson!"),
            (
                "&quot;token&quot;:&quot;X&quot;,&quot;a&quot;:1",
                "&quot;token&quot;:&quot;…&quot;,&quot;a&quot;:1",
            ),
            (
                "{&#x27;db_password&#x27;: &#x27;X&#x27;}",
                "{&#x27;db_password&#x27;: &#x27;…&#x27;}",
            ),
            (
                "Authorization: Digest username=\"a\", response=\"X\", qop=auth\nb",
                "Authorization: Digest …\nb",
            ),
            (
                r#"{"head":"Authorization: Digest username=\"a\", response=\"X\""}"#,
                r#"{"head":"Authorization: Digest …"}"#,
            ),
            ("Invalid API key provided: sk-1234567890abcdefSEC.", "Invalid API key provided: …."),
            ("the token abcdef0123456789abcdef is expired", "the token … is expired"),
            ("password=letmein", "password=…"),
            (r#"{"password":"hunter"}"#, r#"{"password":"…"}"#),
            ("password: correct horse", "password: …"),
            ("a=1&amp;token=X&amp;b=2", "a=1&amp;token=…&amp;b=2"),
        ] {
            assert_eq!(hidden(text, "…"), is);
            assert_eq!(hidden(is, "…"), is);
        }
    }

    #[test]
    fn what_tells_something_stays() {
        for text in [
            r#"{"code":1,"message":"Session ID unknown"}"#,
            "token expired",
            "invalid token",
            "invalid token: expired",
            "Missing Authorization header",
            "Missing bearer token",
            "Basic authentication is required",
            "Bearer realm=\"x\", error=\"invalid_token\"",
            r#"{"error":"unauthorized","password":["This field is required."]}"#,
            r#"{"token":null,"auth":true,"token_type":"Bearer","expires_in":3600}"#,
            "<!doctype html><html><head><title>Log in</title></head><label>Password:</label>",
            "websocket: the client is not using the websocket protocol: 'upgrade' token not found in 'Connection' header",
            "https://a.example/x?room=kitchen&mail=a@b.c at 12:30",
            "wrong password: please try again",
            "the basic plan, author: Ana",
            r#"{"errors":[{"path":"password","message":"too short"}]}"#,
            "-----END PRIVATE KEY-----",
            "if (token == other || session != mine) return",
            "Error validating access token: Session has expired on Friday",
            "session: closed by admin",
            r#"{"session_state":"closed","tokenizer":"bpe"}"#,
            "token = request.headers[\"Authorization\"]",
            "password = form.get('password')",
            "header Authorization: Bearer <token>",
            "Use Authorization: Bearer <token> from your profile",
            "the session 2024 is closed, token validation failed",
        ] {
            assert_eq!(hidden(text, "…"), text);
        }
    }

    #[test]
    fn urls() {
        for (text, is) in [
            ("ws://a:b@h/p?x=1&access_token=t&key=k", "ws://…@h/p?x=1&access_token=…&key=…"),
            ("/p?mail=a@b.c", "/p?mail=a@b.c"),
            ("http://h/cb#access_token=t&x=1", "http://h/cb#access_token=…&x=1"),
            ("/cb?token=t#id_token=u", "/cb?token=…#id_token=…"),
            ("/?otp=1&bearer=2&hmac=3&b", "/?otp=…&bearer=…&hmac=…&b"),
        ] {
            assert_eq!(url(text, "…"), is);
        }
    }
}
