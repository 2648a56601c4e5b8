//! Listening on a unix socket.

use std::{
    fs,
    io::{self, ErrorKind},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::listen::{BACKLOG, ListenError};

/// The file by which a listener is found; it goes when this is dropped.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: somebody else may have put another file there since.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && self.identity == identity(&self.path) {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let data = fs::symlink_metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

/// Listens at `path` with one socket that all workers share. A socket that a server left there which
/// is no more is removed before.
pub(super) fn listen(
    path: PathBuf,
    mode: Option<u32>,
    workers: usize,
) -> Result<(SocketFile, Vec<OwnedFd>), ListenError> {
    make_room(&path)?;
    let (file, socket) =
        bind(&path, mode).map_err(|source| ListenError::Unix { path: path.clone(), source })?;
    let sockets = (0..workers).map(|_| socket.try_clone().map(OwnedFd::from));
    let sockets = sockets.collect::<io::Result<_>>();
    Ok((file, sockets.map_err(|source| ListenError::Unix { path, source })?))
}

fn make_room(path: &Path) -> Result<(), ListenError> {
    let Ok(data) = fs::symlink_metadata(path) else { return Ok(()) };
    if !data.file_type().is_socket() {
        return Err(ListenError::NoSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| ListenError::Unix { path: path.to_owned(), source }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Answered, or so busy or closed to us that somebody is there.
        _ => Err(ListenError::SocketTaken(path.to_owned())),
    }
}

fn bind(path: &Path, mode: Option<u32>) -> io::Result<(SocketFile, Socket)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.to_owned(), identity: identity(path) };
    // Before it listens, nobody can connect.
    if let Some(mode) = mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    socket.listen(BACKLOG)?;
    Ok((file, socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("madang-unix-{name}-{}", std::process::id()))
    }

    #[test]
    fn the_file_has_its_mode_and_goes_with_the_listener() {
        let path = path("mode");
        let (file, sockets) = listen(path.clone(), Some(0o640), 2).unwrap();
        assert_eq!(sockets.len(), 2);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        let taken = listen(path.clone(), None, 1).unwrap_err();
        assert!(matches!(taken, ListenError::SocketTaken(_)), "{taken}");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_server_left_is_replaced_and_other_files_are_not() {
        let path = path("stale");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (file, _sockets) = listen(path.clone(), None, 1).unwrap();
        // Somebody else's file has the name now.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "x").unwrap();
        drop(file);
        let error = listen(path.clone(), None, 1).unwrap_err();
        assert!(matches!(error, ListenError::NoSocket(_)), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"x");
        fs::remove_file(&path).unwrap();
    }
}
