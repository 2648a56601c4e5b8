//! Expired, or not yet valid.

use super::prelude::*;

pub(super) const D10: Diagnosis = Diagnosis {
    code: "D10",
    class: Class::Tls,
    title: Text::new("the certificate is out of its dates", "인증서의 유효 기간이 아닙니다"),
    means: Text::new(
        "By this machine's clock the certificate has expired or is not valid yet. Either the certificate or the clock is wrong.",
        "이 컴퓨터의 시계로 보면 인증서가 만료되었거나 아직 유효하지 않습니다. 인증서나 시계 중 하나가 틀렸습니다.",
    ),
    cure: Text::new(
        "Renew it, and see that the renewal reloads the server: many serve the old file until then.",
        "갱신하고, 갱신 뒤에 서버가 인증서를 다시 읽는지 확인하십시오. 그때까지 옛 파일을 쓰는 서버가 많습니다.",
    ),
    lines: Lines::Chain,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let tls = evidence.tls.as_ref()?;
    let now = evidence.now;
    let mut chain = tls.chain.iter();
    let leaf = if tls.trust == Some(Trust::OtherDates) {
        chain.find(|one| now < one.not_before || now > one.not_after)?
    } else {
        chain.next()?
    };
    if evidence.answer.is_some() {
        return None;
    }
    let days = |seconds: i64| seconds / 86_400;
    let (from, to) = (date(leaf.not_before), date(leaf.not_after));
    let state = if now > leaf.not_after {
        let days = days(now - leaf.not_after);
        said!("expired {days} days ago", "{days}일 전에 만료")
    } else if now < leaf.not_before {
        let days = days(leaf.not_before - now);
        said!("valid only in {days} days", "{days}일 뒤부터 유효")
    } else {
        return None;
    };
    let subject = &leaf.subject;
    let (state_en, state_ko) = (state.en, state.ko);
    let mut wire = vec![said!(
        "certificate of {subject}: {from} to {to}, {state_en}",
        "{subject} 인증서: {from}부터 {to}까지, {state_ko}"
    )];
    let clock = date(now);
    wire.push(match evidence.clock_ahead {
        Some(ahead) => said!(
            "clock of this machine: {clock}, {ahead} s ahead of the server's Date",
            "이 컴퓨터의 시계: {clock}, 서버의 Date보다 {ahead}초 빠름"
        ),
        None => said!("clock of this machine: {clock}", "이 컴퓨터의 시계: {clock}"),
    });
    let seen = Seen::new(wire)?;
    // By the server's own clock it would be valid.
    let theirs = now - evidence.clock_ahead.unwrap_or(0);
    if (leaf.not_before..=leaf.not_after).contains(&theirs) {
        return Some(seen.means(said!(
            "By the server's clock the certificate is valid: the clock of this machine is wrong.",
            "서버의 시계로는 유효합니다. 이 컴퓨터의 시계가 틀렸습니다."
        )));
    }
    Some(seen)
}

/// Of seconds since 1970: `2026-11-24 15:00 UTC`.
pub(crate) fn date(seconds: i64) -> String {
    // Days to a date, by H. Hinnant's algorithm for the proleptic Gregorian calendar.
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let moon = (5 * of_year + 2) / 153;
    let day = of_year - (153 * moon + 2) / 5 + 1;
    let month = if moon < 10 { moon + 3 } else { moon - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3_600, rest / 60 % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        assert_eq!(super::date(0), "1970-01-01 00:00 UTC");
        assert_eq!(super::date(951_827_696), "2000-02-29 12:34 UTC");
        assert_eq!(super::date(-1), "1969-12-31 23:59 UTC");
    }
}
