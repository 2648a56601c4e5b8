//! Secrets are removed from everything that is printed or written to a report.

use serde_json::Value;

use super::evidence::{
    Answer, By, Bytes, Came, End, Evidence, Exchange, Login, Socket, TlsFault, UpgradeFault,
};
use crate::secrets::{
    Kind, cookies, harmless_header, hidden, kind, looks_random, subprotocols, without_tokens,
};

/// What stands in place of a secret.
const HIDDEN: &str = "…";

/// A header's value as it may be shown. Of a cookie the names stay, which tell what is missing.
pub(crate) fn header(name: &str, value: &str) -> String {
    let lower = name.to_ascii_lowercase();
    if lower == "cookie" || lower == "set-cookie" {
        return cookies(value, HIDDEN);
    }
    if lower.ends_with("authorization") {
        // The scheme tells much, and is no secret.
        let scheme = value.split(' ').next().filter(|scheme| value.len() > scheme.len() + 1);
        return scheme.map_or(HIDDEN.into(), |scheme| format!("{scheme} {HIDDEN}"));
    }
    if lower == "sec-websocket-protocol" {
        return protocols(&value.split(',').map(str::trim).collect::<Vec<_>>()).join(", ");
    }
    if lower == "location" || lower == "referer" {
        return hidden(&url(value), HIDDEN);
    }
    match kind(name) {
        Kind::Secret => HIDDEN.into(),
        Kind::Maybe if looks_random(value) => HIDDEN.into(),
        _ => hidden(value, HIDDEN),
    }
}

/// The same for a header that was sent: a key may be in any of those that somebody thought of.
fn sent(name: &str, value: &str) -> String {
    let lower = name.to_ascii_lowercase();
    if harmless_header(name) || lower == "cookie" || lower.ends_with("authorization") {
        header(name, value)
    } else {
        HIDDEN.into()
    }
}

/// Subprotocols, without those that are tokens.
fn protocols(names: &[&str]) -> Vec<String> {
    let secret = subprotocols(names.iter().copied());
    let shown =
        |(name, secret): (&&str, bool)| if secret { HIDDEN.to_owned() } else { (*name).to_owned() };
    names.iter().zip(secret).map(shown).collect()
}

/// A header that proves who asks: it does not go with a redirect to others.
pub(super) fn is_proof(name: &str) -> bool {
    !harmless_header(name)
}

/// A URL or a request target without the secrets of its query.
pub(crate) fn url(text: &str) -> String {
    crate::secrets::url(text, HIDDEN)
}

/// A text in which none of `secrets` stands any more, wherever it was echoed.
pub(crate) fn without(text: &str, secrets: &[String]) -> String {
    // Short ones would take away half of the text, and are found in no dictionary.
    let long = secrets.iter().filter(|secret| secret.len() >= 4);
    let text = long.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"));
    without_tokens(&text, HIDDEN)
}

/// The same for a text that may have been cut: no secret's beginning stands at its end.
fn without_end(text: &str, secrets: &[String]) -> String {
    let mut text = without(text, secrets);
    for secret in secrets {
        let mut ends = (4..secret.len()).rev().filter_map(|end| secret.get(..end));
        if let Some(start) = ends.find(|start| text.ends_with(start)) {
            text.truncate(text.len() - start.len());
            text.push('…');
        }
    }
    text
}

/// What a server said: what is named or looks like a secret is one, too, whoever it belongs to.
fn said(text: &str, secrets: &[String]) -> String {
    hidden(&without_end(text, secrets), HIDDEN)
}

/// The same for a text in which others stand that were cut: nor does a beginning stand before the
/// mark of a cut.
pub(super) fn cut_text(text: &str, secrets: &[String]) -> String {
    let mut text = said(text, secrets);
    for secret in secrets {
        for start in (4..secret.len()).rev().filter_map(|end| secret.get(..end)) {
            text = text.replace(&format!("{start}…"), "…");
        }
    }
    text
}

/// Takes the secrets out of all that a server said, before it is cut to be shown.
pub(super) fn evidence(evidence: &mut Evidence, secrets: &[String]) {
    let asked: Vec<_> = evidence.sent.subprotocols.iter().map(String::as_str).collect();
    evidence.sent.subprotocols = protocols(&asked);
    for look in &mut evidence.looks {
        exchange(&mut look.exchange, secrets);
        look.socket.iter_mut().for_each(|it| socket(it, secrets));
    }
    for it in evidence.answer.iter_mut().chain(&mut evidence.polls).chain(&mut evidence.redirects) {
        exchange(it, secrets);
    }
    evidence.socket.iter_mut().for_each(|it| socket(it, secrets));
    if let Some(hold) = &mut evidence.hold {
        hold.idle.iter_mut().chain(&mut hold.pinging).for_each(|it| end(it, secrets));
    }
    if let Some(size) = &mut evidence.size {
        let fails = size.fails.iter_mut().map(|(_, end)| end);
        fails.chain(&mut size.deflate_fails).for_each(|it| end(it, secrets));
    }
}

