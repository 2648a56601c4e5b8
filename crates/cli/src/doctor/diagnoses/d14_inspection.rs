//! Somebody reads along.

use super::prelude::*;

/// Words in the issuers of products that open TLS on the way.
const PRODUCTS: &[&str] = &[
    "zscaler",
    "fortinet",
    "fortigate",
    "palo alto",
    "blue coat",
    "bluecoat",
    "netskope",
    "sophos",
    "kaspersky",
    "avast",
    "avg web",
    "bitdefender",
    "eset ssl",
    "mcafee web gateway",
    "skyhigh",
    "barracuda",
    "watchguard",
    "check point",
    "checkpoint",
    "cisco umbrella",
    "untangle",
    "smoothwall",
    "lightspeed",
    "securly",
    "contentkeeper",
    "forcepoint",
    "websense",
    "mitmproxy",
    "charles proxy",
    "do_not_trust_fiddlerroot",
    "fiddler",
    "burp",
    "portswigger",
    "adguard",
    "gateway ca - cloudflare",
    "squid proxy",
    "soosan int",
    "eprism",
    "somansa",
    "monitorapp",
];

pub(super) const D14: Diagnosis = Diagnosis {
    code: "D14",
    class: Class::Tls,
    title: Text::new(
        "something on the way opens the TLS connection",
        "중간에서 TLS 연결을 열어 보고 있습니다",
    ),
    means: Text::new(
        "The certificate is not the server's: a product for TLS inspection (company proxy, antivirus, debugging proxy) has signed one of its own. Many of them break WebSockets even where they are trusted.",
        "서버의 인증서가 아닙니다. TLS 검사 제품(회사 프록시, 백신, 디버깅 프록시)이 직접 서명한 인증서입니다. 신뢰하도록 설정되어 있어도 WebSocket을 깨뜨리는 제품이 많습니다.",
    ),
    cure: Text::new(
        "Have this host exempted from inspection. Until then a fallback over plain HTTP requests (long polling) may pass.",
        "이 호스트를 검사에서 제외해 달라고 하십시오. 그때까지는 일반 HTTP 요청(롱 폴링)으로 대신할 수 있습니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: true,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let tls = evidence.tls.as_ref()?;
    let product = tls.chain.iter().find_map(|one| {
        let issuer = one.issuer.to_lowercase();
        PRODUCTS.iter().find(|product| issuer.contains(*product))
    })?;
    // Trusted and without harm, it is not what is wrong.
    let harms = evidence.answer.as_ref().is_none_or(|_| !evidence.answer_ok);
    if !harms {
        return None;
    }
    let seen = Seen::new(super::d12_issuer::told(tls))?;
    Some(seen.also(said!("known product: {product}", "알려진 제품: {product}")))
}
