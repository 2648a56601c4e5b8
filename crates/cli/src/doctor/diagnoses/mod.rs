//! The diagnoses: one file each, one line each in [`DIAGNOSES`].

mod d01_name;
mod d02_family;
mod d03_refused;
mod d04_dropped;
mod d05_mute;
mod d06_closed;
mod d07_not_tls;
mod d08_plain_to_tls;
mod d09_mixed_content;
mod d10_dates;
mod d11_wrong_name;
mod d12_issuer;
mod d13_cached;
mod d14_inspection;
mod d15_client_certificate;
mod d16_versions;
mod d20_page;
mod d21_base_path;
mod d22_upgrade_lost;
mod d23_path;
mod d24_engine_io;
mod d25_headers_missing;
mod d26_upgrade_required;
mod d27_forbidden;
mod d28_redirect;
mod d29_method;
mod d30_proxy_login;
mod d31_too_long;
mod d32_busy;
mod d33_backend;
mod d34_status;
mod d35_no_upgrade;
mod d36_dead;
mod d37_subprotocol;
mod d38_extension;
mod d40_close;
mod d41_idle;
mod d42_lifetime;
mod d43_reload;
mod d44_size;
mod d45_deflate;
mod d46_rules;
mod d47_lumps;
mod d48_six_tabs;
mod d49_affinity;
mod d50_cors;
mod d51_login;
mod d52_heartbeat;
mod d53_token;
mod d54_refresh;
mod d55_fallback;
mod d56_limits;
mod walls;

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    evidence::{Answer, Evidence},
    lang::{Said, Text, said},
    proxies::Lines,
};

pub(crate) use d08_plain_to_tls::wants_tls;
pub(crate) use d10_dates::date;
pub(crate) use d24_engine_io::engine_error;

/// All of them. The order decides: of one stage (the class) the first that fits is told.
pub(crate) const DIAGNOSES: &[&Diagnosis] = &[
    &d01_name::D01,
    &d02_family::D02,
    &d03_refused::D03,
    &d04_dropped::D04,
    &d14_inspection::D14,
    &d09_mixed_content::D09,
    &d45_deflate::D45,
    &d07_not_tls::D07,
    &d08_plain_to_tls::D08,
    &d15_client_certificate::D15,
    &d16_versions::D16,
    &d05_mute::D05,
    &d06_closed::D06,
    &d10_dates::D10,
    &d11_wrong_name::D11,
    &d12_issuer::D12,
    &d13_cached::D13,
    &d55_fallback::D55,
    &d49_affinity::D49,
    &d53_token::D53,
    &d35_no_upgrade::D35,
    &d38_extension::D38,
    &d37_subprotocol::D37,
    &d30_proxy_login::D30,
    &d28_redirect::D28,
    &d31_too_long::D31,
    &d33_backend::D33,
    &d32_busy::D32,
    &d22_upgrade_lost::D22,
    &d24_engine_io::D24,
    &d21_base_path::D21,
    &d26_upgrade_required::D26,
    &d25_headers_missing::D25,
    &d27_forbidden::D27,
    &d20_page::D20,
    &d29_method::D29,
    &d23_path::D23,
    &d34_status::D34,
    &d51_login::D51,
    &d46_rules::D46,
    &d40_close::D40,
    &d36_dead::D36,
    &d52_heartbeat::D52,
    &d44_size::D44,
    &d54_refresh::D54,
    &d43_reload::D43,
    &d42_lifetime::D42,
    &d41_idle::D41,
    &d50_cors::D50,
    &d47_lumps::D47,
    &d48_six_tabs::D48,
    &d56_limits::D56,
];

/// Which part is ill; the exit code says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    Network,
    Tls,
    Handshake,
    Socket,
    Http,
    Node,
}

impl Class {
    /// The exit code of `madang doctor`.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Network => 10,
            Self::Tls => 20,
            Self::Handshake => 30,
            Self::Socket => 40,
            Self::Http => 50,
            Self::Node => 60,
        }
    }
}

/// A diagnosis.
pub(crate) struct Diagnosis {
    pub(crate) code: &'static str,
    pub(crate) class: Class,
    pub(crate) title: Text,
    pub(crate) means: Text,
    pub(crate) cure: Text,
    /// The lines that the proxy in front needs.
    pub(crate) lines: Lines,
    /// Why it cannot be seen from outside.
    pub(crate) unseen: Option<Text>,
    /// Others are told as well.
    pub(crate) goes_on: bool,
    /// Whether the evidence shows it.
    pub(crate) sees: fn(&Evidence) -> Option<Seen>,
}

/// What the evidence shows.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What was seen on the wire, a line each.
    pub(crate) wire: Vec<Said>,
    /// What it means in this case.
    pub(crate) means: Option<Said>,
    /// What to do in this case, before what one does in general.
    pub(crate) cure: Option<Said>,
    /// Literal lines of this case, before those of the proxy.
    pub(crate) lines: Vec<String>,
    /// The proxy's lines are of no use in this case.
    pub(crate) no_proxy: bool,
}

