//! `madang doctor`: why a WebSocket does not work, and what to do.

use std::{
    fmt::Write as _, io::IsTerminal as _, net::IpAddr, path::PathBuf, process::ExitCode,
    time::Duration,
};

use clap::{
    Args,
    error::{ContextKind, ContextValue, ErrorKind},
};
use http::{HeaderName, HeaderValue};
use madang::websocket::Proxy;

use super::{Failure, runtime, say, serve};
use crate::{
    client::{read_header, read_proxy},
    config,
    connect::read_secret,
    doctor::{
        self,
        ask::{Ask, Door},
        diagnoses::{self, Class},
        lang::Lang,
        node,
        print::{self, Report},
        target::Target,
    },
};

/// Flags of `madang doctor`.
#[derive(Debug, Args)]
#[command(after_long_help = after_help())]
pub(crate) struct Doctor {
    /// What does not work, such as <wss://example.com/ws>.
    #[arg(required_unless_present = "server")]
    url: Option<String>,

    /// The server behind the proxy: the same requests there show whether the proxy is to blame.
    #[arg(long, value_name = "URL")]
    direct: Option<String>,

    /// The HTTP proxy to go through, such as `http://user:password@proxy.example:3128`.
    #[arg(long, value_name = "URL", value_parser = read_proxy)]
    proxy: Option<Proxy>,

    /// The protocol that is spoken.
    #[arg(long = "as", value_name = "PROTOCOL", value_enum, default_value = "raw")]
    door: Door,

    /// The page's origin, as a browser sends it, such as `https://app.example`.
    #[arg(long)]
    origin: Option<String>,

    /// Header to send, such as 'Cookie: session=KEY'; may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = read_header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// Token to send as 'Authorization: Bearer TOKEN', and in the login of Socket.IO and STOMP; with
    /// @FILE it is read from a file, where other users of the machine do not see it.
    #[arg(long)]
    token: Option<String>,

    /// Subprotocol to ask for; may be given several times.
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,

    /// Hold connections open for so long (such as 90s, 5m), to find what cuts them.
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    hold: Option<Duration>,

    /// Find the largest message that passes, up to BYTES (such as 64KiB or 2M; 4MiB without);
    /// sends messages, which others may see.
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, default_missing_value = "4MiB", value_parser = config::read_size)]
    max_size: Option<usize>,

    /// Look at this machine and the server on it: limits, ports, listener, certificate, clock.
    #[arg(long)]
    server: bool,

    /// The configuration of the server, for --server.
    #[arg(long, value_name = "FILE", requires = "server")]
    config: Option<PathBuf>,

    /// Print everything that was seen as JSON.
    #[arg(long)]
    json: bool,

    /// Also write that JSON to a file, without secrets, for a bug report.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Language of what is printed [default: from the locale].
    #[arg(long, value_enum)]
    lang: Option<Lang>,

    /// How long to wait for each answer.
    #[arg(long, value_name = "TIME", value_parser = read_time, default_value = "5s")]
    timeout: Duration,

    /// Trust the certificates in this PEM file and no others.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,

    /// Go on with any certificate.
    #[arg(long)]
    insecure: bool,

    /// Client certificate (PEM), where the server asks for one.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Connect to this address instead of looking the name up; may be given several times.
    #[arg(long, value_name = "ADDR")]
    resolve: Vec<IpAddr>,
}

fn after_help() -> String {
    let mut help = String::from(
        "Exit codes: 0 healthy, 2 the command makes no sense, 1 it could not be done; otherwise the \
         part that is ill:\n",
    );
    for (class, what) in [
        (Class::Network, "name, address, TCP, nothing answers"),
        (Class::Tls, "TLS and certificates"),
        (Class::Handshake, "the answer to the upgrade"),
        (Class::Socket, "the open WebSocket"),
        (Class::Http, "polling, streams, CORS"),
        (Class::Node, "limits of this machine (--server)"),
    ] {
        let _ = writeln!(help, "  {}  {what}", class.exit_code());
    }
    help.push_str(
        "\n`madang explain D22` says what a diagnosis means. These cannot be seen from outside:\n",
    );
    for diagnosis in diagnoses::sorted() {
        if let Some(why) = diagnosis.unseen {
            let _ = writeln!(help, "  {}  {} ({})", diagnosis.code, diagnosis.title.en, why.en);
        }
    }
    help.push_str("These are seen only with a flag: D09, D50 --origin; D41, D42, D43, D54 --hold; D44 --max-size; D47 --as sse, topics; D49, D55 --as socketio, sockjs; D51, D52 --as stomp, wamp, socketio.\n");
    help
}

