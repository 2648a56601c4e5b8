//! Every other poll fails.

use super::prelude::*;

pub(super) const D49: Diagnosis = Diagnosis {
    code: "D49",
    class: Class::Http,
    title: Text::new(
        "polls of one session reach different nodes",
        "한 세션의 폴링이 여러 노드로 흩어집니다",
    ),
    means: Text::new(
        "Of several requests of one session some are known and some are not: there are several nodes, each with its own sessions, and the balancer shares requests between them.",
        "한 세션의 요청 가운데 일부만 알아봅니다. 노드가 여럿이고 저마다 세션을 따로 가졌는데 로드 밸런서가 요청을 나누어 보냅니다.",
    ),
    cure: Text::new(
        "Give the balancer affinity, by a cookie or by the session's name:",
        "로드 밸런서에 쿠키나 세션 이름으로 고정 세션을 설정하십시오:",
    ),
    lines: Lines::Affinity,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let polls = evidence.polls.get(1..)?;
    let answers: Vec<_> = polls.iter().filter_map(|poll| poll.came.answer()).collect();
    let unknown = |answer: &Answer| super::engine_error(answer) == Some(1) || answer.status == 404;
    let bad = answers.iter().filter(|answer| unknown(answer)).count();
    let good = answers.iter().filter(|answer| matches!(answer.status, 200 | 204)).count();
    if bad == 0 || good == 0 {
        return None;
    }
    let list =
        answers.iter().map(|answer| answer.status.to_string()).collect::<Vec<_>>().join(", ");
    let mut wire = vec![said!(
        "requests of one session, each on its own connection: {list}",
        "한 세션의 요청, 연결마다 하나씩: {list}"
    )];
    let cookies = answers.iter().filter_map(|answer| answer.header("set-cookie"));
    if let Some(cookie) = cookies.take(1).next() {
        wire.push(said!("cookie set again: {cookie}", "쿠키가 다시 설정됨: {cookie}"));
    }
    wire.extend(answers.iter().find(|answer| unknown(answer)).map(|answer| shown(answer)));
    Seen::new(wire)
}
