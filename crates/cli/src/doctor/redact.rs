//! Secrets are removed from everything that is printed or written to a report.

use serde_json::Value;

use super::evidence::{Bytes, Came, Evidence};
use crate::connect::secrets::without_tokens;

/// Headers whose value is nobody's business.
const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-amz-security-token",
    "authentication-info",
];

/// What names of query parameters, headers and fields of JSON with secrets contain.
const SECRET_WORDS: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passcode",
    "apikey",
    "api_key",
    "api-key",
    "jwt",
    "session",
    "signature",
    "credential",
    "auth",
];

/// Query parameters that are secret as whole names.
const SECRET_NAMES: &[&str] = &["key", "sig", "code", "sid", "ticket", "pass", "pwd"];

/// Whether the value of this header is a secret.
pub(crate) fn is_secret(header: &str) -> bool {
    let name = header.to_ascii_lowercase();
    // Nor is what CORS allows: `Access-Control-Allow-Credentials` is true or nothing.
    let is_ours = ["sec-websocket-", "access-control-"].iter().any(|start| name.starts_with(start))
        || name.ends_with("-authenticate");
    SECRET_HEADERS.contains(&name.as_str())
        || (!is_ours && SECRET_WORDS.iter().any(|word| name.contains(word)))
}

/// A header's value as it may be shown. Of a cookie the names stay, which tell what is missing.
pub(crate) fn header(name: &str, value: &str) -> String {
    let lower = name.to_ascii_lowercase();
    if lower == "cookie" || lower == "set-cookie" {
        return value.split("; ").map(cookie).collect::<Vec<_>>().join("; ");
    }
    if lower.ends_with("authorization") {
        // The scheme tells much, and is no secret.
        let scheme = value.split(' ').next().filter(|scheme| value.len() > scheme.len() + 1);
        return scheme.map_or("…".into(), |scheme| format!("{scheme} …"));
    }
    if lower == "sec-websocket-protocol" {
        return value
            .split(',')
            .map(|part| subprotocol(part.trim()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if lower == "location" || lower == "referer" {
        return url(value);
    }
    if is_secret(name) { "…".into() } else { value.to_owned() }
}

/// Browsers have no place for a token but here, so that long ones are taken for such.
pub(super) fn is_token(subprotocol: &str) -> bool {
    subprotocol.len() > 40
}

fn subprotocol(name: &str) -> String {
    if is_token(name) { "…".into() } else { name.to_owned() }
}

fn cookie(part: &str) -> String {
    const ATTRIBUTES: &[&str] = &["path", "domain", "expires", "max-age", "samesite", "priority"];
    match part.split_once('=') {
        Some((name, _)) if !ATTRIBUTES.contains(&name.to_ascii_lowercase().as_str()) => {
            format!("{name}=…")
        }
        _ => part.to_owned(),
    }
}

/// A URL or a request target without the secrets of its query.
pub(crate) fn url(text: &str) -> String {
    let text = match (text.split_once("://"), text.find('@')) {
        (Some((scheme, rest)), Some(_)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let authority = rest.get(..end).unwrap_or_default();
            match authority.rfind('@').and_then(|at| rest.get(at + 1..)) {
                Some(rest) => format!("{scheme}://…@{rest}"),
                None => text.to_owned(),
            }
        }
        _ => text.to_owned(),
    };
    // Logins that end with a redirect put the token behind the `#`.
    let Some(at) = text.find(['?', '#']) else { return text };
    let (path, query) = text.split_at(at);
    let hidden = |part: &str| part.split('&').map(pair).collect::<Vec<_>>().join("&");
    let mut out = path.to_owned();
    for part in query.split_inclusive(['?', '#']) {
        match part.strip_suffix(['?', '#']) {
            Some(rest) => {
                out.push_str(&hidden(rest));
                out.push_str(part.get(rest.len()..).unwrap_or_default());
            }
            None => out.push_str(&hidden(part)),
        }
    }
    out
}

fn pair(pair: &str) -> String {
    let Some((name, value)) = pair.split_once('=') else { return pair.to_owned() };
    let lower = name.to_ascii_lowercase();
    let secret = SECRET_NAMES.contains(&lower.as_str())
        || SECRET_WORDS.iter().any(|word| lower.contains(word))
        || value.matches('.').count() == 2 && value.len() > 40;
    if secret && !value.is_empty() { format!("{name}=…") } else { pair.to_owned() }
}

/// A text in which none of `secrets` stands any more, wherever it was echoed.
pub(crate) fn without(text: &str, secrets: &[String]) -> String {
    // Short ones would take away half of the text, and are found in no dictionary.
    let long = secrets.iter().filter(|secret| secret.len() >= 4);
    let text = long.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"));
    without_tokens(&text, "…")
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

/// The same for a text in which others stand that were cut: nor does a beginning stand before the
/// mark of a cut.
pub(super) fn cut_text(text: &str, secrets: &[String]) -> String {
    let mut text = without_end(text, secrets);
    for secret in secrets {
        for start in (4..secret.len()).rev().filter_map(|end| secret.get(..end)) {
            text = text.replace(&format!("{start}…"), "…");
        }
    }
    text
}

/// Takes the secrets out of all that a server said, before it is cut to be shown.
pub(super) fn evidence(evidence: &mut Evidence, secrets: &[String]) {
    let looks = evidence.looks.iter_mut();
    let (exchanges, sockets): (Vec<_>, Vec<_>) =
        looks.map(|look| (&mut look.exchange, look.socket.as_mut())).unzip();
    let exchanges = exchanges.into_iter().chain(&mut evidence.answer).chain(&mut evidence.polls);
    for exchange in exchanges {
        match &mut exchange.came {
            Came::Answer(answer) | Came::NoTunnel(answer) => {
                for (_, value) in &mut answer.headers {
                    *value = without_end(value, secrets);
                }
                bytes(&mut answer.body, secrets);
            }
            Came::Bytes(came) | Came::Half(came) | Came::Broken(came) => bytes(came, secrets),
            _ => {}
        }
    }
    for socket in sockets.into_iter().flatten().chain(&mut evidence.socket) {
        for message in &mut socket.messages {
            *message = without_end(message, secrets);
        }
        if let Some(raw) = &mut socket.raw {
            bytes(raw, secrets);
        }
    }
}

/// Bytes without secrets stay as they came.
fn bytes(bytes: &mut Bytes, secrets: &[String]) {
    let text = String::from_utf8_lossy(&bytes.0);
    let hidden = without_end(&text, secrets);
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
        ] {
            assert_eq!(header(name, value), is, "{name}");
        }
        assert_eq!(
            url("ws://a:b@h/p?x=1&access_token=t&key=k"),
            "ws://…@h/p?x=1&access_token=…&key=…"
        );
        assert_eq!(url("/p?mail=a@b.c"), "/p?mail=a@b.c");
        assert_eq!(url("http://h/cb#access_token=t&x=1"), "http://h/cb#access_token=…&x=1");
        assert_eq!(url("/cb?token=t#id_token=u"), "/cb?token=…#id_token=…");
        let secrets = ["s3cret-of-ana".to_owned()];
        assert_eq!(without_end("cut: s3cret-of", &secrets), "cut: …");
        assert_eq!(without("eyJh.eyJi.c-_d eyJson!", &[]), "… eyJson!");
        assert_eq!(without("no such user s3cret!", &["s3cret".into()]), "no such user …!");
    }
}
