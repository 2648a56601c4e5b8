//! Names and addresses.

use std::net::{IpAddr, SocketAddr};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use crate::doctor::{
    ask::Ask,
    evidence::{Dial, Dialed, Name},
};

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Looks the name up: the proxy's, where there is one, which then looks up the target's.
pub(in crate::doctor) async fn resolve(ask: &Ask) -> (Name, Vec<SocketAddr>) {
    let (host, port) = match &ask.proxy {
        Some(proxy) => (proxy.host(), proxy.port()),
        None => (ask.target.host.as_str(), ask.target.port),
    };
    if !ask.resolve.is_empty() {
        let given = ask.resolve.iter().map(|&ip| SocketAddr::new(ip, port));
        return (Name::Given, given.take(MAX_ADDRESSES).collect());
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return (Name::Given, vec![SocketAddr::new(ip, port)]);
    }
    look_up(host, port, ask.timeout).await
}

pub(in crate::doctor) async fn look_up(
    host: &str,
    port: u16,
    patience: std::time::Duration,
) -> (Name, Vec<SocketAddr>) {
    let began = Instant::now();
    match timeout(patience, lookup_host((host, port))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<_> = Vec::new();
            for address in found {
                if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() {
                return (Name::Failed("the name has no address".into()), addresses);
            }
            (Name::Found(began.elapsed()), addresses)
        }
        Ok(Err(error)) => (Name::Failed(error.to_string()), Vec::new()),
        Err(_) => (Name::Failed("the resolver did not answer in time".into()), Vec::new()),
    }
}

/// Tries every address, all at once. Connections that open are closed again without a word.
pub(in crate::doctor) async fn dial_all(ask: &Ask, addresses: &[SocketAddr]) -> Vec<Dial> {
    let tasks: Vec<_> = addresses
        .iter()
        .map(|&address| {
            let patience = ask.timeout;
            tokio::spawn(async move {
                let began = Instant::now();
                let came = match timeout(patience, TcpStream::connect(address)).await {
                    Ok(Ok(_)) => Dialed::Open,
                    Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                        Dialed::Refused
                    }
                    Ok(Err(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
                        Dialed::Silence
                    }
                    Ok(Err(error)) => Dialed::Failed(error.to_string()),
                    Err(_) => Dialed::Silence,
                };
                Dial { address, took: began.elapsed(), came }
            })
        })
        .collect();
    let mut dials = Vec::new();
    for task in tasks {
        // A task that panics has been told already.
        dials.extend(task.await.ok());
    }
    dials
}
