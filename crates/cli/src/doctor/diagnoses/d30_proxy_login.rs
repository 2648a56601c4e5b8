//! 407.

use super::prelude::*;

pub(super) const D30: Diagnosis = Diagnosis {
    code: "D30",
    class: Class::Handshake,
    title: Text::new(
        "a proxy on the way wants a login, or opens no tunnel",
        "중간 프록시가 로그인을 요구하거나 터널을 열지 않습니다",
    ),
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
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let Some(answer) = evidence.no_tunnel() else {
        return Some(Seen::answer(evidence.refusal().filter(|answer| answer.status == 407)?));
    };
    let (host, port) = (&evidence.target.host, evidence.target.port);
    let seen = Seen::answer(answer);
    Some(match answer.status {
        407 if !takes_passwords(answer) => seen.cure(said!(
            "It takes only logins of the system (Kerberos, NTLM), which few programs can give: run a helper such as px or cntlm on this machine, and name that as --proxy.",
            "시스템 로그인(Kerberos, NTLM)만 받는데, 이를 할 수 있는 프로그램은 드뭅니다. px나 cntlm 같은 도우미를 이 컴퓨터에서 실행하고 --proxy로 지정하십시오."
        )),
        407 if evidence.sent.proxy_login => seen.cure(said!(
            "The login of --proxy was sent, and not taken: see that user and password are right, and written as %XX where they have : / @ or %.",
            "--proxy의 로그인을 보냈지만 받아들이지 않았습니다. 사용자와 비밀번호가 맞는지, : / @ %가 있으면 %XX로 썼는지 확인하십시오."
        )),
        400 | 405 if is_web_server(answer) => seen
            .means(said!(
                "What listens at --proxy is a web server, and no proxy for tunnels.",
                "--proxy에서 기다리는 것은 웹 서버이지 터널을 여는 프록시가 아닙니다."
            ))
            .cure(said!(
                "Look where the network's own documentation says that the proxy is.",
                "네트워크 안내에서 프록시 주소를 확인하십시오."
            )),
        407 => seen.cure(said!(
            "Give the login with it: --proxy http://USER:PASSWORD@PROXY:PORT. Programs read the same from HTTPS_PROXY.",
            "로그인을 함께 적으십시오: --proxy http://USER:PASSWORD@PROXY:PORT. 프로그램들은 같은 값을 HTTPS_PROXY에서 읽습니다."
        )),
        500.. => seen
            .means(said!(
                "The proxy did not reach {host}:{port}: it cannot look the name up, nothing listens there, or packets are dropped behind it.",
                "프록시가 {host}:{port}에 닿지 못했습니다. 이름을 찾지 못하거나, 기다리는 프로그램이 없거나, 그 뒤에서 패킷이 버려집니다."
            ))
            .cure(said!(
                "Without --proxy the doctor says whether the server can be reached from here at all; from the proxy's machine `curl -v` shows what it sees.",
                "--proxy 없이 진단하면 여기서 서버에 닿는지 알 수 있고, 프록시가 있는 컴퓨터의 `curl -v`는 프록시가 보는 것을 보여 줍니다."
            )),
        _ => seen
            .means(said!(
                "The proxy opens no tunnel to {host}:{port}. Many allow only port 443, or only hosts on a list.",
                "프록시가 {host}:{port}(으)로 터널을 열지 않습니다. 443번 포트나 목록에 있는 호스트만 허용하는 프록시가 많습니다."
            ))
            .cure(said!(
                "Serve it as wss:// on port 443, or have the host allowed (squid: an `http_access allow CONNECT` line and the port in `SSL_ports`).",
                "443번 포트에서 wss://로 서비스하거나 이 호스트를 허용하게 하십시오(squid: `http_access allow CONNECT` 줄과 `SSL_ports`의 포트)."
            )),
    })
}

/// Basic is what everybody can give.
fn takes_passwords(answer: &Answer) -> bool {
    let named: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authenticate"))
        .collect();
    named.is_empty()
        || named.iter().any(|(_, value)| value.to_ascii_lowercase().starts_with("basic"))
}

fn is_web_server(answer: &Answer) -> bool {
    let server = answer.header("server").unwrap_or_default().to_ascii_lowercase();
    ["nginx", "apache", "caddy", "openresty", "iis", "litespeed"]
        .iter()
        .any(|name| server.contains(name))
}
