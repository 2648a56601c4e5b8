//! Requests, and what came.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{TlsFault, millis};

/// A request, and what came.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exchange {
    /// The head as it was sent, without secrets.
    pub(crate) request: String,
    pub(crate) url: String,
    #[serde(serialize_with = "millis")]
    pub(crate) took: Duration,
    pub(crate) came: Came,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) enum Came {
    Answer(Answer),
    Silence,
    /// Closed before any byte.
    Closed,
    Reset,
    /// Bytes that are no HTTP/1.
    Bytes(Bytes),
    /// A head that begins, and then nothing more comes.
    Half(Bytes),
    /// A head that breaks off with the connection, or that cannot be read.
    Broken(Bytes),
    NotDialed(String),
    /// What a proxy said in place of opening a tunnel.
    NoTunnel(Answer),
    NoTls(TlsFault),
}

/// An answer, read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) http10: bool,
    /// Without secrets.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// What is wrong with a 101.
    pub(crate) fault: Option<UpgradeFault>,
    /// What was agreed by a 101.
    pub(crate) subprotocol: Option<String>,
    pub(crate) deflate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum UpgradeFault {
    NoUpgrade,
    NoConnection,
    Accept,
    Subprotocol(String),
    Extensions(String),
}

/// Bytes of a peer: shown as text where they are text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    /// As text, control characters made visible.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0).replace("\r\n", "\n");
        crate::client::escaped(&text, crate::client::Keep::Lines).into_owned()
    }

    /// The beginning of the first line.
    pub(crate) fn start(&self) -> String {
        self.text().lines().next().unwrap_or_default().chars().take(80).collect()
    }

    /// The first bytes in hex.
    pub(crate) fn hex(&self, most: usize) -> String {
        let bytes = self.0.iter().take(most).map(|byte| format!("{byte:02x}"));
        bytes.collect::<Vec<_>>().join(" ")
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&String::from_utf8_lossy(&self.0))
    }
}

impl Answer {
    /// A response as it was read; `shown` says how a header may be shown.
    pub(crate) fn of(
        response: &http::Response<bytes::Bytes>,
        shown: impl Fn(&str, &str) -> String,
    ) -> Self {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = shown(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
            let plain = crate::client::escaped(&value, crate::client::Keep::None).into_owned();
            (name.to_string(), plain)
        };
        Self {
            status: response.status().as_u16(),
            http10: response.version() == http::Version::HTTP_10,
            headers: response.headers().iter().map(header).collect(),
            body: Bytes(response.body().to_vec()),
            fault: None,
            subprotocol: None,
            deflate: false,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(is, _)| is.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(is, _)| is.eq_ignore_ascii_case(name)).count()
    }

    pub(crate) fn text(&self) -> String {
        self.body.text()
    }

    /// The body in small letters, to look for words in.
    pub(crate) fn lower(&self) -> String {
        String::from_utf8_lossy(&self.body.0).to_lowercase()
    }

    pub(crate) fn is_html(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let start = self.lower();
        let start = start.trim_start();
        kind.contains("html") || start.starts_with("<!doctype") || start.starts_with("<html")
    }

    /// A WebSocket is open.
    pub(crate) fn is_open(&self) -> bool {
        self.status == 101 && self.fault.is_none()
    }
}

impl Came {
    pub(crate) fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            _ => None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.answer().is_some_and(Answer::is_open)
    }

    /// Of a request by TLS: the handshake went through, whatever followed, or broke off for a
    /// reason that only TLS has.
    pub(crate) fn is_past_tls(&self) -> bool {
        match self {
            Self::NoTls(why) => matches!(why, TlsFault::Alert(_) | TlsFault::OldVersion(_)),
            Self::NotDialed(_) | Self::NoTunnel(_) => false,
            _ => true,
        }
    }
}
