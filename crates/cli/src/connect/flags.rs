//! What may be said on the command line.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args};
use http::{HeaderName, HeaderValue};
use madang::websocket::Proxy;

use super::{door::Protocol, exit};
use crate::{
    client::{read_header, read_proxy},
    config::read_size,
};

/// Flags of `madang connect`.
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is given or not")]
#[expect(clippy::struct_field_names, reason = "the flag is --connect-timeout")]
pub(crate) struct Connect {
    /// Where to, such as `ws://127.0.0.1:8000/ws/kitchen` or `wss://example.com/chat`; without a
    /// scheme it is `ws://`.
    pub(super) url: String,

    /// Speak a protocol on the WebSocket; without it, messages are plain.
    #[arg(long = "as", value_name = "PROTOCOL", value_enum)]
    pub(super) protocol: Option<Protocol>,

    /// The namespace of Socket.IO.
    #[arg(long, value_name = "NAME", default_value = "/", requires = "protocol")]
    pub(super) namespace: String,

    /// The login of --as, a JSON object: Socket.IO's auth, or headers of STOMP's CONNECT such as
    /// {"login":"ana","passcode":"…","host":"/"}; with @FILE it is read from a file.
    #[arg(long, value_name = "JSON", requires = "protocol")]
    pub(super) auth: Option<String>,

    /// Subprotocol to offer; may be given several times.
    #[arg(long = "subprotocol", value_name = "NAME")]
    pub(super) subprotocols: Vec<String>,

    /// Header to send, such as 'Cookie: a=b'; may be given several times.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = read_header)]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,

    /// The Origin that a page would send, such as `https://app.example`.
    #[arg(long, value_name = "ORIGIN")]
    pub(super) origin: Option<String>,

    /// Send `Authorization: Bearer TOKEN`; with @FILE the token is read from a file, where other
    /// users of the machine do not see it.
    #[arg(long, value_name = "TOKEN")]
    pub(super) token: Option<String>,

    /// Go through this HTTP proxy, such as `http://user:password@proxy.example:3128`.
    #[arg(long, value_name = "URL", value_parser = read_proxy)]
    pub(super) proxy: Option<Proxy>,

    /// Trust the certificates in this PEM file and no others; one that has signed itself may be the
    /// server's own.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(super) ca: Option<PathBuf>,

    /// Take any certificate, also that of somebody in between.
    #[arg(long)]
    pub(super) insecure: bool,

    /// The client's own certificate chain, PEM; its key may stand in the same file.
    #[arg(long, value_name = "FILE")]
    pub(super) cert: Option<PathBuf>,

    /// The key of --cert, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,

    /// Offer no compression.
    #[arg(long)]
    pub(super) no_deflate: bool,

    /// Come back after a cut, with growing pauses.
    #[arg(long)]
    pub(super) reconnect: bool,

    /// Say when each message came, in UTC.
    #[arg(long)]
    pub(super) time: bool,

    /// Lay JSON out over several lines (on a terminal).
    #[arg(long)]
    pub(super) pretty: bool,

    /// Print each message as a JSON object with its kind and data.
    #[arg(long)]
    pub(super) json: bool,

    /// Each line is Base64 of a binary message, as they are printed.
    #[arg(long, conflicts_with = "protocol")]
    pub(super) binary: bool,

    /// Write each binary message to a file of its own in this folder.
    #[arg(long, value_name = "DIR")]
    pub(super) binary_to: Option<PathBuf>,

    /// Also tell of the handshake, pings and pongs, and headers of frames.
    #[arg(long, short, action = ArgAction::SetTrue)]
    pub(super) verbose: bool,

    /// End after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,

    /// How long to wait for answers after the end of the standard input, such as 500ms, 10 or 2m;
    /// while they stream in it goes on for up to 10s more [default: 1s; with --count until they
    /// have come].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) wait: Option<Duration>,

    /// End with code 6 after this time, whatever happens.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,

    /// The largest message that is taken, and the largest line of a pipe that is sent, such as
    /// 65536, 64KiB or 16MiB.
    #[arg(long, value_name = "BYTES", value_parser = read_size, default_value = "16MiB")]
    pub(super) max_message: usize,

    /// Time for the connection, the handshake and the login of --as.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub(super) connect_timeout: Duration,

    /// Ping the server after so much silence, and take it for dead without an answer in 20 s; 0
    /// never does.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "45s")]
    pub(super) keepalive: Duration,

    /// Neither read nor keep the history of typed lines.
    #[arg(long)]
    pub(super) no_history: bool,
}

/// Reads `500ms`, `10s`, `10`, `2m`, `1h`, also with decimals.
fn duration(text: &str) -> Result<Duration, String> {
    let bad = || "write a time such as 500ms, 10s, 2m or 1h".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(bad()),
    };
    let number: f64 = number.parse().map_err(|_| bad())?;
    let time = Duration::try_from_secs_f64(number * unit).map_err(|_| bad())?;
    if time > Duration::from_hours(24 * 365) { Err("a year is the most".into()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, millis) in [
            ("500ms", 500),
            ("10", 10_000),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("0", 0),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "1d", "-1", "1.2.3", "9999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
