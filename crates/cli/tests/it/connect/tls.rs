//! `wss://`: whom to trust, and who we are.

use std::io::Write as _;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::{Serving, config::File, peer::Program};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key.
    fn signed(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

#[test]
fn certificates_are_checked_and_shown_as_the_flags_say() {
    let authority = Authority::new();
    let (server, server_key) = authority.signed("127.0.0.1");
    let (client_pem, client_key_pem) = authority.signed("ana");
    let ca = File::new("connect-ca", &authority.pem);
    let (server, server_key) =
        (File::new("connect-s", &server), File::new("connect-sk", &server_key));
    let (client, client_key) =
        (File::new("connect-c", &client_pem), File::new("connect-ck", &client_key_pem));
    let tls = ["--tls-cert", server.path(), "--tls-key", server_key.path()];
    let serving = Serving::local(&[&tls[..], &["--tls-client-ca", ca.path()]].concat());
    let page = serving.greeting.iter().find_map(|line| line.trim().strip_prefix("chat page"));
    let address = page.unwrap().trim().strip_prefix("https://").unwrap().trim_end_matches('/');
    let url = format!("wss://{address}/ws/kitchen");
    let connect = |flags: &[&str]| {
        let mut program = Program::start(
            &[&["connect", &url, "--count", "1", "--timeout", "30s"], flags].concat(),
        );
        // What makes no sense ends it before it reads.
        drop(program.stdin().write_all(b"hello\n"));
        program.end()
    };
    let own = ["--cert", client.path(), "--key", client_key.path()];
    let whole = [&["--ca", ca.path()], &own[..]].concat();
    assert_eq!(connect(&whole), (Some(0), "hello\n".into(), String::new()));
    assert_eq!(connect(&[&["--insecure"], &own[..]].concat()).0, Some(0));
    // Nobody signed the server's certificate whom we trust.
    let (code, _, errors) = connect(&[&["--ca", client.path()], &own[..]].concat());
    assert!(code == Some(2) && errors.contains("--ca FILE trusts"), "{errors}");
    // Certificate and key in one file.
    let both = File::new("connect-both", &format!("{client_pem}{client_key_pem}"));
    let both = ["--ca", ca.path(), "--cert", both.path()];
    assert_eq!(connect(&both).1, "hello\n");
    // With TLS 1.3 the server refuses after we believe that all is done.
    let (code, output, errors) = connect(&["--ca", ca.path()]);
    assert!(code == Some(2) && output.is_empty(), "{code:?} {errors}");
    assert!(errors.contains("asks for a client certificate, which --cert FILE"), "{errors}");
    let doctor = format!("  madang doctor {url} --ca {}\n", ca.path());
    assert!(errors.ends_with(&doctor), "{errors}");
    let (code, _, errors) =
        connect(&["--ca", ca.path(), "--cert", client.path(), "--key", ca.path()]);
    assert!(code == Some(1) && errors.contains("no private key"), "{errors}");
    let (code, _, errors) =
        connect(&["--ca", ca.path(), "--cert", client.path(), "--key", server_key.path()]);
    assert!(code == Some(1) && errors.contains("the key is not that of the"), "{errors}");
    let (code, _, errors) = connect(&["--ca", ca.path(), "--cert", client.path()]);
    assert!(code == Some(1) && errors.contains("--key FILE names it"), "{errors}");
}

#[test]
fn what_is_wrong_with_tls_is_said_in_words() {
    let authority = Authority::new();
    let (server, key) = authority.signed("other.example");
    let ca = File::new("connect-names-ca", &authority.pem);
    let (server, key) = (File::new("connect-ns", &server), File::new("connect-nk", &key));
    let serving = Serving::local(&["--tls-cert", server.path(), "--tls-key", key.path()]);
    let page = serving.greeting.iter().find_map(|line| line.trim().strip_prefix("chat page"));
    let address = page.unwrap().trim().strip_prefix("https://").unwrap().trim_end_matches('/');
    let port = address.rsplit(':').next().unwrap();
    let told = |url: &str| {
        let (code, _, errors) = Program::start(&["connect", url, "--ca", ca.path()]).end();
        assert_eq!(code, Some(2), "{errors}");
        errors
    };
    let errors = told(&format!("wss://127.0.0.1:{port}/ws"));
    let is = "TLS failed: the server's certificate is for other.example, and not for 127.0.0.1; ";
    assert!(errors.contains(is) && !errors.contains("--ca FILE"), "{errors}");
    let plain = Serving::local(&[]);
    let errors = told(&format!("wss://{}/ws", plain.address()));
    assert!(errors.contains("speaks no TLS; a server without TLS is ws://"), "{errors}");
}

#[test]
fn a_certificate_that_has_signed_itself_is_trusted_by_its_file() {
    // As `openssl req -x509` makes it.
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = File::new("connect-own", &params.self_signed(&key).unwrap().pem());
    let key = File::new("connect-own-key", &key.serialize_pem());
    let serving = Serving::local(&["--tls-cert", own.path(), "--tls-key", key.path()]);
    let page = serving.greeting.iter().find_map(|line| line.trim().strip_prefix("chat page"));
    let address = page.unwrap().trim().strip_prefix("https://").unwrap().trim_end_matches('/');
    let url = format!("wss://{address}/ws/kitchen");
    let (code, _, errors) = Program::start(&["connect", &url]).end();
    assert_eq!(code, Some(2), "{errors}");
    assert!(
        errors.contains("has signed itself") && errors.contains("--ca FILE trusts it"),
        "{errors}"
    );
    let program = Program::start(&["connect", &url, "--count", "1", "--ca", own.path()]);
    assert_eq!(program.input(b"hello\n").end().1, "hello\n");
}
