//! The same request again, with one thing different: what tells causes apart.

use std::{task::Poll, time::Duration};

use super::{
    address_of,
    ask::{Ask, Door},
    clock_ahead, diagnoses, doors,
    evidence::{Came, Evidence, Look, LookKind, Wanted},
    free_alpn, has_looked, is_socket,
    probe::{
        Way,
        http::{self, Asking},
        socket::{Live, first_exchange},
    },
    target::Target,
};

/// Where servers of WebSockets usually are.
const KNOWN_PATHS: [&str; 6] = [
    "/ws",
    "/socket.io/?EIO=4&transport=websocket",
    "/sockjs/info",
    "/cable",
    "/connection/websocket",
    "/.well-known/mercure?topic=madang-doctor",
];

/// For looks at what has been mute already.
const SHORT: Duration = Duration::from_secs(2);

/// How long an open WebSocket is watched at a second look.
const MOMENT: Duration = Duration::from_millis(300);

/// TLS failed, or its certificate is bad: nothing that is secret is sent any more.
pub(super) async fn after_tls(evidence: &mut Evidence, way: Way<'_>) {
    let target = way.target.at("/");
    let bare = Asking { method: "HEAD", ..Asking::default() };
    if evidence.tls.as_ref().is_some_and(|tls| tls.failed.is_none()) {
        // Only the date, to compare clocks.
        let way = Way { target: &target, lenient: true, ..way };
        let got = http::ask(way, &bare).await;
        evidence.clock_ahead = clock_ahead(&got.exchange.came);
        return;
    }
    let plain = Way { target: &target, secure: false, ..way };
    add(evidence, LookKind::Plain, http::ask(plain, &Asking::default()).await);
    let through = Way { target: &target, proxy_header: true, lenient: true, ..way };
    add(evidence, LookKind::ProxyHeader, http::ask(through, &bare).await);
}

fn add(evidence: &mut Evidence, kind: LookKind, got: http::Got) {
    evidence.looks.push(Look { kind, exchange: got.exchange, socket: None });
}

/// The request that counts did not get what it should.
pub(super) async fn after_refusal(
    ask: &Ask,
    way: Way<'_>,
    asking: &Asking,
    evidence: &mut Evidence,
) {
    let Some(came) = evidence.answer.as_ref().map(|exchange| exchange.came.clone()) else { return };
    match &came {
        Came::Silence | Came::Closed | Came::Reset | Came::Bytes(_) | Came::Half(_) => {
            no_answer(way, asking, evidence).await;
        }
        Came::Answer(answer) => match answer.status {
            // Is it this port that wants TLS, or one behind it?
            400 if diagnoses::wants_tls(answer) && !way.secure => tls(way, evidence).await,
            401 | 403 => refused(ask, way, asking, evidence).await,
            // Some hide that it is the origin; Rails does so by default.
            400 | 404 if evidence.wanted == Wanted::Upgrade => {
                if ask.origin.is_some() {
                    refused(ask, way, asking, evidence).await;
                } else {
                    own_origin(ask, way, asking, evidence).await;
                }
                if answer.status == 400 {
                    plainly(way, asking, evidence).await;
                }
                known_paths(way, asking, evidence).await;
            }
            200 | 204 | 400 | 404 | 405 | 410 | 426 | 501 => {
                known_paths(way, asking, evidence).await;
            }
            500 | 502 => plainly(way, asking, evidence).await,
            _ => {}
        },
        Came::Broken(_) | Came::NotDialed(_) | Came::NoTunnel(_) | Came::NoTls(_) => {}
    }
    direct(ask, way, asking, evidence).await;
}

/// Does TLS wake it, a PROXY header, a handshake without compression, or another path?
async fn no_answer(way: Way<'_>, asking: &Asking, evidence: &mut Evidence) {
    if !way.secure {
        tls(way, evidence).await;
    }
    if way.secure
        && let Some(tls) = &mut evidence.tls
        && tls.alpn.is_none()
    {
        tls.alpn_when_free = free_alpn(way).await;
    }
    if evidence.wanted == Wanted::Events {
        let target = way.target.at("/madang-doctor");
        let head = Asking { method: "HEAD", ..Asking::default() };
        add(evidence, LookKind::Elsewhere, http::ask(way.to(&target), &head).await);
    }
    let through = Way { proxy_header: true, ..way };
    add(evidence, LookKind::ProxyHeader, http::ask(through, asking).await);
    let came = evidence.look(LookKind::ProxyHeader).map(|look| look.exchange.came.clone());
    // It took the line, and not the request behind it: is that to be TLS?
    if !way.secure && matches!(came, Some(Came::Closed | Came::Reset)) {
        let target = way.target.at("/");
        let both = Way { target: &target, secure: true, lenient: true, ..through };
        let head = Asking { method: "HEAD", ..Asking::default() };
        add(evidence, LookKind::ProxyTls, http::ask(both, &head).await);
    }
    let past = |kind| evidence.look(kind).is_some_and(|look| look.exchange.came.is_past_tls());
    let tls_wakes = past(LookKind::Tls) || past(LookKind::ProxyTls);
    // A 400 is what any server says to a line that it does not know.
    let header_wakes =
        evidence.looked(LookKind::ProxyHeader).is_some_and(|answer| answer.status != 400);
    if tls_wakes || header_wakes || !fails_again(way, asking, evidence).await {
        return;
    }
    plainly(way, asking, evidence).await;
    if !evidence.opens(LookKind::NoDeflate) {
        // Whoever is mute at one path may be so at most of them.
        let way = Way { timeout: way.timeout.min(SHORT), ..way };
        known_paths(way, asking, evidence).await;
    }
}

