//! A page answered.

use super::prelude::*;

pub(super) const D20: Diagnosis = Diagnosis {
    code: "D20",
    class: Class::Handshake,
    title: Text::new(
        "an ordinary page answered, not the WebSocket server",
        "WebSocket 서버가 아니라 일반 페이지가 답했습니다",
    ),
    means: Text::new(
        "The path is not routed to the server of WebSockets: a static site, an application's catch-all (its index.html for every path), or a plain resource answered with 200.",
        "이 경로가 WebSocket 서버로 연결되어 있지 않습니다. 정적 사이트나, 모든 경로에 index.html을 주는 애플리케이션, 또는 일반 자원이 200으로 답했습니다.",
    ),
    cure: Text::new(
        "Give the path a route of its own in the proxy, above the catch-all, to the server of WebSockets; or correct the path.",
        "프록시에서 이 경로를 catch-all보다 위에 따로 두어 WebSocket 서버로 보내거나, 경로를 고치십시오.",
    ),
    lines: Lines::Upgrade,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal().filter(|answer| matches!(answer.status, 200 | 204))?;
    let mut seen = Seen::answer(answer);
    let body = answer.lower();
    let shell = [
        "id=\"root\"",
        "id=root",
        "id=\"app\"",
        "id=app",
        "id=\"__next\"",
        "<app-root",
        "id=\"__nuxt\"",
    ];
    if answer.is_html() && shell.iter().any(|mark| body.contains(mark)) {
        seen = seen.means(said!(
            "This is the start page of a single-page application: its fallback answers every path that nothing else does, so also this one.",
            "단일 페이지 애플리케이션의 시작 페이지입니다. 다른 규칙에 없는 모든 경로에 이 대체 페이지가 답하는데, 이 경로도 그렇습니다."
        ));
    }
    Some(super::d23_path::with_found(evidence, seen))
}
