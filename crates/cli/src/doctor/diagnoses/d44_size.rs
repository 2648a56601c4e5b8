//! A limit of size.

use super::prelude::*;

pub(super) const D44: Diagnosis = Diagnosis {
    code: "D44",
    class: Class::Socket,
    title: Text::new("larger messages end the connection", "큰 메시지에 연결이 끊깁니다"),
    means: Text::new(
        "Messages up to a limit pass, one byte more ends the connection.",
        "한도까지는 지나가고, 한 바이트만 넘어도 연결이 끝납니다.",
    ),
    cure: Text::new(
        "Raise the limit where it is, or send less in one message. `madang serve --max-message BYTES`; npm ws `maxPayload`; Socket.IO `maxHttpBufferSize`; Spring `setMaxTextMessageBufferSize`.",
        "한도가 있는 곳에서 올리거나 메시지를 나누어 보내십시오. `madang serve --max-message BYTES`; npm ws `maxPayload`; Socket.IO `maxHttpBufferSize`; Spring `setMaxTextMessageBufferSize`.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let size = evidence.size.as_ref()?;
    let (fails, end) = size.fails.as_ref()?;
    // A message of any size, and a code that says why, is D40's.
    if size.passes == 0 && end.code != 1009 {
        return None;
    }
    let passes = size.passes;
    let wire = said!(
        "{passes} bytes pass, {fails} do not:",
        "{passes}바이트는 통과, {fails}바이트는 안 됨:"
    );
    let seen = Seen::new([wire.join(&super::d40_close::told(end))])?;
    let owner = match passes {
        8_100..=8_192 => "Tomcat (8 KiB)",
        65_400..=65_536 => "Jetty (64 KiB)",
        999_900..=1_000_000 => "Socket.IO (1 MB)",
        1_048_000..=1_048_576 => "Python websockets, Madang (1 MiB)",
        _ => return Some(seen),
    };
    Some(seen.means(said!(
        "Messages up to a limit pass, one byte more ends the connection. {passes} bytes is the default of {owner}, among others.",
        "한도까지는 지나가고, 한 바이트만 넘어도 연결이 끝납니다. {passes}바이트는 {owner} 등의 기본값입니다."
    )))
}
