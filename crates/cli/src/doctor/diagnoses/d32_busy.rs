//! A limit is reached.

use super::prelude::*;
use crate::doctor::proxies::Proxy;

pub(super) const D32: Diagnosis = Diagnosis {
    code: "D32",
    class: Class::Handshake,
    title: Text::new("a limit is reached", "한도에 도달했습니다"),
    means: Text::new(
        "429 or 503: too many connections or requests, of this client or altogether.",
        "429 또는 503: 이 클라이언트나 전체의 연결, 요청이 너무 많습니다.",
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
    let is_busy = |answer: &&Answer| matches!(answer.status, 429 | 503);
    // The first connection opened, and one more to be held did not.
    let further = || evidence.looked(LookKind::Reconnect).filter(|_| evidence.could_not_hold());
    let answer = evidence.refusal().filter(is_busy).or_else(|| further().filter(is_busy))?;
    let seen = Seen::answer(answer);
    let after = answer.header("retry-after").unwrap_or("—").to_owned();
    if let Some(code) = answer.header("madang-code") {
        return Some(seen.means(said!(
            "It is the Madang server's own limit; `madang explain {code}` says which. Retry-After: {after}.",
            "Madang 서버 자체의 한도입니다. `madang explain {code}`가 설명합니다. Retry-After: {after}."
        )));
    }
    let whose = Proxy::of(answer).map_or_else(
        || said!("the server behind (it names no proxy)", "뒤의 서버(프록시 표시가 없음)"),
        |proxy| Said::same(proxy.name()),
    );
    let (en, ko) = (whose.en, whose.ko);
    Some(seen.means(said!(
        "The limit is that of {en}. Retry-After: {after}.",
        "{ko}의 한도입니다. Retry-After: {after}."
    )))
}
