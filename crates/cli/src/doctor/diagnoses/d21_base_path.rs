//! A server of SockJS or Engine.IO, at its base.

use super::prelude::*;

pub(super) const D21: Diagnosis = Diagnosis {
    code: "D21",
    class: Class::Handshake,
    title: Text::new(
        "this is a SockJS, Engine.IO or SSE server, asked the wrong way",
        "SockJS, Engine.IO, SSE 서버인데 다른 방식으로 요청했습니다",
    ),
    means: Text::new(
        "The right server, but not a path at which it opens WebSockets.",
        "서버는 맞지만 WebSocket을 여는 경로가 아닙니다.",
    ),
    cure: Text::new(
        "Use the client that belongs to it, or the path at which it opens WebSockets.",
        "그 서버에 맞는 클라이언트를 쓰거나 WebSocket을 여는 경로를 쓰십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal()?;
    let (means, line) = match answer.status {
        200 => greeted(evidence, answer)?,
        _ if lacks_query(evidence, answer) => (
            said!(
                "Engine.IO (Socket.IO) is here, and the query names neither its version nor a transport.",
                "Engine.IO(Socket.IO)가 있는 곳인데 쿼리에 버전이나 전송 방식이 없습니다."
            ),
            with_query(evidence),
        ),
        _ => return None,
    };
    Some(Seen::answer(answer).means(means).lines(vec![line]))
}

fn greeted(evidence: &Evidence, answer: &Answer) -> Option<(Said, String)> {
    let text = answer.text();
    let path = evidence.target.path.trim_end_matches('/');
    let scheme = if evidence.target.secure { "wss" } else { "ws" };
    let base = format!("{scheme}://{}", evidence.target.authority);
    let kind = answer.header("content-type").unwrap_or_default();
    if text.starts_with("Welcome to SockJS!") {
        let greets = said!("SockJS greets at its base path.", "SockJS가 기본 경로에서 인사합니다.");
        return Some((greets, format!("{base}{path}/websocket")));
    }
    if text.contains("\"websocket\":") && text.contains("\"origins\"") {
        let root = path.strip_suffix("/info").unwrap_or(path);
        let info = said!("This is the /info of SockJS.", "SockJS의 /info입니다.");
        return Some((info, format!("{base}{root}/websocket")));
    }
    if text.starts_with("0{\"sid\"") || text.contains(":0{\"sid\"") {
        let polls =
            said!("Engine.IO opened a session for polling.", "Engine.IO가 폴링 세션을 열었습니다.");
        return Some((polls, with_query(evidence)));
    }
    let streams =
        said!("Server-Sent Events are served here.", "Server-Sent Events를 보내는 곳입니다.");
    let line = format!("madang doctor --as sse {}", evidence.target.shown());
    kind.starts_with("text/event-stream").then_some((streams, line))
}

/// Engine.IO misses what its query says, and the query does not say it.
pub(super) fn lacks_query(evidence: &Evidence, answer: &Answer) -> bool {
    let query = evidence.target.query.as_deref().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
    evidence.door != crate::doctor::ask::Door::Socketio
        && match super::engine_error(answer) {
            Some(0) => !has("transport="),
            // Python's takes polling for granted, and misses the version first.
            Some(5) => {
                !has("EIO=") && (has("transport=") || evidence.target.path.contains("socket.io"))
            }
            _ => false,
        }
}

/// The URL at which Engine.IO opens a WebSocket.
fn with_query(evidence: &Evidence) -> String {
    let shown = evidence.target.shown();
    let (url, query) = shown.split_once('?').unwrap_or((&shown, ""));
    let url = url.replacen("http", "ws", 1);
    let is_other = |pair: &&str| {
        !pair.is_empty() && !["EIO=", "transport=", "sid="].iter().any(|no| pair.starts_with(no))
    };
    let rest = query.split('&').filter(is_other).fold(String::new(), |all, pair| all + "&" + pair);
    format!("{url}?EIO=4&transport=websocket{rest}")
}
