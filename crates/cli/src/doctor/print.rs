//! What is printed: for people, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    ask::Ask,
    diagnoses::{self, Diagnosis, Finding},
    evidence::Evidence,
    lang::{Lang, Said, said},
    node::{self, Check},
    proxies, redact, steps,
};

/// Everything that is said of one examination.
pub(crate) struct Report {
    evidence: Evidence,
    findings: Vec<Finding>,
    secrets: Vec<String>,
}

impl Report {
    pub(crate) fn new(ask: &Ask, mut evidence: Evidence) -> Self {
        let secrets = ask.secrets();
        // What is wrong is found in what was seen; a secret may be a word of it. What is shown comes of
        // what is left without them.
        let found = diagnoses::find(&evidence);
        redact::evidence(&mut evidence, &secrets);
        let shown = |finding: Finding| match (finding.diagnosis.sees)(&evidence) {
            Some(seen) => Finding { seen, ..finding },
            None => finding.without(|text| redact::cut_text(text, &secrets)),
        };
        let findings = found.into_iter().map(shown).collect();
        Self { evidence, findings, secrets }
    }

    /// 0 when nothing is wrong, else that of the class of the cause: the first finding that lets no
    /// other be told.
    fn exit_code(&self) -> u8 {
        let cause = self.findings.iter().find(|finding| !finding.diagnosis.goes_on);
        let first = cause.or(self.findings.first()).map(|finding| finding.diagnosis.class);
        first.or_else(|| steps::ill(&self.evidence)).map_or(0, diagnoses::Class::exit_code)
    }

    /// For people.
    pub(crate) fn text(&self, lang: Lang, colour: bool) -> String {
        let mut out = format!("madang doctor {}\n\n", self.evidence.target.shown());
        let paint = |code: &str, text: &str| {
            if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        for step in steps::all(&self.evidence) {
            let mark = if step.ok { paint("32", "✓") } else { paint("31", "✗") };
            let name = padded(step.name.get(lang), 10);
            let _ = writeln!(out, "  {mark} {name} {}", step.text.get(lang));
        }
        out.push('\n');
        if self.findings.is_empty() {
            out.push_str(self.without_finding().get(lang));
            out.push('\n');
        }
        for finding in &self.findings {
            self.finding(finding, lang, colour, &mut out);
        }
        redact::without(&out, &self.secrets)
    }

    fn without_finding(&self) -> Said {
        if steps::ill(&self.evidence).is_none() {
            return said!(
                "Healthy: nothing is wrong that can be seen from here.",
                "정상: 여기서 볼 수 있는 문제는 없습니다."
            );
        }
        said!(
            "It does not work, and none of the known diagnoses fits. --json has all that was seen; --report FILE writes it, without secrets, for a bug report.",
            "작동하지 않지만 알려진 진단과 맞지 않습니다. --json에 본 것이 모두 있고, --report FILE은 비밀을 뺀 채 파일로 씁니다."
        )
    }

    fn finding(&self, finding: &Finding, lang: Lang, colour: bool, out: &mut String) {
        let (diagnosis, seen) = (finding.diagnosis, &finding.seen);
        let title = format!("{}: {}", diagnosis.code, diagnosis.title.get(lang));
        let title = if colour { format!("\u{1b}[1;31m{title}\u{1b}[0m") } else { title };
        let _ = writeln!(out, "{title}");
        let (wire, means, cure) = match lang {
            Lang::En => ("seen", "means", "to do"),
            Lang::Ko => ("본 것", "뜻", "할 일"),
        };
        for (at, line) in seen.wire.iter().enumerate() {
            block(out, if at == 0 { wire } else { "" }, line.get(lang), false);
        }
        match &seen.means {
            Some(text) => block(out, means, text.get(lang), true),
            None => block(out, means, diagnosis.means.get(lang), true),
        }
        match &seen.cure {
            Some(text) => block(out, cure, text.get(lang), true),
            None => block(out, cure, diagnosis.cure.get(lang), true),
        }
        for line in self.lines(finding) {
            let _ = writeln!(out, "              {line}");
        }
        out.push('\n');
    }

    /// Literal lines: those of the case, then those of the proxy in front.
    fn lines(&self, finding: &Finding) -> Vec<String> {
        let mut lines = finding.seen.lines.clone();
        if !finding.seen.no_proxy {
            lines.extend(proxies::lines_for(finding.diagnosis.lines, &self.evidence));
        }
        lines
    }

    fn json(&self) -> Value {
        let findings: Vec<Value> =
            self.findings.iter().map(|finding| self.value(finding)).collect();
        let steps: Vec<Value> = steps::all(&self.evidence)
            .iter()
            .map(|step| json!({ "ok": step.ok, "name": step.name.en, "text": step.text }))
            .collect();
        let mut value = json!({
            "url": self.evidence.target.shown(),
            "findings": findings,
            "steps": steps,
            "evidence": evidence(&self.evidence),
        });
        redact::value(&mut value, &self.secrets);
        value
    }

    fn value(&self, finding: &Finding) -> Value {
        let (diagnosis, seen) = (finding.diagnosis, &finding.seen);
        let means = seen.means.clone().unwrap_or_else(|| diagnosis.means.into());
        let cure = seen.cure.clone().unwrap_or_else(|| diagnosis.cure.into());
        json!({
            "code": diagnosis.code,
            "class": diagnosis.class,
            "title": Said::from(diagnosis.title),
            "seen": seen.wire,
            "means": means,
            "cure": cure,
            "lines": self.lines(finding),
        })
    }
}

/// For programs; also what `--report` writes: of the URL and, with `--server`, of this machine.
pub(crate) fn json(report: Option<&Report>, checks: Option<&[Check]>) -> String {
    let mut value = match report {
        Some(report) => report.json(),
        None => json!({ "url": null, "findings": [], "steps": [], "evidence": null }),
    };
    let exit = exit_code(report, checks);
    if let Some(map) = value.as_object_mut() {
        map.insert("healthy".into(), (exit == 0).into());
        map.insert("exit".into(), exit.into());
        if let Some(checks) = checks {
            let healthy = node::is_healthy(checks);
            map.insert("server".into(), json!({ "healthy": healthy, "checks": checks }));
        }
    }
    safe(&serde_json::to_string_pretty(&value).unwrap_or_default())
}

/// What the process ends with: the ill part of the URL first, then this machine.
pub(crate) fn exit_code(report: Option<&Report>, checks: Option<&[Check]>) -> u8 {
    let machine = match checks {
        Some(checks) if !node::is_healthy(checks) => diagnoses::Class::Node.exit_code(),
        _ => 0,
    };
    report.map(Report::exit_code).filter(|&code| code != 0).unwrap_or(machine)
}

/// JSON leaves some characters as they are that drive a terminal; they stand in strings only.
fn safe(json: &str) -> String {
    // Its own line ends are the only control characters otherwise.
    crate::client::escaped(json, crate::client::Keep::Lines).into_owned()
}

/// The evidence; the query has secrets that the URL as shown has not.
fn evidence(evidence: &Evidence) -> Value {
    let mut value = serde_json::to_value(evidence).unwrap_or(Value::Null);
    if let Some(query) = value.pointer_mut("/target/query")
        && let Some(text) = query.as_str()
    {
        *query = redact::url(&format!("?{text}")).trim_start_matches('?').into();
    }
    value
}

/// `label     text`, with the text's further lines below, and long ones broken between words.
fn block(out: &mut String, label: &str, text: &str, broken: bool) {
    let mut label = padded(label, 8);
    for line in text.lines() {
        for piece in if broken { wrapped(line, 84) } else { vec![line.to_owned()] } {
            let _ = writeln!(out, "  {label}  {piece}");
            label = " ".repeat(8);
        }
    }
}

/// Filled up to so many columns.
fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Columns of a terminal; letters of Korean take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if ('\u{1100}'..='\u{ffdc}').contains(&c) { 2 } else { 1 }).sum()
}

fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let fits = lines
            .last()
            .is_some_and(|line| line.is_empty() || width(line) + 1 + width(word) <= columns);
        if !fits {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// A diagnosis in general, for `madang explain`.
pub(crate) fn explained(diagnosis: &Diagnosis, lang: Lang) -> String {
    let mut out = format!("{}: {}\n\n", diagnosis.code, diagnosis.title.get(lang));
    let _ = writeln!(out, "{}\n", diagnosis.means.get(lang));
    let to_do = match lang {
        Lang::En => "What to do:",
        Lang::Ko => "할 일:",
    };
    let _ = writeln!(out, "{to_do} {}", diagnosis.cure.get(lang));
    for line in proxies::lines(diagnosis.lines, None) {
        let _ = writeln!(out, "    {line}");
    }
    if let Some(why) = diagnosis.unseen {
        let cannot = match lang {
            Lang::En => "`madang doctor URL` cannot see this:",
            Lang::Ko => "`madang doctor URL`로는 보이지 않습니다:",
        };
        let _ = writeln!(out, "\n{cannot} {}.", why.get(lang));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrapped("마당 마당", 8), ["마당", "마당"]);
        assert_eq!(padded("뜻", 4), "뜻  ");
    }

    #[test]
    fn explained_in_both_languages() {
        let d22 = diagnoses::by_code("d22").unwrap();
        assert!(explained(d22, Lang::En).contains("$http_upgrade"));
        assert!(explained(d22, Lang::Ko).contains("할 일:"));
        let d48 = diagnoses::by_code("D48").unwrap();
        assert!(explained(d48, Lang::En).contains("cannot see this"));
    }
}
