//! The standard input, read by a thread of its own, and the signals of a terminal.

use std::io::{self, Read as _};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

use super::end::size;
use crate::client::Lines;

/// Pieces that are read before somebody takes them.
const PIECES: usize = 4;
/// Most bytes of a piece.
pub(super) const PIECE: usize = 16 << 10;

type Pieces = mpsc::Receiver<io::Result<Vec<u8>>>;

/// What a person or a pipe gives.
pub(super) struct Input {
    pieces: Option<Pieces>,
    lines: Lines,
    number: u64,
    /// The largest message that is sent.
    max_message: usize,
    /// Whether a pipe has ended.
    pub(super) is_over: bool,
    resized: Option<Signal>,
    stopped: [Option<Signal>; 3],
}

/// What came from there.
pub(super) enum Given {
    Bytes(Vec<u8>),
    End,
    Failed(io::Error),
    /// The window has another size.
    Resized,
    /// SIGTERM, SIGHUP, or SIGINT that no key has sent.
    Stopped,
}

impl Input {
    /// Lines of messages of so many bytes; of their Base64 where `is_binary`.
    pub(super) fn new(max_message: usize, is_binary: bool) -> Self {
        let most = if is_binary { max_message.div_ceil(3).saturating_mul(4) } else { max_message };
        Self {
            pieces: None,
            lines: Lines::at_most(most),
            number: 0,
            max_message,
            is_over: false,
            resized: None,
            stopped: [None, None, None],
        }
    }

    /// Begins to read. A terminal's modes must be given back, so that signals are heard there.
    pub(super) fn begin(&mut self, is_terminal: bool) -> io::Result<()> {
        if is_terminal {
            self.resized = Some(signal(SignalKind::window_change())?);
            let stops = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
            for (slot, kind) in self.stopped.iter_mut().zip(stops) {
                *slot = Some(signal(kind)?);
            }
        }
        self.pieces = Some(read()?);
        Ok(())
    }

    /// What comes next; of the standard input only if `takes`. Cancel-safe.
    pub(super) async fn next(&mut self, takes: bool) -> Given {
        let [term, hup, int] = &mut self.stopped;
        tokio::select! {
            () = signalled(&mut self.resized) => Given::Resized,
            () = signalled(term) => Given::Stopped,
            () = signalled(hup) => Given::Stopped,
            () = signalled(int) => Given::Stopped,
            piece = piece(&mut self.pieces), if takes => match piece {
                Some(Ok(bytes)) => Given::Bytes(bytes),
                Some(Err(error)) => Given::Failed(error),
                None => {
                    self.pieces = None;
                    Given::End
                }
            },
        }
    }

    /// Takes bytes of a pipe.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    /// The next whole line of a pipe.
    pub(super) fn line(&mut self) -> Result<Option<String>, String> {
        let too_long = |_| {
            let most = size(self.max_message);
            format!(
                "line {}: it is larger than {most}; --max-message BYTES takes it",
                self.number + 1
            )
        };
        let Some(line) = self.lines.next_line().map_err(too_long)? else { return Ok(None) };
        self.read(line.to_vec()).map(Some)
    }

    /// The last line, which may lack its end.
    pub(super) fn rest(&mut self) -> Result<Option<String>, String> {
        let rest = std::mem::take(&mut self.lines).rest();
        if rest.is_empty() { Ok(None) } else { self.read(rest.to_vec()).map(Some) }
    }

    /// A message about the line that was read last.
    pub(super) fn at_line(&self, why: &str) -> String {
        format!("line {}: {why}", self.number)
    }

    fn read(&mut self, line: Vec<u8>) -> Result<String, String> {
        self.number += 1;
        String::from_utf8(line).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            self.at_line(&format!("it is no text: what follows byte {at} is no UTF-8"))
        })
    }
}

async fn piece(pieces: &mut Option<Pieces>) -> Option<io::Result<Vec<u8>>> {
    match pieces {
        Some(pieces) => pieces.recv().await,
        None => std::future::pending().await,
    }
}

async fn signalled(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Pieces of the standard input; the channel ends with it.
fn read() -> io::Result<Pieces> {
    let (sender, receiver) = mpsc::channel(PIECES);
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; PIECE];
        loop {
            let piece = match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => Ok(buffer.get(..length).unwrap_or_default().to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_last = piece.is_err();
            if sender.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(receiver)
}
