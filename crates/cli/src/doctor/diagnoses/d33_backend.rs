//! The proxy is up, the server behind is not.

use super::prelude::*;
use crate::doctor::{place, proxies::Proxy};

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
    let fits = matches!(answer.status, 502 | 504)
        || (answer.status == 503 && !super::d32_busy::is_limit(answer));
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
        seen.lines = lines.map(|line| place::fill(line, evidence)).to_vec();
        seen.no_proxy = true;
        return Some(seen);
    }
    if !fits {
        return None;
    }
    let took = evidence.answer.as_ref().map(|exchange| exchange.took).unwrap_or_default();
    let time = seconds(took);
    let seen = Seen::answer(answer).also(said!("answered after {time} s", "{time}초 뒤에 답함"));
    let (who, who_ko) = name(answer);
    let body = answer.lower();
    Some(if answer.status == 504 {
        seen.means(said!(
            "{who} waited {time} s for the server behind, and gave up: it took the connection and did not answer, or packets to it are dropped.",
            "{who_ko}가 뒤의 서버를 {time}초 기다리다 포기했습니다. 연결은 받고 답하지 않았거나 패킷이 버려집니다."
        ))
    } else if answer.status == 503 {
        seen.means(nobody(answer, &who, &who_ko))
    } else if body.contains("error reading from remote server") {
        seen.means(said!(
            "{who} reached the server behind, and the connection ended before an answer came: that server crashed or closed on this request.",
            "{who_ko}가 뒤의 서버에 닿았지만 답이 오기 전에 연결이 끝났습니다. 그 서버가 이 요청에서 죽었거나 연결을 닫았습니다."
        ))
        .cure(CRASH.into())
    } else if took.as_millis() < 500 {
        seen.means(said!(
            "{who} gave up at once ({time} s): nothing listens where it looks, what listens there crashed or closed the connection on this request, or what it got back is no HTTP. The log of {who} says which.",
            "{who_ko}가 곧바로({time}초) 포기했습니다. 그 주소에서 기다리는 프로그램이 없거나, 그 프로그램이 이 요청에서 죽었거나 연결을 닫았거나, 돌아온 것이 HTTP가 아닙니다. {who_ko}의 로그에 어느 쪽인지 있습니다."
        ))
    } else {
        seen
    })
}

const CRASH: Text = Text::new(
    "The log of the server behind has the reason; ask it directly, with --direct.",
    "뒤의 서버 로그에 이유가 있습니다. --direct로 직접 요청해 보십시오.",
);

/// Who answered in place of the server, in both languages.
fn name(answer: &Answer) -> (String, String) {
    let server = answer.header("server").unwrap_or_default();
    let others = ["Heroku", "Varnish", "CloudFront", "squid", "Google Frontend", "Vercel", "Fly"];
    let is = |name: &&&str| server.to_ascii_lowercase().contains(&name.to_ascii_lowercase());
    let known = Proxy::of(answer).map(Proxy::name).or_else(|| others.iter().find(is).copied());
    let known = known.map(str::to_owned);
    (known.clone().unwrap_or_else(|| "the proxy".into()), known.unwrap_or_else(|| "프록시".into()))
}

/// 503: nobody behind is fit to be asked.
fn nobody(answer: &Answer, who: &str, who_ko: &str) -> Said {
    match Proxy::of(answer) {
        Some(Proxy::Nginx) if !is_backend(answer) => said!(
            "nginx says 503 of itself where a Kubernetes service has no pod that is ready (ingress-nginx), and where one of its limits is reached (limit_conn, limit_req): its error log tells which.",
            "nginx가 스스로 503이라고 하는 것은 쿠버네티스 서비스에 준비된 파드가 없을 때(ingress-nginx)와 nginx의 한도(limit_conn, limit_req)에 닿았을 때입니다. 오류 로그에 어느 쪽인지 있습니다."
        ),
        Some(Proxy::Alb) => said!(
            "The load balancer has no target to ask: none is registered in the target group.",
            "로드 밸런서에 물어볼 대상이 없습니다. 대상 그룹에 등록된 대상이 없습니다."
        ),
        _ => said!(
            "{who} has nobody behind it to ask: the servers there are down, or their health checks fail.",
            "{who_ko} 뒤에 물어볼 서버가 없습니다. 서버가 꺼졌거나 상태 검사에 실패합니다."
        ),
    }
}

/// What proxies and balancers say with a 503 when nobody is behind them.
pub(super) fn is_backend(answer: &Answer) -> bool {
    let body = answer.lower().split_whitespace().collect::<Vec<_>>().join(" ");
    let server = answer.header("server").unwrap_or_default().to_ascii_lowercase();
    body.contains("no server is available to handle this request")
        || body.contains("unable to service your request due to maintenance downtime")
        || body.contains("no healthy upstream")
        || body.contains("upstream connect error")
        || body.contains("no available server")
        || body.contains("backend fetch failed")
        || body.contains("guru meditation")
        || (server.contains("heroku") && body.contains("application error"))
        || Proxy::of(answer) == Some(Proxy::Alb)
}

/// nginx' own page without its version, as ingress-nginx has it: most often a service of Kubernetes
/// without a pod that is ready. Its `Server` stands on every answer, also of others.
pub(super) fn is_ingress(answer: &Answer) -> bool {
    answer.lower().contains("<center>nginx</center>")
}
