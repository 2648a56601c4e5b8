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
    let seen = Seen::answer(answer);
    if super::d55_fallback::is_switched_off(evidence) {
        let mut seen =
            seen.means(super::d55_fallback::OFF.into()).cure(super::d55_fallback::ON.into());
        seen.no_proxy = true;
        return Some(seen);
    }
    let mut seen = told(evidence, answer, seen, D23.means.into());
    seen.no_proxy |= evidence.wanted == Wanted::Events;
    Some(seen)
}

/// Whether it is the path, the route or the upgrade, as far as that was seen; else `means`.
pub(super) fn told(evidence: &Evidence, answer: &Answer, seen: Seen, means: Said) -> Seen {
    use super::d22_upgrade_lost::{may_be_lost, unrouted};
    if let Some(line) = unrouted(evidence) {
        return seen.also(line).means(said!(
            "The proxy does not send this path to the server of WebSockets, which opens it when it is asked directly: the proxy answers by itself, asks another server, or changes the path.",
            "프록시가 이 경로를 WebSocket 서버로 보내지 않습니다. 직접 요청하면 그 서버는 엽니다. 프록시가 스스로 답하거나, 다른 서버에 묻거나, 경로를 바꿉니다."
        ))
        .cure(said!(
            "Route the path to that server in the proxy, unchanged, and above the catch-all:",
            "프록시에서 이 경로를 바꾸지 말고 catch-all보다 위에서 그 서버로 보내십시오:"
        ));
    }
    let means = match may_be_lost(evidence, answer) {
        Some(perhaps) => means.join(&perhaps),
        None => means,
    };
    with_found(evidence, seen.means(means))
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
