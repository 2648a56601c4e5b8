//! Whether it is Madang that answers, whoever runs it.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

/// So long for an answer on this machine.
const PATIENCE: Duration = Duration::from_secs(2);
const ASK: &[u8] = b"HEAD /ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// More is no head.
const MAX_HEAD: u64 = 16_384;

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Madang,
    /// Something else, which Madang never says.
    Another,
    Silence,
}

/// Asks what every Madang refuses, also one that wants TLS or a PROXY header: HEAD of a WebSocket.
/// Its refusals have codes.
pub(super) async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Answer {
    let mut head = Vec::new();
    let asking = async {
        stream.write_all(ASK).await?;
        (&mut stream).take(MAX_HEAD).read_to_end(&mut head).await
    };
    // What came before it got stuck or broke says enough.
    drop(timeout(PATIENCE, asking).await);
    read(&head)
}

fn read(head: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let has = |name: &str| text.lines().any(|line| line.starts_with(name));
    // Madang names no program; a proxy in front of one does.
    if has("madang-code:") && !has("server:") && !has("via:") {
        Answer::Madang
    } else if head.is_empty() {
        Answer::Silence
    } else {
        Answer::Another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn madang_is_known_by_its_codes() {
        let head = b"HTTP/1.1 400 Bad Request\r\nMadang-Code: M201\r\n\r\n";
        assert_eq!(read(head), Answer::Madang);
        assert_eq!(read(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"), Answer::Another);
        let proxied = b"HTTP/1.1 405 x\r\nServer: nginx\r\nmadang-code: M201\r\n\r\n";
        assert_eq!(read(proxied), Answer::Another);
        assert_eq!(read(b"SSH-2.0-x\r\n"), Answer::Another);
        assert_eq!(read(b""), Answer::Silence);
    }
}