/// An error of the flags, with a word on what is easily got wrong.
pub(crate) fn with_hint(mut error: clap::Error) -> clap::Error {
    let arguments: Vec<_> = std::env::args().collect();
    let size = arguments.windows(2).find_map(|pair| match pair {
        [flag, size] if flag == "--max-size" => config::read_size(size).is_ok().then_some(size),
        _ => None,
    });
    if let (ErrorKind::UnknownArgument, Some(size)) = (error.kind(), size) {
        let tip = format!("--max-size takes its value with an =, as in --max-size={size}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Looks, and tells. The exit code is the class of what is wrong.
pub(crate) fn run(doctor: &Doctor) -> Result<ExitCode, Failure> {
    let lang = doctor.lang.unwrap_or_else(Lang::of_locale);
    let checks = doctor.server.then(|| look_at_node(doctor)).transpose()?;
    if let Some(checks) = checks.as_deref().filter(|_| !doctor.json) {
        say(node::told(checks, lang).as_bytes())?;
    }
    let report = doctor.url.as_deref().map(|url| examine(doctor, url)).transpose()?;
    let json = print::json(report.as_ref(), checks.as_deref());
    if doctor.json {
        say(format!("{json}\n").as_bytes())?;
    } else if let Some(report) = &report {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        say(format!("{}\n", report.text(lang, colour).trim_end()).as_bytes())?;
    }
    if let Some(file) = &doctor.report {
        std::fs::write(file, &json)
            .map_err(|error| Failure::Runtime(format!("--report {}: {error}", file.display())))?;
    }
    Ok(ExitCode::from(print::exit_code(report.as_ref(), checks.as_deref())))
}

fn examine(doctor: &Doctor, url: &str) -> Result<Report, Failure> {
    let ask = ask(doctor, url)?;
    let examined = runtime()?.block_on(doctor::examine(&ask));
    Ok(Report::new(&ask, examined.map_err(Failure::Usage)?))
}

fn ask(doctor: &Doctor, url: &str) -> Result<Ask, Failure> {
    let read = |flag: &str, url: &str| {
        Target::read(url).map_err(|why| Failure::Usage(format!("{flag}: {why}")))
    };
    let target = read("the URL", url)?;
    let direct = doctor.direct.as_deref().map(|url| read("--direct", url)).transpose()?;
    let mut headers: Vec<_> = doctor
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let token = doctor.token.as_deref().map(|token| read_secret("--token", token));
    let token = token.transpose().map_err(Failure::Usage)?;
    if let Some(token) = &token
        && !headers.iter().any(|(name, _)| name == "authorization")
    {
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    Ok(Ask {
        target,
        direct,
        proxy: doctor.proxy.clone(),
        door: doctor.door,
        origin: doctor.origin.clone(),
        headers,
        token,
        subprotocols: doctor.subprotocols.clone(),
        hold: doctor.hold,
        max_size: doctor.max_size.map(|most| most.clamp(2, 64 << 20)),
        timeout: doctor.timeout,
        ca: doctor.ca.clone(),
        insecure: doctor.insecure,
        identity: doctor.cert.clone().zip(doctor.key.clone()),
        resolve: doctor.resolve.clone(),
    })
}

fn look_at_node(doctor: &Doctor) -> Result<Vec<node::Check>, Failure> {
    let flags = config::Flags::of_file(doctor.config.clone());
    let settings =
        config::load(&flags).map_err(|problems| Failure::Usage(problems.0.join("\n")))?;
    let node = node::Node {
        listen: settings.list("server.listen").to_vec(),
        config: doctor.config.clone(),
        certificate: settings.text("tls.cert").map(PathBuf::from),
        fault: fault(&settings),
    };
    Ok(runtime()?.block_on(node::examine(&node)))
}

/// Why `madang serve` would not start with it, by the code that it belongs to.
fn fault(settings: &config::Settings) -> Option<(&'static str, String)> {
    match serve::tls(settings) {
        Ok(tls) => serve::build(settings, tls).err().map(|fault| ("M107", fault.to_string())),
        Err(error) => Some(("M102", error.to_string())),
    }
}

/// `500ms`, `90s`, `5m`, `1h`, or seconds.
fn read_time(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is no time such as 500ms, 90s or 5m");
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| bad())?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(bad()),
    };
    let time = number.checked_mul(millis).filter(|time| (1..=86_400_000).contains(time));
    time.map(Duration::from_millis).ok_or_else(|| "between 1ms and 24h, please".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, millis) in [("500ms", 500), ("90s", 90_000), ("5m", 300_000), ("3", 3_000)] {
            assert_eq!(read_time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "m", "5x", "0", "-1s", "99999999999999999999h", "25h"] {
            assert!(read_time(bad).is_err(), "{bad}");
        }
    }
}
