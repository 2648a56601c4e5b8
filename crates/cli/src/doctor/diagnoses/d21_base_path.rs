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
    let answer = evidence.refusal().filter(|answer| answer.status == 200)?;
    let text = answer.text();
    let path = evidence.target.path.trim_end_matches('/');
    let scheme = if evidence.target.secure { "wss" } else { "ws" };
    let base = format!("{scheme}://{}", evidence.target.authority);
    let kind = answer.header("content-type").unwrap_or_default();
    let (means, line) = if text.starts_with("Welcome to SockJS!") {
        (
            said!("SockJS greets at its base path.", "SockJS가 기본 경로에서 인사합니다."),
            format!("{base}{path}/websocket"),
        )
    } else if text.contains("\"websocket\":") && text.contains("\"origins\"") {
        let root = path.strip_suffix("/info").unwrap_or(path);
        (
            said!("This is the /info of SockJS.", "SockJS의 /info입니다."),
            format!("{base}{root}/websocket"),
        )
    } else if text.starts_with("0{\"sid\"") || text.contains(":0{\"sid\"") {
        let path = &evidence.target.path;
        (
            said!("Engine.IO opened a session for polling.", "Engine.IO가 폴링 세션을 열었습니다."),
            format!("{base}{path}?EIO=4&transport=websocket"),
        )
    } else if kind.starts_with("text/event-stream") {
        (
            said!("Server-Sent Events are served here.", "Server-Sent Events를 보내는 곳입니다."),
            format!("madang doctor --as sse {}", evidence.target.shown()),
        )
    } else {
        return None;
    };
    Some(Seen::answer(answer).means(means).lines(vec![line]))
}
