//! What was seen. Diagnoses are made from this and from nothing else.

mod exchange;
mod socket;
mod tls;

use std::{net::SocketAddr, time::Duration};

use serde::{Serialize, Serializer};

pub(crate) use exchange::{Answer, Bytes, Came, Exchange, UpgradeFault};
pub(crate) use socket::{By, End, Hold, Login, Size, Socket, Stream};
pub(crate) use tls::{Certificate, Tls, TlsFault, Trust};

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
    /// What led to the stream, in order.
    pub(crate) redirects: Vec<Exchange>,
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

fn millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "serde gives the field as it is")]
fn maybe_millis<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(to)
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
