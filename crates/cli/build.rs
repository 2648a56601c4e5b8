//! Facts of the build for `madang --version`. Without git, as from an archive, the commit is
//! unknown, unless `MADANG_COMMIT` names it; nothing fails.

use std::{
    env,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for variable in ["MADANG_COMMIT", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    watch_head();
    // Whether there are changes is a fact, too.
    for place in ["cli", "madang", "proto", "ws"] {
        println!("cargo::rerun-if-changed=../{place}/src");
    }
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    let commit = env::var("MADANG_COMMIT").ok().or_else(commit);
    fact("COMMIT", &commit.unwrap_or_else(|| "unknown".into()));
    fact("DATE", &date(seconds()));
    fact("TARGET", &env::var("TARGET").unwrap_or_default());
    fact("PROFILE", &env::var("PROFILE").unwrap_or_default());
    let compiler = env::var("RUSTC").ok().and_then(|rustc| said(&rustc, &["--version"]));
    fact("RUSTC", &compiler.unwrap_or_else(|| "rustc".into()));
}

fn fact(name: &str, value: &str) {
    println!("cargo::rustc-env=MADANG_BUILD_{name}={value}");
}

/// The commit, with a mark where what is built is not what was committed.
fn commit() -> Option<String> {
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if is_changed.is_empty() { commit } else { format!("{commit}, with changes") })
}

/// A new commit is a new build.
fn watch_head() {
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", name])
            && std::path::Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// What git says of this folder, where the folder is its repository's: an unpacked archive may lie
/// in a repository of something else.
fn git(arguments: &[&str]) -> Option<String> {
    let tracked = ["ls-files", "--error-unmatch", "build.rs"];
    said("git", &tracked)?;
    said("git", arguments)
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// <https://reproducible-builds.org/docs/source-date-epoch/>, or the commit's time, or now.
fn seconds() -> u64 {
    let given = env::var("SOURCE_DATE_EPOCH").ok();
    let given = given.or_else(|| git(&["log", "-1", "--format=%ct"]));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    given.and_then(|text| text.parse().ok()).unwrap_or_else(now)
}

/// The day of a time, in UTC.
fn date(seconds: u64) -> String {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut day) = (1970, seconds / 86_400);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", day + 1)
}
