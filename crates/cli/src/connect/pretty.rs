//! JSON with line ends and indentation.

use serde::de::IgnoredAny;

/// The same JSON, laid out; `None` where the text is no JSON object or array. Members keep their
/// order and numbers their digits, since nothing but the spaces between the parts changes.
pub(crate) fn pretty(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut is_string, mut is_escape) = (0_usize, false, false);
    let mut all = text.chars();
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        // serde_json takes no more than 128 levels.
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = all.next() {
        if is_string {
            out.push(c);
            match c {
                _ if is_escape => is_escape = false,
                '\\' => is_escape = true,
                '"' => is_string = false,
                _ => {}
            }
            continue;
        }
        match c {
            '"' => {
                is_string = true;
                out.push(c);
            }
            '{' | '[' => {
                let rest = all.as_str().trim_start();
                if rest.starts_with(['}', ']']) {
                    out.push(c);
                    continue;
                }
                depth += 1;
                out.push(c);
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    new_line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spaces_change() {
        let text = r#" {"b" : 1.50, "a":[ ],"c": {},"d":[{"x, y":"{\"[:"}, null] } "#;
        let is = "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"c\": {},\n  \"d\": [\n    {\n      \
            \"x, y\": \"{\\\"[:\"\n    },\n    null\n  ]\n}";
        assert_eq!(pretty(text).as_deref(), Some(is));
        for other in ["text", "\"a\"", "1", "{\"a\":}", "[1", ""] {
            assert_eq!(pretty(other), None, "{other}");
        }
    }
}
