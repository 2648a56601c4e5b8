//! Nothing listens.

use super::prelude::*;

pub(super) const D03: Diagnosis = Diagnosis {
    code: "D03",
    class: Class::Network,
    title: Text::new("nothing listens on this port", "이 포트에서 기다리는 프로그램이 없습니다"),
    means: Text::new(
        "The machine is there and says at once that no program takes connections on this port: the server does not run, listens on another port, or only on 127.0.0.1 of its own machine or container.",
        "컴퓨터는 살아 있지만 이 포트로 연결을 받는 프로그램이 없다고 바로 답합니다. 서버가 꺼져 있거나, 다른 포트를 쓰거나, 자기 컴퓨터나 컨테이너의 127.0.0.1에서만 기다리고 있습니다.",
    ),
    cure: Text::new(
        "On that machine: `ss -ltnp`. A server in a container must listen on 0.0.0.0 and its port be published.",
        "그 컴퓨터에서 `ss -ltnp`를 실행해 보십시오. 컨테이너 안의 서버는 0.0.0.0에서 기다려야 하고 포트가 공개되어 있어야 합니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let none_opens = evidence.dials.iter().all(|dial| dial.came != Dialed::Open);
    let refused = evidence.dials.iter().any(|dial| dial.came == Dialed::Refused);
    if !none_opens || !refused {
        return None;
    }
    let seen = with_proxy(Seen::new(evidence.dials.iter().map(dial))?, evidence);
    if evidence.proxy.is_some() {
        return Some(seen.means(said!(
            "Nothing listens where --proxy says that the proxy is.",
            "--proxy가 가리키는 곳에서 기다리는 프로그램이 없습니다."
        )));
    }
    let port = evidence.target.port;
    let lines = vec![
        format!("docker run -p {port}:{port} …      # docker ps shows what is published"),
        format!("madang serve --listen 0.0.0.0:{port}"),
    ];
    Some(seen.lines(lines))
}

/// An attempt, in words.
pub(super) fn dial(dial: &Dial) -> Said {
    let (address, took) = (dial.address, dial.took.as_millis());
    match &dial.came {
        Dialed::Open => said!("TCP {address}: open ({took} ms)", "TCP {address}: 열림 ({took} ms)"),
        Dialed::Refused => {
            said!("TCP {address}: refused, RST ({took} ms)", "TCP {address}: 거절, RST ({took} ms)")
        }
        Dialed::Silence => {
            said!("TCP {address}: no answer ({took} ms)", "TCP {address}: 응답 없음 ({took} ms)")
        }
        Dialed::Failed(why) => said!("TCP {address}: {why}", "TCP {address}: {why}"),
    }
}
