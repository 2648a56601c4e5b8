//! Reading a JSON Web Token that the request carries. It is sent nowhere else, and not verified:
//! only its dates and its audience are of interest.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{ask::Ask, evidence::Token};

/// What Kubernetes puts before a token in a subprotocol, where browsers have no other place.
const BEARER: &str = "base64url.bearer.authorization.k8s.io.";

/// The first token that is found: the flag's, a header's, a subprotocol's, the query's.
pub(super) fn find(ask: &Ask) -> Option<Token> {
    if let Some(token) = ask.token.as_deref().and_then(|text| read(text, "--token")) {
        return Some(token);
    }
    for (name, value) in &ask.headers {
        let found = value.split([' ', '=', ',', ';']).find_map(|part| read(part, name));
        if found.is_some() {
            return found;
        }
    }
    if let Some(found) = ask.subprotocols.iter().find_map(|name| of_subprotocol(name)) {
        return Some(found);
    }
    let query = ask.target.query.as_deref()?;
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        read(value, &format!("?{name}="))
    })
}

fn of_subprotocol(name: &str) -> Option<Token> {
    let rest = name.strip_prefix(BEARER).unwrap_or(name);
    read(rest, "--subprotocol").or_else(|| {
        let token = BASE64_URL_SAFE_NO_PAD.decode(rest.trim_end_matches('=')).ok()?;
        read(std::str::from_utf8(&token).ok()?, "--subprotocol")
    })
}

/// RFC 7519 §4.1. `None` when it is no such token.
fn read(text: &str, place: &str) -> Option<Token> {
    let mut parts = text.split('.');
    let (head, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || signature.is_empty() {
        return None;
    }
    let json = |part: &str| -> Option<Value> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    json(head)?.get("alg")?;
    let claims = json(claims)?;
    let time = |name: &str| claims.get(name).and_then(seconds);
    let odd = ["exp", "nbf", "iat"].into_iter().find_map(|name| {
        let value = claims.get(name)?;
        // RFC 7519 §2: a number of seconds.
        let is_odd = value.is_string() || time(name).is_some_and(|time| time > MILLIS);
        is_odd.then(|| format!("{name}: {value}"))
    });
    let audience = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(|one| Some(one.as_str()?.to_owned())).take(10).collect()
        }
        _ => Vec::new(),
    };
    Some(Token {
        place: place.to_owned(),
        expires: time("exp"),
        not_before: time("nbf"),
        issued: time("iat"),
        audience,
        odd,
    })
}

/// A date after this, of the year 5138, is one in milliseconds.
const MILLIS: i64 = 100_000_000_000;

/// RFC 7519 §2: a `NumericDate` may have a fraction.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|time| time as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_other_texts_are_no_tokens() {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let claims = r#"{"exp":1700000000.5,"nbf":1,"aud":["a","b"]}"#;
        let first = format!("{}.{}.sig", part(r#"{"alg":"HS256"}"#), part(claims));
        let read = read(&first, "x").unwrap();
        assert_eq!((read.expires, read.not_before), (Some(1_700_000_000), Some(1)));
        assert_eq!(read.audience, ["a", "b"]);
        let token = |claims: &str| format!("{}.{}.sig", part(r#"{"alg":"HS256"}"#), part(claims));
        let odd = |claims: &str| super::read(&token(claims), "x").unwrap().odd;
        assert_eq!(odd(r#"{"exp":1700000000000}"#).as_deref(), Some("exp: 1700000000000"));
        assert_eq!(odd(r#"{"exp":"1700000000"}"#).as_deref(), Some("exp: \"1700000000\""));
        assert_eq!(odd(r#"{"exp":1700000000}"#), None);
        let hidden = BASE64_URL_SAFE_NO_PAD.encode(token(claims));
        assert!(of_subprotocol(&format!("{BEARER}{hidden}")).is_some());
        assert!(of_subprotocol(&token(claims)).is_some() && of_subprotocol("v12.stomp").is_none());
        for bad in ["", "a.b.c", "10.0.0.1", "www.example.com"] {
            assert!(super::read(bad, "x").is_none(), "{bad}");
        }
    }
}
