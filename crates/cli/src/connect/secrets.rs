//! What is not to be seen by others: output is pasted into questions and bug reports.

use http::header::SET_COOKIE;
use percent_encoding::percent_decode_str;

use crate::secrets::{Kind, harmless_header, hidden, kind, login, looks_random};

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
            if kind(name) != Kind::Plain {
                self.add(value);
                self.add(&percent_decode_str(value).decode_utf8_lossy());
            }
        }
    }

    /// Keeps what may be secret in a header that is sent.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) {
        if !harmless_header(name) {
            value.split([' ', ';', '=', ',']).for_each(|part| self.add(part));
            let logins = value.split(' ').filter_map(login);
            logins.for_each(|(_, password)| self.add(&password));
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

    /// A text without them, and without what is named or looks like a secret.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret, HIDDEN);
        }
        hidden(&text, HIDDEN)
    }

    /// The value of a header that is sent: a key may be in any of those that somebody thought of.
    pub(crate) fn sent_header(&self, name: &str, value: &str) -> String {
        if harmless_header(name) { self.header(name, value) } else { HIDDEN.to_owned() }
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str, value: &str) -> String {
        if name == SET_COOKIE.as_str() {
            let (cookie, rest) = value.split_at(value.find(';').unwrap_or(value.len()));
            let name = cookie.split_once('=').map_or("", |(name, _)| name);
            return self.hide(&format!("{name}={HIDDEN}{rest}"));
        }
        match kind(name) {
            Kind::Secret => HIDDEN.to_owned(),
            Kind::Maybe if looks_random(value) => HIDDEN.to_owned(),
            _ => self.hide(&url(value)),
        }
    }
}

/// A URL without its password and what is named like a secret in its query.
pub(crate) fn url(url: &str) -> String {
    crate::secrets::url(url, HIDDEN)
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
        // Nor are secrets of others.
        let others = "{\"password\":\"X\",\"why\":\"token expired\"} Bearer X redis://:X@h";
        assert_eq!(
            secrets.hide(others),
            "{\"password\":\"[hidden]\",\"why\":\"token expired\"} Bearer [hidden] redis://[hidden]@h"
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
