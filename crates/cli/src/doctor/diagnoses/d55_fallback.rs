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
    let wire = [said!("{url}: 200", "{url}: 200"), said!("{socket}: {what}", "{socket}: {what}")];
    let seen = Seen::new(wire)?;
    Some(if is_switched_off(evidence) { seen.means(OFF.into()).cure(ON.into()) } else { seen })
}

pub(super) const OFF: Text = Text::new(
    "The WebSocket is switched off at the server: SockJS's /info says `\"websocket\": false`, so its clients do not even try, and poll.",
    "서버에서 WebSocket이 꺼져 있습니다. SockJS의 /info가 `\"websocket\": false`라고 하므로 클라이언트는 시도하지도 않고 폴링합니다.",
);
pub(super) const ON: Text = Text::new(
    "Switch it on where the server is made (`websocket: true`; Spring: `setWebSocketEnabled(true)`); the path and the proxy are not to blame.",
    "서버를 만드는 곳에서 켜십시오(`websocket: true`, Spring은 `setWebSocketEnabled(true)`). 경로나 프록시 탓이 아닙니다.",
);

/// `SockJS` says itself that it opens none.
pub(super) fn is_switched_off(evidence: &Evidence) -> bool {
    let info = evidence.polls.first().and_then(|poll| poll.came.answer());
    let info = info.filter(|_| evidence.door == crate::doctor::ask::Door::Sockjs);
    let value =
        info.and_then(|info| serde_json::from_slice::<serde_json::Value>(&info.body.0).ok());
    value.is_some_and(|value| value.get("websocket") == Some(&serde_json::Value::Bool(false)))
}
