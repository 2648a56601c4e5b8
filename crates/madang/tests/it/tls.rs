//! A server with TLS, over real sockets.

use std::{
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use madang::{
    Message, OutboxLimits, Running, Server, WebSocket,
    hub::Draft,
    proto::{Body, Topic, raw::PROTOCOL},
    tls::TlsConfig,
    websocket::Connect,
};
use rcgen::{CertificateParams, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

use super::{echo, start};

/// A certificate with its key in files, and a client's view of it.
pub(super) struct Identity {
    folder: PathBuf,
    pub(super) certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("madang-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut new = Self {
            folder,
            certificate: Vec::new().into(),
            key: PrivateKeyDer::Pkcs8(Vec::new().into()),
        };
        new.renew();
        new
    }

    /// Another certificate and key in the same files.
    fn renew(&mut self) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        fs::write(self.folder.join("key.pem"), key.serialize_pem()).unwrap();
        fs::write(self.folder.join("cert.pem"), made.pem()).unwrap();
        self.certificate = made.der().clone();
        self.key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    }

    pub(super) fn tls(&self) -> TlsConfig {
        let file = |name| self.folder.join(name);
        TlsConfig::from_files(file("cert.pem"), file("key.pem")).unwrap()
    }

    /// Trusts this certificate only, and shows the other if there is one.
    pub(super) fn client(&self, shown: Option<&Identity>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match shown {
            None => config.with_no_client_auth(),
            Some(shown) => config
                .with_client_auth_cert(vec![shown.certificate.clone()], shown.key.clone_key())
                .unwrap(),
        }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn open_server(workers: usize, tls: TlsConfig) -> (SocketAddr, Running) {
    let limits = madang::ws::Limits { max_message: 8 << 20, ..madang::ws::Limits::default() };
    let outbox = OutboxLimits { max_bytes: 16 << 20, ..OutboxLimits::default() };
    let server = Server::new().workers(workers).limits(limits).outbox(outbox);
    start(server.inline("/", echo).protocol(&PROTOCOL).tls(tls))
}

pub(super) async fn connect(address: SocketAddr, path: &str, config: ClientConfig) -> WebSocket {
    let limits = madang::ws::Limits { max_message: 8 << 20, ..madang::ws::Limits::default() };
    let connect = Connect::to(format!("wss://{address}{path}")).tls(config).limits(limits);
    connect.open().await.unwrap().0
}

pub(super) async fn echoes(socket: &mut WebSocket, message: Message) {
    socket.send(message.clone()).await.unwrap();
    let back = socket.recv().await.unwrap().unwrap();
    assert_eq!(back.as_bytes(), message.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_any_size_go_both_ways() {
    let identity = Identity::new("sizes");
    let (address, running) = open_server(2, identity.tls());
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(connect(address, "/", identity.client(None)).await);
    }
    for size in [0, 1, 125, 126, 16_384, 65_536, 100_000, 5 << 20] {
        for client in &mut clients {
            let deflated = vec![b'x'; size];
            echoes(client, Message::binary(deflated)).await;
            let noise: Vec<u8> = (0..size as u64).map(|at| (at * at % 251) as u8).collect();
            echoes(client, Message::binary(noise)).await;
        }
    }
    let ended = tokio::spawn(running.shutdown(Duration::from_secs(5)));
    for client in &mut clients {
        while client.recv().await.is_some() {}
        assert_eq!(client.closed().unwrap().code.as_u16(), 1001);
    }
    ended.await.unwrap().unwrap();
}

/// Passes on one byte a call.
struct Drip(TcpStream);

impl AsyncRead for Drip {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut one = [0];
        let mut short = ReadBuf::new(&mut one);
        let polled = Pin::new(&mut self.0).poll_read(cx, &mut short);
        into.put_slice(short.filled());
        polled
    }
}

impl AsyncWrite for Drip {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_may_come_byte_by_byte() {
    let identity = Identity::new("drip");
    let (address, _running) = open_server(1, identity.tls());
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let connector = TlsConnector::from(Arc::new(identity.client(None)));
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, Drip(tcp)).await.unwrap();
    let url = format!("ws://{address}/");
    let (mut socket, _) = Connect::to(url).open_on(stream).await.unwrap();
    for text in ["", "one", "마당"] {
        socket.send(text).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some(text));
    }
    socket.close(madang::ws::CloseCode::NORMAL, "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_behind_the_request_is_not_lost() {
    const COUNT: usize = 40_000;
    let identity = Identity::new("early");
    let (address, _running) = open_server(1, identity.tls());
    let tcp = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(identity.client(None)));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, tcp).await.unwrap();
    let mut early = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    // 40,000 masked frames of one byte, in records of TLS that go out with the request.
    for _ in 0..COUNT {
        early.extend_from_slice(b"\x82\x81\0\0\0\0x");
    }
    stream.write_all(&early).await.unwrap();
    stream.flush().await.unwrap();
    let mut back = Vec::new();
    while !back.ends_with(b"\r\n\r\n") {
        back.push(stream.read_u8().await.unwrap());
    }
    let mut frames = vec![0; COUNT * 3];
    stream.read_exact(&mut frames).await.unwrap();
    assert!(frames.chunks(3).all(|frame| frame == b"\x82\x01x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_disconnected_and_holds_nobody() {
    // What is written is to be as large on the wire.
    let no_deflate = madang::ws::deflate::Settings { enabled: false, ..Default::default() };
    let identity = Identity::new("slow");
    let limits = OutboxLimits { max_bytes: 128 * 1024, ..OutboxLimits::default() };
    let server = Server::new()
        .workers(1)
        .protocol(&PROTOCOL)
        .outbox(limits)
        .deflate(no_deflate)
        .tls(identity.tls());
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let mut slow = connect(address, "/ws/room", identity.client(None)).await;
    let mut brisk = connect(address, "/ws/room", identity.client(None)).await;
    let topic = Topic::new("room").unwrap();
    let filler = "x".repeat(16 * 1024);
    for number in 0..2_000 {
        hub.publish(&topic, Draft::new(Body::Text(format!("{number} {filler}").into()))).unwrap();
        let message = brisk.recv().await.unwrap().unwrap();
        assert!(message.as_text().unwrap().starts_with(&format!("{number} ")));
    }
    let mut read = 0;
    while let Some(Ok(message)) = slow.recv().await {
        assert!(message.as_text().unwrap().starts_with(&format!("{read} ")), "order, and whole");
        read += 1;
    }
    assert!(read < 2_000);
    assert_eq!(slow.closed().unwrap().code.as_u16(), 1008);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_for_newcomers_and_nobody_is_cut() {
    let mut identity = Identity::new("renewed");
    let tls = identity.tls();
    let (address, _running) = open_server(2, tls.clone());
    let mut before = connect(address, "/", identity.client(None)).await;
    let old = identity.client(None);
    identity.renew();
    tls.reload().unwrap();
    let refused = Connect::to(format!("wss://{address}/")).tls(old).open().await;
    assert!(refused.is_err());
    let mut after = connect(address, "/", identity.client(None)).await;
    echoes(&mut before, Message::text("still here")).await;
    echoes(&mut after, Message::text("new")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_sees_that_the_files_changed() {
    let mut identity = Identity::new("watched");
    let (address, _running) = open_server(1, identity.tls());
    identity.renew();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let url = format!("wss://{address}/");
        match Connect::to(url).tls(identity.client(None)).open().await {
            Ok(_) => return,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_clients_are_checked() {
    let (identity, known, unknown) =
        (Identity::new("server"), Identity::new("known"), Identity::new("unknown"));
    for are_optional in [false, true] {
        let tls = identity.tls().client_certificates(known.folder.join("cert.pem"), are_optional);
        let (address, _running) = open_server(1, tls.unwrap());
        let mut welcome = connect(address, "/", identity.client(Some(&known))).await;
        echoes(&mut welcome, Message::text("known")).await;
        let opens = async |shown| {
            let url = format!("wss://{address}/");
            Connect::to(url).tls(identity.client(shown)).open().await.is_ok()
        };
        assert!(!opens(Some(&unknown)).await);
        assert_eq!(opens(None).await, are_optional);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_hears_so_or_is_cut() {
    let identity = Identity::new("plain");
    let (address, _running) = open_server(1, identity.tls());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.shutdown().await.unwrap();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("wss://"), "{answer}");
    // What begins like TLS and is none.
    for garbage in [
        &b"\x16\x03\x01\x40\x00aaaa"[..],
        &[0x16; 4096],
        &b"\x16\x03\x01\0\x05\x01\xff\xff\xff\xff"[..],
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    let mut socket = connect(address, "/", identity.client(None)).await;
    echoes(&mut socket, Message::text("alive")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_within_the_connection_ends_it_alone() {
    let identity = Identity::new("garbage");
    let (address, _running) = open_server(1, identity.tls());
    let mut neighbour = connect(address, "/", identity.client(None)).await;
    let tcp = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(identity.client(None)));
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, tcp).await.unwrap();
    let (socket, _) = Connect::to(format!("ws://{address}/")).open_on(stream).await.unwrap();
    // Beneath TLS, a record that nobody encrypted.
    let tcp = socket.get_ref().get_ref().0;
    let mut written = 0;
    let record = [0x17, 3, 3, 0, 32, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
    let record = [&record[..], &[9; 13]].concat();
    while written < record.len() {
        tcp.writable().await.unwrap();
        written += tcp.try_write(&record[written..]).unwrap_or(0);
    }
    let mut socket = socket;
    while let Some(Ok(_)) = socket.recv().await {}
    echoes(&mut neighbour, Message::text("alive")).await;
}
