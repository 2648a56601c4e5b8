//! 405.

use super::prelude::*;

pub(super) const D29: Diagnosis = Diagnosis {
    code: "D29",
    class: Class::Handshake,
    title: Text::new("this path takes no GET", "이 경로는 GET을 받지 않습니다"),
    means: Text::new(
        "A WebSocket is opened with GET, and the path knows other methods only: it is an address for posting, or a CDN or server without WebSockets.",
        "WebSocket은 GET으로 엽니다. 이 경로는 다른 메서드만 압니다. 글을 올리는 주소이거나 WebSocket을 모르는 CDN·서버입니다.",
    ),
    cure: Text::new(
        "Use the WebSocket's own path; switch WebSockets on at the CDN.",
        "WebSocket용 경로를 쓰거나 CDN에서 WebSocket을 켜십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal().filter(|answer| answer.status == 405)?;
    let seen = Seen::answer(answer);
    // Directly the path takes it.
    if let Some(line) = super::d22_upgrade_lost::unrouted(evidence) {
        return Some(seen.also(line));
    }
    Some(super::d23_path::with_found(evidence, seen))
}
