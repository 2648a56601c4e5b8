//! `madang serve`: the yard, on one port.

use std::{
    fmt::Write as _,
    io::Write as _,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use madang::{
    OutboxLimits, Running, Server, SlowConsumer, TrustedProxies, hub, proto::PROTOCOLS,
    tls::TlsConfig, ws,
};
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;

/// Flags of `madang serve`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Serve {
    /// Address to listen on, or unix:/path/to.sock[?mode=660]; may be given several times. Port 0
    /// takes a free one. With ?proxy-protocol=1 behind it, connections begin with a PROXY header.
    #[arg(long, value_name = "ADDR:PORT", default_value = Server::DEFAULT_ADDRESS)]
    listen: Vec<String>,

    /// Worker threads [default: one for each core that the process may use].
    #[arg(long, value_name = "N", value_parser = |text: &str| number(text, 1..=1024))]
    workers: Option<u32>,

    /// Folder whose files are served at `/`, before the chat page.
    #[arg(long = "static", value_name = "DIR")]
    static_folder: Option<PathBuf>,

    /// Origin whose pages may connect besides the server's own, such as `https://app.example`; `*` is
    /// all. May be given several times.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    allowed_origin: Vec<String>,

    /// Subprotocol that plain WebSockets may ask for; may be given several times. The client's
    /// order decides.
    #[arg(long, value_name = "NAME", value_parser = subprotocol)]
    subprotocol: Vec<String>,

    /// Let the server's order of --subprotocol decide.
    #[arg(long, requires = "subprotocol")]
    subprotocol_server_order: bool,

    /// Seconds of silence after which a client is pinged.
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = seconds)]
    ping_interval: u32,

    /// Seconds after which a client that left a ping unanswered is gone.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = seconds)]
    ping_timeout: u32,

    /// Largest message, such as 1048576, 512KiB or 1MiB; larger ones close with 1009.
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = bytes)]
    max_message: usize,

    /// Most control frames a second of one client; more close with 1008. 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_control_rate: u32,

    /// Most connections at once [default: as many as the process may have descriptors].
    #[arg(long, value_name = "N", value_parser = |text: &str| number(text, 1..=u32::MAX))]
    max_connections: Option<u32>,

    /// Most connections at once of one IPv4 address, or of one IPv6 /64 [default: no limit].
    #[arg(long, value_name = "N", value_parser = |text: &str| number(text, 1..=u32::MAX))]
    max_connections_per_address: Option<u32>,

    /// Proxy whose X-Forwarded-For, -Proto and -Host are believed and whose PROXY headers are taken:
    /// an address, a network such as 10.0.0.0/8, loopback, private or unix; may be given several
    /// times.
    #[arg(long, value_name = "CIDR", value_parser = trusted_proxy)]
    trusted_proxy: Vec<TrustedProxies>,

    /// What becomes of a client that reads too slowly. One that takes nothing for 10 s is
    /// disconnected in any case.
    #[arg(long, value_name = "POLICY", default_value = "disconnect")]
    slow_consumer: Policy,

    /// How much may wait for a client that reads slowly.
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = bytes)]
    outbox: usize,

    /// Publications that each topic keeps for those who come later.
    #[arg(long, value_name = "N", default_value_t = 100)]
    history: usize,

    /// Seconds after which a kept publication is forgotten.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    history_age: u32,

    /// Speak TLS (https and wss) with this certificate chain, a PEM file; it is read again when it
    /// changes.
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls_self_signed")]
    tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Speak TLS with a certificate made at the start, for a first try: browsers will warn of it.
    #[arg(long)]
    tls_self_signed: bool,

    /// Ask clients for a certificate that one of these authorities has signed, a PEM file.
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,

    /// Let clients without a certificate in, too.
    #[arg(long, requires = "tls_client_ca")]
    tls_client_optional: bool,

    /// Do not compress (permessage-deflate), even for clients that offer it.
    #[arg(long)]
    no_deflate: bool,

    /// Seconds over which clients are told to go when the server stops, and after which it ends; a
    /// second signal does not wait for them.
    #[arg(
        long,
        value_name = "SECONDS",
        alias = "close-timeout",
        default_value_t = Server::DEFAULT_DRAIN.as_secs() as u32
    )]
    drain: u32,

    /// What to log: off, error, warn, info, debug, trace, or a filter such as madang=debug.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "MADANG_LOG")]
    log: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Policy {
    /// Close its connection; it may come back and resume.
    Disconnect,
    /// Drop the oldest of what waits for it.
    DropOldest,
    /// Keep only the newest of each topic and event.
    Latest,
}

