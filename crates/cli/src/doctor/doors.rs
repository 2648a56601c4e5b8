//! What each protocol asks for, one request after the other.

use std::time::Duration;

use serde_json::Value;

use super::{
    address_of,
    ask::{Ask, Door},
    asking, clock_ahead,
    evidence::{Answer, Evidence, Login, Look, LookKind, Socket, Wanted},
    headers, looks,
    probe::{
        Way, hold,
        http::{self, Asking, Got},
        login, size,
        socket::{Live, first_exchange},
        stream,
    },
};

/// After the pong, a server that is going to close at once may do so.
const MOMENT: Duration = Duration::from_secs(1);
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
    let answer = login::login(ask, &mut live, &mut socket).await;
    let said_no = matches!(answer, Some(Login::Refused(_) | Login::Nothing));
    socket.login = answer;
    if socket.end.is_none() && !said_no {
        let more = first_exchange(&mut live, ask.timeout, MOMENT).await;
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
    if let Some(most) = ask.max_size {
        evidence.size = size::bisect(way, &asking, most).await;
    }
    if let Some(wanted) = ask.hold {
        let held = hold::hold(way, &asking, wanted).await;
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

/// The first poll of Engine.IO, four more of the same session, then the WebSocket.
async fn socketio(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) {
    let path = match way.target.path.as_str() {
        "/" => "/socket.io/",
        path => path,
    };
    let rest = way.target.query.as_deref().unwrap_or_default().split('&');
    let is_other = |pair: &&str| {
        !pair.is_empty() && !pair.starts_with("EIO=") && !pair.starts_with("transport=")
    };
    let rest = rest.filter(is_other).fold(String::new(), |rest, pair| rest + "&" + pair);
    let poll = way.target.at(&format!("{path}?EIO=4&transport=polling{rest}"));
    let got = http::ask(way.to(&poll), &get(ask)).await;
    let sid = got.exchange.came.answer().and_then(engine_sid);
    let asking = get(ask);
    keep(ask, way.to(&poll), &asking, evidence, &got, Wanted::Poll, sid.is_some()).await;
    let Some(sid) = sid else { return };
    evidence.polls.push(got.exchange.clone());
    let session = way.target.at(&format!("{path}?EIO=4&transport=polling{rest}&sid={sid}"));
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
    looks::preflight(ask, way.to(&poll), "POST", evidence).await;
    let socket = way.target.at(&format!("{path}?EIO=4&transport=websocket{rest}"));
    upgrade(ask, way.to(&socket), evidence).await;
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
    let time = super::clock() % 1_000;
    let socket = way.target.at(&format!("{base}/000/madang{time}/websocket"));
    upgrade(ask, way.to(&socket), evidence).await;
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

/// A stream of events, watched for a while, and at the same time the direct one.
async fn events(ask: &Ask, way: Way<'_>, evidence: &mut Evidence) {
    let mut asking = get(ask);
    asking.streaming = true;
    asking.headers.push(("Accept".into(), "text/event-stream".into()));
    let mut got = http::ask(way, &asking).await;
    let ok = got.exchange.came.answer().is_some_and(is_event_stream);
    keep(ask, way, &asking, evidence, &got, Wanted::Events, ok).await;
    let Some(open) = got.open.take().filter(|_| ok) else { return };
    let length = ask.hold.unwrap_or(ask.timeout);
    let direct = async {
        let target = looks::direct_target(ask.direct.as_ref()?, way.target);
        let address = address_of(&target, ask).await?;
        let way = Way { target: &target, address, proxy: None, secure: target.secure, ..way };
        let open = http::ask(way, &asking).await.open?;
        Some(stream::watch(open, length).await.arrivals)
    };
    let (mut seen, direct) = tokio::join!(stream::watch(open, length), direct);
    seen.direct = direct;
    evidence.stream = Some(seen);
}

fn is_event_stream(answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
    answer.status == 200 && kind.starts_with("text/event-stream")
}
