//! `madang connect`: a WebSocket by hand, for people and for scripts.
//!
//! [`session`] is the loop; [`door`] says what is spoken, [`face`] where it is shown. The doors
//! and the line editor in [`term`] are state machines without I/O.

mod closed;
mod command;
mod dial;
mod door;
mod end;
mod exit;
mod face;
mod flags;
mod hex;
mod input;
mod pretty;
#[cfg(test)]
mod properties;
mod refused;
mod save;
pub(crate) mod secrets;
mod session;
mod show;
mod talk;
mod term;
mod time;
mod tls;
mod typed;
mod unopened;

use std::process::ExitCode;

pub(crate) use dial::read_secret;
pub(crate) use exit::Exit;
pub(crate) use flags::Connect;

use dial::Dialer;
use door::{Door, Plain, Protocol, SocketIo, Stomp};
use session::Session;

/// How it ended, and what is to be said about it.
#[derive(Debug)]
struct Ending {
    exit: Exit,
    told: Option<String>,
    /// Whether to come back may help.
    is_passing: bool,
}

impl Ending {
    fn new(exit: Exit, told: impl Into<String>) -> Self {
        Self { exit, told: Some(told.into()), is_passing: false }
    }

    fn clean() -> Self {
        Self { exit: Exit::Clean, told: None, is_passing: false }
    }
}

/// Connects, and talks until it is over.
pub(crate) fn run(flags: Connect) -> ExitCode {
    let ending = start(flags).unwrap_or_else(|why| Ending::new(Exit::Usage, why));
    if let Some(told) = &ending.told {
        face::tell(told);
    }
    ending.exit.code()
}

fn start(mut flags: Connect) -> Result<Ending, String> {
    flags.auth = flags.auth.map(|auth| read_secret("--auth", &auth)).transpose()?;
    let dialer = Dialer::new(&flags)?;
    let door = spoken(&flags, &dialer)?;
    let session = Session::new(flags, dialer, door)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let ending = runtime.block_on(session.run());
    // A name that is still being looked up does not hold the end up.
    runtime.shutdown_background();
    Ok(ending)
}

/// What is spoken on the WebSocket.
fn spoken(flags: &Connect, dialer: &Dialer) -> Result<Box<dyn Door>, String> {
    let Some(protocol) = flags.protocol else {
        return Ok(Box::new(Plain::new(flags.binary)));
    };
    if flags.namespace != "/" && protocol != Protocol::Socketio {
        return Err("--namespace is for --as socketio".into());
    }
    match protocol {
        Protocol::Stomp => {
            let login = login(flags.auth.as_deref())?;
            Ok(Box::new(Stomp::new(dialer.host(), login).at_most(flags.max_message)))
        }
        Protocol::Socketio => {
            if let Some(auth) = &flags.auth
                && serde_json::from_str::<serde_json::Map<_, _>>(auth).is_err()
            {
                return Err("--auth is no JSON object, such as '{\"token\":\"…\"}'".into());
            }
            let name = flags.namespace.trim_start_matches('/');
            if name.contains(',') {
                return Err("--namespace cannot have a comma".into());
            }
            let door = SocketIo::new(&format!("/{name}"), flags.auth.clone());
            Ok(Box::new(door.at_most(flags.max_message)))
        }
    }
}

/// The headers of STOMP's CONNECT in a JSON object.
fn login(auth: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let bad = "--auth is no JSON object of texts, such as '{\"login\":\"ana\",\"passcode\":\"…\"}'";
    let Some(auth) = auth else { return Ok(Vec::new()) };
    let map: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(auth).map_err(|_| bad)?;
    let pair = |(name, value): (String, serde_json::Value)| {
        let value = value.as_str().ok_or(bad)?.to_owned();
        // CONNECT has no escapes.
        let is_one_line = !name.contains(['\n', '\r', ':']) && !value.contains(['\n', '\r']);
        if is_one_line {
            Ok((name, value))
        } else {
            Err("--auth: a line end or colon cannot be sent")
        }
    };
    Ok(map.into_iter().map(pair).collect::<Result<_, _>>()?)
}
