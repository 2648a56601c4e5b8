//! TLS asked of a plain port.

use super::prelude::*;

pub(super) const D07: Diagnosis = Diagnosis {
    code: "D07",
    class: Class::Tls,
    title: Text::new("this port does not speak TLS", "이 포트는 TLS를 하지 않습니다"),
    means: Text::new(
        "The URL is wss:// or https://, and what answers is no TLS record: a plain server listens here.",
        "URL은 wss://나 https://인데 돌아온 것은 TLS 레코드가 아닙니다. 평문 서버가 기다리고 있습니다.",
    ),
    cure: Text::new(
        "Use ws://, or the port that speaks TLS; or let this port speak it.",
        "ws://를 쓰거나 TLS 포트로 접속하거나, 이 포트가 TLS를 하게 하십시오.",
    ),
    lines: Lines::TlsListen,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let failed = evidence.tls.as_ref()?.failed.as_ref()?;
    let plain = evidence.looked(LookKind::Plain);
    let wire = match failed {
        TlsFault::NotTls(bytes) => {
            let (hex, text) = (bytes.hex(12), bytes.start());
            said!(
                "after the ClientHello came {hex} (“{text}”), which is no TLS record",
                "ClientHello 뒤에 온 것은 {hex} (“{text}”)이고 TLS 레코드가 아닙니다"
            )
        }
        // A mute server proves nothing; one that answers a plain request does.
        TlsFault::Silence | TlsFault::Closed | TlsFault::Reset => {
            let status = plain?.status;
            said!(
                "TLS is not answered; the same port without TLS answers HTTP {status}",
                "TLS에는 응답이 없고, 같은 포트가 TLS 없이는 HTTP {status}로 답합니다"
            )
        }
        _ => return None,
    };
    Seen::new([wire])
}
