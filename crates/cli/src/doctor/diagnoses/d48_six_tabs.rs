//! Six connections.

use super::prelude::*;

pub(super) const D48: Diagnosis = Diagnosis {
    code: "D48",
    class: Class::Http,
    title: Text::new(
        "the stream stalls from the sixth tab on",
        "여섯 번째 탭부터 스트림이 멈춥니다",
    ),
    means: Text::new(
        "Browsers open at most six connections of HTTP/1.1 to one host, over all tabs, and every stream of events holds one.",
        "브라우저는 한 호스트에 HTTP/1.1 연결을 모든 탭을 합쳐 여섯 개까지만 엽니다. 이벤트 스트림마다 하나씩 차지합니다.",
    ),
    cure: Text::new(
        "Serve over HTTP/2 (which needs TLS in browsers), use WebSockets, or share one stream between tabs (SharedWorker, BroadcastChannel).",
        "HTTP/2로 제공하거나(브라우저에서는 TLS 필요), WebSocket을 쓰거나, 탭끼리 스트림 하나를 나누어 쓰십시오(SharedWorker, BroadcastChannel).",
    ),
    lines: Lines::None,
    unseen: Some(Text::new(
        "the limit is in the browser: no server shows it",
        "한도는 브라우저에 있어 서버에서는 보이지 않습니다",
    )),
    goes_on: false,
    sees: |_| None,
};
