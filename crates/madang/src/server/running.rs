//! A server that runs: its threads, and how it stops.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, oneshot, watch},
};

use super::{http::Site, keeper::Keeper, listen};
use crate::{
    Error,
    drive::{Doors, DriveConfig, Protocols, Worker, WorkerHandle},
    hub::Hub,
};

/// A server that was started. Dropping it leaves it running.
pub struct Running {
    addresses: Vec<SocketAddr>,
    workers: Vec<Started>,
    stop: watch::Sender<bool>,
    hub: Hub,
    failed: Arc<Notify>,
    site: Arc<Site>,
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

    /// From now on, pages of these origins may connect besides the server's own; see
    /// [`Server::allowed_origin`](crate::Server::allowed_origin). Who is connected stays.
    pub fn allow_origins(&self, origins: Vec<String>) {
        self.site.origins.write().allowed = origins;
    }

    /// Takes no more connections, closes every WebSocket with 1001, and returns when all have gone;
    /// those that do not answer are cut after `grace`.
    pub async fn shutdown(self, grace: Duration) -> Result<(), Error> {
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
        Ok(())
    }
}

/// What one worker's thread is given.
struct Plan {
    index: usize,
    handle: WorkerHandle,
    listeners: Vec<TcpListener>,
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
) -> Result<Running, Error> {
    let mut listeners = Vec::new();
    // A WebSocket's own limit comes first.
    let stall = MIN_STALL.max(drive.outbox.max_stall.saturating_mul(2));
    for address in addresses {
        listeners.push(listen::listen(address, workers, stall)?);
    }
    let (stop, stopped) = watch::channel(false);
    let mut started = Vec::with_capacity(workers);
    let failed = Arc::new(Notify::new());
    let peers: Arc<[WorkerHandle]> = (0..workers).map(Worker::handle).collect();
    for (index, handle) in peers.iter().enumerate() {
        let plan = Plan {
            index,
            handle: handle.clone(),
            listeners: listeners.iter_mut().filter_map(|each| each.sockets.pop()).collect(),
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
    let addresses = listeners.iter().map(|each| each.address).collect();
    let (hub, site) = (hub.clone(), Arc::clone(site));
    Ok(Running { addresses, workers: started, stop, hub, failed, site })
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
        let Plan { index, handle, listeners, site, drive, protocols, hub, stop, peers } = plan;
        #[cfg(feature = "tls")]
        if let Some(tls) = site.tls.as_ref().filter(|_| index == 0) {
            tokio::spawn(crate::tls::watch(tls.clone(), stop.clone()));
        }
        let mut worker = Worker::new(handle.clone(), index, drive, protocols, &hub, peers)?;
        let keeper = Box::new(Keeper { site, worker: handle, stop });
        let listeners = listeners.into_iter().map(Into::into).collect();
        worker.open(Doors { listeners, keeper })?;
        worker.run().await
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
