//! 401 and 403: the page, the person, or the program.

use super::prelude::*;
use crate::doctor::proxies::{self, Proxy};

pub(super) const D27: Diagnosis = Diagnosis {
    code: "D27",
    class: Class::Handshake,
    title: Text::new("the server refuses this client", "서버가 이 클라이언트를 거절합니다"),
    means: Text::new(
        "The request arrived and was not allowed. Browsers tell a page nothing of this but 1006.",
        "요청은 도착했지만 허용되지 않았습니다. 브라우저는 페이지에 1006밖에 알려 주지 않습니다.",
    ),
    cure: Text::new(
        "Look at what the server checks at the handshake: origin, cookie, token, address.",
        "서버가 핸드셰이크에서 무엇을 검사하는지 보십시오: 출처, 쿠키, 토큰, 주소.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let opens = evidence.opens(LookKind::NoOrigin) || evidence.opens(LookKind::OwnOrigin);
    let fits = |answer: &&Answer| {
        matches!(answer.status, 401 | 403)
            || opens
            || super::walls::of(answer).is_some()
            || refuses_origin(answer)
    };
    let answer = evidence.refusal().filter(fits)?;
    let mut seen = Seen::answer(answer);
    for (kind, en, ko) in [
        (LookKind::NoOrigin, "without Origin", "Origin 없이"),
        (LookKind::OwnOrigin, "with the server's own Origin", "서버 자신의 Origin으로"),
        (LookKind::NoCookie, "without the cookie", "쿠키 없이"),
        (LookKind::NoAuthorization, "without Authorization", "Authorization 없이"),
        (LookKind::Direct, "directly", "직접"),
    ] {
        if let Some(status) = evidence.looked(kind).map(|answer| answer.status) {
            seen = seen.also(said!("the same {en}: {status}", "{ko} 다시: {status}"));
        }
    }
    Some(told_apart(evidence, answer, seen))
}

fn told_apart(evidence: &Evidence, answer: &Answer, seen: Seen) -> Seen {
    if heals(evidence) {
        return origin(evidence, seen);
    }
    if let Some(who) = super::walls::of(answer) {
        return seen
            .means(said!(
                "A firewall or bot wall ({who}) refuses this program or its address; it is neither the origin nor the login.",
                "방화벽이나 봇 차단막({who})이 이 프로그램이나 주소를 거절합니다. 출처나 로그인 문제가 아닙니다."
            ))
            .cure(said!(
                "Exempt the path of the WebSocket from the rule or the challenge: no client can solve one in a handshake.",
                "WebSocket 경로를 그 규칙이나 검사에서 제외하십시오. 핸드셰이크에서는 아무 클라이언트도 풀 수 없습니다."
            ));
    }
    if is_origin(answer) {
        return origin(evidence, seen);
    }
    let body = answer.lower();
    if evidence.opens(LookKind::NoCookie) {
        return seen
            .means(said!(
                "The cookie that was sent is the reason: it has expired, or another session's.",
                "보낸 쿠키가 원인입니다. 만료되었거나 다른 세션의 것입니다."
            ))
            .cure(said!(
                "Log in anew, and send the new cookie.",
                "다시 로그인해서 새 쿠키를 보내십시오."
            ));
    }
    if evidence.opens(LookKind::NoAuthorization) {
        return seen
            .means(said!(
                "The Authorization that was sent is the reason: without it the server lets us in.",
                "보낸 Authorization이 원인입니다. 없으면 들어갈 수 있습니다."
            ))
            .cure(said!("Take a fresh token.", "새 토큰을 받으십시오."));
    }
    if body.contains("csrf") {
        return seen
            .means(said!("The server wants its CSRF token.", "서버가 CSRF 토큰을 요구합니다."))
            .cure(said!("Exempt the handshake, whose Origin is checked instead, or send the token in the query.", "핸드셰이크는 Origin으로 검사하므로 제외하거나, 토큰을 쿼리로 보내십시오."));
    }
    login(evidence, answer, seen)
}

/// With another origin it opens.
fn heals(evidence: &Evidence) -> bool {
    let sent = evidence.sent.origin.is_some();
    evidence.opens(LookKind::OwnOrigin) || (sent && evidence.opens(LookKind::NoOrigin))
}

fn is_origin(answer: &Answer) -> bool {
    let body = answer.lower();
    let says = body.contains("origin")
        && !["original", "origin server", "origin is unreachable"]
            .iter()
            .any(|other| body.contains(other));
    answer.header("madang-code") == Some("M401") || says || refuses_origin(answer)
}

/// Some say it with 400, python-engineio among them.
fn refuses_origin(answer: &Answer) -> bool {
    let body = answer.lower();
    let marks = [
        "accepted origin",
        "origin not allowed",
        "origin is not allowed",
        "invalid origin",
        "cross origin",
    ];
    answer.status == 400 && marks.iter().any(|mark| body.contains(mark))
}

fn origin(evidence: &Evidence, seen: Seen) -> Seen {
    let Some(origin) = &evidence.sent.origin else {
        let seen = seen.cure(said!(
            "Give the page's: --origin https://PAGE.",
            "페이지의 출처를 주십시오: --origin https://PAGE."
        ));
        let is_own = evidence.opens(LookKind::OwnOrigin) && evidence.refusal().is_some();
        return seen.means(if is_own {
            said!(
                "The server wants an Origin header, as browsers send it: with its own it opens. Pages of other hosts it takes only if its list has them (Rails: allowed_request_origins).",
                "서버가 브라우저처럼 Origin 헤더를 요구합니다. 서버 자신의 출처로는 열립니다. 다른 호스트의 페이지는 목록에 있어야 받습니다(Rails: allowed_request_origins)."
            )
        } else {
            said!(
                "The server wants an Origin header, as browsers send it.",
                "서버가 브라우저처럼 Origin 헤더를 요구합니다."
            )
        });
    };
    let mut entry = vec![
        format!("madang serve --allowed-origin {origin}"),
        format!(
            "new Server(http, {{ cors: {{ origin: [\"{origin}\"], credentials: true }} }})   // Socket.IO"
        ),
        format!("socketio.Server(cors_allowed_origins=[\"{origin}\"])   # python-socketio"),
        format!("check_origin: [\"{origin}\"]   # Phoenix"),
        format!("config.action_cable.allowed_request_origins = [\"{origin}\"]   # Rails"),
    ];
    // A proxy that writes another Host makes the page's own origin a stranger.
    if let Some(proxy) = Proxy::seen(evidence) {
        entry.extend(proxies::lines(Lines::Origin, Some(proxy)));
    }
    seen.means(said!(
        "It is the origin: pages of {origin} are not on the server's list.",
        "출처 문제입니다. {origin}의 페이지는 서버의 목록에 없습니다."
    ))
    .cure(said!(
        "Add {origin} to the allowed origins of the server, exactly so:",
        "서버의 허용 출처에 {origin}을 그대로 더하십시오:"
    ))
    .lines(entry)
}

fn login(evidence: &Evidence, answer: &Answer, seen: Seen) -> Seen {
    let sent = &evidence.sent;
    let carried =
        sent.authorization || sent.cookie || sent.subprotocol_token || sent.query_token.is_some();
    let scheme = answer.header("www-authenticate").unwrap_or_default().to_owned();
    let wants = if scheme.is_empty() { String::new() } else { format!(" ({scheme})") };
    if carried {
        return seen
            .means(said!(
                "It is the login{wants}: what was sent as proof is not taken.",
                "로그인 문제입니다{wants}. 보낸 인증 정보를 받아들이지 않습니다."
            ))
            .cure(said!(
                "Take a fresh token or cookie, and see that it is meant for this server.",
                "새 토큰이나 쿠키를 받고, 이 서버용인지 확인하십시오."
            ));
    }
    if answer.status == 401 || !scheme.is_empty() {
        return seen
            .means(said!("It is the login{wants}: no proof was sent.", "로그인 문제입니다{wants}. 인증 정보를 보내지 않았습니다."))
            .cure(said!("Try with --token, --header 'Cookie: …' or a token in the query; a browser can send only cookies, the query and subprotocols.", "--token, --header 'Cookie: …', 또는 쿼리의 토큰으로 시도하십시오. 브라우저가 보낼 수 있는 것은 쿠키, 쿼리, 서브프로토콜뿐입니다."));
    }
    let server = answer.header("server").unwrap_or_default().to_ascii_lowercase();
    if ["uvicorn", "daphne", "hypercorn", "granian"].iter().any(|name| server.contains(name)) {
        return seen.means(said!(
            "Python's frameworks (Starlette, FastAPI, Channels) answer 403 when the application closes before it accepts, and also where no route fits the path.",
            "파이썬 프레임워크(Starlette, FastAPI, Channels)는 애플리케이션이 수락 전에 닫을 때, 그리고 경로에 맞는 라우트가 없을 때도 403으로 답합니다."
        ));
    }
    if sent.origin.is_some() {
        return seen;
    }
    seen.cure(said!(
        "Look at what the server checks at the handshake: origin, cookie, token, address. No Origin was sent, as a browser would: try with the page's, --origin https://PAGE.",
        "서버가 핸드셰이크에서 무엇을 검사하는지 보십시오: 출처, 쿠키, 토큰, 주소. 브라우저와 달리 Origin을 보내지 않았습니다. 페이지의 출처로 해 보십시오: --origin https://PAGE."
    ))
}
