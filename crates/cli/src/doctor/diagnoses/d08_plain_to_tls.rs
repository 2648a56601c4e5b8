//! Plain HTTP to a TLS port.

use super::prelude::*;

pub(super) const D08: Diagnosis = Diagnosis {
    code: "D08",
    class: Class::Network,
    title: Text::new("this port speaks TLS", "이 포트는 TLS를 합니다"),
    means: Text::new(
        "The URL is ws:// or http://, and the port takes only TLS.",
        "URL은 ws://나 http://인데 이 포트는 TLS만 받습니다.",
    ),
    cure: Text::new("Use wss:// (or https://).", "wss://(또는 https://)를 쓰십시오."),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    if evidence.target.secure {
        return None;
    }
    let seen = match &evidence.answer.as_ref()?.came {
        // RFC 8446 §5.1: a record of type 21 is an alert.
        Came::Bytes(bytes) if bytes.0.starts_with(&[0x15, 0x03]) => {
            let hex = bytes.hex(7);
            Seen::new([said!("a TLS alert came: {hex}", "TLS 경보가 왔습니다: {hex}")])?
        }
        Came::Answer(answer) if answer.status == 400 && wants_tls(answer) && shakes(evidence) => {
            Seen::answer(answer)
        }
        Came::Silence | Came::Closed | Came::Reset | Came::Half(_) | Came::Bytes(_) => {
            if !shakes(evidence) {
                return None;
            }
            Seen::new([said!(
                "plain HTTP is not answered; the same port shakes hands by TLS",
                "평문 HTTP에는 답하지 않고, 같은 포트가 TLS로는 악수합니다"
            )])?
        }
        _ => return None,
    };
    let url =
        evidence.target.shown().replacen("ws://", "wss://", 1).replacen("http://", "https://", 1);
    Some(seen.lines(vec![format!("madang doctor {url}")]))
}

/// The same port shakes hands by TLS.
fn shakes(evidence: &Evidence) -> bool {
    evidence.look(LookKind::Tls).is_some_and(|look| look.exchange.came.is_past_tls())
}

/// A server's words to plain HTTP where it speaks TLS.
pub(crate) fn wants_tls(answer: &Answer) -> bool {
    let body = answer.lower();
    // nginx, Apache, Go, Madang.
    body.contains("plain http request was sent to https port")
        || body.contains("speaking plain http to an ssl-enabled server port")
        || body.contains("http request to an https server")
        || answer.header("madang-code") == Some("M103")
}
