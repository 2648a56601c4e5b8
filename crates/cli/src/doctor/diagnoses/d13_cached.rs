//! Works in the browser, fails here.

use super::prelude::*;

pub(super) const D13: Diagnosis = Diagnosis {
    code: "D13",
    class: Class::Tls,
    title: Text::new(
        "the certificate works in a browser and nowhere else",
        "브라우저에서만 되는 인증서입니다",
    ),
    means: Text::new(
        "The browser has the missing intermediate certificate from another site, or fetches it, or has a root that somebody installed. Programs do not.",
        "브라우저는 빠진 중간 인증서를 다른 사이트에서 받아 두었거나, 스스로 받아 오거나, 누군가 설치한 루트를 갖고 있습니다. 프로그램은 그렇지 않습니다.",
    ),
    cure: Text::new(
        "It is D12 seen from the other side: serve the whole chain.",
        "D12를 반대편에서 본 것입니다. 전체 체인을 보내게 하십시오.",
    ),
    lines: Lines::Chain,
    unseen: Some(Text::new(
        "what a browser has stored is not seen from outside; D12 is what is seen",
        "브라우저가 저장해 둔 것은 밖에서 보이지 않습니다. 보이는 것은 D12입니다",
    )),
    goes_on: false,
    sees: |_| None,
};
