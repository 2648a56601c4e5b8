//! Building a server.

use std::{
    future::Future,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use madang_proto::{
    Carrier, Kind, Protocol, Reception, raw,
    topics::{sse, stream},
};
use madang_ws::handshake::{origin::OriginPolicy, server::Preference};
use tokio::runtime::Handle;

use super::{
    busy::Busy,
    exchange::Links,
    forwarded::TrustedProxies,
    gate::Gate,
    http::{HttpLimits, Site},
    live::Live,
    pages::Pages,
    route::{Door, Routes},
    running::{self, Running},
    seldom::Seldom,
    topics::{Once, Room, Topics},
};
use crate::{
    Error,
    app::{Reply, Socket},
    drive::{DriveConfig, Homes, OutboxLimits},
    hub::{Hub, HubConfig},
};

/// A real-time server: what it listens on, what answers where, and its limits.
///
/// ```no_run
/// # async fn example() -> Result<(), madang::Error> {
/// use madang::{Server, Socket};
///
/// Server::new()
///     .listen("127.0.0.1:8000")
///     .websocket("/shout", async |mut socket: Socket| {
///         while let Some(message) = socket.recv().await {
///             let text = message.as_text().unwrap_or("?").to_uppercase();
///             if socket.send(text).is_err() {
///                 break;
///             }
///         }
///     })
///     .run()
///     .await
/// # }
/// ```
pub struct Server {
    addresses: Vec<String>,
    workers: Option<usize>,
    max_connections: Option<usize>,
    max_connections_per_address: Option<usize>,
    http: HttpLimits,
    hub: Hub,
    drive: DriveConfig,
    protocols: Vec<&'static Protocol>,
    receptions: Vec<(String, &'static Protocol, Arc<dyn Reception>)>,
    routes: Vec<(String, Handled)>,
    topics: bool,
    pages: Pages,
    origins: OriginPolicy,
    trusted: TrustedProxies,
    subprotocols: Vec<String>,
    preference: Preference,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::TlsConfig>,
}

enum Handled {
    Handler(crate::app::Handler),
    Inline(crate::app::InlineHandler),
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

/// Descriptors that are kept for files, listeners and answers to those who are turned away.
const SPARE_DESCRIPTORS: usize = 64;

impl Server {
    /// Where a server listens that was told nothing else.
    pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8000";

    /// How long [`Server::run`] takes to end at most.
    pub const DEFAULT_DRAIN: Duration = Duration::from_secs(10);

    /// A server with a hub of its own.
    pub fn new() -> Self {
        Self::with_hub(Hub::new(HubConfig::default()))
    }

    /// A server for a hub that others use too.
    pub fn with_hub(hub: Hub) -> Self {
        Self {
            addresses: Vec::new(),
            workers: None,
            max_connections: None,
            max_connections_per_address: None,
            http: HttpLimits::default(),
            hub,
            drive: DriveConfig::default(),
            protocols: Vec::new(),
            receptions: Vec::new(),
            routes: Vec::new(),
            topics: false,
            pages: Pages::default(),
            origins: OriginPolicy::default(),
            trusted: TrustedProxies::default(),
            subprotocols: Vec::new(),
            preference: Preference::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The hub, to publish from anywhere in the program.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Listens on an address such as `127.0.0.1:8000`, or on a unix socket such as
    /// `unix:/run/madang.sock?mode=660`; may be called several times. Port 0 takes a free one.
    /// Without any it is [`Server::DEFAULT_ADDRESS`].
    ///
    /// Behind a proxy that writes a PROXY header (version 1 or 2) in front of each connection, it is
    /// `127.0.0.1:8000?proxy-protocol=1`. There the header must come, from one of
    /// [`Server::trusted_proxies`] if any are named; elsewhere it is never read.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// How many workers there are; by default one for each core that the process may use.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers.max(1));
        self
    }

    /// How many connections may be open; by default as many as the process may have descriptors.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = Some(connections);
        self
    }

    /// Bounds on requests and on what carries them.
    #[must_use]
    pub fn http_limits(mut self, limits: HttpLimits) -> Self {
        self.http = limits;
        self.drive.silence = limits.head_timeout;
        self
    }

    /// How many topics a client may be in (default 1,000).
    #[must_use]
    pub fn max_subscriptions(mut self, topics: usize) -> Self {
        self.drive.max_subscriptions = topics;
        self
    }

    /// How many topics one client may join in a second, once it has joined as many as
    /// [`Server::max_subscriptions`] (default 100). 0 is no limit.
    #[must_use]
    pub fn max_join_rate(mut self, joins: u32) -> Self {
        self.drive.max_join_rate = joins;
        self
    }

    /// How many connections of one address may be open: of an IPv4 address, or of the first 64 bits
    /// of an IPv6 address. By default there is no such limit. Behind a proxy that is among
    /// [`Server::trusted_proxies`], WebSockets count for the client that it names; a WebSocket over
    /// HTTP/2 counts beside its connection.
    #[must_use]
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.max_connections_per_address = Some(connections);
        self
    }

    /// Peers whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are believed, and
    /// whose PROXY headers are taken; those of everybody else are ignored. Adds to those that were
    /// named before. What was told is in [`Forwarded`](crate::Forwarded); the client's address is
    /// [`Socket::peer`], with port 0 where none was told.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted.extend(proxies);
        self
    }

    /// Gives every WebSocket at `path` to an async function, which runs on the runtime that starts
    /// the server. See [`Socket`].
    #[must_use]
    pub fn websocket<F, Fut>(mut self, path: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Socket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let handler = Arc::new(move |socket| Box::pin(handler(socket)) as _);
        self.routes.push((path.into(), Handled::Handler(handler)));
        self
    }

    /// Answers messages of every WebSocket at `path` with a function that runs on the worker itself:
    /// the fastest way to answer, and it must never wait for anything.
    #[must_use]
    pub fn inline<F>(mut self, path: impl Into<String>, handler: F) -> Self
    where
        F: Fn(&mut Reply<'_>, Kind, &[u8]) + Send + Sync + 'static,
    {
        self.routes.push((path.into(), Handled::Inline(Arc::new(handler))));
        self
    }

    /// Opens a protocol's door at its mounts, such as [`raw::PROTOCOL`] at `/ws`.
    #[must_use]
    pub fn protocol(mut self, protocol: &'static Protocol) -> Self {
        if !self.protocols.iter().any(|known| std::ptr::eq(*known, protocol)) {
            self.protocols.push(protocol);
        }
        self
    }

    /// Serves a protocol whose sessions are reached over links at `path` and below it, as `reception`
    /// has been set up, in place of the protocol's own mounts.
    #[must_use]
    pub fn reception(
        mut self,
        path: impl Into<String>,
        protocol: &'static Protocol,
        reception: Arc<dyn Reception>,
    ) -> Self {
        self.receptions.push((path.into(), protocol, reception));
        self
    }

    /// Serves topics over plain HTTP at `/topics`: publishing by POST, poll, long poll, presence, and
    /// the streams of [`sse`](madang_proto::topics::sse) and
    /// [`stream`](madang_proto::topics::stream). Bodies have the limits of WebSocket messages.
    #[must_use]
    pub fn topics(mut self) -> Self {
        self.topics = true;
        self.protocol(&sse::PROTOCOL).protocol(&stream::PROTOCOL)
    }

    /// Serves bytes that the program holds to GETs of `path`.
    #[must_use]
    pub fn page(mut self, path: &'static str, kind: &'static str, bytes: &'static [u8]) -> Self {
        self.pages.embed(path, kind, bytes);
        self
    }

    /// Serves the files of a folder; where a file is there, it goes before a [`Server::page`] of the
    /// same path.
    #[must_use]
    pub fn static_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.pages.serve_folder(folder.into());
        self
    }

    /// Lets pages of another origin connect, such as `https://app.example`; `*` is all. The server's
    /// own pages always may, and clients that send no `Origin`.
    #[must_use]
    pub fn allowed_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.allowed.push(origin.into());
        self
    }

    /// A subprotocol (RFC 6455 §1.9) that is spoken here; of several that a client offers, its first
    /// is taken, or the server's first with `server_order`.
    #[must_use]
    pub fn subprotocols(
        mut self,
        protocols: impl IntoIterator<Item = String>,
        server_order: bool,
    ) -> Self {
        self.subprotocols.extend(protocols);
        self.preference = if server_order { Preference::Server } else { Preference::Client };
        self
    }

    /// Bounds on what a peer can make its WebSocket hold or do.
    #[must_use]
    pub fn limits(mut self, limits: madang_ws::Limits) -> Self {
        self.drive.limits = limits;
        self
    }

    /// Compression, as it is agreed to with clients that offer it.
    #[must_use]
    pub fn deflate(mut self, settings: madang_ws::deflate::Settings) -> Self {
        self.drive.deflate = settings;
        self
    }

    /// Bounds on what waits for a client that reads slowly, and what happens there.
    #[must_use]
    pub fn outbox(mut self, limits: OutboxLimits) -> Self {
        self.drive.outbox = limits;
        self
    }

    /// How long a client may be silent before it is pinged (default 25 s), and how long it may leave
    /// a ping unanswered (default 20 s). Both in whole seconds.
    #[must_use]
    pub fn ping(mut self, interval: Duration, timeout: Duration) -> Self {
        (self.drive.ping_interval, self.drive.ping_timeout) = (interval, timeout);
        self
    }

    /// Speaks TLS, and nothing else, at every address.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: crate::tls::TlsConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// Starts the workers and returns at once. To be called within a tokio runtime, on which the
    /// handlers will run.
    pub fn start(self) -> Result<Running, Error> {
        let workers = self.workers.unwrap_or_else(default_workers);
        let descriptors = raise_descriptor_limit();
        let most = self.max_connections.unwrap_or(usize::MAX);
        let of_address = self.max_connections_per_address.unwrap_or(usize::MAX);
        let gate = Gate::new(most, descriptors.saturating_sub(SPARE_DESCRIPTORS), of_address);
        let busy = Busy::default();
        let (mut routes, protocols) = mount(self.protocols, self.receptions, &self.drive);
        for (path, handled) in self.routes {
            routes.exact(
                path,
                match handled {
                    Handled::Handler(handler) => {
                        Door::Handler(busy.watch(handler), Handle::current(), self.hub.clone())
                    }
                    Handled::Inline(handler) => Door::Inline(handler),
                },
            );
        }
        let site = Arc::new(Site {
            routes,
            pages: self.pages,
            live: Live { origins: self.origins, trusted: self.trusted }.into(),
            subprotocols: self.subprotocols,
            preference: self.preference,
            deflate: self.drive.deflate,
            gate,
            turned_away: Seldom::default(),
            crowded: Seldom::default(),
            #[cfg(feature = "tls")]
            tls: self.tls,
            topics: self.topics.then(|| Topics {
                hub: self.hub.clone(),
                room: Room::new(self.drive.outbox.max_replay),
                once: Once::new(self.http.max_idempotency_keys),
                max_body: self.drive.limits.max_message,
                patience: self.drive.limits.message_timeout,
            }),
            http: self.http,
            flooded: Seldom::default(),
            pending: Seldom::default(),
            foreign: Seldom::default(),
            strangers: Seldom::default(),
            homes: Homes::new(workers),
            workers: OnceLock::new(),
        });
        let mut addresses = self.addresses;
        if addresses.is_empty() {
            addresses.push(Self::DEFAULT_ADDRESS.to_owned());
        }
        running::start(&addresses, workers, &site, self.drive, &protocols.into(), &self.hub, busy)
    }

    /// Starts the server and runs it until SIGTERM or SIGINT, or until a worker dies; then clients
    /// are told with 1001, and it returns when they have gone, after 10 s at the latest; see
    /// [`Running::shutdown`].
    pub async fn run(self) -> Result<(), Error> {
        let stop = running::stop_signal()?;
        let running = self.start()?;
        tokio::select! {
            () = stop => {}
            () = running.failed() => {}
        }
        running.shutdown(Self::DEFAULT_DRAIN).await
    }
}