impl From<Policy> for SlowConsumer {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Disconnect => Self::Disconnect,
            Policy::DropOldest => Self::DropOldest,
            Policy::Latest => Self::Latest,
        }
    }
}

/// The chat page, as the binary embeds it.
const PAGES: &[(&str, &str, &[u8])] = &[
    ("/", "text/html; charset=utf-8", include_bytes!("../../../../web/index.html")),
    ("/chat.css", "text/css; charset=utf-8", include_bytes!("../../../../web/chat.css")),
    ("/chat.js", SCRIPT, include_bytes!("../../../../web/chat.js")),
    ("/connection.js", SCRIPT, include_bytes!("../../../../web/connection.js")),
    ("/images.js", SCRIPT, include_bytes!("../../../../web/images.js")),
    ("/outbox.js", SCRIPT, include_bytes!("../../../../web/outbox.js")),
    ("/people.js", SCRIPT, include_bytes!("../../../../web/people.js")),
    ("/protocol.js", SCRIPT, include_bytes!("../../../../web/protocol.js")),
    ("/view.js", SCRIPT, include_bytes!("../../../../web/view.js")),
    ("/words.js", SCRIPT, include_bytes!("../../../../web/words.js")),
    ("/favicon.svg", ICON, include_bytes!("../../../../web/favicon.svg")),
    ("/favicon.ico", ICON, include_bytes!("../../../../web/favicon.svg")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";
const ICON: &str = "image/svg+xml";

/// Runs the server until it is asked to stop.
pub(crate) fn run(serve: Serve) -> Result<(), Failure> {
    crate::log::start(&serve.log)?;
    // Only signals and the start run here; the workers have their own threads and runtimes.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Runtime(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let grace = Duration::from_secs(serve.drain.into());
        // Before the greeting: whoever has read it may stop the server.
        let stop = madang::stop_signal().map_err(|error| explain(error.into()))?;
        let mut hangup = signal(SignalKind::hangup())
            .map_err(|error| Failure::Runtime(format!("cannot wait for SIGHUP: {error}")))?;
        let tls = tls(&serve)?;
        let mut server = build(serve)?;
        if let Some(tls) = &tls {
            server = server.tls(tls.clone());
        }
        let running = server.start().map_err(explain)?;
        greet(&running, tls.as_ref());
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = running.failed() => {
                    tracing::error!("a worker died; the server ends");
                    break;
                }
                _ = hangup.recv() => reload(tls.as_ref()),
            }
        }
        let again = madang::stop_signal().map_err(|error| explain(error.into()))?;
        tracing::info!("stopping: clients are told to go; once more to stop at once");
        tokio::select! {
            ended = running.shutdown(grace) => ended.map_err(explain),
            () = again => Err(Failure::Runtime("stopped before all clients had gone".into())),
        }
    })
}

/// SIGHUP: what comes from files is read again. What cannot be used changes nothing.
fn reload(tls: Option<&TlsConfig>) {
    match tls.map(TlsConfig::reload) {
        Some(Ok(())) => tracing::info!("SIGHUP: the TLS files were read again"),
        Some(Err(error)) => {
            tracing::error!(%error, "M102: SIGHUP: the TLS files cannot be used; the old stay");
        }
        None => tracing::info!("SIGHUP: there is nothing to read again"),
    }
}

