//! Decides at the workers' doors, for a whole site.

use std::{net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Instant};

use bytes::Bytes;
use madang_ws::handshake::{request, server::wants_websocket};
use tokio::sync::watch;

use super::{
    farewell,
    http::{self, Site, Visit, stopped},
    io::{Io, Socket},
    listen::Manner,
    proxied,
    rewind::Rewind,
    topics, upgrade,
};
use crate::codes::Code;
use crate::drive::{CarrierKind, Doorkeeper, Greeting, Guest, Newcomer, Pass, Start, WorkerHandle};

/// A site's doorkeeper on one worker.
pub(super) struct Keeper {
    pub(super) site: Arc<Site>,
    pub(super) worker: WorkerHandle,
    pub(super) stop: watch::Receiver<bool>,
    /// How each of the worker's listeners takes its connections.
    pub(super) manners: Vec<Manner>,
}

impl Doorkeeper for Keeper {
    fn admit(
        &mut self,
        listener: usize,
        socket: OwnedFd,
        peer: Option<SocketAddr>,
    ) -> Option<(OwnedFd, Pass)> {
        if *self.stop.borrow() {
            self.dismiss(socket, Code::M504);
            return None;
        }
        let is_proxied = self.manners.get(listener).is_some_and(|manner| manner.proxy_protocol);
        // Whose connection a proxy brings is known only later.
        let address = peer.map(|peer| peer.ip());
        let is_own = !is_proxied && self.site.gate.limits_addresses() && !self.site.trusts(peer);
        match self.site.gate.enter(address.filter(|_| is_own)) {
            Ok(pass) if is_proxied => {
                self.introduce(socket, peer, Arc::new(pass));
                None
            }
            Ok(pass) => Some((socket, Arc::new(pass))),
            Err(refused) => {
                self.dismiss(socket, self.site.refuse(refused, peer));
                None
            }
        }
    }

    fn greet(&mut self, first: &[u8], socket: &OwnedFd, guest: &Guest) -> Greeting {
        self.welcome(first, socket, guest).unwrap_or(Greeting::Http)
    }

    fn pass_on(&mut self, socket: OwnedFd, early: &[u8], guest: Guest) {
        if *self.stop.borrow() {
            return self.dismiss(socket, Code::M504);
        }
        // A trusted proxy's connections are those of many.
        let address = guest.peer.map(|peer| peer.ip()).filter(|_| !self.site.trusts(guest.peer));
        let pending = match self.site.gate.begin(self.site.http.max_pending, address) {
            Ok(pending) => pending,
            Err(refused) => return self.dismiss(socket, self.site.refuse(refused, guest.peer)),
        };
        let early = Bytes::copy_from_slice(early);
        let local = local_address(&socket);
        let Ok(socket) = Socket::new(socket) else { return };
        let visit = Visit::new(
            &self.site,
            &self.worker,
            guest.peer,
            local,
            (guest.pass, pending),
            self.stop.clone(),
        );
        tokio::spawn(receive(Rewind::new(socket, early), visit, self.stop.clone()));
    }
}

impl Keeper {
    /// A handshake that is whole and right. Whatever is refused goes to HTTP, which says why.
    fn welcome(&self, first: &[u8], socket: &OwnedFd, guest: &Guest) -> Option<Greeting> {
        if self.site.is_secure() {
            return None;
        }
        let http = &self.site.http;
        let head = &first[..first.len().min(http.max_head)];
        let (mut request, used) = request::read_request(head, http.max_headers)?;
        let wants_websocket = wants_websocket(&request);
        let found = self.site.routes.find(request.uri().path())?;
        if found.is_stream() == wants_websocket || (found.is_links() && !wants_websocket) {
            return None;
        }
        let path = request.uri().path().to_owned();
        let client = self.site.identify(guest.peer, &mut request);
        let found = self.site.routes.find(&path)?;
        let local = || local_address(socket);
        let pass = || upgrade::count(&self.site, &client, &guest.pass);
        let mut answer = Vec::with_capacity(256);
        if !wants_websocket {
            let (newcomer, response) =
                topics::stream::welcome(&self.site, local, &client, &found, &request, pass)?;
            request::write_response(&response, &mut answer);
            return Some(Greeting::Welcome { newcomer: Box::new(newcomer), answer, used });
        }
        let pass = pass().ok()?;
        let agreed =
            upgrade::agree(&self.site, &self.worker, local, &client, &found, &request).ok()?;
        if matches!(agreed.begin, Start::Attach(_)) {
            // Its session may not be there, or be another worker's.
            return None;
        }
        request::write_response(&agreed.response, &mut answer);
        let newcomer = Box::new(Newcomer {
            peer: client.address,
            carrier: CarrierKind::WebSocket(agreed.deflate),
            protocol: found.door.protocol(),
            begin: agreed.begin,
            pass,
        });
        Some(Greeting::Welcome { newcomer, answer, used })
    }