/// What answers where, and the protocols by their numbers.
fn mount(
    registered: Vec<&'static Protocol>,
    mut receptions: Vec<(String, &'static Protocol, Arc<dyn Reception>)>,
    drive: &DriveConfig,
) -> (Routes, Vec<&'static Protocol>) {
    // Its forms serve sockets of handlers too, so the raw protocol is always the first.
    let mut protocols = vec![&raw::PROTOCOL];
    let mut routes = Routes::default();
    let mut number_of = |protocol: &'static Protocol| {
        let known = protocols.iter().position(|known| std::ptr::eq(*known, protocol));
        let index = known.unwrap_or_else(|| {
            protocols.push(protocol);
            protocols.len() - 1
        });
        index as u8
    };
    for protocol in registered {
        let index = number_of(protocol);
        for mount in protocol.mounts {
            if let Carrier::Links(reception) = protocol.carrier {
                receptions.push((mount.path.to_owned(), protocol, reception()));
            } else {
                routes.mount(mount, Door::Protocol(index, protocol));
            }
        }
    }
    let room = Arc::new(Room::new(drive.outbox.max_replay));
    for (path, protocol, reception) in receptions {
        let links = Links {
            mount: routes.next_mount(),
            protocol: number_of(protocol),
            reception,
            patience: drive.limits.message_timeout,
            room: Arc::clone(&room),
        };
        routes.below(&path, Door::Links(links));
    }
    (routes, protocols)
}

/// As many as the affinity mask and the control group's quota give.
fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Raises the soft limit of descriptors to the hard one, and returns it.
fn raise_descriptor_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    now.current.map_or(usize::MAX, |current| usize::try_from(current).unwrap_or(usize::MAX))
}
