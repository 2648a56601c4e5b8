//! What is to be examined, and how.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use madang::websocket::Proxy;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::target::Target;
use crate::secrets::{harmless_header, login, subprotocols};

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
            if !harmless_header(name) {
                secrets.extend(parts(name, value));
            }
        }
        let logins = [Some(&self.target), self.direct.as_ref()];
        let logins = logins.into_iter().flatten().filter_map(|target| target.basic.as_deref());
        secrets.extend(logins.flat_map(|basic| parts("authorization", basic)));
        let login = self.proxy.as_ref().and_then(|proxy| proxy.authorization()?.to_str().ok());
        secrets.extend(login.iter().flat_map(|basic| parts("authorization", basic)));
        let names = self.subprotocols.iter();
        let tokens = subprotocols(names.clone().map(String::as_str));
        secrets
            .extend(names.zip(tokens).filter(|(_, secret)| *secret).map(|(name, _)| name.clone()));
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

/// As it stands within a string of JSON: servers, too, write that.
fn in_json(secret: &str) -> String {
    let text = serde_json::Value::from(secret).to_string();
    text.trim_start_matches('"').strip_suffix('"').unwrap_or(&text).to_owned()
}

/// What of a header is the secret: not the scheme, nor the names of cookies.
fn parts(name: &str, value: &str) -> Vec<String> {
    if name.eq_ignore_ascii_case("cookie") {
        let values = value.split(';').filter_map(|pair| pair.split_once('='));
        return values.map(|(_, value)| value.trim().to_owned()).collect();
    }
    let last = value.rsplit(' ').next().unwrap_or_default();
    let password = value.split(' ').filter_map(login).map(|(_, password)| password);
    [value.to_owned(), last.to_owned()].into_iter().chain(password).collect()
}
