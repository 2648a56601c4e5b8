//! What shells and `man` read, and the facts of the build.

use std::process::Command;

use super::run;

/// The names of all commands, as `madang --help` lists them.
fn commands() -> Vec<String> {
    let help = output(&["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let name = |line: &str| line.split_whitespace().next().unwrap().to_owned();
    let names: Vec<_> = list.lines().map(name).filter(|name| name != "help").collect();
    assert!(names.contains(&"serve".to_owned()) && names.contains(&"man".to_owned()), "{help}");
    names
}

fn output(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn completions_know_every_command_and_flag() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = output(&["completions", shell]);
        let flags = ["binary-to", "history-bytes"].map(str::to_owned);
        for word in commands().iter().chain(&flags) {
            assert!(text.contains(word.as_str()), "{shell} does not know {word}");
        }
        // Values are known to some shells only.
        assert!(text.contains("socketio") || matches!(shell, "elvish" | "powershell"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn the_readme_names_every_flag_of_every_command() {
    let readme = include_str!("../../../../README.md");
    for command in commands() {
        let help = output(&[&command, "--help"]);
        let flags = help.lines().filter_map(|line| {
            let line = line.trim_start();
            let line = line.split_once(", ").map_or(line, |(_, long)| long);
            line.starts_with("--").then(|| line.split([' ', '=', '[']).next().unwrap())
        });
        for flag in flags.filter(|flag| !matches!(*flag, "--help" | "--version")) {
            let known = [format!("`{flag}`"), format!("`{flag} "), format!("`{flag}[")];
            assert!(known.iter().any(|text| readme.contains(text)), "no {flag} of {command}");
        }
    }
}

#[test]
fn bash_completes_with_them() {
    let script = format!(
        "{}\nCOMP_WORDS=(madang connect --sub); COMP_CWORD=2\n_madang madang --sub connect\n\
         echo \"${{COMPREPLY[*]}}\"",
        output(&["completions", "bash"])
    );
    let done = Command::new("bash").args(["--norc", "-c", &script]).output();
    // Where there is no bash, nobody completes with it.
    let Ok(done) = done else { return };
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "--subprotocol\n");
}

#[test]
fn there_is_a_page_for_each_command() {
    let page = output(&["man"]);
    assert!(page.contains(".TH madang 1") && page.contains(r"madang\-connect(1)"), "{page}");
    for command in commands() {
        let page = output(&["man", &command]);
        assert!(page.contains(&format!(".TH madang-{command} 1")), "{page}");
    }
    let page = output(&["man", "connect"]);
    assert!(page.contains(r"\-\-binary\-to") && page.contains("Exit codes"), "{page}");
    assert_eq!(run(&["man", "nonsense"]).status.code(), Some(2));
}

#[test]
fn the_version_is_short_or_has_the_facts_of_the_build() {
    let short = output(&["-V"]);
    assert_eq!(short, concat!("madang ", env!("CARGO_PKG_VERSION"), "\n"));
    let long = output(&["--version"]);
    assert!(long.starts_with(&short), "{long}");
    for fact in ["commit", "date", "target", "profile", "compiler", "features"] {
        let line = long.lines().find_map(|line| line.strip_prefix(fact));
        assert!(line.is_some_and(|value| !value.trim().is_empty()), "{fact} is not in {long}");
    }
    assert!(long.contains("tls"), "{long}");
}
