//! A client against servers that answer in every way.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use madang_ws::handshake::client;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_tungstenite::accept_async;

use super::super::{CloseCode, Connect, ConnectError, Phase, Proxy, connect};

/// Takes one connection after another, reads a request, and writes the next answer.
async fn answers<I: IntoIterator<Item = String>>(make: impl Fn(SocketAddr) -> I) -> SocketAddr
where
    I::IntoIter: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = make(address).into_iter();
    tokio::spawn(async move {
        for answer in answers {
            let (mut tcp, _) = listener.accept().await.unwrap();
            read_request(&mut tcp).await;
            tcp.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

async fn read_request<S: AsyncRead + Unpin>(io: &mut S) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(io.read_u8().await.unwrap());
    }
    String::from_utf8(request).unwrap()
}

/// The error when a server answers so.
async fn error(answer: &str) -> ConnectError {
    let address = answers(|_| [answer.to_owned()]).await;
    connect(format!("ws://{address}/")).await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_is_reported_whole() {
    let head = "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\n";
    for answer in [
        format!("{head}Content-Length: 8\r\n\r\nsign in!and more"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nsign \r\n3\r\nin!\r\n0\r\n\r\n"),
        format!("{head}\r\nsign in!"),
    ] {
        let error = error(&answer).await;
        assert_eq!(
            error.to_string(),
            "the server answered 401 Unauthorized instead of opening a WebSocket"
        );
        let response = error.response().unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(response.body(), "sign in!");
    }
}

#[tokio::test]
async fn wrong_answers() {
    let accept = "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
    let head = "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n";
    let wrong = error(&format!("{head}Connection: upgrade\r\n{accept}")).await;
    assert_eq!(wrong.to_string(), client::Error::Accept.to_string());
    assert_eq!(wrong.response().unwrap().headers()["upgrade"], "websocket");
    let wrong = error(&format!("{head}{accept}")).await;
    let is = client::Error::NoConnectionUpgrade;
    assert!(matches!(wrong, ConnectError::Handshake { error, .. } if error == is));
    assert!(matches!(error("SSH-2.0-OpenSSH\r\n").await, ConnectError::Head(_)));
    match error("HTTP/1.1 101 Y").await {
        ConnectError::Io(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn wrong_calls() {
    assert!(matches!(connect("localhost:8000").await, Err(ConnectError::Url(_))));
    let error = Connect::to("ws://localhost/").header("a b", "c").open().await.unwrap_err();
    assert!(matches!(error, ConnectError::Header(name) if name == "a b"));
    let error = Connect::to("ws://localhost/").header("x", "a\nb").open().await.unwrap_err();
    assert!(matches!(error, ConnectError::Header(name) if name == "x"));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unused = listener.local_addr().unwrap();
    drop(listener);
    match connect(format!("ws://{unused}/")).await {
        Err(ConnectError::Tcp { address, error }) => {
            assert_eq!((address, error.kind()), (unused, ErrorKind::ConnectionRefused));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = |scheme| {
        let url = format!("{scheme}://{}/", listener.local_addr().unwrap());
        Connect::to(url).timeout(Duration::from_millis(50)).tls(trusting(&[])).open()
    };
    assert!(matches!(to("ws").await, Err(ConnectError::Timeout(Phase::Handshake))));
    assert!(matches!(to("wss").await, Err(ConnectError::Timeout(Phase::Tls))));
}

/// What was read behind the head of the answer belongs to the socket.
#[tokio::test]
async fn frames_behind_the_answer() {
    let (client, mut wire) = tokio::io::duplex(4096);
    let server = tokio::spawn(async move {
        let request = read_request(&mut wire).await;
        let key = request.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let accept =
            tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.unwrap().as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n\u{1}"
        );
        let mut answer = answer.into_bytes();
        answer.pop();
        answer.extend(b"\x81\x02hi");
        wire.write_all(&answer).await.unwrap();
        (request, wire)
    });
    let to = Connect::to("ws://user:pass@마당.example/마당?q");
    assert!(to.open_on(tokio::io::duplex(1).0).await.is_err(), "not a host in ASCII");
    let to = Connect::to("ws://user:pass@yard.example/마당?q").header("x-mine", "1");
    let (mut client, _) = to.deflate(false).open_on(client).await.unwrap();
    assert_eq!(client.recv().await, Some(Ok("hi".into())));
    let (request, _wire) = server.await.unwrap();
    assert!(request.starts_with("GET /%EB%A7%88%EB%8B%B9?q HTTP/1.1\r\nhost: yard.example\r\n"));
    assert!(request.contains("\r\nauthorization: Basic dXNlcjpwYXNz\r\n"));
    assert!(request.contains("\r\nx-mine: 1\r\n"));
    assert!(!request.contains("sec-websocket-extensions"));
}

#[tokio::test]
async fn redirects_are_followed_when_told() {
    let redirect = |address| {
        let to = |place: &str| format!("HTTP/1.1 307 There\r\nLocation: {place}\r\n\r\n");
        let end = "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nend".to_owned();
        [to("/a"), to(&format!("http://{address}/b")), end]
    };
    let address = answers(redirect).await;
    let open = |most| Connect::to(format!("ws://{address}/")).redirects(most).open();
    let error = open(2).await.unwrap_err();
    assert_eq!(error.response().unwrap().body(), "end");

    let address = answers(redirect).await;
    let error = connect(format!("ws://{address}/")).await.unwrap_err();
    assert_eq!(error.response().unwrap().headers()["location"], "/a");
}

/// A proxy that lets who has logged in reach `to`, whatever was asked for; with the requests.
async fn proxy(to: SocketAddr) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let request = read_request(&mut client).await;
            let knows = request.contains("\r\nProxy-Authorization: Basic YW5hOnNlY3JldA==\r\n");
            heard.send(request).unwrap();
            if !knows {
                let no = "HTTP/1.0 407 Log in\r\nProxy-Authenticate: Basic\r\n\r\nwho?";
                client.write_all(no.as_bytes()).await.unwrap();
                continue;
            }
            let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
            client.write_all(b"HTTP/1.0 200 Connection established\r\n\r\n").await.unwrap();
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, requests)
}

#[tokio::test]
async fn through_a_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, mut requests) = proxy(listener.local_addr().unwrap()).await;
    tokio::spawn(async move {
        let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let message = socket.next().await.unwrap().unwrap();
        socket.send(message).await.unwrap();
    });
    let open = |login: &str| {
        let proxy = Proxy::new(format!("http://{login}{address}")).unwrap();
        // Only the proxy knows that name.
        Connect::to("ws://yard.invalid:8000/").proxy(proxy).open()
    };
    let (mut socket, _) = open("ana:secret@").await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await, Some(Ok("hello".into())));
    let request = requests.recv().await.unwrap();
    assert!(
        request.starts_with("CONNECT yard.invalid:8000 HTTP/1.1\r\nHost: yard.invalid:8000\r\n")
    );

    let error = open("").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the proxy answered 407 Proxy Authentication Required instead of opening a tunnel"
    );
    let ConnectError::Tunnel(answer) = error else { panic!("{error:?}") };
    assert_eq!(answer.headers()["proxy-authenticate"], "Basic");
    assert_eq!(answer.body(), "who?");
}

#[tokio::test]
async fn proxies_that_are_none() {
    let through = |address| Connect::to("ws://h/").proxy(Proxy::new(format!("{address}")).unwrap());
    let wrong = ["HTTP/1.1 200 OK\r\n\r\nhello", "SSH-2.0-OpenSSH\r\n"];
    let address = answers(|_| wrong.map(str::to_owned)).await;
    assert!(matches!(through(address).open().await, Err(ConnectError::Io(_))));
    assert!(matches!(through(address).open().await, Err(ConnectError::Head(_))));
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = through(mute.local_addr().unwrap()).timeout(Duration::from_millis(20)).open();
    assert!(matches!(open.await, Err(ConnectError::Timeout(Phase::Tunnel))));
}

/// Trusts these certificates and no others.
fn trusting(certificates: &[&CertifiedKey<rcgen::KeyPair>]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.cert.der().clone()).unwrap();
    }
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Echoes over TLS, and tells which protocol ALPN chose.
async fn tls_echo(certificate: &CertifiedKey<rcgen::KeyPair>) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(certificate.signing_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
                echo(tls).await;
            });
        }
    });
    address
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(io: S) {
    use futures_util::{SinkExt, StreamExt};
    let mut socket = accept_async(io).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() || message.is_binary() {
            socket.send(message).await.unwrap();
        }
    }
}

