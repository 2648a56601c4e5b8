//! This machine's clock, and who keeps it.

use std::{path::Path, process::Command};

use super::{Check, check, name_of, processes};
use crate::doctor::{
    clock,
    diagnoses::date,
    lang::{Said, said},
};

/// Programs that keep a clock by NTP.
const KEEPERS: &[&str] = &[
    "chronyd",
    "ntpd",
    "ntpd-rs",
    "ntp-daemon",
    "openntpd",
    "systemd-timesyn",
    "ptp4l",
    "phc2sys",
];

/// What is known of it without a network.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Keeper {
    /// The system says that it is set by NTP.
    Set,
    /// The system says that it is not.
    Unset,
    /// A program runs that keeps clocks.
    Runs(String),
    /// As in a container, whose clock is kept outside.
    Unseen,
}

/// The clock: whether it can be true, and whether somebody keeps it.
pub(super) fn look() -> Check {
    let now = clock();
    let (ok, text) = told(now, env!("MADANG_BUILD_DATE"), &keeper());
    check(ok, "D53", text, &["timedatectl set-ntp true"])
}

fn told(now: i64, built: &str, keeper: &Keeper) -> (bool, Said) {
    let now = date(now);
    // Both begin with the year, so that texts compare as times.
    if let (Some(day), Some(built)) = (now.get(..10), built.get(..10))
        && day < built
    {
        let text = said!(
            "clock {now}: this program was built later, on {built}",
            "시계 {now}: 이 프로그램은 그 뒤인 {built}에 만들어짐"
        );
        return (false, text);
    }
    match keeper {
        Keeper::Set => (true, said!("clock {now}, kept by NTP", "시계 {now}, NTP로 맞춰짐")),
        Keeper::Unset => {
            (false, said!("clock {now}, which nothing keeps", "시계 {now}, 맞춰 주는 것이 없음"))
        }
        Keeper::Runs(name) => {
            (true, said!("clock {now}, kept by {name}", "시계 {now}, {name}이(가) 맞춤"))
        }
        Keeper::Unseen => (
            true,
            said!(
                "clock {now}; whether NTP keeps it cannot be seen here (no timedatectl, no NTP program)",
                "시계 {now}; NTP로 맞춰지는지는 여기서 볼 수 없음 (timedatectl도 NTP 프로그램도 없음)"
            ),
        ),
    }
}

fn keeper() -> Keeper {
    let asked =
        Command::new("timedatectl").args(["show", "-p", "NTPSynchronized", "--value"]).output();
    let said = asked.map(|output| output.stdout).unwrap_or_default();
    // systemd-timesyncd touches it whenever it has set the clock.
    let is_set = Path::new("/run/systemd/timesync/synchronized").exists();
    match said.as_slice() {
        b"yes\n" => return Keeper::Set,
        b"no\n" => return Keeper::Unset,
        _ if is_set => return Keeper::Set,
        _ => {}
    }
    let running = processes().map(name_of).find(|name| KEEPERS.contains(&name.as_str()));
    running.map_or(Keeper::Unseen, Keeper::Runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_build_is_wrong_and_others_are_told_with_their_keeper() {
        let (ok, text) = told(1_000_000_000, "2026-01-01", &Keeper::Set);
        assert!(!ok && text.en.contains("built later"), "{text:?}");
        for (keeper, ok, word) in [
            (Keeper::Set, true, "kept by NTP"),
            (Keeper::Unset, false, "nothing keeps"),
            (Keeper::Runs("chronyd".into()), true, "kept by chronyd"),
            (Keeper::Unseen, true, "cannot be seen"),
        ] {
            let (is_ok, text) = told(2_000_000_000, "2026-01-01", &keeper);
            assert!(is_ok == ok && text.en.contains(word), "{text:?}");
        }
    }
}
