//! The proxy in front, by what it says of itself, and the lines that it needs.

use super::evidence::{Answer, Evidence, LookKind};

/// A proxy or balancer that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Apache,
    Haproxy,
    Caddy,
    Traefik,
    Cloudflare,
    Alb,
    Envoy,
}

/// What lines are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// Nothing.
    None,
    /// `Upgrade` passes.
    Upgrade,
    /// Idle connections stay.
    Idle,
    /// The backend's address and its time.
    Backend,
    /// Streams pass as they come.
    Streaming,
    /// Long heads pass.
    Head,
    /// TLS with the whole chain.
    Chain,
    /// TLS on the port.
    TlsListen,
    /// One client stays on one node.
    Affinity,
    /// A reload leaves open connections alone.
    Reload,
    /// The PROXY header.
    ProxyHeader,
    /// Pages of another origin.
    Origin,
}

impl Proxy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
            Self::Haproxy => "HAProxy",
            Self::Caddy => "Caddy",
            Self::Traefik => "Traefik",
            Self::Cloudflare => "Cloudflare",
            Self::Alb => "AWS ALB",
            Self::Envoy => "Envoy",
        }
    }

    /// From `Server`, `Via` and the pages that proxies have of their own.
    pub(crate) fn of(answer: &Answer) -> Option<Self> {
        let named = answer.headers.iter().filter(|(name, _)| {
            name.eq_ignore_ascii_case("server") || name.eq_ignore_ascii_case("via")
        });
        let named: Vec<_> = named.map(|(_, value)| value.to_ascii_lowercase()).collect();
        let says = |word: &str| named.iter().any(|value| value.contains(word));
        let known = [
            ("cloudflare", Self::Cloudflare),
            ("awselb", Self::Alb),
            ("caddy", Self::Caddy),
            ("traefik", Self::Traefik),
            ("envoy", Self::Envoy),
            ("haproxy", Self::Haproxy),
            ("nginx", Self::Nginx),
            ("openresty", Self::Nginx),
            ("apache", Self::Apache),
        ];
        if let Some((_, proxy)) = known.iter().find(|(word, _)| says(word)) {
            return Some(*proxy);
        }
        // HAProxy does not name itself; its pages are always the same.
        let body = answer.lower();
        let is_haproxy = body.starts_with("<html><body><h1>")
            && [
                "no server is available",
                "the server didn't respond in time",
                "invalid or incomplete response",
                "administrative rules",
                "your browser sent an invalid request",
            ]
            .iter()
            .any(|words| body.contains(words));
        is_haproxy.then_some(Self::Haproxy)
    }

    /// The one that answered, or the one that answered a second look.
    pub(crate) fn seen(evidence: &Evidence) -> Option<Self> {
        let behind = [LookKind::Direct, LookKind::DirectPlain];
        let looks = evidence.looks.iter().filter(|look| !behind.contains(&look.kind));
        let looked = looks.filter_map(|look| look.exchange.came.answer());
        evidence.answered().into_iter().chain(looked).find_map(Self::of)
    }
}

/// The lines for one proxy, or, where none is recognised, for each of those that one configures.
pub(crate) fn lines(what: Lines, proxy: Option<Proxy>) -> Vec<String> {
    if what == Lines::None {
        return Vec::new();
    }
    let all = [Proxy::Nginx, Proxy::Apache, Proxy::Haproxy, Proxy::Caddy, Proxy::Traefik];
    let wanted = proxy.as_ref().map_or(&all[..], std::slice::from_ref);
    let mut out = Vec::new();
    for &proxy in wanted {
        let text = of(what, proxy);
        if !text.is_empty() {
            out.push(format!("# {}", proxy.name()));
            out.extend(text.lines().map(str::to_owned));
        }
    }
    out
}

/// The lines for the proxy that was seen, with the path that was asked and the server behind.
pub(crate) fn lines_for(what: Lines, evidence: &Evidence) -> Vec<String> {
    let lines = lines(what, Proxy::seen(evidence));
    lines.iter().map(|line| super::place::fill(line, evidence)).collect()
}

