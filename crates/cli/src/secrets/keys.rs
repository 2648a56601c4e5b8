//! Keys that say themselves what they are.

/// How keys of services begin.
const STARTS: &[&str] = &[
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "npm_",
    "pypi-",
    "hf_",
    "shpat_",
    "dop_v1_",
    "SG.",
];

/// So many characters stand behind that, at least.
const LEAST: usize = 16;

/// The text without keys whose beginnings are known.
pub(super) fn without_keys(text: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut was_part = false;
    while let Some(first) = rest.chars().next() {
        let length = (!was_part).then(|| key(rest)).flatten();
        let (taken, behind) = rest.split_at(length.unwrap_or(first.len_utf8()));
        out.push_str(if length.is_some() { instead } else { taken });
        was_part = first.is_alphanumeric();
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// How long the key is that begins here.
fn key(text: &str) -> Option<usize> {
    let start = STARTS.iter().find(|start| text.starts_with(**start))?;
    let rest = text.get(start.len()..)?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let body = rest.get(..end)?;
    // Words are in small letters.
    let is_random = body.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    (end >= LEAST && is_random).then_some(start.len() + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_beginnings() {
        for (text, is) in [
            ("key sk-1234567890abcdefSEC.", "key …."),
            ("(ghp_0123456789abcdefABCD)", "(…)"),
            ("xoxb-1234-5678-abcdefgh é AKIAIOSFODNN7EXAMPLE", "… é …"),
            ("sk-short task-1234567890abcdefghi", "sk-short task-1234567890abcdefghi"),
            ("sk-learn-with-many-words", "sk-learn-with-many-words"),
        ] {
            assert_eq!(without_keys(text, "…"), is);
        }
    }
}
