//! Versions, and HTTP/2 by force.

use super::prelude::*;

pub(super) const D16: Diagnosis = Diagnosis {
    code: "D16",
    class: Class::Tls,
    title: Text::new(
        "TLS or HTTP version that leaves no way for a WebSocket",
        "WebSocket이 쓸 수 없는 TLS 또는 HTTP 버전입니다",
    ),
    means: Text::new(
        "The two sides have no version in common: the server speaks only old TLS, or insists on HTTP/2, where a WebSocket cannot be opened by Upgrade.",
        "공통 버전이 없습니다. 서버가 오래된 TLS만 하거나, Upgrade로 WebSocket을 열 수 없는 HTTP/2만 고집합니다.",
    ),
    cure: Text::new(
        "Switch TLS 1.2 and 1.3 on, and let ALPN choose http/1.1 (or speak RFC 8441 all the way to the server).",
        "TLS 1.2와 1.3을 켜고, ALPN이 http/1.1을 고를 수 있게 하십시오(또는 서버까지 모두 RFC 8441을 지원하게 하십시오).",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    // RFC 9113 §3.4: a server's connection begins with a SETTINGS frame.
    if let Some(Came::Bytes(bytes)) = evidence.unanswered()
        && bytes.0.get(3) == Some(&4)
        && bytes.0.starts_with(&[0])
    {
        let hex = bytes.hex(9);
        return h2(said!(
            "to an HTTP/1.1 request came a SETTINGS frame of HTTP/2: {hex}",
            "HTTP/1.1 요청에 HTTP/2의 SETTINGS 프레임이 왔습니다: {hex}"
        ));
    }
    let tls = evidence.tls.as_ref()?;
    if let Some(TlsFault::OldVersion(why)) = &tls.failed {
        let seen = Seen::new([said!(
            "offered TLS 1.3 and 1.2; the server answered: {why}",
            "TLS 1.3과 1.2를 제안했고 서버의 답은 {why}입니다"
        )])?;
        let seen = seen.means(said!(
            "The server speaks only TLS 1.1 or older, which browsers have given up.",
            "서버가 TLS 1.1 이하만 합니다. 브라우저는 더 이상 지원하지 않습니다."
        ));
        let lines = [
            "# nginx",
            "ssl_protocols TLSv1.2 TLSv1.3;",
            "# Apache",
            "SSLProtocol -all +TLSv1.2 +TLSv1.3",
            "# HAProxy",
            "ssl-default-bind-options ssl-min-ver TLSv1.2",
        ];
        return Some(seen.lines(lines.map(str::to_owned).to_vec()));
    }
    let refused = match &tls.failed {
        Some(TlsFault::Alert(alert)) => Some(format!("alert {alert}")),
        _ => None,
    };
    if let (Some(refused), Some("h2")) = (&refused, tls.alpn_when_free.as_deref()) {
        return h2(said!(
            "offered http/1.1 by ALPN: {refused}; offered h2 as well: the server chose h2",
            "ALPN으로 http/1.1을 제안: {refused}. h2도 함께 제안: 서버가 h2를 고름"
        ));
    }
    // Nothing was agreed on, HTTP/1.1 was hung up on, and h2 is what it takes.
    if tls.alpn.is_none()
        && tls.alpn_when_free.as_deref() == Some("h2")
        && matches!(evidence.unanswered(), Some(Came::Closed | Came::Reset))
    {
        return h2(said!(
            "offered http/1.1 by ALPN: nothing chosen, and the request was hung up on; offered h2 as well: the server chose h2",
            "ALPN으로 http/1.1을 제안: 아무것도 고르지 않고 요청에 연결을 끊음. h2도 함께 제안: 서버가 h2를 고름"
        ));
    }
    // After a CertificateRequest it is about that (D15).
    refused.filter(|_| !tls.client_certificate_asked).and_then(|refused| {
        let seen = Seen::new([said!("the server refused: {refused}", "서버가 거절했습니다: {refused}")])?;
        if refused.contains("UnrecognisedName") || refused.contains("UnrecognizedName") {
            return None;
        }
        let is_version = refused.contains("HandshakeFailure") || refused.contains("InsufficientSecurity");
        Some(if is_version {
            seen.means(said!(
                "No version, cipher or curve in common, or the server knows no certificate for this name.",
                "공통 버전, 암호, 곡선이 없거나 서버에 이 이름의 인증서가 없습니다."
            ))
        } else {
            seen.means(said!(
                "The server broke the handshake off; the alert is all that it says.",
                "서버가 악수를 중단했습니다. 경보 말고는 이유를 알려 주지 않습니다."
            ))
            .cure(said!(
                "Its log of this time says more; `openssl s_client -connect HOST:443 -servername HOST` shows the same from another program.",
                "이 시각의 서버 로그에 더 자세한 내용이 있습니다. `openssl s_client -connect HOST:443 -servername HOST`로 다른 프로그램에서도 확인할 수 있습니다."
            ))
        })
    })
}

fn h2(wire: Said) -> Option<Seen> {
    let seen = Seen::new([wire])?.means(said!(
        "The server speaks only HTTP/2 here. Upgrade does not exist there, so that browsers cannot open a WebSocket.",
        "서버가 HTTP/2만 합니다. HTTP/2에는 Upgrade가 없어서 브라우저가 WebSocket을 열 수 없습니다."
    ));
    let lines = [
        "# HAProxy",
        "bind :443 ssl crt NAME.pem alpn h2,http/1.1",
        "# Envoy: alpn_protocols",
        "- h2",
        "- http/1.1",
    ];
    Some(seen.lines(lines.map(str::to_owned).to_vec()))
}
