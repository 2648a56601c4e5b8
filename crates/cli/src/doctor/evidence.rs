//! What was seen. Diagnoses are made from this and from nothing else.

use std::{net::SocketAddr, time::Duration};

use serde::{Serialize, Serializer};

use super::{ask::Door, target::Target};

/// Everything that was seen.
#[derive(Debug, Serialize)]
pub(crate) struct Evidence {
    pub(crate) target: Target,
    pub(crate) door: Door,
    /// What was asked for, where it matters to what the answer means.
    pub(crate) sent: Sent,
    pub(crate) name: Name,
    /// Host and port of the proxy; name and dials are then about it.
    pub(crate) proxy: Option<(String, u16)>,
    pub(crate) dials: Vec<Dial>,
    /// How long the proxy took to open a tunnel, where one was asked for.
    #[serde(serialize_with = "maybe_millis")]
    pub(crate) tunnel: Option<Duration>,
    /// The variable that names a proxy, where none was asked for.
    pub(crate) proxy_variable: Option<&'static str>,
    pub(crate) tls: Option<Tls>,
    /// The request that counts, and what came.
    pub(crate) answer: Option<Exchange>,
    /// It is what was wanted.
    pub(crate) answer_ok: bool,
    pub(crate) wanted: Wanted,
    /// The same again with a difference that tells causes apart.
    pub(crate) looks: Vec<Look>,
    #[serde(skip)]
    pub(crate) was_other_family_asked: bool,
    pub(crate) socket: Option<Socket>,
    pub(crate) hold: Option<Hold>,
    pub(crate) size: Option<Size>,
    pub(crate) stream: Option<Stream>,
    /// The polls of a fallback, in order.
    pub(crate) polls: Vec<Exchange>,
    pub(crate) token: Option<Token>,
    /// Seconds by which this machine's clock is ahead of a `Date` that was seen.
    pub(crate) clock_ahead: Option<i64>,
    /// This machine's clock, in seconds since 1970.
    pub(crate) now: i64,
    /// How long was waited for an answer.
    #[serde(serialize_with = "millis")]
    pub(crate) patience: Duration,
}

/// What the request that counts is to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Wanted {
    Upgrade,
    Events,
    Poll,
}

/// What the request carried.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "they have nothing to do with each other")]
pub(crate) struct Sent {
    pub(crate) origin: Option<String>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) cookie: bool,
    pub(crate) authorization: bool,
    /// `--proxy` has a login.
    pub(crate) proxy_login: bool,
    /// A token in a subprotocol.
    pub(crate) subprotocol_token: bool,
    /// A token in the query, by its parameter's name.
    pub(crate) query_token: Option<String>,
    /// Bytes of the whole head.
    pub(crate) head: usize,
    pub(crate) ca: bool,
    /// This system trusts nobody at all.
    pub(crate) no_roots: bool,
}

/// The look-up of the name.
#[derive(Debug, Serialize)]
pub(crate) enum Name {
    /// The URL has an address, or `--resolve` gave them.
    Given,
    Found(#[serde(serialize_with = "millis")] Duration),
    /// What the resolver said.
    Failed(String),
}

/// An attempt at one address.
#[derive(Debug, Serialize)]
pub(crate) struct Dial {
    pub(crate) address: SocketAddr,
    #[serde(serialize_with = "millis")]
    pub(crate) took: Duration,
    pub(crate) came: Dialed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Dialed {
    Open,
    Refused,
    Silence,
    /// No route, and whatever else the system says.
    Failed(String),
}

/// What TLS showed.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tls {
    /// The first is the server's own.
    pub(crate) chain: Vec<Certificate>,
    pub(crate) name_matches: bool,
    pub(crate) trust: Option<Trust>,
    pub(crate) client_certificate_asked: bool,
    pub(crate) client_certificate_sent: bool,
    pub(crate) version: Option<String>,
    pub(crate) alpn: Option<String>,
    pub(crate) failed: Option<TlsFault>,
    /// What the server chose when `h2` was offered as well, after it would not have `http/1.1`.
    pub(crate) alpn_when_free: Option<String>,
}

/// Whether somebody trusted has signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Trust {
    Trusted,
    SelfSigned,
    /// The server's own is good, and another one of the chain is out of its dates.
    OtherDates,
    /// The certificate that was missing was fetched from here, and with it the chain is whole.
    MissingIntermediate(String),
    Unknown,
    /// A short key, an old signature.
    Weak(String),
    /// Revoked, a bad signature, a key usage that forbids servers.
    Other(String),
}

/// How a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum TlsFault {
    /// The server's alert.
    Alert(String),
    /// The first bytes are no TLS record.
    NotTls(Bytes),
    Silence,
    Closed,
    Reset,
    /// The server speaks only what is too old.
    OldVersion(String),
    Other(String),
}

/// A certificate, as far as it is of interest.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) names: Vec<String>,
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// Where its issuer's certificate can be had.
    pub(crate) issuer_url: Option<String>,
    /// What is too weak about it.
    pub(crate) weak: Option<String>,
}

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

/// A second look.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Look {
    pub(crate) kind: LookKind,
    pub(crate) exchange: Exchange,
    /// What an open WebSocket did, where that was looked at.
    pub(crate) socket: Option<Socket>,
}

