use http::HeaderValue;
use proptest::prelude::*;

use crate::handshake::origin::{OriginError, OriginPolicy};

/// What the policy says to `origin` at `host`.
fn check(allowed: &[&str], origin: &str, host: &str, loopback: bool) -> Result<(), OriginError> {
    let allowed = allowed.iter().map(|&name| name.to_owned()).collect();
    let origin = HeaderValue::from_str(origin).unwrap();
    OriginPolicy { allowed }.check(Some(&origin), host, loopback)
}

fn forbidden(origin: &str) -> Result<(), OriginError> {
    Err(OriginError::Forbidden(origin.to_owned()))
}

#[test]
fn programs_pass() {
    assert_eq!(OriginPolicy::default().check(None, "example.com", false), Ok(()));
}

#[test]
fn the_own_page_passes() {
    for (origin, host) in [
        ("http://example.com", "example.com"),
        ("https://example.com", "example.com"),
        ("http://example.com", "example.com:80"),
        ("http://example.com:80", "example.com"),
        ("https://example.com", "example.com:443"),
        ("https://example.com:443", "example.com"),
        ("http://EXAMPLE.com", "example.COM"),
        ("HTTPS://example.com", "example.com:443"),
        ("http://example.com:8000", "example.com:8000"),
        ("https://example.com:8000", "example.com:8000"),
        ("http://192.168.0.7:8000", "192.168.0.7:8000"),
        ("http://[2001:db8::1]:8000", "[2001:db8::1]:8000"),
        ("http://[2001:DB8::1]", "[2001:db8::1]:80"),
        ("app://example.com:1", "example.com:1"),
        ("app://example.com", "example.com"),
    ] {
        assert_eq!(check(&[], origin, host, false), Ok(()), "{origin} at {host}");
    }
}

#[test]
fn other_pages_do_not() {
    for (origin, host) in [
        ("http://evil.example", "example.com"),
        ("https://goodexample.com.evil", "goodexample.com"),
        ("https://evilgoodexample.com", "goodexample.com"),
        ("https://sub.example.com", "example.com"),
        ("https://example.com", "sub.example.com"),
        ("https://example.com.", "example.com"),
        ("http://example.com:8001", "example.com:8000"),
        ("http://example.com", "example.com:8000"),
        ("http://example.com:8000", "example.com"),
        ("http://example.com", "example.com:443"),
        ("https://example.com", "example.com:80"),
        ("app://example.com", "example.com:80"),
        ("http://[2001:db8::1]", "[2001:db8::2]"),
        ("http://localhost:8000", "example.com"),
        ("http://example.com", ""),
        ("http://example.com", "example.com, evil"),
        ("http://example.com", "evil@example.com"),
        ("http://example.com", "example.com:"),
        ("http://example.com", "[example.com]"),
    ] {
        let result = check(&["https://app.example"], origin, host, false);
        assert_eq!(result, forbidden(origin), "{origin} at {host}");
    }
}

#[test]
fn allowed_pages_pass_when_they_match_exactly() {
    let allowed = &["https://app.example", "http://dev.example:3000"];
    for origin in [
        "https://app.example",
        "https://app.example:443",
        "HTTPS://APP.example",
        "http://dev.example:3000",
    ] {
        assert_eq!(check(allowed, origin, "api.example", false), Ok(()), "{origin}");
    }
    for origin in [
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil",
        "https://notapp.example",
        "https://sub.app.example",
        "http://dev.example",
        "https://dev.example:3000",
    ] {
        assert_eq!(check(allowed, origin, "api.example", false), forbidden(origin));
    }
    assert_eq!(check(&["*"], "https://anything.example:1", "api.example", false), Ok(()));
}

#[test]
fn null_passes_only_when_listed() {
    assert_eq!(check(&[], "null", "example.com", false), Err(OriginError::Null));
    assert_eq!(check(&[], "null", "null", true), Err(OriginError::Null));
    assert_eq!(
        check(&["https://app.example"], "null", "example.com", false),
        Err(OriginError::Null)
    );
    assert_eq!(check(&["null"], "null", "example.com", false), Ok(()));
    assert_eq!(check(&["*"], "null", "example.com", false), Ok(()));
}

#[test]
fn on_the_loopback_any_loopback_page_passes() {
    for origin in [
        "http://localhost",
        "http://localhost:3000",
        "https://LOCALHOST:3000",
        "http://app.localhost:5173",
        "http://127.0.0.1",
        "http://127.9.8.7:1",
        "http://[::1]:3000",
    ] {
        assert_eq!(check(&[], origin, "127.0.0.1:8000", true), Ok(()), "{origin}");
        assert_eq!(check(&[], origin, "127.0.0.1:8000", false), forbidden(origin));
    }
    for origin in [
        "http://evil.example",
        "http://localhost.evil",
        "http://notlocalhost",
        "http://127.0.0.1.evil",
        "http://128.0.0.1",
        "http://0.0.0.0:8000",
        "http://[::2]",
        "http://192.168.0.7:8000",
    ] {
        assert_eq!(check(&[], origin, "127.0.0.1:8000", true), forbidden(origin));
    }
}

#[test]
fn what_is_no_origin_is_malformed() {
    for origin in [
        "",
        "example.com",
        "//example.com",
        "://example.com",
        "http://",
        "http:///",
        "http://example.com/",
        "http://example.com/path",
        "http://example.com?",
        "http://user@example.com",
        "http://example.com@evil.example",
        "http://example.com:80:80",
        "http://example.com:port",
        "http://example.com:65536",
        "http://example.com:-1",
        "http://example.com evil",
        "http://a.example http://example.com",
        "http://example.com, http://example.com",
        "http://example.com#",
        "http://example.com\\",
        "http://[::1",
        "http://::1",
        "http://[::1]x",
        "http://[localhost]",
        "http://[::1%25lo]",
        "1http://example.com",
        "ht tp://example.com",
        "NULL",
    ] {
        let allowed = &["*", "null"];
        assert_eq!(
            check(allowed, origin, "example.com", true),
            Err(OriginError::Malformed),
            "{origin}"
        );
    }
    let bytes = HeaderValue::from_bytes(b"http://caf\xe9.example").unwrap();
    let policy = OriginPolicy { allowed: vec!["*".to_owned()] };
    assert_eq!(policy.check(Some(&bytes), "example.com", true), Err(OriginError::Malformed));
}

#[test]
fn the_error_names_the_cure() {
    let error = check(&[], "https://app.example", "api.example", false).unwrap_err();
    assert!(error.to_string().contains("--allowed-origin https://app.example"));
    let error = check(&[], "null", "api.example", false).unwrap_err();
    assert!(error.to_string().contains("--allowed-origin null"));
}

proptest! {
    #[test]
    fn a_page_from_another_host_never_passes(
        scheme in "https?",
        before in "[a-z0-9.-]{0,8}",
        after in "[a-z0-9.@:/-]{0,8}",
        port in "(:[0-9]{1,5})?",
    ) {
        prop_assume!(!before.is_empty() || !after.is_empty());
        // The parts make another host or port, or nothing at all.
        let origin = format!("{scheme}://{before}example.com{after}{port}");
        let own = [":80", ":443"].iter().any(|own| after == *own || port == *own);
        prop_assume!(!own);
        prop_assume!(!(before.is_empty() && after.bytes().all(|b| b == b':' || b.is_ascii_digit())));
        prop_assert!(check(&[], &origin, "example.com", false).is_err());
    }
}