    /// Says why a connection is not served. The worker does not end before that is said.
    fn dismiss(&self, socket: OwnedFd, why: Code) {
        let Some(farewell) = self.site.gate.farewell() else {
            return farewell::turn_away_at_once(&socket, why);
        };
        let Ok(socket) = Socket::new(socket) else { return };
        let visitor = self.worker.visit();
        tokio::spawn(async move {
            farewell::turn_away(socket, why).await;
            drop((farewell, visitor));
        });
    }

    /// A connection whose proxy has to say first whose it is.
    fn introduce(&self, socket: OwnedFd, peer: Option<SocketAddr>, pass: Pass) {
        let may_say = {
            let live = self.site.live.read();
            live.trusted.is_empty() || live.trusted.trusts(peer.map(|peer| peer.ip()))
        };
        if !may_say {
            let peer = peer.map(tracing::field::display);
            let text = "a PROXY header is taken of trusted proxies only";
            if self.site.strangers.is_due(Instant::now()) {
                tracing::info!(code = %Code::M106, peer, "{text}");
            } else {
                tracing::debug!(code = %Code::M106, peer, "{text}");
            }
            return self.dismiss(socket, Code::M106);
        }
        let pending = match self.site.gate.begin(self.site.http.max_pending, None) {
            Ok(pending) => pending,
            Err(refused) => return self.dismiss(socket, self.site.refuse(refused, peer)),
        };
        let local = local_address(&socket);
        let Ok(socket) = Socket::new(socket) else { return };
        let visit =
            Visit::new(&self.site, &self.worker, peer, local, (pass, pending), self.stop.clone());
        tokio::spawn(introduced(socket, visit, self.stop.clone()));
    }
}

/// Reads the PROXY header, and goes on with the client that it names.
async fn introduced(mut socket: Socket, mut visit: Visit, mut stop: watch::Receiver<bool>) {
    let introduced = tokio::select! {
        introduced = proxied::introduce(&mut socket, visit.site.http.head_timeout) => introduced,
        () = stopped(&mut stop) => return farewell::turn_away(socket, Code::M504).await,
    };
    let (source, rest) = match introduced {
        Ok(introduced) => introduced,
        Err(why) => {
            let peer = visit.peer.map(tracing::field::display);
            tracing::debug!(code = %Code::M105, peer, %why, "a connection without a PROXY header");
            return farewell::turn_away(socket, Code::M105).await;
        }
    };
    if let Some(source) = source {
        visit.peer = Some(SocketAddr::new(source.ip().to_canonical(), source.port()));
    }
    let address = visit.peer.map(|peer| peer.ip());
    if !visit.site.trusts(visit.peer) {
        match visit.site.gate.count(address) {
            Ok(Some(of_address)) => visit.pass = Arc::new((Arc::clone(&visit.pass), of_address)),
            Ok(None) => {}
            Err(refused) => {
                let why = visit.site.refuse(refused, visit.peer);
                return farewell::turn_away(socket, why).await;
            }
        }
    }
    receive(Rewind::new(socket, rest), visit, stop).await;
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
