//! Secrets in HTML and XML: fields of forms, `meta`, and elements with such a name.

use std::ops::Range;

use super::{
    names::{Kind, kind},
    text::is_harmless,
};

/// A longer tag is none.
const MAX_TAG: usize = 4_096;

/// The text without the values of fields that are named like a secret.
pub(super) fn without_fields(text: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    let mut hide = |range: Range<usize>| {
        // Ranges come in order; what is empty or within another stays.
        if range.start >= done && !range.is_empty() {
            out.push_str(text.get(done..range.start).unwrap_or_default());
            out.push_str(instead);
            done = range.end;
        }
    };
    for (at, _) in text.match_indices('<') {
        let from = at + 1;
        let rest = text.get(from..).unwrap_or_default();
        let name = rest.find(|c: char| !is_name(c)).map_or(rest, |end| rest.split_at(end).0);
        if name.is_empty() {
            continue;
        }
        let most = rest.floor_char_boundary(MAX_TAG);
        let near = rest.get(..most).unwrap_or(rest);
        let end = near.find('>').unwrap_or(near.len());
        let tag = rest.get(..end).unwrap_or_default();
        let attributes = attributes(tag, name.len());
        let value = |range: &Range<usize>| tag.get(range.clone()).unwrap_or_default();
        let is_secret = attributes.iter().any(|(name, range)| match name.as_str() {
            "name" | "id" | "property" => kind(value(range)) == Kind::Secret,
            "type" => value(range) == "password",
            _ => false,
        });
        for (name, range) in attributes {
            if is_secret && matches!(name.as_str(), "value" | "content") {
                hide(from + range.start..from + range.end);
            }
        }
        let body = rest.get(end + 1..).unwrap_or_default();
        if let Some(cell) = cell(name, body) {
            let start = from + end + 1;
            hide(start + cell.start..start + cell.end);
        }
        let inner = body.split('<').next().unwrap_or_default();
        let behind = body.get(inner.len()..).unwrap_or_default();
        // `Bearer <token>` is no element: none is closed, and none was cut.
        let is_element = behind.starts_with("</") || (behind.is_empty() && !inner.contains(' '));
        let is_element = is_element && kind(name) == Kind::Secret && !tag.ends_with('/');
        if is_element && !is_harmless(inner) {
            let start = from + end + 1;
            hide(start..start + inner.len());
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// Where the value of a table's or a list's row is, from `body` on, which stands behind its first
/// cell's tag: `<td>DB_PASSWORD</td><td class="code"><pre>X</pre></td>`.
fn cell(name: &str, body: &str) -> Option<Range<usize>> {
    if !["td", "th", "dt"].iter().any(|cell| name.eq_ignore_ascii_case(cell)) {
        return None;
    }
    let body = body.get(..body.floor_char_boundary(MAX_TAG)).unwrap_or(body);
    let at = open_to_text(body);
    let label = body.get(at..)?.split('<').next()?;
    let label_end = at + label.len();
    let label = label.trim().trim_end_matches(':').trim_matches(['"', '\'']);
    if label.is_empty() || !label.chars().all(is_name) || kind(label) != Kind::Secret {
        return None;
    }
    // Only the ends of what is around it stand between them.
    let mut next = label_end;
    while body.get(next..)?.trim_start().starts_with("</") {
        next += body.get(next..)?.find('>')? + 1;
    }
    next = body.len() - body.get(next..)?.trim_start().len();
    let tag = body.get(next..)?.get(..3)?.to_ascii_lowercase();
    if tag != "<td" && tag != "<dd" {
        return None;
    }
    let start = next + open_to_text(body.get(next..)?);
    let value = body.get(start..)?.split("</").next()?;
    (!is_harmless(value)).then(|| start..start + value.trim_end().len())
}

/// Behind all tags and spaces that stand first.
fn open_to_text(text: &str) -> usize {
    let mut rest = text.trim_start();
    while let Some(end) =
        rest.strip_prefix('<').filter(|it| !it.starts_with('/')).and(rest.find('>'))
    {
        rest = rest.get(end + 1..).unwrap_or_default().trim_start();
    }
    text.len() - rest.len()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.')
}

/// Names in small letters, and where in the tag their values are; a value without its end goes to the
/// tag's.
fn attributes(tag: &str, from: usize) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(equals) = tag.get(at..).and_then(|rest| rest.find('=')).map(|it| at + it) {
        let before = tag.get(at..equals).unwrap_or_default().trim_end();
        let name = before.rsplit(|c: char| !is_name(c)).next().unwrap_or_default();
        let rest = tag.get(equals + 1..).unwrap_or_default();
        let value = rest.trim_start();
        let start = equals + 1 + (rest.len() - value.len());
        let (start, end) = match value.chars().next() {
            // Within a string of JSON the quotes are escaped.
            Some(quote @ ('"' | '\'')) => bounds(tag, start + 1, &[quote]),
            Some('\\') => bounds(tag, start + 2, &['\\', '"']),
            _ => bounds(tag, start, &[' ', '\t', '\n', '\r']),
        };
        found.push((name.to_ascii_lowercase(), start..end));
        at = end.max(equals + 1);
    }
    found
}

fn bounds(tag: &str, start: usize, ends: &[char]) -> (usize, usize) {
    let start = start.min(tag.len());
    let length = tag.get(start..).and_then(|rest| rest.find(ends));
    (start, length.map_or(tag.len(), |length| start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_forms_and_elements() {
        for (text, is) in [
            (
                "<p><input type=hidden name=\"csrf_token\" value=\"X\">",
                "<p><input type=hidden name=\"csrf_token\" value=\"…\">",
            ),
            ("<input value='X' name=_token>", "<input value='…' name=_token>"),
            ("<input type=password value=X>", "<input type=password value=…>"),
            (
                "<meta name=\"csrf-token\" content=\"X\" />",
                "<meta name=\"csrf-token\" content=\"…\" />",
            ),
            (
                "<input name=\\\"_csrf\\\" value=\\\"X\\\">",
                "<input name=\\\"_csrf\\\" value=\\\"…\\\">",
            ),
            ("<a><password>X</password></a>", "<a><password>…</password></a>"),
            ("<input name=\"token\" value=\"cut", "<input name=\"token\" value=\"…"),
            ("<input name=\"token\" value=\"\">", "<input name=\"token\" value=\"\">"),
            ("a < b <title>Token</title>", "a < b <title>Token</title>"),
            ("<td>DB_PASSWORD</td><td>X</td>", "<td>DB_PASSWORD</td><td>…</td>"),
            (
                "<tr><td>'SECRET_KEY'</td>\n <td class=\"code\"><pre>&#x27;X&#x27;</pre></td></tr>",
                "<tr><td>'SECRET_KEY'</td>\n <td class=\"code\"><pre>…</pre></td></tr>",
            ),
            ("<dt><code>token:</code></dt><dd>X</dd>", "<dt><code>token:</code></dt><dd>…</dd>"),
            ("<td>Token</td></tr><tr><td>a</td>", "<td>Token</td></tr><tr><td>a</td>"),
            (
                "<td>Password</td><td><input name=a></td>",
                "<td>Password</td><td><input name=a></td>",
            ),
            ("Bearer <token> from there", "Bearer <token> from there"),
            ("<meta name=\"viewport\" content=\"a\">", "<meta name=\"viewport\" content=\"a\">"),
        ] {
            assert_eq!(without_fields(text, "…"), is);
        }
    }
}
