//! Stuck on polling.

use super::prelude::*;

pub(super) const D55: Diagnosis = Diagnosis {
    code: "D55",
    class: Class::Handshake,
    title: Text::new(
        "polling works, the WebSocket does not: clients stay on the fallback",
        "폴링은 되고 WebSocket은 안 되어 대체 수단에 머무릅니다",
    ),
    means: Text::new(
        "The application seems to work, slowly and at many times the load: every client polls. The reason why the WebSocket fails follows.",
        "애플리케이션은 되는 것처럼 보이지만 느리고 부하가 몇 배입니다. 모든 클라이언트가 폴링합니다. WebSocket이 실패하는 이유가 다음에 나옵니다.",
    ),
    cure: Text::new(
        "Cure what follows; the clients then upgrade by themselves.",
        "다음 원인을 고치면 클라이언트가 스스로 업그레이드합니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: true,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let poll = evidence.polls.first()?;
    let good = poll.came.answer().is_some_and(|answer| answer.status == 200);
    let leg =
        evidence.wanted == Wanted::Upgrade && !evidence.answer_ok && evidence.answer.is_some();
    if !good || !leg {
        return None;
    }
    let url = &poll.url;
    let what =
        evidence.answered().map_or_else(|| "—".to_owned(), |answer| answer.status.to_string());
    let socket = evidence.answer.as_ref().map(|exchange| exchange.url.clone()).unwrap_or_default();
    Seen::new([said!("{url}: 200", "{url}: 200"), said!("{socket}: {what}", "{socket}: {what}")])
}
