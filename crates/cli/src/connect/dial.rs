//! Opening the WebSocket, the first time and again.

use std::{sync::Arc, time::Duration};

use http::Response;
use madang::websocket::{Connect, Keepalive, Limits, Proxy, WebSocket};

use super::{
    command,
    door::Protocol,
    exit::Exit,
    flags, refused,
    secrets::{self, Secrets},
    tls::Tls,
};

/// Where to, and how.
pub(crate) struct Dialer {
    pub(crate) url: String,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    pub(super) tls: Option<Tls>,
    deflate: bool,
    timeout: Duration,
    keepalive: Option<Keepalive>,
    /// The largest message that is taken.
    pub(super) max_message: usize,
    pub(super) proxy: Option<Proxy>,
    /// What was given for `--as socketio`, before its path was added.
    pub(super) socketio_url: Option<String>,
    /// What to run for a diagnosis.
    pub(super) doctor: String,
    pub(super) secrets: Secrets,
}

/// Why there is no WebSocket.
#[derive(Debug)]
pub(crate) struct NoSocket {
    pub(crate) exit: Exit,
    pub(crate) told: String,
    /// Whether another try could do better.
    pub(crate) is_passing: bool,
}

impl Dialer {
    /// Reads what the flags say of the connection.
    pub(crate) fn new(flags: &flags::Connect) -> Result<Self, String> {
        let url = full_url(&flags.url, flags.protocol);
        let mut secrets = Secrets::default();
        secrets.add_url(&url);
        if let Some(login) = flags.proxy.as_ref().and_then(|proxy| proxy.authorization()) {
            secrets.add(login.to_str().unwrap_or_default().trim_start_matches("Basic "));
        }
        let mut headers = Vec::new();
        for (name, value) in &flags.headers {
            let value =
                value.to_str().map_err(|_| format!("--header {name}: only ASCII can be sent"))?;
            secrets.add_header(name.as_str(), value);
            headers.push((name.as_str().to_owned(), value.to_owned()));
        }
        if let Some(token) = &flags.token {
            if headers.iter().any(|(name, _)| name == "authorization") {
                return Err(
                    "--token and --header 'Authorization: …' say the same thing twice".into()
                );
            }
            let token = read_secret("--token", token)?;
            secrets.add(&token);
            headers.push(("authorization".into(), format!("Bearer {token}")));
        }
        if let Some(auth) = &flags.auth {
            secrets.add_json(auth);
        }
        if let Some(origin) = &flags.origin {
            headers.push(("origin".into(), origin.clone()));
        }
        let agent = concat!("madang/", env!("CARGO_PKG_VERSION"));
        if !headers.iter().any(|(name, _)| name == "user-agent") {
            headers.push(("user-agent".into(), agent.into()));
        }
        let mut subprotocols = flags.subprotocols.clone();
        let tokens = crate::secrets::subprotocols(subprotocols.iter().map(String::as_str));
        for (name, _) in subprotocols.iter().zip(tokens).filter(|(_, is_token)| *is_token) {
            secrets.add(name);
        }
        if subprotocols.is_empty() && flags.protocol == Some(Protocol::Stomp) {
            subprotocols.push("v12.stomp".into());
        }
        let is_secure = url.get(..6).is_some_and(|start| {
            let start = start.to_ascii_lowercase();
            start.starts_with("wss:") || start.starts_with("https:")
        });
        let tls = is_secure.then(|| Tls::new(flags)).transpose()?;
        if let Some(flag) = tls_file(flags).filter(|_| !is_secure) {
            return Err(format!("{flag} is of no use without TLS, which is wss://"));
        }
        let keepalive = (!flags.keepalive.is_zero())
            .then(|| Keepalive { interval: flags.keepalive, ..Keepalive::default() });
        let is_socketio = flags.protocol == Some(Protocol::Socketio);
        Ok(Self {
            url,
            headers,
            subprotocols,
            tls,
            deflate: !flags.no_deflate,
            timeout: flags.connect_timeout,
            keepalive,
            max_message: flags.max_message,
            proxy: flags.proxy.clone(),
            socketio_url: is_socketio.then(|| full_url(&flags.url, None)),
            doctor: command::doctor(flags, &secrets),
            secrets,
        })
    }