impl Seen {
    #[expect(clippy::unnecessary_wraps, reason = "it is what `sees` returns, or goes on with `?`")]
    fn new(wire: impl IntoIterator<Item = Said>) -> Option<Self> {
        Some(Self { wire: wire.into_iter().collect(), ..Self::default() })
    }

    /// The answer itself is what was seen.
    fn answer(answer: &Answer) -> Self {
        Self { wire: vec![shown(answer)], ..Self::default() }
    }

    fn means(mut self, means: Said) -> Self {
        self.means = Some(means);
        self
    }

    fn cure(mut self, cure: Said) -> Self {
        self.cure = Some(cure);
        self
    }

    fn also(mut self, wire: Said) -> Self {
        self.wire.push(wire);
        self
    }

    fn lines(mut self, lines: Vec<String>) -> Self {
        self.lines = lines;
        self
    }
}

/// A finding: a diagnosis, and what showed it.
pub(crate) struct Finding {
    pub(crate) diagnosis: &'static Diagnosis,
    pub(crate) seen: Seen,
}

impl Finding {
    /// The same with every text changed.
    pub(crate) fn without(mut self, change: impl Fn(&str) -> String) -> Self {
        let seen = &mut self.seen;
        let said = seen.wire.iter_mut().chain(&mut seen.means).chain(&mut seen.cure);
        for said in said {
            *said = Said { en: change(&said.en), ko: change(&said.ko) };
        }
        for line in &mut seen.lines {
            *line = change(line);
        }
        self
    }
}

/// The diagnoses that fit: the first cause, what stands beside it in TLS, and those that let others
/// be told.
pub(crate) fn find(evidence: &Evidence) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut first: Option<Class> = None;
    for &diagnosis in DIAGNOSES {
        // Dates, name and issuer of one certificate may all be wrong; who inspects has made them.
        let beside = first == Some(Class::Tls) && diagnosis.class == Class::Tls;
        let replaced = diagnosis.class == Class::Tls
            && evidence.answer.is_none()
            && found.iter().any(|finding| finding.diagnosis.code == "D14");
        if replaced || (first.is_some() && !beside && !diagnosis.goes_on) {
            continue;
        }
        if let Some(seen) = (diagnosis.sees)(evidence) {
            if !diagnosis.goes_on {
                first = first.or(Some(diagnosis.class));
            }
            found.push(Finding { diagnosis, seen });
        }
    }
    found
}

/// The diagnosis with this code.
pub(crate) fn by_code(code: &str) -> Option<&'static Diagnosis> {
    DIAGNOSES.iter().copied().find(|diagnosis| diagnosis.code.eq_ignore_ascii_case(code))
}

/// In the order of their codes.
pub(crate) fn sorted() -> Vec<&'static Diagnosis> {
    let mut all = DIAGNOSES.to_vec();
    all.sort_by_key(|diagnosis| diagnosis.code);
    all
}

/// Version and status, headers that tell something, and the beginning of the body.
fn shown(answer: &Answer) -> Said {
    const TELLING: &[&str] = &[
        "server",
        "via",
        "location",
        "www-authenticate",
        "retry-after",
        "upgrade",
        "connection",
        "sec-websocket-version",
        "sec-websocket-accept",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "content-type",
        "madang-code",
        "cf-ray",
        "cf-mitigated",
        "allow",
        "proxy-authenticate",
        "x-cache",
        "x-amzn-waf-action",
    ];
    let version = if answer.http10 { "1.0" } else { "1.1" };
    // The words behind it are the server's own, and were not kept.
    let mut text = format!("HTTP/{version} {}", answer.status);
    for (name, value) in &answer.headers {
        if TELLING.contains(&name.to_ascii_lowercase().as_str()) {
            let value: String = value.chars().take(200).collect();
            let _ = write!(text, "\n{name}: {value}");
        }
    }
    let body = answer.text();
    let body = body.trim();
    if !body.is_empty() {
        let short: String = body.chars().take(300).collect();
        let more = if short.len() < body.len() { "…" } else { "" };
        let _ = write!(text, "\n\n{short}{more}");
    }
    Said::same(crate::client::escaped(&text, crate::client::Keep::Lines).into_owned())
}

/// Whoever must go through a proxy does not get there without it.
fn with_proxy(seen: Seen, evidence: &Evidence) -> Seen {
    let Some(variable) = evidence.proxy_variable else { return seen };
    seen.also(said!(
        "{variable} is set, and this was tried without a proxy: --proxy \"${variable}\" goes through it",
        "{variable}이(가) 설정되어 있지만 프록시 없이 시도했습니다. --proxy \"${variable}\"(으)로 거쳐 갈 수 있습니다"
    ))
}

fn seconds(time: std::time::Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1}") } else { format!("{seconds:.0}") }
}

/// What every file of a diagnosis needs.
mod prelude {
    pub(super) use super::{Class, Diagnosis, Seen, seconds, shown, with_proxy};
    pub(super) use crate::doctor::{
        evidence::*,
        lang::{Said, Text, said},
        proxies::Lines,
    };
}

#[cfg(test)]
mod tests;
