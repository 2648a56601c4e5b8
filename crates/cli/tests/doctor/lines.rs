//! The lines that diagnoses print for proxies, as those proxies themselves read them.

use std::process::Command;

use super::{
    certificates::self_signed,
    proxies::{apache_modules, folder, found},
};

/// The lines for one proxy in what `madang explain CODE` prints.
fn lines(code: &str, proxy: &str) -> Option<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_madang")).args(["explain", code, "--lang", "en"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let names = ["nginx", "Apache", "HAProxy", "Caddy", "Traefik"];
    let mut of = None;
    let mut found = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("    ")) {
        match names.iter().find(|name| line == format!("# {name}")) {
            Some(name) => of = Some(*name),
            None if of == Some(proxy) => found.push(line),
            None => {}
        }
    }
    (!found.is_empty()).then(|| found.join("\n"))
}

/// Every code whose lines are literal.
const CODES: [&str; 13] =
    ["D07", "D10", "D12", "D20", "D22", "D26", "D31", "D33", "D36", "D41", "D43", "D47", "D49"];

/// Tries the lines in each place where they may belong; at one of them the program takes them.
fn is_taken(proxy: &str, places: &[String], run: impl Fn(&str) -> Command) {
    let leaf = self_signed(&["localhost"]);
    let both = format!("{}{}", leaf.pem, leaf.key_pem);
    let dir = folder(&[("c.pem", &leaf.pem), ("k.pem", &leaf.key_pem), ("b.pem", &both)]);
    let at = dir.to_str().unwrap();
    let mut count = 0;
    for code in CODES {
        let Some(text) = lines(code, proxy) else { continue };
        count += 1;
        let text = text
            .replace("/etc/letsencrypt/live/NAME/fullchain.pem", &format!("{at}/c.pem"))
            .replace("/etc/letsencrypt/live/NAME/privkey.pem", &format!("{at}/k.pem"))
            .replace("/etc/haproxy/NAME.pem", &format!("{at}/b.pem"));
        let mut told = Vec::new();
        let good = places.iter().any(|place| {
            let file = format!("{at}/conf");
            std::fs::write(&file, place.replace("LINES", &text).replace("DIR", at)).unwrap();
            let output = run(&file).output().unwrap();
            told.push(String::from_utf8_lossy(&output.stderr).into_owned());
            output.status.success()
        });
        assert!(good, "{code}, {proxy}: {text}\n{}", told.join("\n"));
    }
    assert!(count >= 8, "{proxy} has lines for {count} codes");
    drop(std::fs::remove_dir_all(dir));
}

#[test]
fn proxies_take_the_lines_that_are_printed_for_them() {
    if std::env::var_os("MADANG_BED").is_none() {
        return;
    }
    let places = [
        "LINES\nevents {} http {}",
        "events {} http { LINES\n server { listen 18150; } }",
        "events {} http { server { listen 18150; ssl_certificate DIR/c.pem; ssl_certificate_key DIR/k.pem; LINES\n } }",
        "events {} http { server { listen 18150; LINES\n } }",
        "events {} http { server { listen 18150; location / { LINES\n } } }",
    ];
    is_taken(
        "nginx",
        &places.map(|place| format!("error_log stderr; pid DIR/pid; {place}")),
        |file| {
            let mut nginx = Command::new(found("nginx"));
            nginx.args(["-t", "-e", "stderr", "-c", file]);
            nginx
        },
    );
    let defaults =
        "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n";
    let places = [
        "LINES\n",
        "listen l\n bind :18150\n server s 127.0.0.1:1\nLINES\n",
        "frontend f\nLINES\n",
    ];
    is_taken("HAProxy", &places.map(|place| format!("{defaults}{place}")), |file| {
        let mut haproxy = Command::new(found("haproxy"));
        haproxy.args(["-c", "-f", file]);
        haproxy
    });
    let base = "ServerName x\nPidFile DIR/pid\nErrorLog DIR/err\nUser www-data\nGroup www-data\n\
                SSLCertificateFile DIR/c.pem\nSSLCertificateKeyFile DIR/k.pem\n";
    let places = [
        "Listen 18150\nLINES\n",
        "Listen 18150\n<Proxy balancer://b>\nBalancerMember http://127.0.0.1:1 route=a\nLINES\n</Proxy>\n",
        "LINES\n</VirtualHost>\n",
    ];
    is_taken("Apache", &places.map(|place| format!("{}{base}{place}", apache_modules())), |file| {
        let mut apache = Command::new(found("apache2"));
        apache.args(["-t", "-f", file]);
        apache
    });
}
