//! What each protocol asks for, one request after the other.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{
    address_of,
    ask::{Ask, Door},
    asking, clock_ahead,
    evidence::{Answer, Came, Evidence, Login, Look, LookKind, Socket, Wanted},
    headers, looks,
    probe::{
        Way, hold,
        http::{self, Asking, Got},
        login::{self, Beats},
        size,
        socket::{Live, first_exchange},
        stream,
    },
    redact,
    target::Target,
};

/// After the pong, a server that is going to close at once may do so.
const MOMENT: Duration = Duration::from_secs(1);
/// A compressed stream is watched so long at most.
const GZIP_TIME: Duration = Duration::from_secs(10);
/// A chain of redirects is followed as far as browsers do.
const REDIRECTS: usize = 20;
/// Polls of one session, each on a connection of its own.
const POLLS: usize = 4;

/// Goes on after TLS.
pub(super) async fn go(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) {
    match ask.door {
        Door::Raw | Door::Stomp | Door::Wamp => upgrade(ask, way, evidence).await,
        Door::Socketio => socketio(ask, way, evidence).await,
        Door::Sockjs => sockjs(ask, way, evidence).await,
        Door::Sse => events(ask, way, evidence).await,
        Door::Topics => topics(ask, way, evidence).await,
    }
}

/// Keeps the request that counts; a refusal is looked at again.
async fn keep(
    ask: &Ask,
    way: Way<'_>,
    asking: &Asking,
    evidence: &mut Evidence,
    got: &Got,
    wanted: Wanted,
    ok: bool,
) {
    evidence.sent.head = got.head;
    evidence.clock_ahead = clock_ahead(&got.exchange.came);
    evidence.answer = Some(got.exchange.clone());
    (evidence.wanted, evidence.answer_ok) = (wanted, ok);
    if !ok {
        looks::other_family(way, asking, evidence).await;
        looks::after_refusal(ask, way, asking, evidence).await;
    }
}

/// Opens a WebSocket, and sees what becomes of it.
async fn upgrade(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) {
    let asking = asking(ask);
    let mut got = http::ask(way, &asking).await;
    let open = got.open.take();
    let is_open = open.is_some() && subprotocol_fits(&got, &asking);
    keep(ask, way, &asking, evidence, &got, Wanted::Upgrade, is_open).await;
    let Some(open) = open.filter(|_| is_open) else { return };
    let mut live = Live::new(open);
    let mut socket = Socket::default();
    let answer = login::login(ask, Beats::Some, &mut live, &mut socket).await;
    let mut said_no = matches!(answer, Some(Login::Refused(_) | Login::Nothing));
    socket.login = answer;
    if socket.end.is_none() && !said_no {
        let more = first_exchange(&mut live, ask.timeout, MOMENT).await;
        if let Some(no) = more.messages.iter().find(|text| login::taken_back(ask.door, text)) {
            socket.login = Some(Login::Refused(no.clone()));
            said_no = true;
        }
        socket.messages.extend(more.messages);
        (socket.pinged, socket.pong, socket.end) = (more.pinged, more.pong, more.end);
        socket.raw = more.raw;
    }
    let bad = socket.end.is_some() || (socket.pinged && socket.pong.is_none()) || said_no;
    live.close().await;
    evidence.socket = Some(socket);
    if bad {
        if evidence.answered().is_some_and(|answer| answer.deflate) {
            looks::without_deflate(way, &asking, evidence).await;
        }
        looks::direct(ask, way, &asking, evidence).await;
        return;
    }
    looks::other_family(way, &asking, evidence).await;
    if let Some(most) = ask.max_size {
        evidence.size = size::bisect(ask, way, &asking, most).await;
    }
    if let Some(wanted) = ask.hold {
        let held = hold::hold(ask, way, &asking, wanted).await;
        if held.is_refused || held.idle.is_some() || held.pinging.is_some() {
            let got = http::ask(way, &asking).await;
            let look = Look { kind: LookKind::Reconnect, exchange: got.exchange, socket: None };
            evidence.looks.push(look);
        }
        evidence.hold = Some(held);
    }
}

/// Fetch, "establish a WebSocket connection": a browser that asked for subprotocols fails when it
/// is given none.
fn subprotocol_fits(got: &Got, asking: &Asking) -> bool {
    let answer = got.exchange.came.answer();
    asking.subprotocols.is_empty() || answer.is_some_and(|answer| answer.subprotocol.is_some())
}

/// A plain request of the door.
fn get(ask: &Ask) -> Asking {
    Asking { headers: headers(ask), ..Asking::default() }
}

/// Engine.IO: polls, then the WebSocket.
async fn socketio(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) {
    let path = match way.target.path.as_str() {
        "/" => "/socket.io/",
        path => path,
    };
    let query = way.target.query.as_deref().unwrap_or_default();
    let is_other = |pair: &&str| {
        !pair.is_empty() && !pair.starts_with("EIO=") && !pair.starts_with("transport=")
    };
    let rest =
        query.split('&').filter(is_other).fold(String::new(), |rest, pair| rest + "&" + pair);
    // Clients that are told to use nothing but WebSockets do not poll.
    if query.split('&').all(|pair| pair != "transport=websocket") {
        let poll = way.target.at(&format!("{path}?EIO=4&transport=polling{rest}"));
        if !polls(ask, way.to(&poll), evidence).await {
            return;
        }
    }
    let socket = way.target.at(&format!("{path}?EIO=4&transport=websocket{rest}"));
    upgrade(ask, way.to(&socket), evidence).await;
}