fn of(what: Lines, proxy: Proxy) -> &'static str {
    match what {
        Lines::None => "",
        Lines::Upgrade => upgrade(proxy),
        Lines::Idle => idle(proxy),
        Lines::Backend => backend(proxy),
        Lines::Streaming => streaming(proxy),
        Lines::Head => head(proxy),
        Lines::Chain => chain(proxy),
        Lines::TlsListen => tls_listen(proxy),
        Lines::Affinity => affinity(proxy),
        Lines::Reload => reload(proxy),
        Lines::ProxyHeader => proxy_header(proxy),
        Lines::Origin => origin(proxy),
    }
}

fn upgrade(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => {
            "location /ws {\n    proxy_pass http://127.0.0.1:8000;\n    proxy_http_version 1.1;\n    \
             proxy_set_header Upgrade $http_upgrade;\n    proxy_set_header Connection \"upgrade\";\n    \
             proxy_set_header Host $host;\n}"
        }
        Proxy::Apache => {
            "# needs mod_proxy_http; since 2.4.47:\nProxyPass \"/ws\" \"http://127.0.0.1:8000/ws\" upgrade=websocket\n\
             # before: a2enmod proxy_wstunnel\nProxyPass \"/ws\" \"ws://127.0.0.1:8000/ws\""
        }
        Proxy::Haproxy => {
            "# HAProxy passes Upgrade in `mode http` by itself, unless a rule takes it away:\n\
             #   http-request set-header Connection close, http-request del-header Upgrade\n\
             frontend web\n    bind :80\n    use_backend madang if { path_beg /ws }\n\
             backend madang\n    server one 127.0.0.1:8000"
        }
        Proxy::Caddy => {
            "# Caddy passes Upgrade by itself, unless `header_up -Upgrade` takes it away\n\
             # what serves files goes into a `handle` of its own below, with its `try_files`\n\
             handle /ws* {\n    reverse_proxy 127.0.0.1:8000\n}"
        }
        Proxy::Traefik => {
            "# Traefik passes Upgrade by itself; look for a `headers` middleware that sets\n\
             # customRequestHeaders: Connection or Upgrade, and take it out\n\
             http:\n  routers:\n    madang:\n      rule: PathPrefix(`/ws`)\n      service: madang\n  \
             services:\n    madang:\n      loadBalancer:\n        servers:\n        - url: http://127.0.0.1:8000"
        }
        Proxy::Cloudflare => "# dashboard: Network > WebSockets: on",
        Proxy::Alb => "# target group: protocol version HTTP1 (not HTTP2, not gRPC)",
        Proxy::Envoy => "# http_connection_manager:\nupgrade_configs:\n- upgrade_type: websocket",
    }
}

fn idle(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => "proxy_read_timeout 1h;\nproxy_send_timeout 1h;",
        Proxy::Apache => {
            "# of the server or the virtual host: it ends tunnels as well\nTimeout 3600"
        }
        Proxy::Haproxy => "timeout tunnel 1h\ntimeout client-fin 30s",
        Proxy::Caddy => {
            "# Caddy cuts no idle WebSocket unless `stream_timeout` is set: look before and behind it"
        }
        Proxy::Traefik => {
            "# static configuration: entryPoints.NAME.transport.respondingTimeouts;\n# then the balancer before it"
        }
        Proxy::Cloudflare => "# not configurable on most plans: ping more often than every 100 s",
        Proxy::Alb => {
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN \\\n  --attributes Key=idle_timeout.timeout_seconds,Value=3600"
        }
        Proxy::Envoy => "# route:\ntimeout: 0s\nidle_timeout: 3600s",
    }
}

