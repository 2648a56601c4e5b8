//! TLS, as the program's flags ask for it.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
};

use super::{Serving, config::File, connect, run};

#[test]
fn a_certificate_of_its_own_is_greeted_with_its_fingerprint() {
    let serving = Serving::local(&["--tls-self-signed"]);
    let text = serving.greeting.join("\n");
    let page = serving.greeting.iter().find_map(|line| line.trim().strip_prefix("chat page"));
    let address = page.unwrap().trim().strip_prefix("https://").unwrap().trim_end_matches('/');
    assert!(text.contains(&format!("wss://{address}/ws/")), "{text}");
    // 32 bytes, as browsers show them.
    let fingerprint = text.split_whitespace().find(|word| word.split(':').count() == 32);
    for byte in fingerprint.unwrap().split(':') {
        u8::from_str_radix(byte, 16).unwrap();
    }
    // Who does not know of it hears what to do.
    let address: SocketAddr = address.parse().unwrap();
    let mut stream = connect(address);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("https://") && answer.contains("wss://"), "{answer}");
}

#[test]
fn what_is_wrong_with_tls_is_told_at_the_start() {
    let empty = File::new("empty", "");
    let empty = empty.path();
    let cases: [(&[&str], [&str; 2]); 7] = [
        (&["--tls-cert", "/no/such/cert.pem", "--tls-key", empty], ["/no/such/cert.pem", ""]),
        (&["--tls-cert", empty, "--tls-key", empty], [empty, "BEGIN CERTIFICATE"]),
        (&["--tls-cert", empty], ["--tls-key", ""]),
        (&["--tls-key", empty], ["--tls-cert", ""]),
        (&["--tls-client-ca", empty], ["--tls-client-ca", "--tls-cert"]),
        (&["--tls-self-signed", "--tls-client-ca", empty], [empty, "BEGIN CERTIFICATE"]),
        (&["--tls-self-signed", "--tls-client-optional"], ["--tls-client-ca", ""]),
    ];
    for (arguments, hints) in cases {
        let output = run(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(hints.iter().all(|hint| errors.contains(hint)), "{arguments:?}: {errors}");
    }
}
