//! Names of what is secret: of headers, query parameters, keys of JSON, fields, variables.

/// What stands behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Secret,
    /// A secret in a query, and elsewhere where the value looks like one: `key`, `code`.
    Maybe,
    Plain,
}

/// What names of secrets contain, written without separators.
const PARTS: &[&str] = &[
    "token",
    "secret",
    "passw",
    "passcode",
    "passphrase",
    "passkey",
    "pwd",
    "apikey",
    "accesskey",
    "privatekey",
    "subscriptionkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "sharedkey",
    "servicekey",
    "licensekey",
    "jwt",
    "session",
    "sessid",
    "signature",
    "credential",
    "bearer",
    "hmac",
    "csrf",
    "xsrf",
];

/// Last words of names of secrets.
const LAST: &[&str] =
    &["sig", "sid", "pass", "pw", "otp", "totp", "pin", "ticket", "cookie", "psk"];

/// Last words of what is said about secrets: `token_type`, `session-timeout`.
const ABOUT: &[&str] = &[
    "type",
    "types",
    "expires",
    "expiry",
    "expired",
    "expiration",
    "ttl",
    "timeout",
    "age",
    "in",
    "at",
    "required",
    "endpoint",
    "url",
    "uri",
    "method",
    "methods",
    "scheme",
    "schemes",
    "error",
    "errors",
    "status",
    "length",
    "limit",
    "name",
    "names",
    "alg",
    "algorithm",
    "algorithms",
    "supported",
    "count",
    "enabled",
    "provider",
    "server",
    "host",
    "mode",
    "failed",
    "failure",
    "version",
    "level",
    "policy",
    "realm",
    "page",
    "form",
    "header",
    "headers",
    "path",
    "domain",
    "message",
    "reason",
    "missing",
    "invalid",
];

/// What is said to be secret by its name.
pub(crate) fn kind(name: &str) -> Kind {
    let lower = name.to_ascii_lowercase();
    // These only say how, or that there is one.
    let says_how = lower.ends_with("-authenticate")
        || ["sec-websocket-", "access-control-"].iter().any(|start| lower.starts_with(start));
    let words = words(name);
    let Some(last) = words.last().map(String::as_str).filter(|_| !says_how) else {
        return Kind::Plain;
    };
    if words.len() > 1 && ABOUT.contains(&last) {
        return Kind::Plain;
    }
    // OpenID's `session_state` is a key, others say `closed`.
    if words.len() > 1 && last == "state" {
        return Kind::Maybe;
    }
    // Tokenizers have no secrets.
    let whole = words.concat().replace("tokeniz", "").replace("tokenis", "");
    let is_login = |word: &String| {
        let is_writer = word.contains("author") && !word.contains("authori");
        word.contains("auth") && !is_writer && !word.starts_with("authorit")
    };
    if LAST.contains(&last)
        || PARTS.iter().any(|part| whole.contains(part))
        || words.iter().any(is_login)
    {
        return Kind::Secret;
    }
    if last == "key" || whole == "code" { Kind::Maybe } else { Kind::Plain }
}

/// `Api-Key`, `api_key` and `apiKey` are two words each.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Headers that people send and that have no secrets. Others may: a key has a hundred names.
pub(crate) fn harmless_header(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "host",
        "origin",
        "user-agent",
        "connection",
        "upgrade",
        "content-type",
        "content-length",
        "cache-control",
        "pragma",
        "dnt",
        "referer",
        "forwarded",
        "via",
        "x-real-ip",
        "range",
        "x-requested-with",
        "priority",
        "te",
        "date",
        "x-request-id",
        "traceparent",
    ];
    const STARTS: &[&str] = &["accept", "if-", "sec-", "x-forwarded-", "access-control-request-"];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || STARTS.iter().any(|start| name.starts_with(start))
}

/// Which subprotocols are tokens: browsers have no other place for one.
pub(crate) fn subprotocols<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<bool> {
    let mut was_scheme = false;
    let mut secret = Vec::new();
    for name in names {
        let is_known = KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known));
        let is_scheme = SCHEMES.iter().any(|scheme| name.eq_ignore_ascii_case(scheme));
        // `--subprotocol bearer --subprotocol TOKEN` is a token, too.
        secret.push(!is_known && !is_scheme && (was_scheme || is_token(name)));
        was_scheme = is_scheme;
    }
    secret
}

/// Names of subprotocols that say no more than what is spoken.
const KNOWN: &[&str] = &[
    "actioncable-v1-json",
    "actioncable-v1-msgpack",
    "actioncable-unsupported",
    "graphql-ws",
    "graphql-transport-ws",
    "v10.stomp",
    "v11.stomp",
    "v12.stomp",
    "wamp.2.json",
    "wamp.2.msgpack",
    "wamp.2.cbor",
    "mqtt",
    "mqttv3.1",
    "v4.channel.k8s.io",
    "v5.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "base64.channel.k8s.io",
    "json.webpubsub.azure.v1",
    "protobuf.webpubsub.azure.v1",
    "json.reliable.webpubsub.azure.v1",
    "vite-hmr",
];

/// Names that stand in front of a token, or before it in the list.
const SCHEMES: &[&str] = &[
    "bearer",
    "token",
    "access_token",
    "access-token",
    "auth",
    "auth-token",
    "authorization",
    "jwt",
    "api-key",
    "apikey",
    "api_key",
    "base64url.bearer",
    "base64url.bearer.authorization.k8s.io",
];

fn is_token(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let has_scheme = SCHEMES.iter().any(|scheme| {
        let rest = lower.strip_prefix(scheme);
        rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with(['-', '.', '_', '~', '+', '|']))
    });
    let is_random = |part: &str| {
        let has = |kind: fn(&char) -> bool| part.chars().any(|c| kind(&c));
        part.len() >= 12 && has(char::is_ascii_digit) && has(char::is_ascii_alphabetic)
    };
    has_scheme || name.len() > 40 || name.split(|c: char| !c.is_alphanumeric()).any(is_random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "token",
            "access_token",
            "accessToken",
            "X-Auth-Token",
            "AWS_SECRET_ACCESS_KEY",
            "otp",
            "bearer",
            "hmac",
            "Ocp-Apim-Subscription-Key",
            "PHPSESSID",
            "connect.sid",
            "db_pass",
            "authorization",
            "oauth",
            "set-cookie",
            "__RequestVerificationToken",
            "apiKey",
            "X-Pin",
        ] {
            assert_eq!(kind(name), Kind::Secret, "{name}");
        }
        for name in [
            "",
            "author",
            "authors",
            ":authority",
            "token_type",
            "tokenType",
            "expires_in",
            "session-timeout",
            "www-authenticate",
            "sec-websocket-key",
            "message",
            "compass",
            "country_code",
            "access-control-allow-credentials",
            "design",
            "room",
            "tokenizer",
        ] {
            assert_eq!(kind(name), Kind::Plain, "{name}");
        }
        for name in ["key", "code", "public_key", "session_state"] {
            assert_eq!(kind(name), Kind::Maybe, "{name}");
        }
    }

    #[test]
    fn subprotocols_that_are_tokens() {
        for (names, is) in [
            (&["chat", "v12.stomp", "graphql-transport-ws"][..], &[false, false, false][..]),
            (&["bearer-X", "chat"], &[true, false]),
            (&["access_token", "hunter2", "chat"], &[false, true, false]),
            (&["4f9d2c7ab31e"], &[true]),
            (&["json.reliable.webpubsub.azure.v1", "ocpp2.0.1"], &[false, false]),
        ] {
            assert_eq!(subprotocols(names.iter().copied()), is, "{names:?}");
        }
    }
}
