//! What is to be examined, and how.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use madang::websocket::Proxy;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::target::Target;

/// The protocol that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Door {
    /// A WebSocket, and nothing is said on it.
    Raw,
    /// Socket.IO 3 and later (Engine.IO 4): a poll, then a WebSocket, then the login.
    Socketio,
    /// `SockJS`: `/info`, then a WebSocket.
    Sockjs,
    /// STOMP over a WebSocket, with a login.
    Stomp,
    /// WAMP over a WebSocket, with a login to the realm `madang`.
    Wamp,
    /// A stream of Server-Sent Events, which is watched.
    Sse,
    /// Madang's topics over HTTP: `/topics/T/messages` and `/sse`.
    Topics,
}

/// The whole task.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) target: Target,
    pub(crate) direct: Option<Target>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) door: Door,
    pub(crate) origin: Option<String>,
    /// The user's own headers, a token among them.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) token: Option<String>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) hold: Option<Duration>,
    pub(crate) max_size: Option<usize>,
    pub(crate) timeout: Duration,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) insecure: bool,
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    pub(crate) resolve: Vec<IpAddr>,
}

impl Ask {
    /// Nothing but a target.
    pub(crate) fn of(target: Target) -> Self {
        Self {
            target,
            direct: None,
            proxy: None,
            door: Door::Raw,
            origin: None,
            headers: Vec::new(),
            token: None,
            subprotocols: Vec::new(),
            hold: None,
            max_size: None,
            timeout: Duration::from_secs(5),
            ca: None,
            insecure: false,
            identity: None,
            resolve: Vec::new(),
        }
    }

    /// What must not be printed, wherever it is found.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = self.token.iter().cloned().collect();
        for (name, value) in &self.headers {
            if super::redact::is_secret(name) {
                secrets.extend(parts(name, value));
            }
        }
        secrets.extend(self.target.basic.iter().flat_map(|basic| parts("authorization", basic)));
        secrets.extend(self.target.basic.iter().filter_map(|basic| password(basic)));
        let login = self.proxy.as_ref().and_then(|proxy| proxy.authorization()?.to_str().ok());
        secrets.extend(login.iter().flat_map(|basic| parts("authorization", basic)));
        secrets.extend(login.and_then(password));
        let names = self.subprotocols.iter();
        secrets.extend(names.filter(|name| super::redact::is_token(name)).cloned());
        for query in
            self.target.query.iter().chain(self.direct.iter().filter_map(|t| t.query.as_ref()))
        {
            for pair in query.split('&') {
                if super::redact::url(&format!("?{pair}")).ends_with("=…")
                    && let Some((_, value)) = pair.split_once('=')
                {
                    secrets.push(value.to_owned());
                    // As the server has read it.
                    let read = percent_decode_str(value).decode_utf8_lossy();
                    secrets.push(read.into_owned());
                }
            }
        }
        secrets.retain(|secret| secret.len() >= 6);
        let written: Vec<_> = secrets.iter().map(|secret| in_json(secret)).collect();
        secrets.extend(written);
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }
}

/// What stands behind the name in RFC 7617's pair.
fn password(basic: &str) -> Option<String> {
    let pair = BASE64_STANDARD.decode(basic.strip_prefix("Basic ")?).ok()?;
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(password.to_owned())
}

/// As it stands within a string of JSON: servers, too, write that.
fn in_json(secret: &str) -> String {
    let text = serde_json::Value::from(secret).to_string();
    text.trim_start_matches('"').strip_suffix('"').unwrap_or(&text).to_owned()
}

/// What of a secret header is the secret: not the scheme, nor the names of cookies.
fn parts(name: &str, value: &str) -> Vec<String> {
    if name.eq_ignore_ascii_case("cookie") {
        let values = value.split(';').filter_map(|pair| pair.split_once('='));
        return values.map(|(_, value)| value.trim().to_owned()).collect();
    }
    let last = value.rsplit(' ').next().unwrap_or_default();
    vec![value.to_owned(), last.to_owned()]
}
