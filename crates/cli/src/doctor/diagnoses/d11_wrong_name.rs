//! The certificate is another name's.

use super::prelude::*;

pub(super) const D11: Diagnosis = Diagnosis {
    code: "D11",
    class: Class::Tls,
    title: Text::new("the certificate is for another name", "다른 이름의 인증서입니다"),
    means: Text::new(
        "None of the names in the certificate is the one in the URL. Often the default host of a proxy answers, because none is configured for this name; browsers look only at the subject alternative names, not at the common name.",
        "인증서에 있는 이름 가운데 URL의 이름이 없습니다. 이 이름으로 설정된 호스트가 없어 프록시의 기본 호스트가 답하는 경우가 많습니다. 브라우저는 CN이 아니라 SAN만 봅니다.",
    ),
    cure: Text::new(
        "Use a name of the certificate in the URL, or have a certificate made that also names this host, and configure a host (`server_name`, `ServerName`) for it.",
        "URL에 인증서의 이름을 쓰거나, 이 호스트 이름도 들어간 인증서를 발급받고 그 이름의 호스트(`server_name`, `ServerName`)를 설정하십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let tls = evidence.tls.as_ref()?;
    // RFC 6066 §3: the server knows no such name.
    if let Some(TlsFault::Alert(alert)) = &tls.failed
        && alert.starts_with("UnrecognisedName")
    {
        let asked = &evidence.target.host;
        let seen = Seen::new([said!(
            "asked for {asked} (SNI); alert {alert}",
            "{asked}(SNI)에 접속; 경보 {alert}"
        )])?;
        return Some(seen.means(said!(
            "The server has no certificate for this name, and refuses to shake hands under it.",
            "서버에 이 이름의 인증서가 없어 악수를 거절합니다."
        )));
    }
    let leaf = tls.chain.first()?;
    if tls.name_matches || evidence.answer.is_some() {
        return None;
    }
    let asked = &evidence.target.host;
    let names = if leaf.names.is_empty() { "—".to_owned() } else { leaf.names.join(", ") };
    let subject = &leaf.subject;
    let seen = Seen::new([said!(
        "asked for {asked}; the certificate ({subject}) names {names}",
        "{asked}에 접속했는데 인증서({subject})의 이름은 {names}입니다"
    )])?;
    let name = leaf.names.iter().find(|name| !name.starts_with('*'));
    Some(
        seen.lines(
            name.map(|name| {
                let at = evidence.target.port;
                format!("madang doctor wss://{name}:{at}{}", evidence.target.path)
            })
            .into_iter()
            .collect(),
        ),
    )
}