/// What is different at a second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum LookKind {
    Direct,
    /// Where that opens: the same without the upgrade.
    DirectPlain,
    NoOrigin,
    OwnOrigin,
    NoCookie,
    NoAuthorization,
    KnownPath,
    Tls,
    Plain,
    ProxyHeader,
    NoDeflate,
    Preflight,
    Reconnect,
    /// The very same once more, which passed.
    Again,
    /// Behind a PROXY header, TLS.
    ProxyTls,
    /// To an address of the other family.
    OtherFamily,
    /// A poll, of a server that has polling switched off.
    Poll,
    /// Another path, which shows whether the server speaks at all.
    Elsewhere,
}

/// An open WebSocket.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Socket {
    /// The first messages, shortened.
    pub(crate) messages: Vec<String>,
    #[serde(serialize_with = "maybe_millis")]
    pub(crate) pong: Option<Duration>,
    pub(crate) pinged: bool,
    pub(crate) end: Option<End>,
    /// The first bytes after the 101, where they broke a rule.
    pub(crate) raw: Option<Bytes>,
    pub(crate) login: Option<Login>,
}

/// How it ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) by: By,
    #[serde(serialize_with = "millis")]
    pub(crate) after: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum By {
    Server,
    Cut,
    /// We had to, for this reason.
    Us(String),
}

/// What a protocol's login came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Login {
    In {
        heartbeat: Option<(u32, u32)>,
    },
    Refused(String),
    /// Nothing that the protocol knows.
    Nothing,
}

/// Two connections that were held open.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Hold {
    #[serde(serialize_with = "millis")]
    pub(crate) wanted: Duration,
    /// One of the two did not open.
    pub(crate) is_refused: bool,
    /// The one that said nothing.
    pub(crate) idle: Option<End>,
    /// The one that pinged; it was opened later.
    pub(crate) pinging: Option<End>,
    #[serde(serialize_with = "millis")]
    pub(crate) later: Duration,
    /// Pings that the server sent to the idle one.
    pub(crate) pings: u32,
    /// The first of them came after so long.
    #[serde(serialize_with = "maybe_millis")]
    pub(crate) first_ping: Option<Duration>,
    /// How long another idle one lived, which was opened to see whether the time is constant.
    #[serde(serialize_with = "maybe_millis")]
    pub(crate) again: Option<Duration>,
}

/// The largest message that passes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Size {
    pub(crate) tried: usize,
    pub(crate) passes: usize,
    pub(crate) fails: Option<(usize, End)>,
    /// A small compressed message ends the connection, where it does not when it is plain.
    pub(crate) deflate_fails: Option<End>,
}

/// A stream of events.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Stream {
    /// When something came, and how many events it ended.
    pub(crate) arrivals: Vec<(u64, usize)>,
    pub(crate) bytes: usize,
    pub(crate) ended: bool,
    /// The end was not the one that HTTP has (the last chunk).
    pub(crate) broken: bool,
    /// When another one ended, which was opened to see whether the time is constant.
    pub(crate) again: Option<u64>,
    /// What came of one that was asked for with gzip, where the server compressed it.
    pub(crate) gzip: Option<Vec<(u64, usize)>>,
    /// So long was that watched.
    pub(crate) gzip_ms: u64,
    pub(crate) direct: Option<Vec<(u64, usize)>>,
    pub(crate) watched_ms: u64,
}

/// A JSON Web Token that the request carries, read; it is sent nowhere else.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Token {
    pub(crate) place: String,
    pub(crate) expires: Option<i64>,
    pub(crate) not_before: Option<i64>,
    pub(crate) issued: Option<i64>,
    pub(crate) audience: Vec<String>,
    /// A date that is none, as it stands there.
    pub(crate) odd: Option<String>,
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

fn millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "serde gives the field as it is")]
fn maybe_millis<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(to)
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

impl Evidence {
    /// The answer, where it is not what was wanted.
    pub(crate) fn refusal(&self) -> Option<&Answer> {
        self.answered().filter(|_| !self.answer_ok)
    }

    /// What came in place of an answer.
    pub(crate) fn unanswered(&self) -> Option<&Came> {
        let came = &self.answer.as_ref()?.came;
        came.answer().is_none().then_some(came)
    }

    /// Host and port of what is dialed.
    pub(crate) fn dialed(&self) -> (&str, u16) {
        match &self.proxy {
            Some((host, port)) => (host, *port),
            None => (&self.target.host, self.target.port),
        }
    }

    /// What the proxy said in place of opening a tunnel.
    pub(crate) fn no_tunnel(&self) -> Option<&Answer> {
        match self.unanswered()? {
            Came::NoTunnel(answer) => Some(answer),
            _ => None,
        }
    }

    /// The answer to the request that counts.
    pub(crate) fn answered(&self) -> Option<&Answer> {
        self.answer.as_ref()?.came.answer()
    }

    pub(crate) fn look(&self, kind: LookKind) -> Option<&Look> {
        self.looks.iter().find(|look| look.kind == kind)
    }

    /// Whether a second look of this kind opened a WebSocket.
    pub(crate) fn opens(&self, kind: LookKind) -> bool {
        self.look(kind).is_some_and(|look| look.exchange.came.is_open())
    }

    /// The answer of a second look.
    pub(crate) fn looked(&self, kind: LookKind) -> Option<&Answer> {
        self.look(kind)?.exchange.came.answer()
    }

    /// A connection that was to be held did not open.
    pub(crate) fn could_not_hold(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.is_refused)
    }

    /// How it ended while nothing but the handshake and a ping had happened.
    pub(crate) fn early_end(&self) -> Option<&End> {
        self.socket.as_ref()?.end.as_ref()
    }
}