/// The first poll, and some more of the same session; whether to go on.
async fn polls(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) -> bool {
    let asking = get(ask);
    let got = http::ask(way, &asking).await;
    let answer = got.exchange.came.answer();
    let sid = answer.and_then(engine_sid);
    // "Transport unknown": this server does without polling.
    if answer.and_then(super::diagnoses::engine_error) == Some(0) {
        evidence.looks.push(Look { kind: LookKind::Poll, exchange: got.exchange, socket: None });
        return true;
    }
    keep(ask, way, &asking, evidence, &got, Wanted::Poll, sid.is_some()).await;
    let Some(sid) = sid else { return false };
    evidence.polls.push(got.exchange.clone());
    let query = way.target.query.as_deref().unwrap_or_default();
    let session = way.target.at(&format!("{}?{query}&sid={sid}", way.target.path));
    let mut post = get(ask);
    post.method = "POST";
    post.body = Some("3");
    post.headers.push(("Content-Type".into(), "text/plain;charset=UTF-8".into()));
    if !got.cookies.is_empty() && !evidence.sent.cookie {
        post.headers.push(("Cookie".into(), got.cookies.join("; ")));
    }
    for _ in 0..POLLS {
        evidence.polls.push(http::ask(way.to(&session), &post).await.exchange);
    }
    looks::preflight(ask, way, "POST", evidence).await;
    true
}

/// The session's name in Engine.IO's first packet.
fn engine_sid(answer: &Answer) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body.0);
    let open: Value = serde_json::from_str(text.strip_prefix('0')?).ok()?;
    let sid = open.get("sid")?.as_str()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (answer.status == 200 && sid.chars().all(is_plain)).then(|| sid.to_owned())
}

async fn sockjs(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) {
    let base = way.target.path.trim_end_matches('/').to_owned();
    let info = way.target.at(&format!("{base}/info"));
    let got = http::ask(way.to(&info), &get(ask)).await;
    let ok = got
        .exchange
        .came
        .answer()
        .is_some_and(|answer| answer.status == 200 && is_sockjs_info(answer));
    keep(ask, way.to(&info), &get(ask), evidence, &got, Wanted::Poll, ok).await;
    if !ok {
        return;
    }
    evidence.polls.push(got.exchange.clone());
    sockjs_polls(ask, way, &base, evidence).await;
    let socket = way.target.at(&format!("{base}/000/madang{}/websocket", unique()));
    upgrade(ask, way.to(&socket), evidence).await;
}

/// A session of polling, and requests of it on connections of their own, each with no message at all:
/// whoever knows the session has nothing against that, others answer 404.
async fn sockjs_polls(ask: &Ask, way: Way<'_>, base: &str, evidence: &mut Evidence) {
    let mut post = get(ask);
    post.method = "POST";
    post.body = Some("");
    let session = format!("{base}/000/madang{}", unique());
    let opened = http::ask(way.to(&way.target.at(&format!("{session}/xhr"))), &post).await;
    if !opened.exchange.came.answer().is_some_and(|answer| answer.body.0.starts_with(b"o")) {
        return;
    }
    if !opened.cookies.is_empty() && !evidence.sent.cookie {
        post.headers.push(("Cookie".into(), opened.cookies.join("; ")));
    }
    evidence.polls.push(opened.exchange);
    post.body = Some("[]");
    post.headers.push(("Content-Type".into(), "text/plain;charset=UTF-8".into()));
    let send = way.target.at(&format!("{session}/xhr_send"));
    for _ in 0..POLLS {
        evidence.polls.push(http::ask(way.to(&send), &post).await.exchange);
    }
}

/// For names of sessions, which are never used twice.
fn unique() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros())
}

fn is_sockjs_info(answer: &Answer) -> bool {
    let value = serde_json::from_slice::<Value>(&answer.body.0);
    value.is_ok_and(|value| value.get("websocket").is_some_and(Value::is_boolean))
}

/// Whether a server of messages speaks, though not by a WebSocket.
pub(super) fn is_messaging(answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default();
    is_sockjs_info(answer)
        || engine_sid(answer).is_some()
        || super::diagnoses::engine_error(answer).is_some()
        || kind.starts_with("text/event-stream")
}

