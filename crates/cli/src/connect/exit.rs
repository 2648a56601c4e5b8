//! Exit codes, for scripts.

use std::process::ExitCode;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Clean,
    Usage,
    Unreachable,
    Refused,
    ClosedWithError,
    Cut,
    Late,
    Misbehaved,
    Login,
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

/// What stands below `--help`.
pub(crate) const HELP: &str = "\
Typed lines are messages; those that begin with a slash are commands, and /help lists them (// sends a slash).
In a pipe each line of the standard input is a message, and each message that comes is a line of the
standard output: line ends in it are written as \\n, bytes as Base64; --json is exact. Everything else is
told on the standard error. With --as, lines that begin with a slash are commands in a pipe, too.

Exit codes:
  0  closed in the regular way, by us or by the server (1000, 1001, or no code)
  1  what was asked for makes no sense
  2  no connection: name, TCP, TLS, no answer to the handshake or to the login
  3  the server refused the handshake, or its 101 is wrong
  4  the server closed with an error code
  5  cut without a close frame, ended before all was sent, or a message was over --max-message
  6  time ran out (--timeout), or fewer than --count messages came while somebody read them
  7  the server broke the protocol
  8  the protocol of --as refused the login, or gave an error (STOMP ERROR, Socket.IO CONNECT_ERROR)";
