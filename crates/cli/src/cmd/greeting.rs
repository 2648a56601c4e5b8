//! What the server says when it is open.

use std::{
    fmt::Write as _,
    io::Write as _,
    net::{IpAddr, SocketAddr},
};

use madang::{
    Running,
    proto::{Carrier, PROTOCOLS},
    tls::TlsConfig,
};

/// Says where the page is and what answers where. A closed standard output is no reason to stop.
pub(super) fn greet(running: &Running, tls: Option<&TlsConfig>) {
    let page = |address| page(address, tls.is_some());
    let mut text = String::from("Madang is open.\n");
    for address in running.addresses() {
        let _ = writeln!(text, "  chat page     {}", page(*address));
        if address.ip().is_unspecified() {
            // `[::]` takes IPv4 too, 0.0.0.0 no IPv6.
            let reached = |ip: &IpAddr| address.is_ipv6() || ip.is_ipv4();
            for ip in madang::lan_addresses().into_iter().filter(reached) {
                let _ =
                    writeln!(text, "  from outside  {}", page(SocketAddr::new(ip, address.port())));
            }
        }
    }
    for path in running.unix_paths() {
        let _ = writeln!(text, "  unix socket   {}", path.display());
    }
    if let Some(address) = running.addresses().first() {
        let http = page(*address);
        let http = http.trim_end_matches('/');
        let ws = http.replacen("http", "ws", 1);
        for protocol in PROTOCOLS {
            for mount in protocol.mounts {
                let (base, name) = match protocol.carrier {
                    Carrier::WebSocket => (&*ws, "WebSocket"),
                    // Who reads several topics finds the way in the documentation.
                    _ if !mount.segment => continue,
                    _ => (http, protocol.name),
                };
                let segment = if mount.segment { "/{topic}" } else { "" };
                let (path, tail, about) = (mount.path, mount.tail, mount.about);
                let _ = writeln!(text, "  {name:<14}{base}{path}{segment}{tail}  {about}");
            }
        }
        let _ = writeln!(text, "  publish       curl -d 'hello' {http}/topics/lobby");
        let _ = writeln!(text, "  listen        curl -N {http}/topics/lobby/stream");
    }
    if let Some(fingerprint) = tls.and_then(TlsConfig::fingerprint) {
        let _ = writeln!(
            text,
            "The certificate is self-signed; its SHA-256 fingerprint is\n  {fingerprint}"
        );
    }
    let _ = writeln!(text, "{} worker(s); Ctrl-C stops.", running.workers());
    drop(std::io::stdout().write_all(text.as_bytes()));
}

/// An address that a browser on this machine can open.
fn page(address: SocketAddr, is_secure: bool) -> String {
    let scheme = if is_secure { "https" } else { "http" };
    let ip = match address {
        SocketAddr::V4(_) if address.ip().is_unspecified() => "127.0.0.1".into(),
        SocketAddr::V6(_) if address.ip().is_unspecified() => "[::1]".into(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    format!("{scheme}://{ip}:{}/", address.port())
}
