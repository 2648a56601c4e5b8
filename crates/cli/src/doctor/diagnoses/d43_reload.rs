//! All cut at once.

use super::prelude::*;

pub(super) const D43: Diagnosis = Diagnosis {
    code: "D43",
    class: Class::Socket,
    title: Text::new("all connections end at one moment", "모든 연결이 한순간에 끝납니다"),
    means: Text::new(
        "Two connections of different ages ended together: not a time limit, but a reload or restart of the proxy or the server in that moment.",
        "나이가 다른 두 연결이 동시에 끝났습니다. 시간 한도가 아니라 그 순간 프록시나 서버가 설정을 다시 읽거나 다시 시작한 것입니다.",
    ),
    cure: Text::new(
        "Let old workers keep their connections after a reload, reload less often, or let the server drain slowly (`madang serve --drain`).",
        "설정을 다시 읽은 뒤에도 이전 워커가 연결을 유지하게 하거나, 덜 자주 읽게 하거나, 서버가 천천히 내보내게 하십시오(`madang serve --drain`).",
    ),
    lines: Lines::Reload,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let hold = evidence.hold.as_ref()?;
    let (idle, pinging) = (hold.idle.as_ref()?, hold.pinging.as_ref()?);
    // The same moment is another age.
    let apart = idle.after.abs_diff(hold.later + pinging.after);
    let ages = idle.after.abs_diff(pinging.after);
    (apart < hold.later / 2 && ages > apart)
        .then(|| Seen::new(super::d42_lifetime::ends(hold, pinging)))
        .flatten()
}
