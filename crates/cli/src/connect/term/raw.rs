//! The terminal's modes.

use std::io::{self, Write as _};

use rustix::{
    process::{Signal, getpid, kill_process},
    stdio::{stdin, stdout},
    termios::{
        InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr,
        tcgetwinsize, tcsetattr,
    },
};

/// Bracketed paste: what is pasted comes marked.
const PASTE_ON: &[u8] = b"\x1b[?2004h";
const PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// Keys come one by one and unseen, until it is dropped. What is written is left as it was: a line
/// end still begins a new line.
pub(super) struct RawMode {
    before: Termios,
}

impl RawMode {
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mode = Self { before };
        mode.set()?;
        Ok(mode)
    }

    /// How wide the window is.
    pub(super) fn columns() -> usize {
        let size = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
        if size == 0 { 80 } else { size }
    }

    /// Stops the program, as Ctrl-Z does, and takes the terminal again when it goes on.
    pub(super) fn suspend(&self) -> io::Result<()> {
        self.unset(OptionalActions::Drain);
        kill_process(getpid(), Signal::TSTP)?;
        self.set()
    }

    fn set(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        modes.local_modes -=
            LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
        modes.input_modes -= InputModes::IXON | InputModes::ICRNL | InputModes::ISTRIP;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Drain, &modes)?;
        io::stdout().write_all(PASTE_ON)?;
        io::stdout().flush()
    }

    fn unset(&self, how: OptionalActions) {
        // A terminal that is gone needs no modes.
        drop(io::stdout().write_all(PASTE_OFF));
        drop(io::stdout().flush());
        let _ = tcsetattr(stdin(), how, &self.before);
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // The rest of a paste is not for the shell, which would run it.
        self.unset(OptionalActions::Flush);
    }
}
