//! Sees when files change.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::sleep};

use super::TlsConfig;

/// What tells one state of a file from another: renewing tools replace the file, or what a link
/// points at, or write into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

pub(super) fn stamps(files: &[&Path]) -> Vec<Option<Stamp>> {
    let stamp = |path: &&Path| {
        let data = fs::metadata(path).ok()?;
        Some(Stamp { modified: data.modified().ok(), size: data.len(), inode: data.ino() })
    };
    files.iter().map(stamp).collect()
}

const EVERY: Duration = Duration::from_secs(2);

/// Reads the files again whenever they change, until the server stops.
pub(crate) async fn watch(config: TlsConfig, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let config = config.clone();
        // Reads files.
        let reloaded = tokio::task::spawn_blocking(move || config.reload_if_changed()).await;
        match reloaded {
            Ok(Ok(true)) => tracing::info!("TLS certificates were read again"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::error!(code = crate::codes::Code::M102.counted(), %error, "M102: the new TLS files cannot be used; the old stay");
            }
        }
    }
}
