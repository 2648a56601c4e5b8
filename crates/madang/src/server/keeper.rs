//! Decides at the workers' doors, for a whole site.

use std::{
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use madang_ws::handshake::{request, server::wants_websocket};
use tokio::sync::watch;

use super::{
    http::{self, Site},
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
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) -> Option<(TcpStream, Pass)> {
        let refusal = if *self.stop.borrow() {
            http::GOING
        } else if let Some(pass) = self.site.gate.enter() {
            return Some((stream, Arc::new(pass)));
        } else {
            self.site.log_full(peer);
            http::FULL
        };
        if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
            tokio::spawn(http::turn_away(stream, refusal));
        }
        None
    }

    fn greet(&mut self, first: &[u8], stream: &TcpStream, guest: &Guest) -> Greeting {
        self.welcome(first, stream, guest).unwrap_or(Greeting::Http)
    }

    fn pass_on(&mut self, stream: TcpStream, early: &[u8], guest: Guest) {
        let early = bytes::Bytes::copy_from_slice(early);
        // A peer that is gone already has no address any more.
        let Ok(local) = stream.local_addr() else { return };
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
        let visit = http::Visit::new(&self.site, &self.worker, Some(guest.peer), local, guest.pass);
        tokio::spawn(http::converse(Rewind::new(stream, early), visit, self.stop.clone()));
    }
}

impl Keeper {
    /// A handshake that is whole and right. Whatever is refused goes to HTTP, which says why.
    fn welcome(&self, first: &[u8], stream: &TcpStream, guest: &Guest) -> Option<Greeting> {
        let (request, used) = request::read_request(first)?;
        if !wants_websocket(&request) {
            return None;
        }
        let found = self.site.routes.find(request.uri().path())?;
        let loopback =
            || stream.local_addr().is_ok_and(|local| local.ip().to_canonical().is_loopback());
        let agreed = upgrade::agree(&self.site, loopback, &found, &request).ok()?;
        let mut answer = Vec::with_capacity(256);
        request::write_response(&agreed.response, &mut answer);
        let newcomer = Box::new(Newcomer {
            peer: Some(guest.peer),
            deflate: agreed.deflate,
            protocol: found.door.protocol(),
            begin: agreed.begin,
            pass: Arc::clone(&guest.pass),
        });
        Some(Greeting::Welcome { newcomer, answer, used })
    }
}
