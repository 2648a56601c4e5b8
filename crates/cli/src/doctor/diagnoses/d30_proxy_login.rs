//! 407.

use super::prelude::*;

pub(super) const D30: Diagnosis = Diagnosis {
    code: "D30",
    class: Class::Handshake,
    title: Text::new("a proxy on the way wants a login", "중간 프록시가 로그인을 요구합니다"),
    means: Text::new(
        "Not the server answered but a proxy of this network, which lets through only who has logged in to it.",
        "서버가 아니라 이 네트워크의 프록시가 답했습니다. 로그인한 사용자만 통과시킵니다.",
    ),
    cure: Text::new(
        "Set the system's proxy with its login, or have the host exempted; wss:// passes many proxies that ws:// does not, as they only see a tunnel.",
        "시스템 프록시와 로그인 정보를 설정하거나 이 호스트를 예외로 두게 하십시오. wss://는 터널로만 보여 ws://를 막는 프록시도 대개 통과합니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees: |evidence| Some(Seen::answer(evidence.refusal().filter(|answer| answer.status == 407)?)),
};
