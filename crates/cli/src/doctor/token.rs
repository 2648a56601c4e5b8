//! Reading a JSON Web Token that the request carries. It is sent nowhere else, and not verified:
//! only its dates and its audience are of interest.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{ask::Ask, evidence::Token};

/// The first token that is found: the flag's, a header's, the query's.
pub(super) fn find(ask: &Ask) -> Option<Token> {
    if let Some(token) = ask.token.as_deref().and_then(|text| read(text, "--token")) {
        return Some(token);
    }
    for (name, value) in &ask.headers {
        let last = value.rsplit([' ', '=', ',']).next().unwrap_or_default();
        if let Some(token) = read(last, name) {
            return Some(token);
        }
    }
    let query = ask.target.query.as_deref()?;
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        read(value, &format!("?{name}="))
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
    })
}

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
        let token = format!("{}.{}.sig", part(r#"{"alg":"HS256"}"#), part(claims));
        let read = read(&token, "x").unwrap();
        assert_eq!((read.expires, read.not_before), (Some(1_700_000_000), Some(1)));
        assert_eq!(read.audience, ["a", "b"]);
        for bad in ["", "a.b.c", "10.0.0.1", "www.example.com"] {
            assert!(super::read(bad, "x").is_none(), "{bad}");
        }
    }
}