fn build(serve: Serve) -> Result<Server, Failure> {
    let limits =
        hub::Limits { count: serve.history, age: Duration::from_secs(serve.history_age.into()) };
    let history = hub::HistoryConfig { limits, ..hub::HistoryConfig::default() };
    let hub = hub::Hub::new(hub::HubConfig { history, ..hub::HubConfig::default() });
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let mut server = Server::with_hub(hub)
        .limits(ws::Limits {
            max_message: serve.max_message,
            max_control_per_second: serve.max_control_rate,
            ..ws::Limits::default()
        })
        .outbox(OutboxLimits {
            max_bytes: serve.outbox,
            policy: serve.slow_consumer.into(),
            ..OutboxLimits::default()
        })
        .deflate(ws::deflate::Settings {
            enabled: !serve.no_deflate,
            ..ws::deflate::Settings::default()
        })
        .ping(seconds(serve.ping_interval), seconds(serve.ping_timeout))
        .subprotocols(serve.subprotocol, serve.subprotocol_server_order);
    for protocol in PROTOCOLS {
        server = server.protocol(protocol);
    }
    for (path, kind, bytes) in PAGES {
        server = server.page(path, kind, bytes);
    }
    for address in serve.listen {
        server = server.listen(address);
    }
    for origin in serve.allowed_origin {
        server = server.allowed_origin(origin);
    }
    if let Some(workers) = serve.workers {
        server = server.workers(workers as usize);
    }
    if let Some(connections) = serve.max_connections {
        server = server.max_connections(connections as usize);
    }
    if let Some(connections) = serve.max_connections_per_address {
        server = server.max_connections_per_address(connections as usize);
    }
    for proxies in serve.trusted_proxy {
        server = server.trusted_proxies(proxies);
    }
    if let Some(folder) = serve.static_folder {
        if !folder.is_dir() {
            let why = if folder.exists() { "is no folder" } else { "does not exist" };
            return Err(Failure::Usage(format!(
                "--static {}: {why}; give the folder that has your index.html",
                folder.display()
            )));
        }
        server = server.static_folder(folder);
    }
    Ok(server)
}

/// What `--tls-…` asks for.
fn tls(serve: &Serve) -> Result<Option<TlsConfig>, Failure> {
    let bad = |error: madang::tls::TlsError| Failure::Usage(format!("TLS: {error}"));
    let config = match (&serve.tls_cert, &serve.tls_key) {
        (Some(certificates), Some(key)) => TlsConfig::from_files(certificates, key),
        _ if serve.tls_self_signed => TlsConfig::self_signed(madang::lan_addresses()),
        _ if serve.tls_client_ca.is_some() => {
            return Err(Failure::Usage(
                "--tls-client-ca needs TLS: give --tls-cert and --tls-key, or --tls-self-signed"
                    .into(),
            ));
        }
        _ => return Ok(None),
    };
    let config = config.map_err(bad)?;
    match &serve.tls_client_ca {
        Some(file) => config.client_certificates(file, serve.tls_client_optional).map(Some),
        None => Ok(Some(config)),
    }
    .map_err(bad)
}

fn explain(error: madang::Error) -> Failure {
    match error {
        madang::Error::Listen(error) => Failure::Usage(format!("--listen: {error}")),
        error => Failure::Runtime(error.to_string()),
    }
}

