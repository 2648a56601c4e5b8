//! Limits of the machine.

use super::prelude::*;

pub(super) const D56: Diagnosis = Diagnosis {
    code: "D56",
    class: Class::Node,
    title: Text::new(
        "this machine's limits stop it at some thousand clients",
        "이 컴퓨터의 한도 때문에 클라이언트 수천 개에서 막힙니다",
    ),
    means: Text::new(
        "Every connection takes a file descriptor (often 1,024), every connection to a backend a local port (28,231 by default), and each an entry in the firewall's table.",
        "연결마다 파일 서술자(흔히 1,024개), 백엔드 연결마다 로컬 포트(기본 28,231개), 그리고 방화벽 표의 항목을 하나씩 씁니다.",
    ),
    cure: Text::new("Raise what is named above:", "위에 나온 것을 올리십시오:"),
    lines: Lines::None,
    unseen: Some(Text::new(
        "only on the machine itself: `madang doctor --server`",
        "그 컴퓨터에서만 보입니다: `madang doctor --server`",
    )),
    goes_on: false,
    sees: |_| None,
};
