use super::policy::{Package, Policy};

fn policy() -> Policy {
    Policy::parse(include_str!("../../../deny.toml")).unwrap()
}

fn package(line: &str) -> Package {
    Package::parse(line).unwrap()
}

#[test]
fn licence_expressions_are_understood() {
    let policy = policy();
    for good in [
        "MIT",
        "MIT OR GPL-3.0-only",
        "GPL-2.0/MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(policy.allows(good), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT",
        "MIT MIT",
        "GPL-2.0 WITH MIT",
        "(GPL-2.0 OR LGPL-3.0) AND MIT",
    ] {
        assert!(!policy.allows(bad), "{bad}");
    }
}

#[test]
fn banned_and_doubled_packages_are_refused() {
    let policy = policy();
    let fine =
        [package("tokio v1.54.1\tMIT"), package("rand v0.8.0\tMIT"), package("rand v0.9.0\tMIT")];
    assert_eq!(policy.packages(&fine), Vec::<String>::new());
    let banned = [package("ring v0.17.14\tApache-2.0 AND ISC")];
    assert_eq!(policy.packages(&banned).len(), 1);
    let doubled = [package("http v0.2.12\tMIT"), package("http v1.5.0\tMIT")];
    assert!(policy.packages(&doubled)[0].contains("2 versions: v0.2.12, v1.5.0"));
    let unlicensed = [package("odd v1.0.0\t")];
    assert!(policy.packages(&unlicensed)[0].contains("licence"));
    assert_eq!(Package::parse("echo v0.1.0 (/src/examples/echo)\t"), None);
    assert!(Package::parse("serde_derive v1.0.2 (proc-macro)\tMIT").is_some());
}

#[test]
fn only_crates_io_is_a_source() {
    let fine = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    assert!(Policy::sources(fine).is_empty());
    assert_eq!(Policy::sources("source = \"git+https://example.com/x#1\"\n").len(), 1);
}
