//! Every other status.

use super::prelude::*;

pub(super) const D34: Diagnosis = Diagnosis {
    code: "D34",
    class: Class::Handshake,
    title: Text::new("the server answers with an error", "서버가 오류로 답했습니다"),
    means: Text::new(
        "The status says that no WebSocket is opened. 520 to 530 are Cloudflare's own: 520 the server's answer was empty or unknown, 521 it refused the connection, 522 the connection timed out, 523 it is unreachable, 524 it took the request and gave no answer in time, 525 the TLS handshake with it failed, 526 its certificate is not valid, 530 another error of Cloudflare's, whose number (1000 and more) is in the body.",
        "상태 코드가 WebSocket이 열리지 않았음을 뜻합니다. 520~530은 Cloudflare 고유 코드입니다: 520 서버의 답이 비었거나 알 수 없음, 521 연결 거부, 522 연결 시간 초과, 523 닿을 수 없음, 524 요청을 받고 제때 답하지 않음, 525 TLS 악수 실패, 526 인증서가 유효하지 않음, 530 본문에 번호(1000 이상)가 있는 Cloudflare의 다른 오류.",
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
    let unrouted = super::d22_upgrade_lost::unrouted(evidence);
    let is_changed = answer.status == 400 && unrouted.is_some();
    let seen = match unrouted {
        Some(line) => Seen::answer(answer).also(line),
        None => Seen::answer(answer),
    };
    if is_changed {
        return Some(seen.means(said!(
            "The server behind opens the WebSocket when it is asked directly, and could not read what the proxy sent: a PROXY header that it does not expect (`send-proxy`), a header that the proxy adds or changes, or plain HTTP to a port for TLS.",
            "뒤의 서버는 직접 요청하면 WebSocket을 여는데 프록시가 보낸 것은 읽지 못했습니다. 서버가 기대하지 않는 PROXY 헤더(`send-proxy`), 프록시가 더하거나 바꾼 헤더, TLS 포트로 보낸 평문 HTTP일 수 있습니다."
        ))
        .cure(said!(
            "Compare what the proxy sends with the request above: its log, or a capture between the two.",
            "프록시가 보내는 것을 이 요청과 견주십시오: 프록시 로그나 둘 사이의 패킷 캡처로."
        )));
    }
    let is_cloudflare = answer.header("cf-ray").is_some()
        || answer.header("server").is_some_and(|server| server.eq_ignore_ascii_case("cloudflare"));
    let told = if is_cloudflare { cloudflare(answer) } else { None };
    let (means, cure) = told.or_else(|| known(answer)).unwrap_or_else(|| unknown(answer));
    let seen = seen.means(means);
    Some(match cure {
        Some(cure) => seen.cure(cure),
        None => seen,
    })
}

type Told = (Said, Option<Said>);

/// Two texts, as many are needed.
macro_rules! told {
    ($means:literal, $means_ko:literal, $cure:literal, $cure_ko:literal) => {
        Some((said!($means, $means_ko), Some(said!($cure, $cure_ko))))
    };
}

fn cloudflare(answer: &Answer) -> Option<Told> {
    match (answer.status, super::walls::cloudflare_code(&answer.lower())) {
        (_, Some(1001)) => told!(
            "Cloudflare (error 1001): it knows no such host name, or the name that it points to does not resolve.",
            "Cloudflare(오류 1001): 이런 호스트 이름을 모르거나, 그것이 가리키는 이름을 찾을 수 없습니다.",
            "Look at the name's record in the DNS tab; a custom host name has to be active.",
            "DNS 탭에서 그 이름의 레코드를 보십시오. 사용자 지정 호스트 이름은 활성 상태여야 합니다."
        ),
        (530, Some(1016)) => told!(
            "Cloudflare (530, error 1016): the name of the server behind does not resolve.",
            "Cloudflare(530, 오류 1016): 뒤의 서버 이름을 찾을 수 없습니다.",
            "Correct the record that points to it in the DNS tab.",
            "DNS 탭에서 그 서버를 가리키는 레코드를 고치십시오."
        ),
        (530, Some(1033)) => told!(
            "Cloudflare (530, error 1033): the tunnel is not connected.",
            "Cloudflare(530, 오류 1033): 터널이 연결되어 있지 않습니다.",
            "Start cloudflared beside the server: `cloudflared tunnel info NAME` shows whether it is connected.",
            "서버 옆에서 cloudflared를 켜십시오. `cloudflared tunnel info NAME`이 연결 여부를 보여 줍니다."
        ),
        (520, _) => told!(
            "Cloudflare (520): the server behind gave an empty or unknown answer.",
            "Cloudflare(520): 뒤의 서버가 빈 답이나 알 수 없는 답을 했습니다.",
            "See whether it crashes on the upgrade, or sends headers of more than 128 KB.",
            "업그레이드에서 죽거나 128KB가 넘는 헤더를 보내는지 보십시오."
        ),
        (521, _) => told!(
            "Cloudflare (521): the server behind refused the connection.",
            "Cloudflare(521): 뒤의 서버가 연결을 거부했습니다.",
            "Start it, and let Cloudflare's addresses pass its firewall.",
            "서버를 켜고 방화벽에서 Cloudflare 주소를 허용하십시오."
        ),
        (522 | 523, _) => told!(
            "Cloudflare: the server behind was not reached.",
            "Cloudflare: 뒤의 서버에 닿지 못했습니다.",
            "Check its address in the DNS tab, and that its firewall lets Cloudflare's addresses pass.",
            "DNS 탭의 주소와, 방화벽이 Cloudflare 주소를 허용하는지 확인하십시오."
        ),
        (524, _) => told!(
            "Cloudflare (524): the server behind was reached, took the request, and gave no answer in time (100 s, unless that was changed).",
            "Cloudflare(524): 뒤의 서버에 닿았고 요청도 받았지만 제때(바꾸지 않았다면 100초) 답하지 않았습니다.",
            "See in the server why it does not answer the handshake; the address and the firewall are not to blame.",
            "서버가 왜 핸드셰이크에 답하지 않는지 보십시오. 주소나 방화벽 탓이 아닙니다."
        ),
        (525 | 526, _) => told!(
            "Cloudflare: TLS with the server behind failed.",
            "Cloudflare: 뒤의 서버와의 TLS가 실패했습니다.",
            "Run `madang doctor --direct wss://ORIGIN` against it; SSL mode \"Full (strict)\" wants a valid certificate there.",
            "`madang doctor --direct wss://ORIGIN`으로 직접 확인하십시오. \"Full (strict)\" 모드는 유효한 인증서를 요구합니다."
        ),
        _ => None,
    }
}

fn known(answer: &Answer) -> Option<Told> {
    match answer.status {
        202 => told!(
            "202: the request was accepted as an ordinary one, and no WebSocket was opened.",
            "202: 평범한 요청으로 받아들였고 WebSocket은 열지 않았습니다.",
            "Use the path of the WebSocket; this one takes jobs, or a gateway in front put the request off.",
            "WebSocket용 경로를 쓰십시오. 이 경로는 작업을 받는 곳이거나 앞의 게이트웨이가 요청을 미뤘습니다."
        ),
        304 => told!(
            "304: a cache answered as if a copy of a page were asked for; the request carries nothing to compare with.",
            "304: 캐시가 페이지의 사본을 요청받은 것처럼 답했습니다. 요청에는 비교할 것이 없습니다.",
            "Exempt the path from the cache, and give it a route to the server of WebSockets.",
            "이 경로를 캐시에서 빼고 WebSocket 서버로 보내십시오."
        ),
        300..=399 => told!(
            "A redirect that was not followed: it leads nowhere, in a circle, or to an origin that does not let this page read it.",
            "따라가지 않은 리다이렉트입니다. 갈 곳이 없거나, 돌고 돌거나, 이 페이지가 읽도록 허락하지 않는 출처로 갑니다.",
            "Use the final URL.",
            "최종 URL을 쓰십시오."
        ),
        400 => told!(
            "The server or a proxy could not make sense of the request.",
            "서버나 프록시가 요청을 이해하지 못했습니다.",
            "The body says more, if there is one; try --direct to see who answers.",
            "본문이 있으면 더 자세합니다. --direct로 누가 답하는지 보십시오."
        ),
        406 => told!(
            "406: the server has nothing of the kind that was asked for, by Accept or by subprotocol; some firewalls refuse programs so.",
            "406: Accept나 서브프로토콜로 요청한 종류가 서버에 없습니다. 프로그램을 이렇게 거절하는 방화벽도 있습니다.",
            "Ask for a subprotocol that the server knows (--subprotocol), and look at the firewall's log.",
            "서버가 아는 서브프로토콜을 요청하고(--subprotocol) 방화벽 로그를 보십시오."
        ),
        421 => told!(
            "421: the server is not the one for this name: Host and the name in TLS lead to different sites.",
            "421: 이 이름을 맡은 서버가 아닙니다. Host와 TLS의 이름이 서로 다른 사이트를 가리킵니다.",
            "Let the proxy send the name of the site in TLS (nginx: proxy_ssl_server_name on), or give the site this name.",
            "프록시가 TLS에서도 그 사이트의 이름을 보내게 하거나(nginx: proxy_ssl_server_name on) 사이트에 이 이름을 주십시오."
        ),
        499 => told!(
            "499 is nginx's word for a client that left; here a proxy before it had already given up, or its cache kept that.",
            "499는 떠난 클라이언트를 가리키는 nginx의 표시입니다. 여기서는 그 앞의 프록시가 먼저 포기했거나 캐시가 이를 보관했습니다.",
            "Look at the time-outs of the proxies in front of nginx: the first is shorter than the server's answer takes.",
            "nginx 앞의 프록시들의 시간 제한을 보십시오. 서버가 답하는 시간보다 짧은 것이 있습니다."
        ),
        500 if is_own_page(answer) => told!(
            "The proxy failed by itself, before it asked anybody, or could not use the answer.",
            "프록시가 누구에게 묻기도 전에 스스로 실패했거나, 받은 답을 쓰지 못했습니다.",
            "The proxy's error log has the reason (Apache: `SSLProxyEngine on` is missing for https://, a rewrite in a circle).",
            "프록시의 오류 로그에 이유가 있습니다(Apache: https://에 `SSLProxyEngine on`이 없음, 재작성 순환)."
        ),
        464 => told!(
            "AWS ALB (464): the protocol version of the target group (HTTP/2 or gRPC) does not fit a request of HTTP/1.1.",
            "AWS ALB(464): 대상 그룹의 프로토콜 버전(HTTP/2나 gRPC)이 HTTP/1.1 요청과 맞지 않습니다.",
            "Give the path a target group with the protocol version HTTP1.",
            "이 경로에 프로토콜 버전이 HTTP1인 대상 그룹을 쓰십시오."
        ),
        500 => told!(
            "The application failed while it handled the handshake.",
            "애플리케이션이 핸드셰이크를 처리하다 실패했습니다.",
            "Its log has the stack trace.",
            "애플리케이션 로그에 오류 내용이 있습니다."
        ),
        501 => told!(
            "What answers knows no WebSockets.",
            "답한 서버는 WebSocket을 모릅니다.",
            "Route the path to a server that does.",
            "WebSocket을 아는 서버로 보내십시오."
        ),
        _ => None,
    }
}

/// Nothing is made up about it.
fn unknown(answer: &Answer) -> Told {
    let status = answer.status;
    let means = match status {
        520..=530 => said!(
            "{status} is a number of Cloudflare's, though nothing here names Cloudflare; no WebSocket was opened.",
            "{status}는 Cloudflare의 번호이지만 여기에 Cloudflare의 표시는 없습니다. WebSocket은 열리지 않았습니다."
        ),
        400..=499 => said!(
            "{status}: what answered holds the request to be wrong, and opened no WebSocket.",
            "{status}: 답한 쪽이 요청이 잘못되었다고 보고 WebSocket을 열지 않았습니다."
        ),
        500..=599 => said!(
            "{status}: what answered failed, and opened no WebSocket.",
            "{status}: 답한 쪽이 실패해서 WebSocket을 열지 않았습니다."
        ),
        _ => said!(
            "{status} is not an answer to a handshake: no WebSocket was opened.",
            "{status}는 핸드셰이크에 대한 답이 아닙니다. WebSocket은 열리지 않았습니다."
        ),
    };
    (means, None)
}

fn is_own_page(answer: &Answer) -> bool {
    let body = answer.lower();
    body.contains("<center>nginx") || body.contains("<address>apache/")
}
