//! Firewalls of the web, and walls against programs: by their marks.

use crate::doctor::evidence::Answer;

/// Whose wall it is that answered.
pub(super) fn of(answer: &Answer) -> Option<&'static str> {
    let server = answer.header("server").unwrap_or_default().to_ascii_lowercase();
    if answer.header("cf-mitigated").is_some() {
        return Some("Cloudflare");
    }
    if answer.header("x-amzn-waf-action").is_some() {
        return Some("AWS WAF");
    }
    if answer.status != 403 {
        return None;
    }
    let body = answer.lower();
    let says = |marks: &[&str]| marks.iter().any(|mark| body.contains(mark));
    let via = answer.header("via").unwrap_or_default().to_ascii_lowercase();
    let is_cloudfront = server.contains("cloudfront") || via.contains("cloudfront");
    let known = [
        (
            says(&["cf-chl", "attention required! | cloudflare", "used cloudflare to restrict"]),
            "Cloudflare",
        ),
        (server.contains("cloudflare") && is_rule(&body), "Cloudflare"),
        (server.contains("akamai"), "Akamai"),
        (is_cloudfront && says(&["request blocked"]), "CloudFront"),
        (server.contains("sucuri") || says(&["sucuri website firewall"]), "Sucuri"),
        (server.contains("awselb"), "AWS"),
        (says(&["request unsuccessful. incapsula", "_incapsula_resource"]), "Imperva"),
        (says(&["captcha"]), "a wall with a CAPTCHA"),
    ];
    known.into_iter().find(|(is, _)| *is).map(|(_, who)| who)
}

/// Cloudflare's errors by which a rule of the site refuses: address, country, or kind of program.
fn is_rule(body: &str) -> bool {
    let rules = [1005, 1006, 1007, 1008, 1009, 1010, 1012, 1020, 1106];
    cloudflare_code(body).is_some_and(|code| rules.contains(&code))
}

/// The number in `error code: 1020`, or in the page that says the same.
pub(super) fn cloudflare_code(body: &str) -> Option<u32> {
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok().filter(|code| (1000..2000).contains(code))
    };
    let words = || body.split_once("error code:").and_then(|(_, rest)| number(rest.trim_start()));
    let page = || body.split('>').filter(|piece| piece.contains('<')).find_map(number);
    words().or_else(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_read_in_words_and_in_pages() {
        for (body, code) in [
            ("error code: 1020", Some(1020)),
            ("<title>error</title><h1>error<span>1033</span></h1>", Some(1033)),
            ("error code: 521", None),
            ("founded in 1998", None),
            ("", None),
        ] {
            assert_eq!(cloudflare_code(body), code, "{body}");
        }
    }
}
