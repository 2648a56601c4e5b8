//! Where things are: the repository, its target folder and the shared judges beside it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The checkout that a task works on.
pub(crate) struct Project {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder; tasks write nowhere else.
    pub(crate) target: PathBuf,
    /// `CI=true`: what was not run counts as failed.
    pub(crate) ci: bool,
}

impl Project {
    /// Finds the repository from the place of this crate's manifest.
    pub(crate) fn find() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .map(Path::to_path_buf)
            .filter(|dir| dir.join("Cargo.lock").exists())
            .ok_or("the repository that xtask was built from has moved; run it by `cargo xtask`")?;
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => root.join(dir),
            None => root.join("target"),
        };
        let ci = env::var("CI").is_ok_and(|v| v == "true" || v == "1");
        Ok(Self { root, target, ci })
    }

    /// The program that a release build of `name` leaves.
    pub(crate) fn release_binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// A folder under the target folder, made when it is not there.
    pub(crate) fn scratch(&self, path: &str) -> Result<PathBuf, String> {
        let dir = self.target.join(path);
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(dir)
    }

    /// A folder of the shared material (`MADANG_SHARED`, else `../shared`), copied below the
    /// target folder so that nothing is written where it came from. The error says what is absent.
    pub(crate) fn shared_copy(&self, name: &str, to: &str) -> Result<PathBuf, String> {
        let shared = match env::var_os("MADANG_SHARED") {
            Some(dir) => self.root.join(dir),
            None => self.root.join("../shared"),
        };
        let from = shared.join(name);
        if !from.is_dir() {
            return Err(format!(
                "../shared/{name} is not there (MADANG_SHARED names another place)"
            ));
        }
        let copy = self.scratch(to)?;
        copy_tree(&from, &copy)?;
        Ok(copy)
    }

    /// A folder of the repository copied below the target folder, for tools that leave files
    /// beside their sources.
    pub(crate) fn working_copy(&self, name: &str) -> Result<PathBuf, String> {
        let copy = self.scratch(name)?;
        copy_tree(&self.root.join(name), &copy)?;
        Ok(copy)
    }
}

/// Copies the files of `from` over those in `to`; what else is in `to` stays (installed packages).
fn copy_tree(from: &Path, to: &Path) -> Result<(), String> {
    let fail = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    fs::create_dir_all(to).map_err(|e| fail(to, e))?;
    for entry in fs::read_dir(from).map_err(|e| fail(from, e))? {
        let entry = entry.map_err(|e| fail(from, e))?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "node_modules" || entry.file_name() == "target" {
            continue;
        }
        if source.is_dir() {
            copy_tree(&source, &copy)?;
        } else {
            fs::copy(&source, &copy).map_err(|e| fail(&source, e))?;
        }
    }
    Ok(())
}
