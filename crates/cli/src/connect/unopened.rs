//! Why there is no WebSocket, in words.

use std::io::ErrorKind;

use bytes::Bytes;
use http::Response;
use madang::websocket::{ConnectError, IoError, Phase};
use madang_ws::handshake::client;

use super::{
    dial::{Dialer, NoSocket},
    exit::Exit,
    refused,
};
use crate::doctor::{
    self,
    evidence::{Answer, Came, UpgradeFault},
};

/// Ends of paths at which Engine.IO is known to be found.
const ENGINE_IO: &[&str] = &["socket.io", "engine.io"];

impl Dialer {
    /// What to tell of it.
    pub(super) fn unopened(&self, error: &ConnectError) -> NoSocket {
        let (exit, is_passing) = kind(error);
        let mut told = self.told(error);
        // Socket.IO's own server hangs up where the path is not its own.
        let is_refused = exit == Exit::Refused || matches!(error, ConnectError::Io(_));
        if let Some(hint) = self.namespace_hint().filter(|_| is_refused) {
            told.push_str(&hint);
        }
        if exit != Exit::Usage {
            if !told.ends_with('\n') {
                told.push('\n');
            }
            told.push_str(&refused::doctor(&self.doctor));
        }
        NoSocket { exit, told, is_passing }
    }

    fn told(&self, error: &ConnectError) -> String {
        let told = self.told_of(error);
        match (&self.proxy, proxy_part(error)) {
            (Some(proxy), Some((before, after))) => {
                let (host, port) = (proxy.host(), proxy.port());
                let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                format!("{before} {host}:{port}{after}: {told}")
            }
            _ => told,
        }
    }

    fn told_of(&self, error: &ConnectError) -> String {
        let plain = |response: &Response<Bytes>| Answer::of(response, |_, value| value.to_owned());
        match error {
            ConnectError::Refused(response) => {
                self.refused(error, response, Came::Answer(plain(response)))
            }
            ConnectError::Tunnel(response) => {
                self.refused(error, response, Came::NoTunnel(plain(response)))
            }
            ConnectError::Handshake { error: why, response } => {
                let fault = Some(fault(why));
                self.refused(error, response, Came::Answer(Answer { fault, ..plain(response) }))
            }
            ConnectError::Url(_) if self.url.contains('#') => format!(
                "{:?} has a fragment (#), which the URL of a WebSocket cannot have; a # in its \
                 path or query is written %23",
                self.shown_url()
            ),
            ConnectError::Url(_) => format!(
                "{:?} is not the URL of a WebSocket, such as ws://127.0.0.1:8000/ws",
                self.shown_url()
            ),
            ConnectError::Tls(why) => format!("TLS failed: {}", self.tls_fault(why)),
            ConnectError::Io(why) => self.lost(error, why),
            ConnectError::Timeout(Phase::Handshake) => {
                self.diagnosed(error.to_string(), Came::Silence)
            }
            error => error.to_string(),
        }
    }

    fn refused(&self, error: &ConnectError, response: &Response<Bytes>, came: Came) -> String {
        self.diagnosed(refused::told(&error.to_string(), response, &self.secrets), came)
    }

    /// The connection was lost before an answer came.
    fn lost(&self, error: &ConnectError, why: &IoError) -> String {
        if let Some(tls) = &self.tls
            && let Some(told) = tls.without_certificate(why)
        {
            return told;
        }
        // rustls has words of its own for an end without a goodbye.
        let is_bare = why.get_ref().is_none() || why.to_string().contains("close_notify");
        let came = match why.kind() {
            // It may be the proxy's end.
            _ if self.proxy.is_some() => None,
            ErrorKind::UnexpectedEof if is_bare => Some(Came::Closed),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Some(Came::Reset),
            _ => None,
        };
        match came {
            Some(Came::Closed) => self.diagnosed(
                "the server closed the connection without an answer".into(),
                Came::Closed,
            ),
            Some(came) => self.diagnosed(error.to_string(), came),
            None => error.to_string(),
        }
    }

    /// With the diagnosis that shows by itself.
    fn diagnosed(&self, told: String, came: Came) -> String {
        match doctor::at_first_sight(&self.url, came) {
            Some(diagnosis) => format!("{told}\n{diagnosis}\n"),
            None => told,
        }
    }

    fn tls_fault(&self, why: &IoError) -> String {
        self.tls.as_ref().map_or_else(|| why.to_string(), |tls| tls.fault(why))
    }

    /// Whoever knows namespaces by the URLs of Socket.IO's own client may mean one.
    fn namespace_hint(&self) -> Option<String> {
        let given = self.socketio_url.as_deref()?;
        let base = given.split(['?', '#']).next()?;
        let (scheme, rest) = base.split_once("://")?;
        let (host, path) = rest.split_once('/')?;
        let path = path.trim_end_matches('/');
        if path.is_empty() || ENGINE_IO.iter().any(|end| path.ends_with(end)) {
            return None;
        }
        let url = super::secrets::url(&format!("{scheme}://{host}"));
        Some(format!(
            "\nIf /{path} is a namespace and no path of the server: {url} --namespace /{path}\n"
        ))
    }
}

/// What a proxy has to do with it, where the words for it name none: what stands before and after
/// its name.
fn proxy_part(error: &ConnectError) -> Option<(&'static str, &'static str)> {
    match error {
        ConnectError::Dns { .. }
        | ConnectError::Tcp { .. }
        | ConnectError::Timeout(Phase::Dns | Phase::Tcp) => {
            Some(("the proxy", " cannot be reached"))
        }
        // The proxy's end and that of the server behind it look the same.
        ConnectError::Io(_) | ConnectError::Head(_) => {
            Some(("through the proxy", ", whose doing it may be"))
        }
        ConnectError::Tls(_) | ConnectError::Timeout(Phase::Tls | Phase::Handshake) => {
            Some(("through the proxy", ""))
        }
        _ => None,
    }
}

/// The exit code, and whether another try could do better.
fn kind(error: &ConnectError) -> (Exit, bool) {
    match error {
        ConnectError::Url(_)
        | ConnectError::Request(_)
        | ConnectError::Header(_)
        | ConnectError::Proxy
        | ConnectError::NoTls => (Exit::Usage, false),
        ConnectError::Refused(response) | ConnectError::Tunnel(response) => {
            // 429 and 5xx pass.
            let status = response.status();
            (Exit::Refused, status.is_server_error() || status.as_u16() == 429)
        }
        ConnectError::Handshake { .. } => (Exit::Refused, false),
        _ => (Exit::Unreachable, true),
    }
}

/// What is wrong with a 101, as the doctor knows it.
fn fault(error: &client::Error) -> UpgradeFault {
    match error {
        client::Error::NoUpgrade => UpgradeFault::NoUpgrade,
        client::Error::NoConnectionUpgrade => UpgradeFault::NoConnection,
        client::Error::UnaskedProtocol(name) => UpgradeFault::Subprotocol(name.clone()),
        client::Error::Extensions(why) => UpgradeFault::Extensions(why.to_string()),
        _ => UpgradeFault::Accept,
    }
}
