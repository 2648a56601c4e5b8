//! Every other status.

use super::prelude::*;

pub(super) const D34: Diagnosis = Diagnosis {
    code: "D34",
    class: Class::Handshake,
    title: Text::new("the server answers with an error", "서버가 오류로 답했습니다"),
    means: Text::new(
        "The status says that no WebSocket is opened. 520 to 526 are Cloudflare's own: 520 the server's answer was empty or unknown, 521 it refused the connection, 522 the connection timed out, 523 it is unreachable, 524 it took the request and gave no answer in time, 525 the TLS handshake with it failed, 526 its certificate is not valid.",
        "상태 코드가 WebSocket이 열리지 않았음을 뜻합니다. 520~526은 Cloudflare 고유 코드입니다: 520 서버의 답이 비었거나 알 수 없음, 521 연결 거부, 522 연결 시간 초과, 523 닿을 수 없음, 524 요청을 받고 제때 답하지 않음, 525 TLS 악수 실패, 526 인증서가 유효하지 않음.",
    ),
    cure: Text::new(
        "The log of the server has the reason for this time; behind a proxy, look at both logs.",
        "이 시각의 서버 로그에 이유가 있습니다. 프록시 뒤라면 두 로그를 모두 보십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal().filter(|answer| answer.status != 101)?;
    let seen = Seen::answer(answer);
    let (means, cure) = match answer.status {
        520 => (
            said!(
                "Cloudflare (520): the server behind gave an empty or unknown answer.",
                "Cloudflare(520): 뒤의 서버가 빈 답이나 알 수 없는 답을 했습니다."
            ),
            said!(
                "See whether it crashes on the upgrade, or sends headers of more than 128 KB.",
                "업그레이드에서 죽거나 128KB가 넘는 헤더를 보내는지 보십시오."
            ),
        ),
        521 => (
            said!(
                "Cloudflare (521): the server behind refused the connection.",
                "Cloudflare(521): 뒤의 서버가 연결을 거부했습니다."
            ),
            said!(
                "Start it, and let Cloudflare's addresses pass its firewall.",
                "서버를 켜고 방화벽에서 Cloudflare 주소를 허용하십시오."
            ),
        ),
        522..=524 => (
            said!(
                "Cloudflare: the server behind was not reached, or did not answer in time.",
                "Cloudflare: 뒤의 서버에 닿지 못했거나 제때 답하지 않았습니다."
            ),
            said!(
                "Check its address in the DNS tab, its firewall, and why it is slow.",
                "DNS 탭의 주소, 방화벽, 그리고 느린 이유를 확인하십시오."
            ),
        ),
        525 | 526 => (
            said!(
                "Cloudflare: TLS with the server behind failed.",
                "Cloudflare: 뒤의 서버와의 TLS가 실패했습니다."
            ),
            said!(
                "Run `madang doctor --direct wss://ORIGIN` against it; SSL mode \"Full (strict)\" wants a valid certificate there.",
                "`madang doctor --direct wss://ORIGIN`으로 직접 확인하십시오. \"Full (strict)\" 모드는 유효한 인증서를 요구합니다."
            ),
        ),
        400 => (
            said!(
                "The server or a proxy could not make sense of the request.",
                "서버나 프록시가 요청을 이해하지 못했습니다."
            ),
            said!(
                "The body says more, if there is one; try --direct to see who answers.",
                "본문이 있으면 더 자세합니다. --direct로 누가 답하는지 보십시오."
            ),
        ),
        501 => (
            said!("What answers knows no WebSockets.", "답한 서버는 WebSocket을 모릅니다."),
            said!("Route the path to a server that does.", "WebSocket을 아는 서버로 보내십시오."),
        ),
        500 => (
            said!(
                "The application failed while it handled the handshake.",
                "애플리케이션이 핸드셰이크를 처리하다 실패했습니다."
            ),
            said!("Its log has the stack trace.", "애플리케이션 로그에 오류 내용이 있습니다."),
        ),
        _ => return Some(seen),
    };
    Some(seen.means(means).cure(cure))
}
