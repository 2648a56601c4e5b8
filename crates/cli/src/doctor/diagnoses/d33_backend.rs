//! The proxy is up, the server behind is not.

use super::prelude::*;
use crate::doctor::proxies::Proxy;

pub(super) const D33: Diagnosis = Diagnosis {
    code: "D33",
    class: Class::Handshake,
    title: Text::new(
        "the proxy does not reach the server behind it",
        "프록시가 뒤의 서버에 닿지 못합니다",
    ),
    means: Text::new(
        "The proxy answers for a server that is down, elsewhere, speaks another protocol (TLS or not), or is too slow.",
        "뒤의 서버가 꺼져 있거나, 다른 곳에 있거나, 다른 프로토콜(TLS 여부)을 쓰거나, 너무 느려서 프록시가 대신 답했습니다.",
    ),
    cure: Text::new(
        "From the proxy's own machine or container try the address that it is configured with: `curl -i http://BACKEND/`. 127.0.0.1 in a container is the container itself.",
        "프록시가 있는 컴퓨터나 컨테이너에서 설정된 주소를 직접 시도하십시오: `curl -i http://BACKEND/`. 컨테이너 안의 127.0.0.1은 그 컨테이너 자신입니다.",
    ),
    lines: Lines::Backend,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal()?;
    let fits = matches!(answer.status, 502 | 504) || (answer.status == 503 && is_backend(answer));
    // The one that answered took plain HTTP (or TLS) itself.
    if answer.status == 400 && super::wants_tls(answer) {
        let mut seen = Seen::answer(answer)
            .means(said!(
                "The proxy speaks plain HTTP to a port behind it that wants TLS.",
                "프록시가 TLS를 원하는 뒤쪽 포트에 평문 HTTP로 말합니다."
            ))
            .cure(said!(
                "Let the proxy speak TLS to it, or use its plain port:",
                "프록시가 TLS로 말하게 하거나 평문 포트를 쓰게 하십시오:"
            ));
        let lines = [
            "# nginx",
            "proxy_pass https://127.0.0.1:8443;",
            "# HAProxy",
            "server one 127.0.0.1:8443 ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt",
            "# Apache",
            "SSLProxyEngine on",
            "ProxyPass \"/ws\" \"https://127.0.0.1:8443/ws\" upgrade=websocket",
        ];
        seen.lines = lines.map(str::to_owned).to_vec();
        seen.no_proxy = true;
        return Some(seen);
    }
    if !fits {
        return None;
    }
    let took = evidence.answer.as_ref().map(|exchange| exchange.took).unwrap_or_default();
    let time = seconds(took);
    let seen = Seen::answer(answer).also(said!("answered after {time} s", "{time}초 뒤에 답함"));
    let who = Proxy::of(answer).map_or("the proxy", Proxy::name);
    let who_ko = Proxy::of(answer).map_or("프록시", Proxy::name);
    if answer.status == 504 {
        return Some(seen.means(said!(
            "{who} waited {time} s for the server behind, and gave up: it took the connection and did not answer, or packets to it are dropped.",
            "{who_ko}가 뒤의 서버를 {time}초 기다리다 포기했습니다. 연결은 받고 답하지 않았거나 패킷이 버려집니다."
        )));
    }
    if took.as_millis() < 500 {
        return Some(seen.means(said!(
            "{who} was refused at once ({time} s): nothing listens where it looks, or what it got back is no HTTP.",
            "{who_ko}가 곧바로({time}초) 거절당했습니다. 그 주소에서 기다리는 프로그램이 없거나 돌아온 것이 HTTP가 아닙니다."
        )));
    }
    Some(seen)
}

/// What `HAProxy`, Apache and balancers say with a 503.
fn is_backend(answer: &Answer) -> bool {
    let body = answer.lower().split_whitespace().collect::<Vec<_>>().join(" ");
    body.contains("no server is available to handle this request")
        || body.contains("unable to service your request due to maintenance downtime")
        || body.contains("no healthy upstream")
        || body.contains("upstream connect error")
        || body.contains("no available server")
}