/// The very same once more: what fails only now and then has no other cause to be looked for.
async fn fails_again(way: Way<'_>, asking: &Asking, evidence: &mut Evidence) -> bool {
    let got = http::ask(way, asking).await;
    let passes = gives(evidence.wanted, &got.exchange.came);
    if passes {
        add(evidence, LookKind::Again, got);
    }
    !passes
}

/// The same without the offer of compression, which something on the way may not bear.
async fn plainly(way: Way<'_>, asking: &Asking, evidence: &mut Evidence) {
    if !asking.upgrade || !asking.deflate {
        return;
    }
    let plain = Asking { deflate: false, ..asking.clone() };
    let got = http::ask(way, &plain).await;
    if got.exchange.came.is_open() && fails_again(way, asking, evidence).await {
        add(evidence, LookKind::NoDeflate, got);
    }
}

/// The same to the other of IPv4 and IPv6, where both are there. Kept when it makes a difference, and
/// the first still comes to what it came to.
pub(super) async fn other_family(way: Way<'_>, asking: &Asking, evidence: &mut Evidence) {
    let is_v6 = way.address.is_ipv6();
    let other = evidence
        .dials
        .iter()
        .find(|dial| dial.came == super::evidence::Dialed::Open && dial.address.is_ipv6() != is_v6);
    if way.proxy.is_some() || evidence.was_other_family_asked {
        return;
    }
    let Some(address) = other.map(|dial| dial.address) else { return };
    evidence.was_other_family_asked = true;
    let (wanted, ok) = (evidence.wanted, evidence.answer_ok);
    let got = http::ask(Way { address, ..way }, asking).await;
    if gives(wanted, &got.exchange.came) == ok {
        return;
    }
    let again = http::ask(way, asking).await;
    if gives(wanted, &again.exchange.came) == ok {
        add(evidence, LookKind::OtherFamily, got);
    }
}

/// Whether it is what was wanted, as far as its head shows.
fn gives(wanted: Wanted, came: &Came) -> bool {
    match wanted {
        Wanted::Upgrade => came.is_open(),
        Wanted::Events | Wanted::Poll => came.answer().is_some_and(|answer| answer.status == 200),
    }
}

/// The same port by TLS. No secrets: nobody has looked at that certificate.
async fn tls(way: Way<'_>, evidence: &mut Evidence) {
    let target = way.target.at("/");
    let secure = Way { target: &target, secure: true, lenient: true, ..way };
    let head = Asking { method: "HEAD", ..Asking::default() };
    add(evidence, LookKind::Tls, http::ask(secure, &head).await);
}

/// The same without a header.
fn without(asking: &Asking, no: &str) -> Asking {
    let mut asking = asking.clone();
    asking.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(no));
    asking
}

/// Whom does it refuse: the page, the person, or the program?
async fn refused(ask: &Ask, way: Way<'_>, asking: &Asking, evidence: &mut Evidence) {
    if ask.origin.is_some() {
        add(evidence, LookKind::NoOrigin, http::ask(way, &without(asking, "origin")).await);
    }
    own_origin(ask, way, asking, evidence).await;
    if evidence.sent.cookie {
        add(evidence, LookKind::NoCookie, http::ask(way, &without(asking, "cookie")).await);
    }
    if evidence.sent.authorization {
        let asking = without(asking, "authorization");
        add(evidence, LookKind::NoAuthorization, http::ask(way, &asking).await);
    }
}

/// As a page of the server itself would ask.
async fn own_origin(ask: &Ask, way: Way<'_>, asking: &Asking, evidence: &mut Evidence) {
    let own = way.target.own_origin();
    if ask.origin.as_deref() != Some(own.as_str()) {
        let mut asking = without(asking, "origin");
        asking.headers.push(("Origin".into(), own));
        add(evidence, LookKind::OwnOrigin, http::ask(way, &asking).await);
    }
}

/// The usual paths, all at once; the first of them that answers as a server of messages does.
async fn known_paths(way: Way<'_>, asking: &Asking, evidence: &mut Evidence) {
    // Where polls work, the path is right.
    if evidence.wanted == Wanted::Events || !evidence.polls.is_empty() {
        return;
    }
    let one = async |path: &str| {
        let target = way.target.at(path);
        if target.path == way.target.path {
            return None;
        }
        let mut asking = asking.clone();
        asking.subprotocols.clear();
        if !path.contains("websocket") && !matches!(path, "/ws" | "/cable") {
            asking.upgrade = false;
        }
        let got = http::ask(way.to(&target), &asking).await;
        let answer = got.exchange.came.answer();
        answer.is_some_and(|a| a.is_open() || doors::is_messaging(a)).then_some(got)
    };
    let mut asked: Vec<_> = KNOWN_PATHS.into_iter().map(|path| Some(Box::pin(one(path)))).collect();
    let mut found: Vec<Option<http::Got>> = KNOWN_PATHS.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (path, found) in asked.iter_mut().zip(&mut found) {
            if let Some(Poll::Ready(got)) = path.as_mut().map(|path| path.as_mut().poll(cx)) {
                *found = got;
                *path = None;
            }
        }
        if asked.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    if let Some(got) = found.into_iter().flatten().next() {
        add(evidence, LookKind::KnownPath, got);
    }
}

