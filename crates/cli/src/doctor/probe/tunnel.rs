//! TCP to the target, through a proxy where there is one.

use std::{sync::Arc, time::Duration};

use madang::websocket::{ConnectError, Proxy};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use super::{Way, tap::Tap};
use crate::doctor::evidence::{Answer, Bytes, Came, Exchange};

/// A connection that leads to the target.
pub(in crate::doctor) async fn dial(way: Way<'_>) -> Result<TcpStream, Came> {
    let tcp = match timeout(way.timeout, TcpStream::connect(way.address)).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err(Came::NotDialed(error.to_string())),
        Err(_) => return Err(Came::NotDialed("no answer in time".into())),
    };
    // Only speed is lost if it fails.
    drop(tcp.set_nodelay(true));
    let Some(proxy) = way.proxy else { return Ok(tcp) };
    let mut tap = Tap { tcp, seen: Arc::default() };
    tunnel(proxy, &mut tap, way).await?;
    Ok(tap.tcp)
}

/// Whether the proxy opens a tunnel at all, and what it says if not.
pub(in crate::doctor) async fn look(way: Way<'_>) -> Result<Duration, Box<Exchange>> {
    let began = Instant::now();
    let Err(came) = dial(way).await else { return Ok(began.elapsed()) };
    let request = format!("CONNECT {}:{} HTTP/1.1", way.target.host, way.target.port);
    Err(Box::new(Exchange { request, url: way.target.shown(), took: began.elapsed(), came }))
}

async fn tunnel(proxy: &Proxy, tap: &mut Tap, way: Way<'_>) -> Result<(), Came> {
    let (host, port) = (way.target.host.as_str(), way.target.port);
    let asked = timeout_at(Instant::now() + way.timeout, proxy.tunnel(tap, host, port)).await;
    let seen = tap.seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    match asked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ConnectError::Tunnel(answer))) => {
            Err(Came::NoTunnel(Answer::of(&answer, crate::doctor::redact::header)))
        }
        Ok(Err(_)) if seen.is_empty() => Err(Came::Closed),
        Ok(Err(_)) if seen.starts_with(b"HTTP/") => Err(Came::Broken(Bytes(seen))),
        Ok(Err(_)) => Err(Came::Bytes(Bytes(seen))),
        Err(_) => Err(Came::Silence),
    }
}
