//! A terminal to test with: a pseudo-terminal, and what its screen shows.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, Command},
    sync::{Arc, Condvar, Mutex, mpsc::Sender},
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

use crate::{madang, peer::watch};

/// Longest time for something to be seen.
const LIMIT: Duration = Duration::from_secs(30);

/// What the terminal shows, and all that was written to it.
struct Shown {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    is_over: bool,
}

/// A program on a terminal.
pub(super) struct Screen {
    child: Child,
    master: File,
    /// Keeps the modes to look at when the program is gone.
    slave: File,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    _watch: Sender<()>,
}

/// A folder of one test, removed at its end.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let name = format!("madang-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Screen {
    pub(super) fn start(arguments: &[&str], size: (u16, u16)) -> Self {
        Self::with(arguments, size, |command| {
            command.args(["--no-history"]);
        })
    }

    /// With a change to the command.
    pub(super) fn with(
        arguments: &[&str],
        (rows, columns): (u16, u16),
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let slave = open();
        tcsetwinsize(&master, winsize(rows, columns)).unwrap();
        let mut command = madang(&["connect"]);
        command.args(arguments).env("TERM", "xterm").env("NO_COLOR", "1");
        let end = || OwnedFd::from(open());
        command.stdin(end()).stdout(end()).stderr(end());
        change(&mut command);
        let child = command.spawn().unwrap();
        drop(command);
        let parser = vt100::Parser::new(rows, columns, 1_000);
        let shown = Shown { parser, bytes: Vec::new(), is_over: false };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let master = File::from(master);
        read(master.try_clone().unwrap(), Arc::clone(&shown));
        let watch = watch(&child);
        Self { child, master, slave, shown, _watch: watch }
    }

    /// Types.
    pub(super) fn keys(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the screen is as `is` says; its text.
    pub(super) fn until(&self, what: &str, is: impl Fn(&vt100::Screen) -> bool) -> String {
        let (shown, changed) = &*self.shown;
        let start = Instant::now();
        let mut shown = shown.lock().unwrap();
        loop {
            let screen = shown.parser.screen();
            if is(screen) {
                return screen.contents();
            }
            let left = LIMIT.saturating_sub(start.elapsed());
            assert!(!left.is_zero() && !shown.is_over, "no {what}:\n{}", screen.contents());
            shown = changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Whether a text is on the screen now.
    pub(super) fn shows(&self, text: &str) -> bool {
        self.shown.0.lock().unwrap().parser.screen().contents().contains(text)
    }

    /// Waits for a text on the screen.
    pub(super) fn until_text(&self, text: &str) -> String {
        self.until(text, |screen| screen.contents().contains(text))
    }

    /// Waits until the last row that is not empty is this, with the cursor in that column of it.
    pub(super) fn until_prompt(&self, text: &str, column: u16) -> Vec<String> {
        let is = |screen: &vt100::Screen| {
            let rows = rows(screen);
            let at = u16::try_from(rows.len().saturating_sub(1)).unwrap();
            let last = rows.last().map(String::as_str).unwrap_or_default();
            last == text.trim_end() && screen.cursor_position() == (at, column)
        };
        self.until(&format!("prompt {text:?} with the cursor at {column}"), is);
        rows(self.shown.0.lock().unwrap().parser.screen())
    }

    /// Everything that was shown, also what has gone out at the top.
    pub(super) fn history(&self) -> Vec<String> {
        let mut shown = self.shown.0.lock().unwrap();
        let screen = shown.parser.screen_mut();
        screen.set_scrollback(usize::MAX);
        let above = screen.scrollback();
        let mut all = Vec::new();
        for left in (1..=above).rev() {
            screen.set_scrollback(left);
            all.extend(screen.rows(0, screen.size().1).next());
        }
        screen.set_scrollback(0);
        all.extend(rows(screen));
        all
    }

    /// All that was written.
    pub(super) fn written(&self) -> String {
        String::from_utf8_lossy(&self.shown.0.lock().unwrap().bytes).into_owned()
    }

    /// Changes the size of the window, as a terminal does: what is wider is broken, and the
    /// program hears of it.
    pub(super) fn resize(&self, rows: u16, columns: u16) {
        self.shown.0.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        tcsetwinsize(&self.master, winsize(rows, columns)).unwrap();
        self.signal(Signal::WINCH);
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; its exit code and the last screen. The terminal is as it was.
    pub(super) fn end(self) -> (Option<i32>, String) {
        self.end_of(|_| {})
    }

    /// The same, with a look at what was shown.
    pub(super) fn end_of(mut self, look: impl FnOnce(&Self)) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        let modes = tcgetattr(&self.slave).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        // Nothing is written any more; a mark shows that all has been read.
        self.slave.write_all(b"\x1b[7m").unwrap();
        let contents = self.until("end", vt100::Screen::inverse);
        assert!(!self.shown.0.lock().unwrap().parser.screen().bracketed_paste());
        look(&self);
        (code, contents)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The rows down to the last that is not empty.
fn rows(screen: &vt100::Screen) -> Vec<String> {
    let mut rows: Vec<_> =
        screen.rows(0, screen.size().1).map(|row| row.trim_end().to_owned()).collect();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}

fn winsize(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Reads until all ends of the terminal are closed.
fn read(mut master: File, shown: Arc<(Mutex<Shown>, Condvar)>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let length = master.read(&mut buffer).unwrap_or(0);
            let mut all = shown.0.lock().unwrap();
            all.is_over = length == 0;
            all.parser.process(&buffer[..length]);
            all.bytes.extend_from_slice(&buffer[..length]);
            drop(all);
            shown.1.notify_all();
            if length == 0 {
                return;
            }
        }
    });
}
