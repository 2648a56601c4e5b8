//! Heart-beats are off.

use super::prelude::*;

/// Longer than many proxies wait, in milliseconds.
const LONGEST: u32 = 55_000;

pub(super) const D52: Diagnosis = Diagnosis {
    code: "D52",
    class: Class::Socket,
    title: Text::new(
        "STOMP heart-beats are off, or too far apart",
        "STOMP 하트비트가 꺼져 있거나 너무 드뭅니다",
    ),
    means: Text::new(
        "The server agreed to no heart-beat in one direction or both, or to one a minute or less. A dead connection is then noticed only when somebody writes, and proxies cut the quiet one (D41).",
        "서버가 한쪽이나 양쪽의 하트비트에 동의하지 않았거나 아주 드물게만 동의했습니다. 죽은 연결은 무언가 쓸 때에야 드러나고, 프록시는 조용한 연결을 끊습니다(D41).",
    ),
    cure: Text::new(
        "Switch them on: RabbitMQ and Spring take 10000,10000 (Spring's simple broker needs `setTaskScheduler`). Values of more than 30 s are longer than many proxies wait.",
        "켜십시오. RabbitMQ와 Spring은 10000,10000을 씁니다(Spring simple broker는 `setTaskScheduler` 필요). 30초보다 길면 많은 프록시가 기다려 주지 않습니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: true,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let Login::In { heartbeat: Some((sends, wants)) } = evidence.socket.as_ref()?.login.as_ref()?
    else {
        return None;
    };
    let too_long = (*sends).max(*wants) > LONGEST;
    (*sends == 0 || *wants == 0 || too_long).then(|| {
        Seen::new([said!(
            "asked for heart-beat:10000,10000; the server answered heart-beat:{sends},{wants}",
            "heart-beat:10000,10000을 요청, 서버의 답은 heart-beat:{sends},{wants}"
        )])
    })?
}
