//! A lifetime.

use super::prelude::*;

pub(super) const D42: Diagnosis = Diagnosis {
    code: "D42",
    class: Class::Socket,
    title: Text::new(
        "connections live only so long, whatever they do",
        "무엇을 하든 연결의 수명이 정해져 있습니다",
    ),
    means: Text::new(
        "The idle connection and the one with pings, opened at different times, ended at the same age: a hard limit of a gateway, a platform or the server.",
        "서로 다른 때에 연 조용한 연결과 ping을 보내는 연결이 같은 나이에 끝났습니다. 게이트웨이, 플랫폼, 서버의 절대 한도입니다.",
    ),
    cure: Text::new(
        "Raise it if it is yours; otherwise plan for it: clients reconnect and resume where they were.",
        "직접 정한 한도라면 올리고, 아니라면 계획에 넣으십시오. 클라이언트가 다시 접속해 이어 가야 합니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let hold = evidence.hold.as_ref()?;
    let pinging = hold.pinging.as_ref()?;
    Seen::new(ends(hold, pinging))
}

/// Both ends, in words.
pub(super) fn ends(hold: &Hold, pinging: &End) -> Vec<Said> {
    let mut wire = Vec::new();
    if let Some(idle) = &hold.idle {
        wire.push(
            said!("the idle connection:", "조용한 연결:").join(&super::d40_close::told(idle)),
        );
    }
    wire.push(
        said!("the one that pings:", "ping을 보내는 연결:").join(&super::d40_close::told(pinging)),
    );
    let later = seconds(hold.later);
    wire.push(said!("it was opened {later} s later", "{later}초 뒤에 열었음"));
    wire
}
