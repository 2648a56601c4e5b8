//! Programs that steps need: found, installed where that is allowed, or named with their cure.

use crate::process::{Log, command, output, run};
use crate::project::Project;
use crate::steps::Outcome;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const INSTALL: Duration = Duration::from_mins(10);

/// What stops a step: it is missing something (and is skipped), or it failed.
pub(crate) enum Stop {
    Missing(String),
    Failed(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Turns a step that may miss something into what the runner counts.
pub(crate) fn outcome(result: Result<String, Stop>) -> Result<Outcome, String> {
    match result {
        Ok(note) => Ok(Outcome::Passed(note)),
        Err(Stop::Missing(what)) => Ok(Outcome::Skipped(what)),
        Err(Stop::Failed(why)) => Err(why),
    }
}

/// True when `program --version` answers.
pub(crate) fn has(program: &str) -> bool {
    output(program, &["--version"], Path::new(".")).is_some()
}

/// Sees to a program that Debian has in `packages`: root installs it, others are told how.
pub(crate) fn need(program: &str, packages: &[&str], log: &Log) -> Result<(), Stop> {
    if has(program) {
        return Ok(());
    }
    install(packages, log)?;
    if has(program) {
        return Ok(());
    }
    Err(Stop::Missing(format!(
        "{program} does not run, though {} is installed",
        packages.join(" ")
    )))
}

/// Sees to a program that Debian has in `packages` and that is not in everybody's path.
pub(crate) fn need_file(path: &str, packages: &[&str], log: &Log) -> Result<(), Stop> {
    if !Path::new(path).exists() {
        install(packages, log)?;
    }
    if Path::new(path).exists() {
        return Ok(());
    }
    Err(Stop::Missing(format!("{path} is not there, though {} is installed", packages.join(" "))))
}

/// Sees to fonts that can draw Korean, without which the screenshots show boxes.
pub(crate) fn need_korean_font(log: &Log) -> Result<(), Stop> {
    let known = |lang: &str| output("fc-list", &[format!(":lang={lang}")], Path::new("."));
    if known("ko").is_some_and(|fonts| !fonts.is_empty()) {
        return Ok(());
    }
    install(&["fonts-nanum", "fontconfig"], log)
}

fn install(packages: &[&str], log: &Log) -> Result<(), Stop> {
    let cure = format!("apt-get install {}", packages.join(" "));
    let here = Path::new(".");
    let may = output("id", &["-u"], here).is_some_and(|id| id == "0") && has("apt-get");
    if !may {
        return Err(Stop::Missing(format!("needs `sudo {cure}`")));
    }
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(packages);
    let apt = |args: &[&str]| {
        let mut apt = command("apt-get", args, here);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        run(apt, log, INSTALL)
    };
    if apt(&args).is_err() {
        // The lists may be old or empty.
        apt(&["update"])
            .and_then(|()| apt(&args))
            .map_err(|e| Stop::Missing(format!("`{cure}` failed: {e}")))?;
    }
    Ok(())
}

/// A copy of the npm package in folder `name` with its locked dependencies installed.
pub(crate) fn npm_package(project: &Project, name: &str, log: &Log) -> Result<PathBuf, Stop> {
    npm_ci(project.working_copy(name)?, name, log)
}

/// The same of a judge in the shared material.
pub(crate) fn npm_judge(project: &Project, name: &str, log: &Log) -> Result<PathBuf, Stop> {
    let from = format!("conformance/{name}");
    let dir = project.shared_copy(&from, &format!("judges/{name}")).map_err(Stop::Missing)?;
    npm_ci(dir, &from, log)
}

fn npm_ci(dir: PathBuf, name: &str, log: &Log) -> Result<PathBuf, Stop> {
    need("node", &["nodejs"], log)?;
    need("npm", &["npm"], log)?;
    once_for(&dir, "package-lock.json", || {
        let args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
        run(command("npm", &args, &dir), log, INSTALL)
            .map_err(|e| Stop::Missing(format!("`npm ci` of {name} failed: {e}")))
    })?;
    Ok(dir)
}

/// A copy of the Python folder `name`, and the interpreter of its own environment below it.
pub(crate) fn python_package(
    project: &Project,
    name: &str,
    log: &Log,
) -> Result<(PathBuf, PathBuf), Stop> {
    need("python3", &["python3"], log)?;
    let dir = project.working_copy(name)?;
    let python = dir.join("venv/bin/python");
    once_for(&dir, "requirements.txt", || {
        let venv =
            || run(command("python3", &["-m", "venv", "--clear", "venv"], &dir), log, INSTALL);
        if venv().is_err() {
            install(&["python3-venv"], log)?;
            venv()?;
        }
        let args = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            "requirements.txt",
        ];
        run(command(&python, &args, &dir), log, INSTALL)
            .map_err(|e| Stop::Missing(format!("`pip install` of {name} failed: {e}")))
    })?;
    Ok((dir, python))
}

/// Runs `install` unless it has succeeded before with the same text of `lock`.
fn once_for(
    dir: &Path,
    lock: &str,
    install: impl FnOnce() -> Result<(), Stop>,
) -> Result<(), Stop> {
    let stamp = dir.join(".installed");
    let wanted = fs::read(dir.join(lock)).map_err(|e| format!("{lock}: {e}"))?;
    if fs::read(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    install()?;
    fs::write(&stamp, wanted).map_err(|e| Stop::Failed(format!("{}: {e}", stamp.display())))
}

/// The files in `dir` whose names end so, in order: some runners want files, not folders.
pub(crate) fn files_ending(dir: &Path, ends: &[&str]) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<String> = entries
        .map(|e| e.path().to_string_lossy().into_owned())
        .filter(|path| ends.iter().any(|end| path.ends_with(end)))
        .collect();
    files.sort();
    files
}
