//! `madang serve`: the yard, on one port.

use std::{path::Path, time::Duration};

use clap::Args;
use madang::{
    HttpLimits, ListenError, OutboxLimits, Running, Server, SlowConsumer, TrustedProxies,
    codes::Code,
    hub,
    proto::{PROTOCOLS, socketio},
    tls::{TlsConfig, TlsError},
    ws,
};

use super::{Failure, config::problems, greeting::greet, pages::PAGES, runtime, say};
use crate::{
    config::{self, Flags, Settings},
    log,
};

/// Flags of `madang serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    flags: Flags,

    /// Print the configuration in force, each value with where it came from, and stop.
    #[arg(long)]
    print_config: bool,
}

/// Runs the server until it is asked to stop.
pub(crate) fn run(serve: Serve) -> Result<(), Failure> {
    let settings = config::load(&serve.flags).map_err(problems)?;
    if serve.print_config {
        return say(config::effective(&settings).as_bytes());
    }
    let change_log = log::start(settings.text("log").unwrap_or("info"))?;
    // Only signals and the start run here; the workers have their own threads and runtimes.
    runtime()?.block_on(async {
        let drain = settings.seconds("server.drain");
        // Before the greeting: whoever has read it may stop the server.
        let stop = madang::stop_signal().map_err(|error| explain(error.into()))?;
        let mut hangups = hangups()?;
        let tls = tls(&settings).map_err(bad_tls)?;
        let running = build(&settings, tls.clone())?.start().map_err(explain)?;
        greet(&running, tls.as_ref());
        let mut reload = Reload { flags: serve.flags, settings, tls, change_log };
        let reloading = async {
            while hangups.recv().await.is_some() {
                reload.now(&running);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = stop => {}
            () = running.failed() => tracing::error!("a worker died; the server ends"),
            () = reloading => {}
        }
        let again = madang::stop_signal().map_err(|error| explain(error.into()))?;
        tracing::info!("stopping: clients are told to go; once more to stop at once");
        tokio::select! {
            ended = running.shutdown(drain) => ended.map_err(explain),
            () = again => Err(Failure::Runtime("stopped before all clients had gone".into())),
        }
    })
}

fn hangups() -> Result<tokio::signal::unix::Signal, Failure> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
        .map_err(|error| explain(error.into()))
}

/// What SIGHUP reads again.
struct Reload {
    flags: Flags,
    settings: Settings,
    tls: Option<TlsConfig>,
    change_log: log::Change,
}

impl Reload {
    /// Applies what can change while the server runs. Where the new configuration is wrong, all
    /// stays as it is.
    fn now(&mut self, running: &Running) {
        if let Some(Err(error)) = self.tls.as_ref().map(TlsConfig::reload) {
            tracing::error!(code = Code::M102.counted(), %error, "M102: the new TLS files cannot be used; the old stay");
        }
        let new = match config::load(&self.flags) {
            Ok(new) => new,
            Err(problems) => {
                for problem in problems.0 {
                    tracing::error!(
                        code = Code::M107.counted(),
                        "M107: the new configuration is not used: {problem}"
                    );
                }
                return;
            }
        };
        let (live, later) = self.settings.changes(&new);
        if let Some(Err(error)) = new.text("log").map(&self.change_log) {
            tracing::error!(%error, "the log's filter stays as it is");
        }
        let mut changes = madang::Reload::default();
        changes.allowed_origins = Some(new.list("server.allowed_origins").to_vec());
        changes.trusted_proxies = Some(trusted_proxies(&new));
        // Without a value there is no limit; the descriptors are one in any case.
        let name = "server.max_connections_per_address";
        let limit = new.number(name).map_or(usize::MAX, |_| new.size(name));
        changes.max_connections_per_address = Some(limit);
        running.reload(changes);
        tracing::info!(changed = live.join(" "), "the configuration was read again");
        if !later.is_empty() {
            tracing::warn!(keys = later.join(" "), "these changes wait for a restart");
        }
        self.settings = new;
    }
}

