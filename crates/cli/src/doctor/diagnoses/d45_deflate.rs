//! Only compression fails.

use super::prelude::*;

pub(super) const D45: Diagnosis = Diagnosis {
    code: "D45",
    class: Class::Socket,
    title: Text::new("it fails only with compression", "압축을 쓸 때만 실패합니다"),
    means: Text::new(
        "With permessage-deflate the connection breaks, without it all is well: something on the way changes or blocks compressed frames, or one side compresses wrongly.",
        "permessage-deflate를 쓰면 깨지고 쓰지 않으면 문제가 없습니다. 중간에서 압축된 프레임을 바꾸거나 막거나, 한쪽의 압축이 틀렸습니다.",
    ),
    cure: Text::new(
        "Switch compression off: `madang serve --no-deflate`, npm ws `perMessageDeflate: false`, Python websockets `compression=None`.",
        "압축을 끄십시오: `madang serve --no-deflate`, npm ws `perMessageDeflate: false`, Python websockets `compression=None`.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    if let Some(came) = evidence.answer.as_ref().map(|exchange| &exchange.came)
        && !came.is_open()
        && evidence.opens(LookKind::NoDeflate)
    {
        let with = match came {
            Came::Answer(answer) => shown(answer),
            _ => said!("no answer", "답 없음"),
        };
        return Seen::new([
            said!("with Sec-WebSocket-Extensions:", "Sec-WebSocket-Extensions가 있으면:")
                .join(&with),
            said!("the same without it: 101", "그것 없이 다시: 101"),
        ]);
    }
    let well = |socket: &Socket| socket.end.is_none() && (!socket.pinged || socket.pong.is_some());
    let plain = evidence.look(LookKind::NoDeflate).and_then(|look| look.socket.as_ref());
    if let (Some(socket), Some(plain)) = (&evidence.socket, plain)
        && !well(socket)
        && well(plain)
    {
        let with = socket
            .end
            .as_ref()
            .map_or_else(|| said!("no pong", "pong 없음"), super::d40_close::told);
        return Seen::new([
            said!("with permessage-deflate:", "permessage-deflate로:").join(&with),
            said!("without: ping and pong, and it stays open", "없이: ping과 pong, 열려 있음"),
        ]);
    }
    let end = evidence.size.as_ref()?.deflate_fails.as_ref()?;
    Seen::new([
        said!("a compressed message of 1,000 bytes:", "1,000바이트를 압축한 메시지:")
            .join(&super::d40_close::told(end)),
        said!("the same message not compressed passes", "같은 메시지를 압축하지 않으면 통과"),
    ])
}
