//! A client's certificate is asked for.

use super::prelude::*;

pub(super) const D15: Diagnosis = Diagnosis {
    code: "D15",
    class: Class::Tls,
    title: Text::new(
        "the server asks for a client certificate",
        "서버가 클라이언트 인증서를 요구합니다",
    ),
    means: Text::new(
        "The server asked who we are (mutual TLS), got no certificate that it takes, and ended the connection.",
        "서버가 상대를 확인하려 했고(상호 TLS), 받아들일 인증서를 받지 못해 연결을 끝냈습니다.",
    ),
    cure: Text::new(
        "Give one: --cert FILE --key FILE, signed by the authority that the server names. If browsers are to come without, make it optional at the server.",
        "인증서를 주십시오: --cert FILE --key FILE. 서버가 정한 기관이 서명한 것이어야 합니다. 브라우저가 인증서 없이 접속해야 한다면 서버에서 선택 사항으로 바꾸십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let tls = evidence.tls.as_ref()?;
    if !tls.client_certificate_asked {
        return None;
    }
    let how = match (&tls.failed, evidence.unanswered()) {
        (Some(TlsFault::Alert(alert)), _) | (_, Some(Came::NoTls(TlsFault::Alert(alert)))) => {
            said!("then it sent the alert {alert}", "그 뒤 경보 {alert}를 보냈습니다")
        }
        (Some(TlsFault::Closed | TlsFault::Reset), _) | (_, Some(Came::Closed | Came::Reset)) => {
            said!("then it closed", "그 뒤 연결을 끊었습니다")
        }
        _ => shown(evidence.refusal().filter(|answer| says_so(tls, answer))?),
    };
    let sent = if tls.client_certificate_sent {
        said!("CertificateRequest, answered with --cert", "CertificateRequest에 --cert로 답함")
    } else {
        said!("CertificateRequest, answered with none", "CertificateRequest에 인증서 없이 답함")
    };
    Seen::new([sent, how])
}

/// nginx takes the handshake and says no in HTTP.
fn says_so(tls: &Tls, answer: &Answer) -> bool {
    let body = answer.lower();
    let wants = !tls.client_certificate_sent && body.contains("client certificate");
    matches!(answer.status, 400 | 401 | 403 | 496)
        && (wants
            || body.contains("no required ssl certificate was sent")
            || body.contains("the ssl certificate error"))
}