#[tokio::test]
async fn over_tls() {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = generate_simple_self_signed(names).unwrap();
    let address = tls_echo(&certificate).await;
    // By name: `localhost` may be [::1] first, where nobody listens.
    for host in ["127.0.0.1", "localhost"] {
        let to = Connect::to(format!("wss://{host}:{}/", address.port()));
        let (mut client, _) = to.tls(trusting(&[&certificate])).open().await.unwrap();
        for message in super::messages() {
            client.send(message.clone()).await.unwrap();
            assert_eq!(client.recv().await, Some(Ok(message)));
        }
        client.close(CloseCode::NORMAL, "").await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted() {
    let certificate = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let address = tls_echo(&certificate).await;
    let to = Connect::to(format!("wss://localhost:{}/", address.port()));
    let error = to.tls(trusting(&[&other])).open().await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
    // Not one of those that the system trusts either.
    let to = Connect::to(format!("wss://localhost:{}/", address.port()));
    let error = to.open().await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
    // Trusted, but for another name.
    let to = Connect::to(format!("wss://{address}/"));
    let error = to.tls(trusting(&[&certificate])).open().await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn ipv6_literals() {
    // Where the machine has no IPv6, there is nothing to connect to.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
    let mut client = connect(format!("ws://{address}/")).await.unwrap();
    client.send("hello").await.unwrap();
    assert_eq!(client.recv().await, Some(Ok("hello".into())));
}
