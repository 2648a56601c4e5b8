//! What cannot be done as it was asked: one helpful sentence, and exit code 2.

use super::{Serving, run};

/// The standard error of a program that ended with 2 and printed nothing else.
pub(crate) fn refusal(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    errors
}

#[test]
fn a_bad_value_is_told_what_a_good_one_looks_like() {
    for (flag, value, hint) in [
        ("--listen", "8000", "127.0.0.1:8000"),
        ("--listen", "127.0.0.1:99999", "127.0.0.1:8000"),
        ("--listen", "203.0.113.9:0", "127.0.0.1 is for this machine only"),
        ("--workers", "0", "from 1 to 1024"),
        ("--workers", "many", "from 1 to 1024"),
        ("--max-connections", "0", "from 1 to"),
        ("--ping-interval", "0", "seconds, 1 at least"),
        ("--ping-timeout", "soon", "seconds, 1 at least"),
        ("--max-message", "1TB", "64KiB"),
        ("--outbox", "0", "64KiB"),
        ("--stream-window", "4GiB", "at most 2147483647"),
        ("--connection-window", "3GiB", "at most 2147483647"),
        ("--send-buffer", "5GiB", "at most 2147483647"),
        ("--max-head", "4GiB", "at most 2147483647"),
        ("--slow-consumer", "wait", "disconnect, drop-oldest, latest"),
        ("--allowed-origin", "app.example", "https://app.example"),
        ("--subprotocol", "a b", "letters, digits"),
        ("--log", "inof", "info"),
        ("--log", "madang=loud", "madang=debug"),
    ] {
        let errors = refusal(&["serve", flag, value]);
        assert!(errors.contains(flag) && errors.contains(hint), "{flag} {value}: {errors}");
    }
}

#[test]
fn an_unknown_flag_or_command_is_answered_with_the_nearest() {
    assert!(refusal(&["serve", "--lisen", "127.0.0.1:0"]).contains("'--listen'"));
    assert!(refusal(&["serv"]).contains("'serve'"));
    let errors = refusal(&["serve", "--subprotocol-server-order"]);
    assert!(errors.contains("--subprotocol <NAME>"), "{errors}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let errors = refusal(&["serve", "--static", "/no/such/folder"]);
    assert!(errors.contains("--static /no/such/folder: does not exist"), "{errors}");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(refusal(&["serve", "--static", file]).contains("is no folder"));
}

#[test]
fn a_taken_port_is_named_with_its_owner_and_a_free_one() {
    let first = Serving::local(&[]);
    let errors = refusal(&["serve", "--listen", &first.address().to_string()]);
    let owner = format!("{} is taken by madang (pid {})", first.address(), first.child.id());
    assert!(errors.contains(&owner), "{errors}");
    let free = errors.trim().rsplit(' ').next().unwrap();
    assert_ne!(free.parse(), Ok(first.address()), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn an_address_that_is_given_twice_is_owned_by_the_program_itself() {
    let free = Serving::local(&[]).address().to_string();
    let errors = refusal(&["serve", "--listen", &free, "--listen", &free]);
    assert!(errors.contains("taken by this program itself"), "{errors}");
}
