//! The rules of `deny.toml` (bans, licences, sources) on what the lock file names.
//!
//! cargo-deny checks the same file more closely where it is installed; this is what a machine
//! without it runs, from `cargo tree` and `Cargo.lock`.

mod policy;
#[cfg(test)]
mod tests;

use crate::process::{Log, command, output, run as run_logged};
use crate::project::Project;
use crate::steps::Outcome;
use crate::tools::has;
use policy::{Package, Policy};
use std::fs;
use std::time::Duration;

pub(crate) fn run(project: &Project, _: &[String]) -> Result<bool, String> {
    let (packages, found) = check(project)?;
    for line in &found {
        println!("{line}");
    }
    println!("deny: {packages} packages, {} refused", found.len());
    Ok(found.is_empty())
}

pub(crate) fn step(project: &Project, log: &Log) -> Result<Outcome, String> {
    let (packages, found) = check(project)?;
    for line in &found {
        log.line(line);
    }
    if !found.is_empty() {
        return Err(format!("{} refused", found.len()));
    }
    if !has("cargo-deny") {
        return Ok(Outcome::Passed(format!("{packages} packages (cargo-deny is not installed)")));
    }
    let args = ["deny", "check", "bans", "licenses", "sources"];
    run_logged(command("cargo", &args, &project.root), log, Duration::from_mins(5))?;
    Ok(Outcome::Passed(format!("{packages} packages, cargo-deny agrees")))
}

/// How many packages were looked at, and what is wrong with them.
fn check(project: &Project) -> Result<(usize, Vec<String>), String> {
    let read = |name: &str| {
        fs::read_to_string(project.root.join(name)).map_err(|e| format!("{name}: {e}"))
    };
    let policy = Policy::parse(&read("deny.toml")?)?;
    let packages = packages(project)?;
    let mut found = policy.packages(&packages);
    found.extend(Policy::sources(&read("Cargo.lock")?));
    Ok((packages.len(), found))
}

/// Every package that any feature or target of the workspace builds, tests included.
fn packages(project: &Project) -> Result<Vec<Package>, String> {
    let args = [
        "tree",
        "--workspace",
        "--all-features",
        "--target",
        "all",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}\t{l}",
    ];
    let text = output("cargo", &args, &project.root).ok_or("cargo tree failed")?;
    let mut packages: Vec<Package> = text.lines().filter_map(Package::parse).collect();
    packages.sort();
    packages.dedup();
    Ok(packages)
}