    /// The host that the URL names, as STOMP's `host` wants it.
    pub(crate) fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        }
    }

    /// Opens the WebSocket; with what the server answered.
    pub(crate) async fn open(&self) -> Result<(WebSocket, Response<()>), NoSocket> {
        let limits = Limits { max_message: self.max_message, ..Limits::default() };
        let mut connect = Connect::to(&self.url).limits(limits).timeout(self.timeout);
        for (name, value) in &self.headers {
            connect = connect.header(name, value);
        }
        for name in &self.subprotocols {
            connect = connect.protocol(name);
        }
        if let Some(proxy) = &self.proxy {
            connect = connect.proxy(proxy.clone());
        }
        if let Some(tls) = &self.tls {
            connect = connect.tls(Arc::clone(&tls.config));
        }
        let opened = connect.deflate(self.deflate).keepalive(self.keepalive).open().await;
        opened.map_err(|error| self.unopened(&error))
    }

    /// The subprotocol that was asked for and not given, if that is so.
    pub(crate) fn missed_subprotocol(&self, given: Option<&str>) -> Option<String> {
        let asked = self.subprotocols.join(", ");
        (given.is_none() && !asked.is_empty()).then(|| {
            format!(
                "the server took none of the subprotocols that were offered ({asked}); a browser \
                 would go no further"
            )
        })
    }

    /// A URL that may be shown.
    pub(crate) fn shown_url(&self) -> String {
        secrets::url(&self.url)
    }

    /// The head of the answer, for `--verbose`.
    pub(crate) fn headers_of(&self, response: &Response<()>) -> String {
        let head = refused::headers(response.headers(), &self.secrets);
        format!("\n{:?} {}\n{}", response.version(), response.status(), head.trim_end())
    }
}

/// What a flag gives, or what stands in `@FILE`.
pub(crate) fn read_secret(flag: &str, given: &str) -> Result<String, String> {
    let Some(file) = given.strip_prefix('@') else {
        let is_empty = given.trim().is_empty();
        return if is_empty { Err(format!("{flag}: it is empty")) } else { Ok(given.to_owned()) };
    };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{flag} @{file}: {error}"))?;
    match text.trim() {
        "" => Err(format!("{flag} @{file}: the file is empty")),
        text => Ok(text.to_owned()),
    }
}

/// A flag that names a file for TLS.
fn tls_file(flags: &flags::Connect) -> Option<&'static str> {
    let files = [("--ca", &flags.ca), ("--cert", &flags.cert), ("--key", &flags.key)];
    files.into_iter().find(|(_, file)| file.is_some()).map(|(flag, _)| flag)
}

/// The URL with what `--as` adds to it.
pub(super) fn full_url(url: &str, protocol: Option<Protocol>) -> String {
    let url = url.trim();
    let url = if url.contains("://") { url.to_owned() } else { format!("ws://{url}") };
    if protocol != Some(Protocol::Socketio) {
        return url;
    }
    let (base, query) = url.split_once('?').unwrap_or((&url, ""));
    let has_path = base
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split_once('/').is_some_and(|(_, path)| !path.is_empty()));
    let path = if has_path { "" } else { "/socket.io/" };
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    for (name, pair) in [("EIO=", "EIO=4"), ("transport=", "transport=websocket")] {
        if !pairs.iter().any(|other| other.starts_with(name)) {
            pairs.push(pair);
        }
    }
    let base = if has_path { base } else { base.trim_end_matches('/') };
    format!("{base}{path}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_is_none() {
        for empty in ["", " ", "@/dev/null"] {
            let why = read_secret("--token", empty).unwrap_err();
            assert!(why.starts_with("--token") && why.ends_with("is empty"), "{why}");
        }
        assert_eq!(read_secret("--token", "a b"), Ok("a b".into()));
    }

    #[test]
    fn urls_are_completed() {
        let socketio = Some(Protocol::Socketio);
        for (url, protocol, is) in [
            ("localhost:8000/ws", None, "ws://localhost:8000/ws"),
            ("wss://h/a?b", Some(Protocol::Stomp), "wss://h/a?b"),
            ("http://h", socketio, "http://h/socket.io/?EIO=4&transport=websocket"),
            ("ws://h:1/?a=b", socketio, "ws://h:1/socket.io/?a=b&EIO=4&transport=websocket"),
            ("ws://h/my/io/?EIO=4", socketio, "ws://h/my/io/?EIO=4&transport=websocket"),
        ] {
            assert_eq!(full_url(url, protocol), is);
        }
    }
}
