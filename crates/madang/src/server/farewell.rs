//! Turning connections away.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{
    http::{retry_after, sentence, status},
    io::Socket,
};
use crate::codes::Code;

/// How long a client that is turned away may take to read why.
const PATIENCE: Duration = Duration::from_secs(1);

fn answer(code: Code) -> String {
    let (text, status) = (sentence(code), status(code));
    let retry =
        retry_after(code).map_or_else(String::new, |after| format!("Retry-After: {after}\r\n"));
    format!(
        "HTTP/1.1 {status}\r\n{retry}Madang-Code: {}\r\nConnection: close\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{text}",
        code.counted(),
        text.len()
    )
}

/// Answers a connection that cannot be served, whatever it asks.
pub(super) async fn turn_away(mut stream: Socket, code: Code) {
    let answer = answer(code);
    drop(
        timeout(PATIENCE, async {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            // Closing on unread bytes would reset the connection before the answer is read. There may
            // be many, so the buffer is small.
            let mut unread = [0; 128];
            while stream.read(&mut unread).await? > 0 {}
            Ok::<_, io::Error>(())
        })
        .await,
    );
}

/// The same without waiting for anything: who has sent more than is here by now may not hear it.
pub(super) fn turn_away_at_once(socket: &OwnedFd, code: Code) {
    /// Who sends as fast as it is read does not hold the worker.
    const READS: usize = 16;
    let answer = answer(code);
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    // What fails here is the peer's end.
    if send(socket, answer.as_bytes(), flags).is_err() || shutdown(socket, Shutdown::Write).is_err()
    {
        return;
    }
    let mut unread = [0; 4096];
    for _ in 0..READS {
        match recv(socket, &mut unread[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    #[test]
    fn who_is_turned_away_at_once_still_hears_why() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.write_all(&[b'x'; 10_000]).unwrap();
        let (socket, _) = listener.accept().unwrap();
        // All of it has come.
        while socket.peek(&mut [0; 10_000]).unwrap() < 10_000 {}
        turn_away_at_once(&socket.into(), Code::M502);
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("M502"), "{answer}");
    }
}