/// The same to the server behind the proxy.
pub(super) async fn direct(ask: &Ask, way: Way<'_>, asking: &Asking, evidence: &mut Evidence) {
    let Some(target) = &ask.direct else { return };
    if has_looked(evidence, LookKind::Direct) {
        return;
    }
    let Some(address) = address_of(target, ask).await else { return };
    let target = direct_target(target, way.target);
    let original = way.target.authority.clone();
    let way = Way { target: &target, address, proxy: None, secure: target.secure, ..way };
    let mut asking = asking.clone();
    // As the proxy would pass it on: what is compared is the way, not the name.
    if !asking.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        asking.headers.push(("Host".into(), original));
    }
    let mut got = http::ask(way, &asking).await;
    let mut socket = None;
    if let Some(open) = got.open.take()
        && is_socket(ask.door)
    {
        let mut live = Live::new(open);
        socket = Some(first_exchange(&mut live, ask.timeout, MOMENT).await);
        live.close().await;
    }
    let opens = got.exchange.came.is_open();
    evidence.looks.push(Look { kind: LookKind::Direct, exchange: got.exchange, socket });
    if opens && evidence.refusal().is_some() {
        // What that server says when the upgrade is lost: did the proxy hand this on?
        let plain = Asking { upgrade: false, ..asking };
        add(evidence, LookKind::DirectPlain, http::ask(way, &plain).await);
    }
}

/// A direct URL without a path means the same path.
pub(super) fn direct_target(direct: &Target, target: &Target) -> Target {
    let mut to = direct.clone();
    if direct.path == "/" && direct.query.is_none() {
        to.path.clone_from(&target.path);
        to.query.clone_from(&target.query);
    }
    to
}

/// The WebSocket opened, and then something was wrong: is it the compression?
pub(super) async fn without_deflate(way: Way<'_>, asking: &Asking, evidence: &mut Evidence) {
    let plain = Asking { deflate: false, ..asking.clone() };
    let mut got = http::ask(way, &plain).await;
    let Some(open) = got.open.take() else { return };
    let mut live = Live::new(open);
    let socket = first_exchange(&mut live, way.timeout, MOMENT).await;
    live.close().await;
    let kind = LookKind::NoDeflate;
    evidence.looks.push(Look { kind, exchange: got.exchange, socket: Some(socket) });
}

/// A browser's question before a request of another origin (Fetch §4.8), where it has one.
pub(super) async fn preflight(ask: &Ask, way: Way<'_>, method: &str, evidence: &mut Evidence) {
    let Some(origin) = &ask.origin else { return };
    let mut names: Vec<_> = ask.headers.iter().filter_map(|(n, v)| asked_for(n, v)).collect();
    // Engine.IO posts `text/plain`, about which nobody is asked.
    if ask.door != Door::Socketio {
        names.push("content-type".to_owned());
    }
    if names.is_empty() {
        return;
    }
    names.sort();
    names.dedup();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let asking = Asking {
        method: "OPTIONS",
        headers: vec![
            header("Origin", origin),
            header("Access-Control-Request-Method", method),
            header("Access-Control-Request-Headers", &names.join(",")),
        ],
        ..Asking::default()
    };
    add(evidence, LookKind::Preflight, http::ask(way, &asking).await);
}

/// The header, where a page can set it and has to ask first (Fetch §2.2.2: neither forbidden nor
/// safelisted).
fn asked_for(name: &str, value: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let forbidden = ["cookie", "host", "origin", "referer", "connection", "upgrade", "te", "via"];
    let safe = ["accept", "accept-language", "content-language", "range"];
    let kinds = ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded"];
    let is_simple = name == "content-type" && kinds.iter().any(|kind| value.starts_with(kind));
    let is_not = forbidden.contains(&name.as_str())
        || safe.contains(&name.as_str())
        || name.starts_with("sec-")
        || name.starts_with("proxy-");
    (!is_not && !is_simple).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_first_about_headers_of_its_own() {
        for (name, value, is) in [
            ("Authorization", "Bearer x", Some("authorization")),
            ("X-Room", "1", Some("x-room")),
            ("Cookie", "a=b", None),
            ("Accept", "*/*", None),
            ("Sec-Fetch-Mode", "cors", None),
            ("Content-Type", "text/plain;charset=UTF-8", None),
            ("Content-Type", "application/json", Some("content-type")),
        ] {
            assert_eq!(asked_for(name, value).as_deref(), is, "{name}: {value}");
        }
    }
}
