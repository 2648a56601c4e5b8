//! TCP to the target, through a proxy where there is one.

use std::time::Duration;

use madang::websocket::{ConnectError, Proxy};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use super::Way;
use crate::doctor::evidence::{Answer, Bytes, Came, Exchange};

/// A connection that leads to the target.
pub(in crate::doctor) async fn dial(way: Way<'_>) -> Result<TcpStream, Came> {
    let mut tcp = match timeout(way.timeout, TcpStream::connect(way.address)).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err(Came::NotDialed(error.to_string())),
        Err(_) => return Err(Came::NotDialed("no answer in time".into())),
    };
    // Only speed is lost if it fails.
    drop(tcp.set_nodelay(true));
    if let Some(proxy) = way.proxy {
        tunnel(proxy, &mut tcp, way).await?;
    }
    Ok(tcp)
}

/// Whether the proxy opens a tunnel at all, and what it says if not.
pub(in crate::doctor) async fn look(way: Way<'_>) -> Result<Duration, Box<Exchange>> {
    let began = Instant::now();
    let Err(came) = dial(way).await else { return Ok(began.elapsed()) };
    let request = format!("CONNECT {}:{} HTTP/1.1", way.target.host, way.target.port);
    Err(Box::new(Exchange { request, url: way.target.shown(), took: began.elapsed(), came }))
}

async fn tunnel(proxy: &Proxy, tcp: &mut TcpStream, way: Way<'_>) -> Result<(), Came> {
    let (host, port) = (way.target.host.as_str(), way.target.port);
    let asked = proxy.tunnel(tcp, host, port);
    match timeout_at(Instant::now() + way.timeout, asked).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ConnectError::Tunnel(answer))) => {
            Err(Came::NoTunnel(Answer::of(&answer, crate::doctor::redact::header)))
        }
        Ok(Err(ConnectError::Io(_))) => Err(Came::Closed),
        Ok(Err(error)) => Err(Came::Broken(Bytes(error.to_string().into_bytes()))),
        Err(_) => Err(Came::Silence),
    }
}
