//! `madang doctor`: what is seen on the wire, and what it means.
//!
//! [`examine`] gathers [`Evidence`](evidence::Evidence) step by step (`probe/`), with second looks
//! where these tell causes apart (`looks.rs`). Diagnoses (`diagnoses/`) are functions of it.

pub(crate) mod ask;
mod close_codes;
pub(crate) mod diagnoses;
mod doors;
pub(crate) mod evidence;
pub(crate) mod lang;
mod looks;
pub(crate) mod node;
mod place;
pub(crate) mod print;
mod probe;
mod proxies;
mod redact;
mod steps;
pub(crate) mod target;
mod token;

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use ask::{Ask, Door};
use evidence::{Came, Dialed, Evidence, Exchange, LookKind, Name, Sent, Tls, TlsFault, Trust};
use probe::{
    Way,
    http::{self, Asking},
    net,
    tls::{self, Trusted},
    tunnel, verify,
};

/// Variables by which programs are told of a proxy.
const PROXY_VARIABLES: &[&str] =
    &["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// The diagnosis that what came shows by itself, without a second look: its code and title.
pub(crate) fn at_first_sight(url: &str, came: Came) -> Option<String> {
    let target = target::Target::read(url).ok()?;
    let mut evidence = nothing_yet(&Ask::of(target));
    let url = evidence.target.shown();
    let took = std::time::Duration::ZERO;
    evidence.answer = Some(Exchange { request: String::new(), url, took, came });
    let found = diagnoses::find(&evidence);
    let diagnosis = found.first()?.diagnosis;
    let (code, title) = (diagnosis.code, diagnosis.title.en);
    Some(format!("{code}: {title} (`madang explain {code}` says more)"))
}

/// Looks at everything, up to the first thing that is wrong.
///
/// # Errors
/// What was asked for cannot be done, such as a file that cannot be read.
pub(crate) async fn examine(ask: &Ask) -> Result<Evidence, String> {
    let trust = Trusted::new(ask)?;
    let mut evidence = nothing_yet(ask);
    evidence.sent.no_roots = trust.is_empty();
    let (name, addresses) = net::resolve(ask).await;
    evidence.name = name;
    evidence.dials = net::dial_all(ask, &addresses).await;
    let open = evidence.dials.iter().find(|dial| dial.came == Dialed::Open);
    let Some(address) = open.map(|dial| dial.address) else { return Ok(evidence) };
    let way = Way { proxy: ask.proxy.as_ref(), ..Way::new(ask, &ask.target, address, &trust) };
    if ask.proxy.is_some() {
        match tunnel::look(way).await {
            Ok(took) => evidence.tunnel = Some(took),
            Err(exchange) => {
                evidence.answer = Some(*exchange);
                return Ok(evidence);
            }
        }
    }
    if ask.target.secure {
        let tls = look_at_tls(ask, way).await;
        let bad = is_bad(&tls, ask.insecure);
        evidence.tls = Some(tls);
        if bad {
            looks::after_tls(&mut evidence, way).await;
            return Ok(evidence);
        }
    }
    doors::go(ask, way, &mut evidence).await;
    Ok(evidence)
}

fn nothing_yet(ask: &Ask) -> Evidence {
    let has = |wanted: &str| ask.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let query_token = ask.target.query.as_deref().and_then(|query| {
        let secret = |pair: &&str| redact::url(&format!("?{pair}")).ends_with("=…");
        let pair = query.split('&').find(secret)?;
        Some(pair.split('=').next().unwrap_or_default().to_owned())
    });
    Evidence {
        target: ask.target.clone(),
        door: ask.door,
        sent: Sent {
            origin: ask.origin.clone(),
            subprotocols: subprotocols(ask),
            cookie: has("cookie"),
            authorization: has("authorization") || ask.target.basic.is_some(),
            proxy_login: ask.proxy.as_ref().is_some_and(|proxy| proxy.authorization().is_some()),
            subprotocol_token: crate::secrets::subprotocols(
                ask.subprotocols.iter().map(String::as_str),
            )
            .contains(&true),
            query_token,
            head: 0,
            ca: ask.ca.is_some(),
            no_roots: false,
        },
        name: Name::Given,
        proxy: ask.proxy.as_ref().map(|proxy| (proxy.host().to_owned(), proxy.port())),
        dials: Vec::new(),
        tunnel: None,
        proxy_variable: PROXY_VARIABLES.iter().copied().find(|name| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            ask.proxy.is_none() && value.is_some()
        }),
        tls: None,
        answer: None,
        answer_ok: false,
        wanted: evidence::Wanted::Upgrade,
        looks: Vec::new(),
        was_other_family_asked: false,
        socket: None,
        hold: None,
        size: None,
        stream: None,
        polls: Vec::new(),
        redirects: Vec::new(),
        token: token::find(ask),
        clock_ahead: None,
        now: clock(),
        patience: ask.timeout,
    }
}

/// Seconds since 1970, by this machine's clock.
pub(crate) fn clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn subprotocols(ask: &Ask) -> Vec<String> {
    if ask.subprotocols.is_empty() {
        return probe::login::subprotocols(ask.door);
    }
    ask.subprotocols.clone()
}

/// The request for a WebSocket, as a browser would send it.
fn asking(ask: &Ask) -> Asking {
    Asking {
        headers: headers(ask),
        upgrade: true,
        subprotocols: subprotocols(ask),
        deflate: true,
        ..Asking::default()
    }
}

