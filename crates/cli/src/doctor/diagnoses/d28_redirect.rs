//! A redirect.

use super::prelude::*;

pub(super) const D28: Diagnosis = Diagnosis {
    code: "D28",
    class: Class::Handshake,
    title: Text::new(
        "the server redirects, which WebSockets do not follow",
        "리다이렉트로 답하는데 WebSocket은 따라가지 않습니다",
    ),
    means: Text::new(
        "Browsers follow no redirect when they open a WebSocket: the handshake just fails.",
        "브라우저는 WebSocket을 열 때 리다이렉트를 따라가지 않고 그대로 실패합니다.",
    ),
    cure: Text::new(
        "Use the final URL (https → wss, the slash at the end, www).",
        "최종 URL을 쓰십시오(https → wss, 끝의 빗금, www).",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    // Streams of events are followed, as by browsers.
    let fits = |answer: &&Answer| {
        matches!(answer.status, 301 | 302 | 303 | 307 | 308) && evidence.wanted != Wanted::Events
    };
    let answer = evidence.refusal().filter(fits)?;
    let seen = Seen::answer(answer);
    let to = answer.header("location").unwrap_or_default();
    if is_login(to) {
        return Some(logged_out(seen));
    }
    let ws = to.replacen("https://", "wss://", 1).replacen("http://", "ws://", 1);
    Some(seen.lines(if ws.contains("://") {
        vec![format!("new WebSocket(\"{ws}\")")]
    } else {
        Vec::new()
    }))
}

/// By the name of its path.
pub(super) fn is_login(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default().to_lowercase();
    ["login", "signin", "sign_in", "sso", "oauth", "auth/"].iter().any(|word| path.contains(word))
}

pub(super) fn logged_out(seen: Seen) -> Seen {
    seen
            .means(said!(
                "It leads to a login page: the session is missing or over.",
                "로그인 페이지로 보냅니다. 세션이 없거나 끝났습니다."
            ))
            .cure(said!(
                "Log in, and send what the login gave: --header 'Cookie: …' or --token; a page has to log in before it opens the WebSocket.",
                "로그인해서 받은 것을 보내십시오: --header 'Cookie: …' 또는 --token. 페이지는 WebSocket을 열기 전에 로그인해야 합니다."
            ))
}
