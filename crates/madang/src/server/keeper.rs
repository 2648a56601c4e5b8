//! Decides at the workers' doors, for a whole site.

use std::{net::SocketAddr, os::fd::OwnedFd, sync::Arc};

use bytes::Bytes;
use madang_ws::handshake::{request, server::wants_websocket};
use tokio::sync::watch;

use super::{
    http::{self, Site, Visit},
    io::{Io, Socket},
    rewind::Rewind,
    upgrade,
};
use crate::drive::{Doorkeeper, Greeting, Guest, Newcomer, Pass, WorkerHandle};

/// A site's doorkeeper on one worker.
pub(super) struct Keeper {
    pub(super) site: Arc<Site>,
    pub(super) worker: WorkerHandle,
    pub(super) stop: watch::Receiver<bool>,
}

impl Doorkeeper for Keeper {
    fn admit(&mut self, socket: OwnedFd, peer: Option<SocketAddr>) -> Option<(OwnedFd, Pass)> {
        let refusal = if *self.stop.borrow() {
            http::GOING
        } else if let Some(pass) = self.site.gate.enter() {
            return Some((socket, Arc::new(pass)));
        } else {
            self.site.log_full(peer);
            http::FULL
        };
        if let Ok(socket) = Socket::new(socket) {
            tokio::spawn(http::turn_away(socket, refusal));
        }
        None
    }

    fn greet(&mut self, first: &[u8], socket: &OwnedFd, guest: &Guest) -> Greeting {
        self.welcome(first, socket, guest).unwrap_or(Greeting::Http)
    }

    fn pass_on(&mut self, socket: OwnedFd, early: &[u8], guest: Guest) {
        let early = Bytes::copy_from_slice(early);
        let local = local_address(&socket);
        let Ok(socket) = Socket::new(socket) else { return };
        let visit = Visit::new(&self.site, &self.worker, guest.peer, local, guest.pass);
        tokio::spawn(receive(Rewind::new(socket, early), visit, self.stop.clone()));
    }
}

impl Keeper {
    /// A handshake that is whole and right. Whatever is refused goes to HTTP, which says why.
    fn welcome(&self, first: &[u8], socket: &OwnedFd, guest: &Guest) -> Option<Greeting> {
        if self.site.is_secure() {
            return None;
        }
        let (request, used) =
            request::read_request(&first[..first.len().min(self.site.http.max_head)])?;
        if !wants_websocket(&request) {
            return None;
        }
        let found = self.site.routes.find(request.uri().path())?;
        let loopback = || http::is_loopback(local_address(socket));
        let agreed = upgrade::agree(&self.site, loopback, &found, &request).ok()?;
        let mut answer = Vec::with_capacity(256);
        request::write_response(&agreed.response, &mut answer);
        let newcomer = Box::new(Newcomer {
            peer: guest.peer,
            deflate: agreed.deflate,
            protocol: found.door.protocol(),
            begin: agreed.begin,
            pass: Arc::clone(&guest.pass),
        });
        Some(Greeting::Welcome { newcomer, answer, used })
    }
}

/// Everything that the doorstep does not answer itself.
async fn receive(stream: Rewind<Socket>, visit: Visit, stop: watch::Receiver<bool>) {
    #[cfg(feature = "tls")]
    if let Some(tls) = &visit.site.tls {
        let config = tls.server_config();
        if let Some(stream) =
            super::secure::accept(stream, config, visit.site.http.head_timeout, visit.peer).await
        {
            http::converse(stream, visit, stop).await;
        }
        return;
    }
    http::converse(Io::Plain(stream), visit, stop).await;
}

/// The address that a connection came to; a unix socket has none.
fn local_address(socket: &OwnedFd) -> Option<SocketAddr> {
    SocketAddr::try_from(rustix::net::getsockname(socket).ok()?).ok()
}
