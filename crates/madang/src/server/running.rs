//! A server that runs: its threads, and how it stops.

use std::{
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, oneshot, watch},
    time::{Instant, timeout_at},
};

use super::{
    busy::Busy,
    http::Site,
    keeper::Keeper,
    listen::{self, Manner, Place},
    live::Reload,
    unix::SocketFile,
};
use crate::{
    Error,
    drive::{Doors, DriveConfig, Protocols, Worker, WorkerHandle},
    hub::Hub,
};

/// A server that was started. Dropping it leaves it running.
pub struct Running {
    addresses: Vec<SocketAddr>,
    paths: Vec<PathBuf>,
    site: Arc<Site>,
    busy: Busy,
    workers: Vec<Started>,
    stop: watch::Sender<bool>,
    hub: Hub,
    failed: Arc<Notify>,
}

struct Started {
    handle: WorkerHandle,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Running {
    /// Where it listens, with the ports that were taken for 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The unix sockets where it listens.
    pub fn unix_paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    /// Changes what can change while it runs. It holds for handshakes from now on; no connection is
    /// cut.
    pub fn reload(&self, changes: Reload) {
        self.site.reload(changes);
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Its hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Returns when a worker ends that was not told to: the server is no longer whole, and
    /// [`Running::shutdown`] will say so.
    pub async fn failed(&self) {
        self.failed.notified().await;
    }

    /// Serves no more connections, and returns when all have gone, after `grace` at the latest.
    ///
    /// Newcomers hear 503, so that nobody is left in a queue. WebSockets are closed with 1001: not
    /// all at once, so that they do not come back all at once, but one in 10 ms and worker, or
    /// faster where four fifths of `grace` are not enough for that. HTTP ends with the answers that
    /// are under way. Handlers may use what is left of `grace`. Who does not answer is cut.
    pub async fn shutdown(self, grace: Duration) -> Result<(), Error> {
        let until = Instant::now() + grace;
        self.stop.send_replace(true);
        for worker in &self.workers {
            worker.handle.go_away(grace);
        }
        for worker in self.workers {
            match worker.ended.await {
                Ok(result) => result?,
                Err(_) => return Err(Error::WorkerDied),
            }
        }
        if timeout_at(until, self.busy.idle()).await.is_err() {
            tracing::warn!(handlers = self.busy.count(), "handlers did not end in time");
        }
        Ok(())
    }
}

/// What one worker's thread is given.
struct Plan {
    index: usize,
    handle: WorkerHandle,
    listeners: Vec<OwnedFd>,
    manners: Vec<Manner>,
    /// The last worker that ends removes them.
    files: Arc<Vec<SocketFile>>,
    site: Arc<Site>,
    drive: DriveConfig,
    protocols: Protocols,
    hub: Hub,
    stop: watch::Receiver<bool>,
    peers: Arc<[WorkerHandle]>,
}

/// How long, at least, a peer may take nothing of what waits for it.
const MIN_STALL: Duration = Duration::from_secs(30);

pub(super) fn start(
    addresses: &[String],
    workers: usize,
    site: &Arc<Site>,
    drive: DriveConfig,
    protocols: &Protocols,
    hub: &Hub,
    busy: Busy,
) -> Result<Running, Error> {
    let mut listeners = Vec::new();
    // A WebSocket's own limit comes first.
    let stall = MIN_STALL.max(drive.outbox.max_stall.saturating_mul(2));
    for address in addresses {
        listeners.push(listen::listen(address, workers, stall)?);
    }
    let mut sockets = Vec::with_capacity(listeners.len());
    let (mut addresses, mut files) = (Vec::new(), Vec::new());
    let manners: Vec<Manner> = listeners.iter().map(|each| each.manner).collect();
    if manners.iter().any(|manner| manner.proxy_protocol) && site.live.read().trusted.is_empty() {
        tracing::warn!(
            "the PROXY headers of anybody are believed: no proxy is named (--trusted-proxy, or \
             `Server::trusted_proxies`), so nobody else may reach the addresses with ?proxy-protocol=1"
        );
    }
    for each in listeners {
        sockets.push(each.sockets);
        match each.place {
            Place::Tcp(address) => addresses.push(address),
            Place::Unix(file) => files.push(file),
        }
    }
    let paths = files.iter().map(|file| file.path().to_owned()).collect();
    let files = Arc::new(files);
    let (stop, stopped) = watch::channel(false);
    let mut started = Vec::with_capacity(workers);
    let failed = Arc::new(Notify::new());
    let peers: Arc<[WorkerHandle]> = (0..workers).map(Worker::handle).collect();
    // A site is started once.
    drop(site.workers.set(Arc::clone(&peers)));
    for (index, handle) in peers.iter().enumerate() {
        let plan = Plan {
            index,
            handle: handle.clone(),
            listeners: sockets.iter_mut().filter_map(Vec::pop).collect(),
            manners: manners.clone(),
            files: Arc::clone(&files),
            site: Arc::clone(site),
            drive,
            protocols: Arc::clone(protocols),
            hub: hub.clone(),
            stop: stopped.clone(),
            peers: Arc::clone(&peers),
        };
        let (end, ended) = oneshot::channel();
        let name = format!("madang-{index}");
        let failure = Failure(Arc::clone(&failed));
        thread::Builder::new().name(name).spawn(move || {
            let failure = failure;
            drop(end.send(work(plan)));
            drop(failure);
        })?;
        started.push(Started { handle: handle.clone(), ended });
    }
    let (site, hub) = (Arc::clone(site), hub.clone());
    Ok(Running { addresses, paths, site, busy, workers: started, stop, hub, failed })
}

/// Tells, however a worker's thread ends.
struct Failure(Arc<Notify>);

impl Drop for Failure {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// One worker's thread: its loop is the root future, HTTP runs beside it.
fn work(plan: Plan) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let Plan { index, handle, listeners, manners, site, drive, protocols, hub, stop, .. } =
            plan;
        #[cfg(feature = "tls")]
        if let Some(tls) = site.tls.as_ref().filter(|_| index == 0) {
            tokio::spawn(crate::tls::watch(tls.clone(), stop.clone()));
        }
        let mut worker = Worker::new(handle.clone(), index, drive, protocols, &hub, plan.peers)?;
        let keeper = Box::new(Keeper { site, worker: handle, stop, manners });
        worker.open(Doors { listeners, keeper })?;
        let ended = worker.run().await;
        drop(plan.files);
        ended
    });
    if let Err(error) = &result {
        tracing::error!(%error, "a worker failed");
    }
    result
}

/// Completes when the process is asked to stop, by SIGTERM or SIGINT. From the call on, and not only
/// from the first poll, these signals no longer end the process by themselves. To be called within
/// a tokio runtime.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