fn backend(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => {
            "proxy_pass http://127.0.0.1:8000;   # where the server listens, as seen from nginx\nproxy_connect_timeout 5s;"
        }
        Proxy::Apache => {
            "ProxyPass \"/ws\" \"http://127.0.0.1:8000/ws\" upgrade=websocket connectiontimeout=5 retry=0"
        }
        Proxy::Haproxy => {
            "backend madang\n    server one 127.0.0.1:8000 check\n    timeout connect 5s\n    timeout server 60s"
        }
        Proxy::Caddy => "reverse_proxy 127.0.0.1:8000",
        Proxy::Traefik => {
            "http:\n  services:\n    madang:\n      loadBalancer:\n        servers:\n        - url: http://127.0.0.1:8000"
        }
        Proxy::Cloudflare | Proxy::Alb | Proxy::Envoy => "",
    }
}

fn streaming(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => {
            "proxy_buffering off;\nproxy_cache off;\ngzip off;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n# or the server answers with: X-Accel-Buffering: no"
        }
        Proxy::Apache => {
            "SetEnv no-gzip 1\nProxyPass \"/sse\" \"http://127.0.0.1:8000/sse\" flushpackets=on"
        }
        Proxy::Haproxy => {
            "option http-no-delay\n# no `compression` for text/event-stream, no `option http-buffer-response`"
        }
        Proxy::Caddy => "reverse_proxy 127.0.0.1:8000 {\n    flush_interval -1\n}",
        Proxy::Traefik => {
            "# loadBalancer:\nresponseForwarding:\n  flushInterval: 1ms\n# no `compress` and no `buffering` middleware on this route"
        }
        Proxy::Cloudflare | Proxy::Alb | Proxy::Envoy => "",
    }
}

fn head(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => "large_client_header_buffers 4 32k;\nclient_header_buffer_size 4k;",
        Proxy::Apache => "LimitRequestFieldSize 32768\nLimitRequestLine 32768",
        Proxy::Haproxy => "global\n    tune.bufsize 32768\n    tune.maxrewrite 1024",
        Proxy::Caddy => "{\n    servers {\n        max_header_size 32KB\n    }\n}",
        Proxy::Traefik | Proxy::Cloudflare | Proxy::Alb | Proxy::Envoy => "",
    }
}

fn chain(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => {
            "ssl_certificate     /etc/letsencrypt/live/NAME/fullchain.pem;   # not cert.pem\nssl_certificate_key /etc/letsencrypt/live/NAME/privkey.pem;\n# then: nginx -s reload"
        }
        Proxy::Apache => {
            "SSLCertificateFile    /etc/letsencrypt/live/NAME/fullchain.pem\nSSLCertificateKeyFile /etc/letsencrypt/live/NAME/privkey.pem\n# then: apachectl graceful"
        }
        Proxy::Haproxy => {
            "# one file: certificate, intermediates, key\nbind :443 ssl crt /etc/haproxy/NAME.pem"
        }
        Proxy::Caddy => "tls /path/fullchain.pem /path/privkey.pem",
        Proxy::Traefik => {
            "tls:\n  certificates:\n  - certFile: /path/fullchain.pem\n    keyFile: /path/privkey.pem"
        }
        Proxy::Cloudflare | Proxy::Alb | Proxy::Envoy => "",
    }
}

fn tls_listen(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => "listen 443 ssl;   # `ssl` is what makes it speak TLS",
        Proxy::Apache => "Listen 443\n<VirtualHost *:443>\n    SSLEngine on",
        Proxy::Haproxy => "bind :443 ssl crt /etc/haproxy/NAME.pem",
        Proxy::Caddy => "https://NAME {\n}",
        Proxy::Traefik => "# router:\ntls: {}",
        Proxy::Cloudflare | Proxy::Alb | Proxy::Envoy => "",
    }
}

