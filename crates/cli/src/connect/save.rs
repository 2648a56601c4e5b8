//! `--binary-to`: bytes into files.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::PathBuf,
};

/// A folder, and the number of the next file in it.
pub(crate) struct Saver {
    folder: PathBuf,
    next: u32,
}

impl Saver {
    /// Makes the folder where it is missing.
    pub(crate) fn new(folder: PathBuf) -> Result<Self, String> {
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("--binary-to {}: {error}", folder.display()))?;
        Ok(Self { folder, next: 1 })
    }

    /// Writes a new file, never over one that is there; its path.
    pub(crate) fn save(&mut self, bytes: &[u8]) -> io::Result<String> {
        loop {
            let path = self.folder.join(format!("{:06}.bin", self.next));
            self.next = self.next.checked_add(1).ok_or(io::ErrorKind::StorageFull)?;
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(bytes)?;
                    return Ok(path.display().to_string());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_written_over() {
        let folder = std::env::temp_dir().join(format!("madang-save-{}", std::process::id()));
        let mut saver = Saver::new(folder.clone()).unwrap();
        std::fs::write(folder.join("000002.bin"), "mine").unwrap();
        let paths: Vec<_> = (0..2).map(|n| saver.save(&[n]).unwrap()).collect();
        assert!(paths[0].ends_with("000001.bin") && paths[1].ends_with("000003.bin"), "{paths:?}");
        assert_eq!(std::fs::read(&paths[1]).unwrap(), [1]);
        assert_eq!(std::fs::read(folder.join("000002.bin")).unwrap(), b"mine");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
