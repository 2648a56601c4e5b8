//! Which process has a port, from `/proc`.

use std::{fs, path::Path};

/// The process that listens on a TCP port, as `name (pid N)`. `None` when the system does not tell:
/// it is no Linux, or the process is another user's.
pub(super) fn of_port(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| inode_of(&table, port).map(str::to_owned))?;
    let link = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let has_it = has_descriptor(&process.path(), &link);
        has_it.then(|| {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let this = if pid == std::process::id() { "this program itself, " } else { "" };
            format!("{this}{} (pid {pid})", name.trim())
        })
    })
}

/// The inode of the socket that listens on `port`, in a table like `/proc/net/tcp`.
fn inode_of(table: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    let ending = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let local = columns.nth(1)?;
        let state = columns.nth(1)?;
        let inode = columns.nth(5)?;
        (local.ends_with(&ending) && state == LISTEN).then_some(inode)
    })
}

fn has_descriptor(process: &Path, link: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors
        .flatten()
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == link))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_of_sockets_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:1F40 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 11 1\n   \
             1: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n";
        assert_eq!(super::inode_of(table, 8000), Some("4711"));
        assert_eq!(super::inode_of(table, 8001), None);
    }
}
