//! The name does not lead to an address.

use super::prelude::*;

pub(super) const D01: Diagnosis = Diagnosis {
    code: "D01",
    class: Class::Network,
    title: Text::new("the name has no address", "이름에 해당하는 주소가 없습니다"),
    means: Text::new(
        "The resolver knows no address for this name: it is misspelt, not there yet, or known only inside a network (VPN, Docker, Kubernetes) that this machine is not in.",
        "리졸버가 이 이름의 주소를 모릅니다. 철자가 틀렸거나, 아직 등록되지 않았거나, 이 컴퓨터가 속하지 않은 네트워크(VPN, Docker, Kubernetes) 안에서만 쓰이는 이름입니다.",
    ),
    cure: Text::new(
        "Ask the resolvers yourself: `getent hosts NAME`, `dig NAME A`, `dig NAME AAAA`, and compare with `dig @1.1.1.1 NAME`. Names of containers are known only to other containers of the same network.",
        "직접 물어보십시오: `getent hosts NAME`, `dig NAME A`, `dig NAME AAAA`. 그리고 `dig @1.1.1.1 NAME`의 답과 비교하십시오. 컨테이너 이름은 같은 네트워크의 컨테이너끼리만 압니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let Name::Failed(why) = &evidence.name else { return None };
    let (host, _) = evidence.dialed();
    let mut wire = vec![said!("look-up of {host}: {why}", "{host} 조회: {why}")];
    if let Some(resolvers) = resolvers() {
        wire.push(said!(
            "resolvers of this machine: {resolvers}",
            "이 컴퓨터의 리졸버: {resolvers}"
        ));
    }
    if evidence.proxy.is_some() {
        wire.push(said!("it is the name of --proxy", "--proxy의 이름임"));
    }
    let seen = with_proxy(Seen::new(wire)?, evidence);
    if why.contains("emporary") || why.contains("in time") {
        return Some(seen.means(said!(
            "The resolver itself did not answer, so that nothing is known of the name.",
            "리졸버가 응답하지 않아 이 이름에 대해 알 수 있는 것이 없습니다."
        )));
    }
    Some(seen)
}

/// As the system's resolver reads them.
fn resolvers() -> Option<String> {
    let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    let lines =
        text.lines().filter(|line| line.starts_with("nameserver") || line.starts_with("search"));
    let lines: Vec<_> = lines.take(6).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}
