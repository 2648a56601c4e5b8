//! Nobody that is trusted has signed.

use super::prelude::*;

pub(super) const D12: Diagnosis = Diagnosis {
    code: "D12",
    class: Class::Tls,
    title: Text::new(
        "the certificate, or who issued it, is not trusted",
        "인증서나 그 발급자를 신뢰할 수 없습니다",
    ),
    means: Text::new(
        "No chain leads from the server's certificate to an authority that this machine trusts: an intermediate certificate is missing, the authority is private, or the certificate has signed itself.",
        "서버 인증서에서 이 컴퓨터가 신뢰하는 인증 기관까지 이어지지 않습니다. 중간 인증서가 빠졌거나, 사설 인증 기관이거나, 자체 서명 인증서입니다.",
    ),
    cure: Text::new(
        "Serve the whole chain (`fullchain.pem`), or trust the private authority on every client (here: --ca FILE).",
        "전체 체인(`fullchain.pem`)을 보내게 하거나, 모든 클라이언트가 사설 인증 기관을 신뢰하게 하십시오(여기서는 --ca FILE).",
    ),
    lines: Lines::Chain,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let tls = evidence.tls.as_ref()?;
    if evidence.answer.is_some() {
        return None;
    }
    let (means, cure, chain) = match tls.trust.as_ref()? {
        Trust::Trusted | Trust::OtherDates => return None,
        Trust::SelfSigned => (
            said!("The certificate has signed itself.", "자체 서명한 인증서입니다."),
            said!(
                "For a test give it to --ca; browsers need it in their own store. For others get one from an authority (Let's Encrypt costs nothing).",
                "시험이라면 --ca에 그 파일을 주십시오. 브라우저는 자기 저장소에 있어야 합니다. 공개 서비스라면 인증 기관에서 발급받으십시오(Let's Encrypt는 무료입니다)."
            ),
            false,
        ),
        Trust::MissingIntermediate(url) => (
            said!(
                "An intermediate certificate is missing: with the one from {url} the chain is whole. Browsers that have seen it elsewhere, or fetch it, hide this.",
                "중간 인증서가 빠졌습니다. {url}의 인증서를 더하면 체인이 이어집니다. 다른 곳에서 본 적이 있거나 스스로 받아 오는 브라우저에서는 드러나지 않습니다."
            ),
            said!("Serve the whole chain.", "전체 체인을 보내게 하십시오."),
            true,
        ),
        Trust::Unknown => unknown(evidence),
        Trust::Weak(why) => (
            said!(
                "It is too weak to be believed: {why}. Browsers have given such certificates up.",
                "믿기에는 너무 약한 인증서입니다: {why}. 브라우저는 이런 인증서를 더 이상 받지 않습니다."
            ),
            said!(
                "Have a new one issued: signed with SHA-256, with an RSA key of 2048 bits or ECDSA.",
                "새로 발급받으십시오. SHA-256 서명, RSA 2048비트나 ECDSA 키여야 합니다."
            ),
            false,
        ),
        Trust::Other(why) => (
            said!("It is refused for another reason: {why}.", "다른 이유로 거절됩니다: {why}."),
            said!("Have a new one issued.", "새로 발급받으십시오."),
            false,
        ),
    };
    let mut seen = Seen::new(told(tls))?.means(means).cure(cure);
    if evidence.sent.no_roots {
        seen = seen.also(said!(
            "this system trusts no authority at all: install ca-certificates",
            "이 시스템에는 신뢰하는 인증 기관이 하나도 없습니다. ca-certificates를 설치하십시오"
        ));
    }
    seen.no_proxy = !chain;
    Some(seen)
}

/// Missing, or private: only who signs names that nobody else signs can be told apart.
fn unknown(evidence: &Evidence) -> (Said, Said, bool) {
    let chain = evidence.tls.as_ref().map(|tls| tls.chain.as_slice()).unwrap_or_default();
    let top = chain.last();
    let issuer = top.map(|top| top.issuer.clone()).unwrap_or_default();
    if top.is_some_and(|top| top.issuer == top.subject) {
        return (
            said!(
                "The chain ends in the authority {issuer}, which this machine does not trust: it is private, or too new for this system.",
                "체인의 끝은 {issuer}이고 이 컴퓨터는 이 기관을 신뢰하지 않습니다. 사설이거나, 이 시스템에는 아직 없는 기관입니다."
            ),
            said!("Trust it: --ca FILE.", "신뢰하게 하십시오: --ca FILE."),
            false,
        );
    }
    (
        said!(
            "{issuer} has signed the last certificate that was sent, and is neither sent nor trusted here: it is an intermediate that the server should send, or a private authority.",
            "마지막으로 받은 인증서는 {issuer}가 서명했는데, 그 인증서는 오지도 않았고 여기서 신뢰하지도 않습니다. 서버가 보내야 할 중간 인증서이거나 사설 인증 기관입니다."
        ),
        said!(
            "If it is an intermediate, serve the whole chain; if it is your own authority, --ca FILE.",
            "중간 인증서라면 전체 체인을 보내게 하고, 자체 인증 기관이라면 --ca FILE을 쓰십시오."
        ),
        true,
    )
}

/// The chain, a line for each certificate.
pub(super) fn told(tls: &Tls) -> Vec<Said> {
    let line = |(at, one): (usize, &Certificate)| {
        let (subject, issuer) = (&one.subject, &one.issuer);
        said!("{at}: {subject}, signed by {issuer}", "{at}: {subject}, 서명: {issuer}")
    };
    tls.chain.iter().take(6).enumerate().map(line).collect()
}
