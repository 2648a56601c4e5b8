//! Errors of Engine.IO.

use serde_json::Value;

use super::prelude::*;
use crate::doctor::proxies;

pub(super) const D24: Diagnosis = Diagnosis {
    code: "D24",
    class: Class::Handshake,
    title: Text::new("Engine.IO refuses the request", "Engine.IO가 요청을 거절했습니다"),
    means: Text::new(
        "The Socket.IO server answered with one of its own error codes (0 to 5).",
        "Socket.IO 서버가 자체 오류 코드(0~5)로 답했습니다.",
    ),
    cure: Text::new(
        "Per code: 0 transport unknown, 1 session unknown, 2 bad method, 3 bad request, 4 refused by the application, 5 version of the protocol.",
        "코드별: 0 모르는 전송 방식, 1 모르는 세션, 2 잘못된 메서드, 3 잘못된 요청, 4 애플리케이션이 거절, 5 프로토콜 버전.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    // Socket.IO 4 opens the WebSocket first, and then writes its refusal into it, as HTTP.
    let raw = evidence.socket.as_ref().and_then(|socket| socket.raw.as_ref());
    if let Some(raw) = raw
        && raw.0.starts_with(b"HTTP/1.1 400")
        && let Some(code) = words(raw.0.rsplit(|&byte| byte == b'\n').next().unwrap_or_default())
    {
        let (means, cure) = of(code);
        let text = raw.text();
        return Some(
            Seen::new([said!("in the open WebSocket: {text}", "열린 WebSocket 안에: {text}")])?
                .means(means)
                .cure(cure),
        );
    }
    if let Some(answer) = evidence.refusal().filter(|answer| is_old(answer))
        && evidence.wanted == Wanted::Poll
    {
        let (means, cure) = of(5);
        return Some(Seen::answer(answer).means(means).cure(cure));
    }
    let polled = || {
        let mut answers = evidence.polls.iter().filter_map(|poll| poll.came.answer());
        answers.rfind(|answer| engine_error(answer).is_some())
    };
    let refused = evidence.refusal().filter(|answer| {
        error_in(evidence, answer).is_some() && !super::d21_base_path::lacks_query(evidence, answer)
    });
    let answer = refused.or_else(polled)?;
    let code = error_in(evidence, answer)?;
    let (means, cure) = of(code);
    let mut seen = Seen::answer(answer).means(means).cure(cure);
    if code == 1 {
        seen.lines = proxies::lines_for(Lines::Affinity, evidence);
    }
    if code == 3 {
        seen.lines = proxies::lines_for(Lines::Upgrade, evidence);
    }
    Some(seen)
}

/// The code, where it is known that Engine.IO was asked: it says some things as anybody may.
fn error_in(evidence: &Evidence, answer: &Answer) -> Option<u64> {
    let strict = engine_error(answer);
    let asked = evidence.answer.as_ref().map(|exchange| exchange.url.as_str());
    let is_engine = asked.is_some_and(|url| url.contains("?EIO=") || url.contains("&EIO="));
    if strict.is_some() || !is_engine || !matches!(answer.status, 400 | 403) {
        return strict;
    }
    if let Ok(value) = serde_json::from_slice::<Value>(&answer.body.0) {
        value.get("message")?.as_str()?;
        return value.get("code")?.as_u64().filter(|code| *code <= 5);
    }
    // What `allowRequest` says of a WebSocket comes as bare words, which engine.io calls HTML.
    let text = answer.text();
    let is_html = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    match text.trim() {
        "Bad request" => Some(3),
        "" => None,
        text => (answer.status == 400 && is_html && text.len() < 200 && !text.contains('<'))
            .then_some(4),
    }
}

fn of(code: u64) -> (Said, Said) {
    match code {
        0 => (
            said!(
                "The transport in the query is not one that this server has switched on.",
                "쿼리의 전송 방식이 이 서버에서 켜져 있지 않습니다."
            ),
            said!(
                "Enable `websocket` in the server's `transports`, or ask for one that is enabled.",
                "서버의 `transports`에 `websocket`을 켜거나 켜져 있는 방식을 쓰십시오."
            ),
        ),
        1 => (
            said!(
                "The session is on another node, or the server restarted: polls of one session must reach the same node.",
                "세션이 다른 노드에 있거나 서버가 다시 시작되었습니다. 한 세션의 폴링은 같은 노드로 가야 합니다."
            ),
            said!(
                "Give the balancer affinity (a cookie), or use only the WebSocket transport.",
                "로드 밸런서에 고정 세션(쿠키)을 설정하거나 WebSocket만 쓰십시오."
            ),
        ),
        2 => (
            said!(
                "The method is not GET, or something on the way changed it.",
                "GET이 아니거나 중간에서 메서드가 바뀌었습니다."
            ),
            said!(
                "Look at the proxy's rewrite rules for this path.",
                "이 경로에 대한 프록시의 재작성 규칙을 보십시오."
            ),
        ),
        3 => (
            said!(
                "The server saw something else than what was sent: most often a proxy lost the Upgrade header of a WebSocket request (TRANSPORT_MISMATCH).",
                "서버가 보낸 것과 다른 것을 받았습니다. 대개 프록시가 WebSocket 요청의 Upgrade 헤더를 버린 것입니다(TRANSPORT_MISMATCH)."
            ),
            said!("Let the proxy pass the upgrade on.", "프록시가 업그레이드를 넘기게 하십시오."),
        ),
        4 => (
            said!(
                "The application's own `allowRequest` said no.",
                "애플리케이션의 `allowRequest`가 거절했습니다."
            ),
            said!(
                "Look there for what it checks: origin, token, cookie.",
                "그곳에서 무엇을 검사하는지 보십시오: 출처, 토큰, 쿠키."
            ),
        ),
        _ => (
            said!(
                "Client and server speak different versions of the protocol (`EIO=` in the query): a client 1.x or 2.x and a server 3.x or 4.x, or the other way round.",
                "클라이언트와 서버의 프로토콜 버전(쿼리의 `EIO=`)이 다릅니다. 1.x·2.x 클라이언트와 3.x·4.x 서버이거나 그 반대입니다."
            ),
            said!(
                "Use a client of the same major version, or `allowEIO3: true` at the server.",
                "같은 주 버전의 클라이언트를 쓰거나 서버에 `allowEIO3: true`를 주십시오."
            ),
        ),
    }
}

/// The code of an error of Engine.IO, by words that nobody else uses.
pub(crate) fn engine_error(answer: &Answer) -> Option<u64> {
    if !matches!(answer.status, 400 | 403) {
        return None;
    }
    // To an upgrade it answers with the words alone.
    if let Some(code) = words(&answer.body.0) {
        return Some(code);
    }
    let value: Value = serde_json::from_slice(&answer.body.0).ok()?;
    if let Some(text) = value.as_str() {
        return python(text);
    }
    let message = value.get("message")?.as_str()?;
    let code = value.get("code")?.as_u64()?;
    (MESSAGES.get(usize::try_from(code).ok()?) == Some(&message)).then_some(code)
}

/// By their codes.
const MESSAGES: [&str; 6] = [
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
];

/// "Bad request" and "Forbidden" anybody may say.
fn words(body: &[u8]) -> Option<u64> {
    let code = MESSAGES.iter().position(|message| message.as_bytes() == body)?;
    u64::try_from(code).ok().filter(|code| !matches!(code, 3 | 4))
}

/// python-engineio writes a string of JSON.
fn python(text: &str) -> Option<u64> {
    if text == "Invalid transport" {
        return Some(0);
    }
    if text.starts_with("Invalid session") {
        return Some(1);
    }
    text.contains("unsupported version of the Socket.IO or Engine.IO protocol").then_some(5)
}

/// Engine.IO 3, of Socket.IO 1 and 2, writes the length before each packet.
fn is_old(answer: &Answer) -> bool {
    let text = answer.text();
    let packet = text.trim_start_matches(|c: char| c.is_ascii_digit());
    answer.status == 200 && packet.len() < text.len() && packet.starts_with(":0{\"sid\"")
}
