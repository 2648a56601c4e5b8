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

/// The words that bash offers behind these.
fn offered(words: &str) -> Option<String> {
    let last = words.rsplit(' ').next().unwrap();
    let count = words.split(' ').count() - 1;
    let script = format!(
        "{}\nCOMP_WORDS=({words}); COMP_CWORD={count}\n_madang madang '{last}' ''\n\
         echo \"${{COMPREPLY[*]}}\"",
        output(&["completions", "bash"])
    );
    let done = Command::new("bash").args(["--norc", "-c", &script]).output().ok()?;
    Some(String::from_utf8(done.stdout).unwrap())
}

#[test]
fn codes_and_commands_are_offered_and_small_letters_are_taken() {
    // Where there is no bash, nobody completes with it.
    let Some(codes) = offered("madang explain D2") else { return };
    assert!(codes.contains("D22") && !codes.contains("D30"), "{codes}");
    assert_eq!(offered("madang man con").unwrap(), "connect\n");
    let fish = output(&["completions", "fish"]);
    assert!(fish.contains("using_subcommand explain\" -f -a D22 -d 'the proxy"), "{fish}");
    assert_eq!(output(&["explain", "d22"]), output(&["explain", "D22"]));
    let help = output(&["explain", "--help"]);
    assert!(!help.contains("M501") && !help.contains("ossible values: M"), "{help}");
}

/// Whoever reads no more has enough; what cannot be written is an error.
#[test]
fn nobody_has_to_read_to_the_end() {
    let commands: [&[&str]; 6] = [
        &["explain"],
        &["explain", "--markdown"],
        &["check-config", "--sample"],
        &["serve", "--print-config"],
        &["man", "serve"],
        &["doctor", "--server"],
    ];
    for command in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = crate::madang(command).stdout(writer).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(errors, "", "{command:?}");
        assert!(matches!(output.status.code(), Some(0 | 60)), "{command:?}");
        let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { continue };
        let output = crate::madang(command).stdout(full).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {errors}");
        assert!(errors.starts_with("madang: cannot write to the standard output"), "{errors}");
    }
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
    assert!(page.contains(r"\-\-binary\-to") && !page.contains("Exit codes"), "{page}");
    assert!(page.contains(".SH \"EXIT STATUS\"") && !page.contains("EXTRA"), "{page}");
    // Each code is an item of its own, and the page has a date.
    assert!(page.contains(".TP 8\n3\nthe server refused the handshake"), "{page}");
    let date = page.lines().find_map(|line| line.strip_prefix(".TH madang-connect 1 "));
    assert!(date.is_some_and(|date| date.starts_with("20") || date.starts_with("\"20")), "{page}");
    let page = output(&["man", "doctor"]);
    assert!(page.contains(".SH NOTES") && page.contains(".TP 8\nD13\n"), "{page}");
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