fn affinity(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => {
            "upstream madang {\n    ip_hash;   # or: hash $remote_addr consistent;\n    server 10.0.0.1:8000;\n    server 10.0.0.2:8000;\n}"
        }
        Proxy::Apache => {
            "Header add Set-Cookie \"ROUTE=.%{BALANCER_WORKER_ROUTE}e; path=/\" env=BALANCER_ROUTE_CHANGED\n\
             <Proxy \"balancer://madang\">\n    BalancerMember \"http://10.0.0.1:8000\" route=a upgrade=websocket\n    \
             BalancerMember \"http://10.0.0.2:8000\" route=b upgrade=websocket\n    ProxySet stickysession=ROUTE\n</Proxy>\n\
             ProxyPass \"/\" \"balancer://madang/\""
        }
        Proxy::Haproxy => {
            "backend madang\n    cookie NODE insert indirect nocache\n    server a 10.0.0.1:8000 check cookie a\n    server b 10.0.0.2:8000 check cookie b"
        }
        Proxy::Caddy => "reverse_proxy 10.0.0.1:8000 10.0.0.2:8000 {\n    lb_policy cookie\n}",
        Proxy::Traefik => "# loadBalancer:\nsticky:\n  cookie: {}",
        Proxy::Alb => "# target group: stickiness.enabled=true, stickiness.type=lb_cookie",
        Proxy::Cloudflare | Proxy::Envoy => "",
    }
}

fn reload(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => {
            "worker_shutdown_timeout 4h;   # old workers may keep their connections so long after a reload"
        }
        Proxy::Haproxy => "global\n    hard-stop-after 4h",
        Proxy::Apache => "# and `apachectl graceful`, not `restart`\nGracefulShutdownTimeout 0",
        Proxy::Caddy => "reverse_proxy 127.0.0.1:8000 {\n    stream_close_delay 4h\n}",
        Proxy::Traefik => "# routes are changed without cutting; a restart cuts",
        Proxy::Cloudflare | Proxy::Alb | Proxy::Envoy => "",
    }
}

fn proxy_header(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => {
            "listen 443 ssl;                  # takes no PROXY header\nlisten 443 ssl proxy_protocol;   # takes nothing else"
        }
        Proxy::Haproxy => {
            "bind :443               # takes no PROXY header\nbind :443 accept-proxy  # takes nothing else\nserver one 127.0.0.1:8000 send-proxy   # sends it to the server behind"
        }
        Proxy::Apache => "# takes nothing else\nRemoteIPProxyProtocol On",
        Proxy::Traefik => {
            "entryPoints:\n  web:\n    proxyProtocol:\n      trustedIPs: [\"10.0.0.0/8\"]"
        }
        Proxy::Caddy | Proxy::Cloudflare | Proxy::Alb | Proxy::Envoy => "",
    }
}

fn origin(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Nginx => "proxy_set_header Host $host;   # the server compares Origin with Host",
        Proxy::Apache => "# the server compares Origin with Host\nProxyPreserveHost On",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::Bytes;

    fn answer(headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        let body = Bytes(body.as_bytes().to_vec());
        Answer {
            status: 502,
            http10: false,
            headers,
            body,
            fault: None,
            subprotocol: None,
            deflate: false,
        }
    }

    #[test]
    fn proxies_are_known_by_what_they_say() {
        let page = "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n";
        for (headers, body, is) in [
            (&[("Server", "nginx/1.22.1")][..], "", Some(Proxy::Nginx)),
            (&[("Server", "Apache/2.4.62 (Debian)")], "", Some(Proxy::Apache)),
            (&[("Server", "x"), ("Via", "1.1 Caddy")], "", Some(Proxy::Caddy)),
            (&[("Server", "awselb/2.0")], "", Some(Proxy::Alb)),
            (&[], page, Some(Proxy::Haproxy)),
            (&[("Server", "gunicorn")], "nginx", None),
        ] {
            assert_eq!(Proxy::of(&answer(headers, body)), is);
        }
    }

    #[test]
    fn without_a_name_there_are_lines_for_each() {
        let lines = lines(Lines::Upgrade, None);
        for name in ["# nginx", "# Apache", "# HAProxy", "# Caddy", "# Traefik"] {
            assert!(lines.iter().any(|line| line == name), "{name}");
        }
        let nginx = super::lines(Lines::Upgrade, Some(Proxy::Nginx));
        assert!(nginx.iter().any(|line| line.contains("$http_upgrade")) && nginx[0] == "# nginx");
    }
}
