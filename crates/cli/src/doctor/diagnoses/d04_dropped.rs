//! Packets are dropped.

use super::prelude::*;

pub(super) const D04: Diagnosis = Diagnosis {
    code: "D04",
    class: Class::Network,
    title: Text::new("connections are not answered", "연결 요청에 아무 응답이 없습니다"),
    means: Text::new(
        "The first packet is swallowed: a firewall or security group drops it, the address is nobody's, or the server's queue of new connections is full.",
        "첫 패킷이 사라집니다. 방화벽이나 보안 그룹이 버리거나, 아무도 쓰지 않는 주소이거나, 서버의 새 연결 대기열이 가득 찼습니다.",
    ),
    cure: Text::new(
        "Open the port for this source in the firewall and in the security group of the machine and of the balancer. `traceroute -T -p PORT HOST` shows how far packets get; `nstat -az TcpExtListenOverflows` on the server counts a full queue.",
        "컴퓨터와 로드 밸런서의 방화벽, 보안 그룹에서 이 출발지에 포트를 여십시오. `traceroute -T -p PORT HOST`는 패킷이 어디까지 가는지 보여 주고, 서버의 `nstat -az TcpExtListenOverflows`는 대기열이 넘친 횟수를 셉니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let dials = &evidence.dials;
    let lost = dials.iter().all(|dial| !matches!(dial.came, Dialed::Open | Dialed::Refused));
    if dials.is_empty() || !lost {
        return None;
    }
    let seen = with_proxy(Seen::new(dials.iter().map(super::d03_refused::dial))?, evidence);
    // The system, or a router by ICMP, said so at once.
    let is_told = dials.iter().all(|dial| matches!(dial.came, Dialed::Failed(_)));
    Some(if is_told {
        seen.means(said!(
            "No way leads there: this machine has no route, or something on the way rejects it (ICMP), as firewalld and security groups of routers do.",
            "갈 길이 없습니다. 이 컴퓨터에 경로가 없거나, 중간에서 거절했습니다(ICMP). firewalld나 라우터의 규칙이 그렇게 합니다."
        ))
        .cure(said!(
            "`ip route get ADDRESS` shows the way that is taken; then look at the firewall of the server (`firewall-cmd --list-all`) and whether the VPN is up.",
            "`ip route get ADDRESS`로 경로를 보고, 서버의 방화벽(`firewall-cmd --list-all`)과 VPN 연결을 확인하십시오."
        ))
    } else {
        seen
    })
}
