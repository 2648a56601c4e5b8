//! A limit is reached.

use super::prelude::*;
use crate::doctor::proxies::Proxy;

pub(super) const D32: Diagnosis = Diagnosis {
    code: "D32",
    class: Class::Handshake,
    title: Text::new("a limit is reached", "한도에 도달했습니다"),
    means: Text::new(
        "429, or 503 with a word about it: too many connections or requests, of this client or altogether.",
        "429, 또는 그렇다고 말하는 503: 이 클라이언트나 전체의 연결, 요청이 너무 많습니다.",
    ),
    cure: Text::new(
        "Wait as long as Retry-After says; let clients come back spread over time; raise the limit where it belongs.",
        "Retry-After만큼 기다리고, 클라이언트가 시간을 두고 다시 오게 하고, 해당하는 곳의 한도를 올리십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    // The first connection opened, and one more to be held did not.
    let further = || {
        let looked = evidence.looked(LookKind::Reconnect).filter(|_| evidence.could_not_hold());
        looked.filter(|answer| matches!(answer.status, 429 | 503))
    };
    let answer = evidence.refusal().filter(|answer| is_limit(answer)).or_else(further)?;
    let seen = Seen::answer(answer);
    let after = answer.header("retry-after").map(str::to_owned);
    let seen = match &after {
        Some(_) => seen,
        None => seen.cure(said!(
            "It does not say when to come back (no Retry-After): let clients wait longer each time, spread over time; raise the limit where it belongs.",
            "언제 다시 올지 말하지 않습니다(Retry-After 없음). 클라이언트가 점점 더 오래, 시간을 두고 기다리게 하고, 해당하는 곳의 한도를 올리십시오."
        )),
    };
    let after = after.map(|after| format!(" Retry-After: {after}.")).unwrap_or_default();
    if let Some(code) = answer.header("madang-code") {
        return Some(seen.means(said!(
            "It is the Madang server's own limit; `madang explain {code}` says which.{after}",
            "Madang 서버 자체의 한도입니다. `madang explain {code}`가 설명합니다.{after}"
        )));
    }
    let whose = Proxy::of(answer).map_or_else(
        || said!("the server behind (it names no proxy)", "뒤의 서버(프록시 표시가 없음)"),
        |proxy| Said::same(proxy.name()),
    );
    let (en, ko) = (whose.en, whose.ko);
    if answer.status == 503 && after.is_empty() {
        return Some(seen.means(said!(
            "The limit is that of {en} (of nginx: limit_req or limit_conn), or it is starting, stopping or overloaded; a proxy may also have nobody behind it that is fit to be asked.",
            "{ko}의 한도이거나(nginx라면 limit_req나 limit_conn), 켜지는 중, 꺼지는 중, 또는 과부하입니다. 프록시라면 뒤에 물어볼 만한 서버가 없을 수도 있습니다."
        )));
    }
    Some(seen.means(said!("The limit is that of {en}.{after}", "{ko}의 한도입니다.{after}")))
}

/// 429, or a 503 that no proxy says because nobody is behind it.
pub(super) fn is_limit(answer: &Answer) -> bool {
    let body = answer.lower();
    let marks = ["too many", "limit", "quota", "capacity", "overload", "throttl"];
    let says = || {
        answer.header("retry-after").is_some()
            || answer.header("madang-code").is_some()
            || marks.iter().any(|mark| body.contains(mark))
    };
    match answer.status {
        429 => true,
        503 if super::d33_backend::is_backend(answer) => false,
        503 => says() || !super::d33_backend::is_ingress(answer),
        _ => false,
    }
}
