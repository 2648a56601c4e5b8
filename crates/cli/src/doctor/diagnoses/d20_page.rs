//! A page answered.

use super::prelude::*;

pub(super) const D20: Diagnosis = Diagnosis {
    code: "D20",
    class: Class::Handshake,
    title: Text::new(
        "an ordinary page answered, not a WebSocket or a stream of events",
        "WebSocket이나 이벤트 스트림이 아니라 일반 페이지가 답했습니다",
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
    let seen = Seen::answer(answer);
    if evidence.wanted == Wanted::Events {
        let to = |hop: &Exchange| hop.came.answer()?.header("location").map(str::to_owned);
        let last = evidence.redirects.last().and_then(to);
        if last.is_some_and(|to| super::d28_redirect::is_login(&to)) {
            let mut seen = super::d28_redirect::logged_out(seen);
            seen.no_proxy = true;
            return Some(seen);
        }
        return Some(events(answer, seen));
    }
    let means = if is_shell(answer) { START_PAGE } else { D20.means };
    Some(super::d23_path::told(evidence, answer, seen, means.into()))
}

const START_PAGE: Text = Text::new(
    "This is the start page of a single-page application: its fallback answers every path that nothing else does, so also this one.",
    "단일 페이지 애플리케이션의 시작 페이지입니다. 다른 규칙에 없는 모든 경로에 이 대체 페이지가 답하는데, 이 경로도 그렇습니다.",
);

fn is_shell(answer: &Answer) -> bool {
    let body = answer.lower();
    let marks = [
        "id=\"root\"",
        "id=root",
        "id=\"app\"",
        "id='app'",
        "id=app",
        "id=\"__next\"",
        "<app-root",
        "id=\"__nuxt\"",
    ];
    answer.is_html() && marks.iter().any(|mark| body.contains(mark))
}

/// What `EventSource` makes of it (HTML §9.2.3); no upgrade has to do with it.
fn events(answer: &Answer, seen: Seen) -> Seen {
    let mut seen = if answer.status == 204 {
        seen.means(said!(
            "204 tells EventSource to stop for good: it does not come back.",
            "204는 EventSource에 아주 그만두라는 뜻입니다. 다시 연결하지 않습니다."
        ))
        .cure(said!(
            "Answer 200 with `Content-Type: text/event-stream` while there may be events, and 204 only to end a client.",
            "이벤트가 있을 수 있으면 200과 `Content-Type: text/event-stream`으로 답하고, 204는 클라이언트를 끝낼 때만 쓰십시오."
        ))
    } else if answer.is_html() {
        let page = if is_shell(answer) { START_PAGE } else { PAGE };
        seen.means(page.into()).cure(said!(
            "Give the path a route of its own in the proxy, above the catch-all, to the server of the stream; or correct the path.",
            "프록시에서 이 경로를 catch-all보다 위에 따로 두어 스트림 서버로 보내거나, 경로를 고치십시오."
        ))
    } else {
        let kind = answer.header("content-type").unwrap_or("—").to_owned();
        seen.means(said!(
            "The Content-Type is wrong ({kind}): EventSource takes text/event-stream and nothing else, whatever the body is.",
            "Content-Type이 틀렸습니다({kind}). EventSource는 본문이 무엇이든 text/event-stream만 받습니다."
        ))
        .cure(said!(
            "Let the server send `Content-Type: text/event-stream`; if this is another resource, correct the path.",
            "서버가 `Content-Type: text/event-stream`을 보내게 하십시오. 다른 자원이라면 경로를 고치십시오."
        ))
    };
    seen.no_proxy = true;
    seen
}

const PAGE: Text = Text::new(
    "The path is not routed to the server of the stream: a page answered.",
    "이 경로가 스트림 서버로 연결되어 있지 않습니다. 페이지가 답했습니다.",
);