/// Says where the page is and what answers where. A closed standard output is no reason to stop.
fn greet(running: &Running, tls: Option<&TlsConfig>) {
    let page = |address| page(address, tls.is_some());
    let mut text = String::from("Madang is open.\n");
    for address in running.addresses() {
        let _ = writeln!(text, "  chat page     {}", page(*address));
        if address.ip().is_unspecified() {
            // `[::]` takes IPv4 too, 0.0.0.0 no IPv6.
            let reached = |ip: &IpAddr| address.is_ipv6() || ip.is_ipv4();
            for ip in madang::lan_addresses().into_iter().filter(reached) {
                let _ =
                    writeln!(text, "  from outside  {}", page(SocketAddr::new(ip, address.port())));
            }
        }
    }
    for path in running.unix_paths() {
        let _ = writeln!(text, "  unix socket   {}", path.display());
    }
    if let Some(address) = running.addresses().first() {
        let base = page(*address).replacen("http", "ws", 1);
        let base = base.trim_end_matches('/');
        for mount in PROTOCOLS.iter().flat_map(|protocol| protocol.mounts) {
            let path = if mount.segment { "/{topic}" } else { "" };
            let _ = writeln!(text, "  WebSocket     {base}{}{path}  {}", mount.path, mount.about);
        }
    }
    if let Some(fingerprint) = tls.and_then(TlsConfig::fingerprint) {
        let _ = writeln!(
            text,
            "The certificate is self-signed; its SHA-256 fingerprint is\n  {fingerprint}"
        );
    }
    let _ = writeln!(text, "{} worker(s); Ctrl-C stops.", running.workers());
    drop(std::io::stdout().write_all(text.as_bytes()));
}

/// An address that a browser on this machine can open.
fn page(address: SocketAddr, is_secure: bool) -> String {
    let scheme = if is_secure { "https" } else { "http" };
    let ip = match address {
        SocketAddr::V4(_) if address.ip().is_unspecified() => "127.0.0.1".into(),
        SocketAddr::V6(_) if address.ip().is_unspecified() => "[::1]".into(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    format!("{scheme}://{ip}:{}/", address.port())
}

/// Reads a whole number within bounds.
fn number(text: &str, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| format!("write a whole number from {} to {}", bounds.start(), bounds.end()))
}

/// Reads a time in whole seconds that is not zero.
fn seconds(text: &str) -> Result<u32, String> {
    number(text, 1..=u32::MAX).map_err(|_| "write a whole number of seconds, 1 at least".into())
}

/// Reads a size such as `65536`, `64KiB` or `1MiB`.
fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1024,
        "m" | "mib" => 1024 * 1024,
        "g" | "gib" => 1024 * 1024 * 1024,
        _ => return Err("write it like 65536, 64KiB or 1MiB".into()),
    };
    digits
        .parse()
        .ok()
        .and_then(|number: usize| number.checked_mul(factor))
        .filter(|size| *size > 0)
        .ok_or_else(|| "write it like 65536, 64KiB or 1MiB".into())
}

fn origin(text: &str) -> Result<String, String> {
    let (scheme, host) = text.split_once("://").unwrap_or_default();
    let whole = !scheme.is_empty() && !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
    if whole || text == "*" || text == "null" {
        Ok(text.to_owned())
    } else {
        Err("write it like https://app.example or http://app.example:8080, without a path".into())
    }
}

fn trusted_proxy(text: &str) -> Result<TrustedProxies, String> {
    text.parse().map_err(|error: madang::NoProxy| error.to_string())
}

fn subprotocol(text: &str) -> Result<String, String> {
    // RFC 6455 §11.3.4: a token of RFC 9110.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(token) {
        Ok(text.to_owned())
    } else {
        Err("a subprotocol's name has letters, digits and !#$%&'*+-.^_`|~ only".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("2m"), Ok(2 * 1024 * 1024));
        for bad in ["", "KiB", "1TB", "-1", "1.5M", "0", "99999999999999999G"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        for good in ["https://app.example", "http://[::1]:8080", "*", "null"] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in ["app.example", "https://", "https://app.example/", "https://a b"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_page_of_the_chat_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let served = [".js", ".css", ".svg"].iter().any(|ending| name.ends_with(ending));
            let path = format!("/{name}");
            assert!(!served || PAGES.iter().any(|(known, ..)| *known == path), "{name}");
        }
    }
}
