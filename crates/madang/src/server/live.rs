//! What of a site can change while it runs.

use std::net::SocketAddr;

use http::{HeaderMap, Request};
use madang_ws::handshake::origin::OriginPolicy;

use super::{
    forwarded::{Client, TrustedProxies},
    http::Site,
};

/// What every handshake looks up anew.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) origins: OriginPolicy,
    pub(super) trusted: TrustedProxies,
}

/// Changes to a server that runs, for [`Running::reload`](super::Running::reload). What is `None`
/// stays as it is. Connections that are open stay open in any case.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Reload {
    /// See [`Server::allowed_origin`](super::Server::allowed_origin); these and no others.
    pub allowed_origins: Option<Vec<String>>,
    /// See [`Server::max_connections`](super::Server::max_connections).
    pub max_connections: Option<usize>,
    /// See [`Server::max_connections_per_address`](super::Server::max_connections_per_address).
    pub max_connections_per_address: Option<usize>,
    /// See [`Server::trusted_proxies`](super::Server::trusted_proxies); these and no others.
    pub trusted_proxies: Option<TrustedProxies>,
}

impl Site {
    pub(super) fn reload(&self, changes: Reload) {
        let mut live = self.live.write();
        if let Some(origins) = changes.allowed_origins {
            live.origins.allowed = origins;
        }
        if let Some(trusted) = changes.trusted_proxies {
            live.trusted = trusted;
        }
        drop(live);
        if let Some(limit) = changes.max_connections {
            self.gate.set_limit(limit);
        }
        if let Some(limit) = changes.max_connections_per_address {
            self.gate.set_limit_of_address(limit);
        }
    }

    /// Whether a peer speaks for others.
    pub(super) fn trusts(&self, peer: Option<SocketAddr>) -> bool {
        self.live.read().trusted.trusts(peer.map(|peer| peer.ip()))
    }

    pub(super) fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Client {
        self.live.read().trusted.resolve(peer, headers)
    }

    /// Who makes a request. What a trusted proxy told of it goes into its extensions.
    pub(super) fn identify<B>(&self, peer: Option<SocketAddr>, request: &mut Request<B>) -> Client {
        let client = self.client(peer, request.headers());
        if let Some(forwarded) = &client.forwarded {
            request.extensions_mut().insert(forwarded.clone());
        }
        client
    }
}