fn headers(ask: &Ask) -> Vec<(String, String)> {
    let mut headers = ask.headers.clone();
    let has = |wanted: &str, headers: &[(String, String)]| {
        headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    if !has("user-agent", &headers) {
        let agent = concat!("madang-doctor/", env!("CARGO_PKG_VERSION"));
        headers.push(("User-Agent".into(), agent.into()));
    }
    if let Some(origin) = &ask.origin {
        headers.push(("Origin".into(), origin.clone()));
    }
    if !has("authorization", &headers)
        && let Some(basic) = &ask.target.basic
    {
        headers.push(("Authorization".into(), basic.clone()));
    }
    headers
}

/// A handshake, and the certificate that it is about.
async fn look_at_tls(ask: &Ask, way: Way<'_>) -> Tls {
    let connect = async || tunnel::dial(way).await.ok();
    let gone = || Tls { failed: Some(TlsFault::Silence), ..Tls::default() };
    let Some(tcp) = connect().await else { return gone() };
    // What browsers offer for WebSockets (RFC 7301), and then, where that is refused, all.
    let (mut tls, stream) =
        tls::shake(tcp, way.target, way.trust, &[b"http/1.1"], ask.timeout).await;
    drop(stream);
    if matches!(&tls.failed, Some(TlsFault::Alert(_) | TlsFault::Other(_) | TlsFault::Closed)) {
        tls.alpn_when_free = free_alpn(way).await;
    }
    let lacks = matches!(tls.trust, Some(Trust::Unknown));
    let url = tls.chain.last().and_then(|last| last.issuer_url.clone());
    if lacks
        && let Some(url) = url
        && let Some(tcp) = connect().await
    {
        let chain = tls::chain_of(tcp, way.target, way.trust, ask.timeout).await;
        let time =
            tls.chain.first().map_or(0, |leaf| clock().clamp(leaf.not_before, leaf.not_after));
        if let Some(fetched) = fetch(&url, ask, way.trust).await
            && verify::completes(&chain, &fetched, way.target, time, way.trust)
        {
            tls.trust = Some(Trust::MissingIntermediate(url));
        }
    }
    tls
}

/// What a server chooses that may also choose HTTP/2.
async fn free_alpn(way: Way<'_>) -> Option<String> {
    let tcp = tunnel::dial(way).await.ok()?;
    let all: &[&[u8]] = &[b"h2", b"http/1.1"];
    tls::shake(tcp, way.target, way.trust, all, way.timeout).await.0.alpn
}

/// The certificate that the server's own names as its issuer's (RFC 5280 §4.2.2.1). No secret goes
/// there.
async fn fetch(url: &str, ask: &Ask, trust: &Trusted) -> Option<Vec<u8>> {
    let target = target::Target::read(url).ok().filter(|target| !target.secure)?;
    let address = address_of(&target, ask).await?;
    let way = Way { target: &target, secure: false, ..Way::new(ask, &target, address, trust) };
    let got = http::ask(way, &Asking::default()).await;
    let answer = got.exchange.came.answer()?.clone();
    (answer.status == 200 && answer.body.0.first() == Some(&0x30)).then_some(answer.body.0)
}

/// The first address of another target.
async fn address_of(target: &target::Target, ask: &Ask) -> Option<SocketAddr> {
    net::look_up(&target.host, target.port, ask.timeout).await.1.first().copied()
}

/// Whether one would not go on.
fn is_bad(tls: &Tls, insecure: bool) -> bool {
    tls.failed.is_some() || (!insecure && !verify::is_good(tls, clock()))
}

/// The difference between this machine's clock and a `Date`.
fn clock_ahead(came: &Came) -> Option<i64> {
    let date = came.answer()?.header("date")?;
    let parsed = httpdate::parse_http_date(date).ok()?;
    let then = i64::try_from(parsed.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    Some(clock() - then)
}

/// Whether the door is spoken on a WebSocket.
fn is_socket(door: Door) -> bool {
    !matches!(door, Door::Sse | Door::Topics)
}

/// A kind of look that was made already.
fn has_looked(evidence: &Evidence, kind: LookKind) -> bool {
    evidence.look(kind).is_some()
}

#[cfg(test)]
mod tests {
    use ::http::Response;
    use bytes::Bytes;

    use super::*;
    use evidence::{Answer, UpgradeFault};

    fn told(came: Came) -> Option<String> {
        at_first_sight("ws://h/ws", came)
    }

    fn answer(status: u16, body: &'static str) -> Answer {
        let response = Response::builder().status(status).body(Bytes::from(body)).unwrap();
        Answer::of(&response, |_, value| value.to_owned())
    }

    #[test]
    fn what_comes_shows_something_by_itself() {
        let wrong = |fault| Came::Answer(Answer { fault: Some(fault), ..answer(101, "") });
        for (came, code) in [
            (Came::Answer(answer(404, "")), "D23"),
            (Came::Answer(answer(200, "<div id=root>")), "D20"),
            (Came::Answer(answer(502, "")), "D33"),
            (Came::Answer(answer(400, "{\"code\":1,\"message\":\"Session ID unknown\"}")), "D24"),
            (Came::NoTunnel(answer(403, "")), "D30"),
            (wrong(UpgradeFault::Accept), "D35"),
            (wrong(UpgradeFault::Subprotocol("b".into())), "D37"),
            (wrong(UpgradeFault::Extensions("x".into())), "D38"),
            (Came::Closed, "D06"),
            (Came::Reset, "D06"),
            (Came::Silence, "D05"),
        ] {
            let seen = format!("{came:?}");
            let told = told(came).unwrap_or_default();
            assert!(told.starts_with(code) && told.contains("madang explain"), "{seen}: {told}");
        }
        assert_eq!(told(Came::Answer(answer(101, ""))), None);
    }
}