/// Madang's topics: a poll first, then the stream.
async fn topics(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) {
    let path = way.target.path.trim_end_matches('/');
    let (base, topic) = match path.rfind("/topics/") {
        Some(at) => {
            let (base, rest) = path.split_at(at);
            (base, rest.split('/').nth(2).unwrap_or("lobby"))
        }
        None => (path, "lobby"),
    };
    let query = way.target.query.as_ref().map(|query| format!("&{query}")).unwrap_or_default();
    let messages = way.target.at(&format!("{base}/topics/{topic}/messages?limit=1{query}"));
    let got = http::ask(way.to(&messages), &get(ask)).await;
    let ok = got.exchange.came.answer().is_some_and(|answer| {
        let value = serde_json::from_slice::<Value>(&answer.body.0);
        answer.status == 200 && value.is_ok_and(|value| value.get("messages").is_some())
    });
    keep(ask, way.to(&messages), &get(ask), evidence, &got, Wanted::Poll, ok).await;
    if !ok {
        return;
    }
    evidence.polls.push(got.exchange.clone());
    looks::preflight(ask, way.to(&messages), "POST", evidence).await;
    let target = way.target.at(&format!("{base}/topics/{topic}/sse?since=now{query}"));
    events(ask, way.to(&target), evidence).await;
}

/// A stream of events. `EventSource` follows redirects (HTML, §9.2.3).
async fn events(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) {
    let mut asking = get(ask);
    asking.streaming = true;
    asking.headers.push(("Accept".into(), "text/event-stream".into()));
    let (mut target, mut address) = (way.target.clone(), way.address);
    let mut before: Option<Got> = None;
    for _ in 0..REDIRECTS {
        let here = Way { target: &target, address, secure: target.secure, ..way };
        let got = http::ask(here, &asking).await;
        if let Some(before) = before.take()
            && got.exchange.came.answer().is_none()
        {
            // It leads nowhere: what counts is what led there.
            evidence.redirects.pop();
            return watched(ask, way, &asking, evidence, before).await;
        }
        let next = got.exchange.came.answer().and_then(|answer| redirect(&target, answer));
        let place = match &next {
            Some(next) if is_same_place(next, &target) || way.proxy.is_some() => Some(address),
            Some(next) => address_of(next, ask).await,
            None => None,
        };
        let (Some(next), Some(place)) = (next, place) else {
            return watched(ask, here, &asking, evidence, got).await;
        };
        (target, address) = (next, place);
        evidence.redirects.push(got.exchange.clone());
        before = Some(got);
        // No more than a browser takes along.
        if !is_same_place(&target, way.target) {
            asking.headers.retain(|(name, _)| !redact::is_proof(name));
        }
    }
    let way = Way { target: &target, address, secure: target.secure, ..way };
    let got = http::ask(way, &asking).await;
    watched(ask, way, &asking, evidence, got).await;
}

/// Where an answer leads.
fn redirect(from: &Target, answer: &Answer) -> Option<Target> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    // What is hidden cannot be followed.
    let location = answer.header("location").filter(|location| !location.contains('…'))?;
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(from.at(location));
    }
    Target::read(location).ok().filter(|_| location.contains("://"))
}

fn is_same_place(one: &Target, other: &Target) -> bool {
    (&one.host, one.port, one.secure) == (&other.host, other.port, other.secure)
}

/// The stream watched for a while, and at the same time the direct one; then one with gzip.
async fn watched(ask: &Ask, way: Way<'_>, asking: &Asking, evidence: &mut Evidence, mut got: Got) {
    let ok = got.exchange.came.answer().is_some_and(is_event_stream);
    keep(ask, way, asking, evidence, &got, Wanted::Events, ok).await;
    let Some(open) = got.open.take().filter(|_| ok) else { return };
    let length = ask.hold.unwrap_or(ask.timeout);
    let direct = async {
        let target = looks::direct_target(ask.direct.as_ref()?, way.target);
        let address = address_of(&target, ask).await?;
        let way = Way { target: &target, address, proxy: None, secure: target.secure, ..way };
        let open = http::ask(way, asking).await.open?;
        Some(stream::watch(open, length).await.arrivals)
    };
    let (mut seen, direct) = tokio::join!(stream::watch(open, length), direct);
    seen.direct = direct;
    // After the other: some servers have time for one only.
    if !seen.ended {
        let window = length.min(GZIP_TIME);
        seen.gzip = coded(way, asking, window).await;
        let most = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        seen.gzip_ms = most;
    }
    // Constant? The same once more.
    if seen.ended
        && let Some(open) = http::ask(way, asking).await.open
    {
        let most = Duration::from_millis(seen.watched_ms.saturating_mul(2)) + MOMENT;
        let again = stream::watch(open, most).await;
        seen.again = again.ended.then_some(again.watched_ms);
    }
    evidence.stream = Some(seen);
}

/// The same as browsers ask for it, with gzip: what arrives of it, if it is another stream then.
async fn coded(way: Way<'_>, asking: &Asking, window: Duration) -> Option<Vec<(u64, usize)>> {
    let mut asking = asking.clone();
    asking.headers.push(("Accept-Encoding".into(), "gzip".into()));
    let mut got = http::ask(way, &asking).await;
    if matches!(got.exchange.came, Came::Silence | Came::Half(_)) {
        return Some(Vec::new());
    }
    let open = got.open.take().filter(|open| open.is_coded)?;
    Some(stream::watch(open, window).await.arrivals)
}

fn is_event_stream(answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
    answer.status == 200 && kind.starts_with("text/event-stream")
}
