//! The wrong path.

use super::prelude::*;

pub(super) const D23: Diagnosis = Diagnosis {
    code: "D23",
    class: Class::Handshake,
    title: Text::new("nothing is at this path", "이 경로에는 아무것도 없습니다"),
    means: Text::new(
        "The server, or the proxy in front of it, knows nothing at this path.",
        "서버나 그 앞의 프록시가 이 경로를 모릅니다.",
    ),
    cure: Text::new(
        "Correct the path: case, a prefix that a proxy adds or strips, a slash at the end. If the path is right at the server, route it there in the proxy.",
        "경로를 고치십시오: 대소문자, 프록시가 붙이거나 떼는 접두사, 끝의 빗금. 서버에서는 맞는 경로라면 프록시에서 그리로 보내십시오.",
    ),
    lines: Lines::Upgrade,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    if evidence.unanswered().is_some() && evidence.look(LookKind::KnownPath).is_some() {
        let seen = Seen::new([said!(
            "at this path the server hangs up, or stays mute",
            "이 경로에서는 서버가 끊거나 아무 말도 하지 않음"
        )])?;
        return Some(with_found(evidence, seen));
    }
    let answer = evidence.refusal().filter(|answer| matches!(answer.status, 404 | 410))?;
    Some(with_found(evidence, Seen::answer(answer)))
}

/// The path that does answer, if one of the usual ones does.
pub(super) fn with_found(evidence: &Evidence, seen: Seen) -> Seen {
    let Some(look) = evidence.look(LookKind::KnownPath) else { return seen };
    let Some(status) = look.exchange.came.answer().map(|answer| answer.status) else { return seen };
    let url = look.exchange.url.clone();
    let seen = seen.also(said!("{url} answers: {status}", "{url}은 답합니다: {status}"));
    let mut seen =
        seen.cure(said!("Use the path that answers: {url}", "답하는 경로를 쓰십시오: {url}"));
    seen.no_proxy = true;
    seen
}