/// All but the start: what fails here is wrong with the configuration.
pub(super) fn build(settings: &Settings, tls: Option<TlsConfig>) -> Result<Server, Failure> {
    let mut server = Server::with_hub(hub::Hub::new(hub_config(settings)))
        .limits(ws::Limits {
            max_message: settings.size("websocket.max_message"),
            max_fragments: settings.count("websocket.max_fragments"),
            message_timeout: settings.seconds("websocket.message_timeout"),
            max_control_per_second: settings.count("websocket.max_control_rate"),
            ..ws::Limits::default()
        })
        .outbox(OutboxLimits {
            max_bytes: settings.size("outbox.max_bytes"),
            max_messages: settings.size("outbox.max_messages"),
            max_stall: settings.seconds("outbox.max_stall"),
            max_replay: settings.size("outbox.max_replay"),
            policy: match settings.text("outbox.policy") {
                Some("drop-oldest") => SlowConsumer::DropOldest,
                Some("latest") => SlowConsumer::Latest,
                _ => SlowConsumer::Disconnect,
            },
        })
        .deflate(ws::deflate::Settings {
            enabled: settings.switch("websocket.deflate"),
            min_size: settings.count("websocket.deflate_min_size"),
            ..ws::deflate::Settings::default()
        })
        .http_limits(HttpLimits {
            head_timeout: settings.seconds("http.head_timeout"),
            max_head: settings.size("http.max_head"),
            max_headers: settings.size("http.max_headers"),
            max_pending: settings.size("http.max_pending"),
            max_streams: settings.count("http.max_streams"),
            stream_window: settings.count("http.stream_window"),
            connection_window: settings.count("http.connection_window"),
            send_buffer: settings.size("http.send_buffer"),
            max_resets: settings.size("http.max_resets"),
            max_error_resets: settings.size("http.max_error_resets"),
            max_idle_frames: settings.count("http.max_idle_frames"),
            max_idempotency_keys: settings.size("http.max_idempotency_keys"),
            idle_timeout: settings.seconds("http.idle_timeout"),
            stall_timeout: settings.seconds("http.stall_timeout"),
        })
        .max_join_rate(settings.count("websocket.max_join_rate"))
        .max_subscriptions(settings.size("websocket.max_subscriptions"))
        .ping(
            settings.seconds("websocket.ping_interval"),
            settings.seconds("websocket.ping_timeout"),
        )
        .subprotocols(
            settings.list("websocket.subprotocols").to_vec(),
            settings.switch("websocket.subprotocol_server_order"),
        );
    server = doors(server, settings)?;
    for address in settings.list("server.listen") {
        server = server.listen(address);
    }
    for origin in settings.list("server.allowed_origins") {
        server = server.allowed_origin(origin);
    }
    if settings.number("server.workers").is_some() {
        server = server.workers(settings.size("server.workers"));
    }
    if settings.number("server.max_connections").is_some() {
        server = server.max_connections(settings.size("server.max_connections"));
    }
    if settings.number("server.max_connections_per_address").is_some() {
        let most = settings.size("server.max_connections_per_address");
        server = server.max_connections_per_address(most);
    }
    server = server.trusted_proxies(trusted_proxies(settings));
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    match settings.text("server.static") {
        Some(folder) => Ok(server.static_folder(existing(folder)?)),
        None => Ok(server),
    }
}

/// Every protocol at its mounts, and the pages.
fn doors(mut server: Server, settings: &Settings) -> Result<Server, Failure> {
    for protocol in PROTOCOLS {
        server = if protocol.name == socketio::PROTOCOL.name {
            super::socketio::mount(server, settings)?
        } else {
            server.protocol(protocol)
        };
    }
    server = server.topics();
    for (path, kind, bytes) in PAGES {
        server = server.page(path, kind, bytes);
    }
    Ok(server)
}

/// Each is known to be right: the configuration was checked.
fn trusted_proxies(settings: &Settings) -> TrustedProxies {
    let mut all = TrustedProxies::default();
    for proxy in settings.list("server.trusted_proxies") {
        all.extend(proxy.parse().unwrap_or_default());
    }
    all
}

fn hub_config(settings: &Settings) -> hub::HubConfig {
    let limits =
        hub::Limits { count: settings.size("history.count"), age: settings.seconds("history.age") };
    let rule = |text: &String| {
        let (pattern, count, seconds) = config::read_history_rule(text)?;
        let age = seconds.map_or(limits.age, Duration::from_secs);
        Some((hub::Pattern::new(pattern), hub::Limits { count, age }))
    };
    let rules = settings.list("history.rules").iter().filter_map(rule).collect();
    let max_bytes = settings.size("history.max_bytes");
    let history = hub::HistoryConfig { limits, rules, max_bytes };
    hub::HubConfig { history, ..hub::HubConfig::default() }
}

fn existing(folder: &str) -> Result<&Path, Failure> {
    let path = Path::new(folder);
    if path.is_dir() {
        return Ok(path);
    }
    let why = if path.exists() { "is no folder" } else { "does not exist" };
    Err(Failure::Usage(format!(
        "--static {folder}: {why}; give the folder that has your index.html"
    )))
}

/// What the section `tls` asks for.
pub(super) fn tls(settings: &Settings) -> Result<Option<TlsConfig>, TlsError> {
    let config = match (settings.text("tls.cert"), settings.text("tls.key")) {
        (Some(certificates), Some(key)) => TlsConfig::from_files(certificates, key),
        _ if settings.switch("tls.self_signed") => TlsConfig::self_signed(madang::lan_addresses()),
        _ => return Ok(None),
    };
    match settings.text("tls.client_ca") {
        Some(file) => {
            let are_optional = settings.switch("tls.client_optional");
            config?.client_certificates(file, are_optional).map(Some)
        }
        None => config.map(Some),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
pub(super) fn bad_tls(error: TlsError) -> Failure {
    Failure::Usage(format!("{}: {error}", Code::M102.counted()))
}

fn explain(error: madang::Error) -> Failure {
    match error {
        madang::Error::Listen(error @ (ListenError::BadAddress(_) | ListenError::BadOption(_))) => {
            Failure::Usage(format!("--listen: {error}"))
        }
        madang::Error::Listen(error) => {
            Failure::Usage(format!("{}: --listen: {error}", Code::M101.counted()))
        }
        error => Failure::Runtime(error.to_string()),
    }
}
