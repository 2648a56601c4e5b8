//! What is not to be seen by others: output is pasted into questions and bug reports.

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};
use percent_encoding::percent_decode_str;

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "[hidden]";
/// What is shorter would be found by chance.
const MIN_LENGTH: usize = 6;

/// Secrets of the command line, which a server may say back.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Keeps a secret.
    pub(crate) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() >= MIN_LENGTH {
            self.0.push(secret.to_owned());
        }
    }

    /// Keeps what is secret in a URL.
    pub(crate) fn add_url(&mut self, url: &str) {
        if let Some(user) = user_of(url) {
            let password = user.split_once(':').map_or(user, |(_, password)| password);
            self.add(password);
            self.add(&percent_decode_str(password).decode_utf8_lossy());
        }
        for (name, value) in pairs(url) {
            if is_secret(name) {
                self.add(value);
                self.add(&percent_decode_str(value).decode_utf8_lossy());
            }
        }
    }

    /// Keeps what is secret in a header that is sent.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) {
        if is_secret_header(name) {
            value.split([' ', ';', '=', ',']).for_each(|part| self.add(part));
        }
    }

    /// Keeps the texts of a JSON object, but for names that are none.
    pub(crate) fn add_json(&mut self, json: &str) {
        let Ok(map) = serde_json::from_str::<serde_json::Map<_, _>>(json) else { return };
        for (name, value) in &map {
            if let Some(text) = value.as_str()
                && !matches!(name.as_str(), "host" | "login" | "heart-beat")
            {
                self.add(text);
            }
        }
    }

    /// A text without them, and without what looks like a JSON web token.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret, HIDDEN);
        }
        without_tokens(&text, HIDDEN)
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str, value: &str) -> String {
        if name == SET_COOKIE.as_str() {
            let (cookie, rest) = value.split_at(value.find(';').unwrap_or(value.len()));
            let name = cookie.split_once('=').map_or("", |(name, _)| name);
            return self.hide(&format!("{name}={HIDDEN}{rest}"));
        }
        if is_secret_header(name) {
            return HIDDEN.to_owned();
        }
        self.hide(&url(value))
    }
}

/// A URL without its password and what is named like a secret in its query.
pub(crate) fn url(url: &str) -> String {
    let mut shown = url.to_owned();
    if let Some(user) = user_of(url) {
        shown = shown.replacen(&format!("{user}@"), &format!("{HIDDEN}@"), 1);
    }
    let Some((base, query)) = shown.split_once('?') else { return shown };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(hide).collect();
    format!("{base}?{}", query.join("&"))
}

fn user_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

fn pairs(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(|pair| pair.split_once('='))
}

fn is_secret_header(name: &str) -> bool {
    let known = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
    known.iter().any(|other| other == name) || is_secret(name)
}

/// Whether something with this name is most likely a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // These only say how, or that there is one.
    if matches!(name.as_str(), "www-authenticate" | "proxy-authenticate" | "sec-websocket-key") {
        return false;
    }
    let parts = [
        "token", "auth", "secret", "passw", "passcode", "pwd", "apikey", "api-key", "api_key",
        "jwt",
    ];
    let whole = ["key", "sig", "signature", "session", "sid", "credential", "ticket"];
    parts.iter().any(|part| name.contains(part)) || whole.contains(&name.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, is) in [
            ("ws://h/a?b=c", "ws://h/a?b=c"),
            ("ws://ana:pw@h/a", "ws://[hidden]@h/a"),
            ("ws://h/?since=1&access_token=abc&b", "ws://h/?since=1&access_token=[hidden]&b"),
        ] {
            assert_eq!(url(text), is);
        }
    }

    #[test]
    fn what_was_sent_is_not_said_back() {
        let mut secrets = Secrets::default();
        secrets.add("hunter22");
        secrets.add("ab");
        secrets.add_url("ws://ana:p%40ssword@h/?token=query-secret&x=visible1");
        secrets.add_header("cookie", "a=cookie-1; b=cookie-22");
        secrets.add_header("accept-language", "english");
        secrets.add_json("{\"login\":\"ana-maria\",\"passcode\":\"open sesame\"}");
        assert_eq!(
            secrets.hide("cookie-1 cookie-22 english ana-maria open sesame"),
            "[hidden] [hidden] english ana-maria [hidden]"
        );
        let text = "ab hunter22 p@ssword query-secret visible1 eyJh.eyJi.c-_d eyJson!";
        assert_eq!(secrets.hide(text), "ab [hidden] [hidden] [hidden] visible1 [hidden] eyJson!");
        for (name, value, is) in [
            ("set-cookie", "sid=abc; Path=/; HttpOnly", "sid=[hidden]; Path=/; HttpOnly"),
            ("authorization", "Bearer x", "[hidden]"),
            ("x-csrf-token", "x", "[hidden]"),
            ("www-authenticate", "Bearer realm=\"x\"", "Bearer realm=\"x\""),
            ("location", "https://h/?token=1", "https://h/?token=[hidden]"),
            ("server", "nginx", "nginx"),
        ] {
            assert_eq!(secrets.header(name, value), is);
        }
    }
}