fn exchange(exchange: &mut Exchange, secrets: &[String]) {
    let line = |line: &str| match line.split_once(": ") {
        Some((name, value)) => format!("{name}: {}", sent(name, value)),
        None => line.to_owned(),
    };
    exchange.request = exchange.request.lines().map(line).collect::<Vec<_>>().join("\n");
    match &mut exchange.came {
        Came::Answer(it) | Came::NoTunnel(it) => answer(it, secrets),
        Came::Bytes(came)
        | Came::Half(came)
        | Came::Broken(came)
        | Came::NoTls(TlsFault::NotTls(came)) => bytes(came, secrets),
        _ => {}
    }
}

fn answer(answer: &mut Answer, secrets: &[String]) {
    for (name, value) in &mut answer.headers {
        *value = header(name, &without_end(value, secrets));
    }
    if let Some(name) = &mut answer.subprotocol {
        *name = protocols(&[name]).concat();
    }
    if let Some(UpgradeFault::Subprotocol(name)) = &mut answer.fault {
        *name = protocols(&[name]).concat();
    }
    bytes(&mut answer.body, secrets);
}

fn socket(socket: &mut Socket, secrets: &[String]) {
    for message in &mut socket.messages {
        *message = said(message, secrets);
    }
    if let Some(Login::Refused(why)) = &mut socket.login {
        *why = said(why, secrets);
    }
    socket.end.iter_mut().for_each(|it| end(it, secrets));
    socket.raw.iter_mut().for_each(|it| bytes(it, secrets));
}

fn end(end: &mut End, secrets: &[String]) {
    end.reason = said(&end.reason, secrets);
    if let By::Us(why) = &mut end.by {
        *why = said(why, secrets);
    }
}

/// Bytes without secrets stay as they came.
fn bytes(bytes: &mut Bytes, secrets: &[String]) {
    let text = String::from_utf8_lossy(&bytes.0);
    let hidden = said(&text, secrets);
    if hidden != text {
        bytes.0 = hidden.into_bytes();
    }
}

/// The strings of JSON, whatever is escaped in them; names stay.
pub(super) fn value(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => *text = without(text, secrets),
        Value::Array(list) => list.iter_mut().for_each(|one| self::value(one, secrets)),
        Value::Object(map) => map.values_mut().for_each(|one| self::value(one, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_beginning_of_a_secret_stands_before_a_cut() {
        let secrets = ["correct-horse".to_owned()];
        let shown = cut_text("said correct-h… and correct-horse, then corr", &secrets);
        assert_eq!(shown, "said … and …, then …");
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (name, value, is) in [
            ("Authorization", "Bearer abc.def", "Bearer …"),
            ("authorization", "abc", "…"),
            ("Cookie", "a=1; SERVERID=n1", "a=…; SERVERID=…"),
            ("Set-Cookie", "sid=x; Path=/; HttpOnly", "sid=…; Path=/; HttpOnly"),
            ("X-Api-Key", "k", "…"),
            ("X-Session-Token", "k", "…"),
            ("WWW-Authenticate", "Bearer realm=\"x\"", "Bearer realm=\"x\""),
            ("Sec-WebSocket-Key", "x==", "x=="),
            ("Location", "https://h/?token=t", "https://h/?token=…"),
            ("Proxy-Authenticate", "Basic realm=\"x\"", "Basic realm=\"x\""),
            ("Server", "nginx", "nginx"),
            ("Refresh", "0; url=https://x/?token=X", "0; url=https://x/?token=…"),
        ] {
            assert_eq!(header(name, value), is, "{name}");
        }
        for (name, value, is) in [
            ("X-Custom-Thing", "X", "…"),
            ("X-User", "ana:Basic dXNlcjpwYXNz", "…"),
            ("Cookie", "a=1", "a=…"),
            ("Accept-Language", "ko", "ko"),
            ("Referer", "https://h/a?token=t&b=c", "https://h/a?token=…&b=c"),
            ("Sec-WebSocket-Protocol", "chat, bearer-X", "chat, …"),
        ] {
            assert_eq!(sent(name, value), is, "{name}");
        }
        let secrets = ["s3cret-of-ana".to_owned()];
        assert_eq!(without_end("cut: s3cret-of", &secrets), "cut: …");
        assert_eq!(without("eyJh.eyJi.c-_d eyJson!", &[]), "… eyJson!");
        assert_eq!(without("no such user s3cret!", &["s3cret".into()]), "no such user …!");
    }
}
