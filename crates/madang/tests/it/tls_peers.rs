//! Clients with TLS that are old, slow, gone or hostile.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use madang::{
    Message, OutboxLimits, Running, Server, Socket,
    hub::Draft,
    proto::{Body, Topic, raw::PROTOCOL},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    sync::{Semaphore, mpsc},
    time::{Instant, timeout},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion,
        crypto::aws_lc_rs,
        pki_types::ServerName,
        version::{TLS12, TLS13},
    },
};

use super::{
    echo, start,
    tls::{Identity, connect, echoes},
};

/// Long enough for anything that is to happen at once.
const SOON: Duration = Duration::from_secs(20);

fn open_server(identity: &Identity, workers: usize) -> (SocketAddr, Running) {
    let server = Server::new().workers(workers).inline("/", echo).protocol(&PROTOCOL);
    start(server.tls(identity.tls()))
}

fn only(identity: &Identity, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(identity.certificate.clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

async fn secure<S>(config: ClientConfig, stream: S) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    TlsConnector::from(Arc::new(config)).connect(name(), stream).await
}

/// A WebSocket in the raw, after its handshake.
async fn upgraded<S>(config: ClientConfig, stream: S, path: &str) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = secure(config, stream).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    Ok(stream)
}

/// Sends one binary frame of less than 126 bytes and reads the echo.
async fn echo_raw<S>(stream: &mut TlsStream<S>, payload: &[u8]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let length = u8::try_from(payload.len()).unwrap();
    stream.write_all(&[&[0x82, 0x80 | length, 0, 0, 0, 0], payload].concat()).await?;
    stream.flush().await?;
    let mut back = vec![0; payload.len() + 2];
    stream.read_exact(&mut back).await?;
    assert_eq!(back, [&[0x82, length], payload].concat());
    Ok(())
}

/// xorshift64: the same noise each time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_tls_are_spoken() {
    let identity = Identity::new("versions");
    let (address, _running) = open_server(&identity, 2);
    for version in [&TLS12, &TLS13] {
        let mut socket = connect(address, "/", only(&identity, version)).await;
        for size in [0, 125, 20_000, 500_000] {
            echoes(&mut socket, Message::binary(vec![7; size])).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_is_agreed_on_and_pages_are_served() {
    let identity = Identity::new("alpn");
    let (address, _running) = open_server(&identity, 1);
    for offer in [&[][..], &[b"http/1.1".to_vec()], &[b"imap".to_vec(), b"http/1.1".to_vec()]] {
        let mut config = identity.client(None);
        config.alpn_protocols = offer.to_vec();
        let mut stream = secure(config, TcpStream::connect(address).await.unwrap()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), offer.last().map(Vec::as_slice));
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        // Without close_notify this would be an error.
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    // RFC 7301 §3.2: nothing in common is a fatal alert.
    let mut config = identity.client(None);
    config.alpn_protocols = vec![b"imap".to_vec()];
    let error = secure(config, TcpStream::connect(address).await.unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_be_renewed_and_renewing_alone_is_no_conversation() {
    let identity = Identity::new("keys");
    let (address, _running) = open_server(&identity, 1);
    let open = async || {
        let tcp = TcpStream::connect(address).await.unwrap();
        upgraded(only(&identity, &TLS13), tcp, "/").await.unwrap()
    };
    let mut patient = open().await;
    for number in 0..200_u8 {
        patient.get_mut().1.refresh_traffic_keys().unwrap();
        echo_raw(&mut patient, &[number]).await.unwrap();
    }
    let mut flood = open().await;
    let mut ended = false;
    for _ in 0..1_000 {
        flood.get_mut().1.refresh_traffic_keys().unwrap();
        ended |= flood.flush().await.is_err();
    }
    // Its end may come as an alert or, when the alert was lost with it, as a reset.
    ended |= timeout(SOON, flood.read_u8()).await.unwrap().is_err();
    assert!(ended);
    echo_raw(&mut patient, b"alive").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_websocket_is_the_end_of_its_tls() {
    let identity = Identity::new("end");
    let (address, _running) = open_server(&identity, 1);
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut stream = upgraded(identity.client(None), tcp, "/").await.unwrap();
    echo_raw(&mut stream, b"before").await.unwrap();
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    let mut rest = Vec::new();
    // RFC 8446 §6.1: an end without close_notify would be an error here.
    timeout(SOON, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, b"\x88\x02\x03\xe8");
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_client_goes_its_handler_hears_of_it() {
    let identity = Identity::new("gone");
    let (sender, mut ended) = mpsc::unbounded_channel();
    let server = Server::new().workers(2).websocket("/", move |mut socket: Socket| {
        let sender = sender.clone();
        async move {
            while socket.recv().await.is_some() {}
            sender.send(()).unwrap();
        }
    });
    let (address, _running) = start(server.tls(identity.tls()));
    for way in (0..4).cycle().take(60) {
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut stream = upgraded(identity.client(None), tcp, "/").await.unwrap();
        match way {
            // With close_notify, and waiting for the server's end.
            0 => {
                stream.shutdown().await.unwrap();
                drop(timeout(SOON, stream.read_to_end(&mut Vec::new())).await.unwrap());
            }
            // The end of the TCP stream alone: it was truncated.
            1 => stream.get_mut().0.shutdown().await.unwrap(),
            // Right behind a message: both may be there when the server looks.
            2 => {
                stream.write_all(b"\x82\x81\0\0\0\0x").await.unwrap();
                stream.flush().await.unwrap();
                stream.get_mut().0.shutdown().await.unwrap();
            }
            _ => stream.get_ref().0.set_zero_linger().unwrap(),
        }
        if way == 3 {
            drop(stream);
            timeout(SOON, ended.recv()).await.unwrap().unwrap();
        } else {
            timeout(SOON, ended.recv()).await.unwrap().unwrap();
            drop(stream);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_does_not_read_stops_the_reading_and_loses_nothing() {
    const COUNT: usize = 2_000;
    let identity = Identity::new("pause");
    let gate = Arc::new(Semaphore::new(0));
    let (sender, mut seen) = mpsc::unbounded_channel();
    let inner = Arc::clone(&gate);
    let server = Server::new()
        .workers(1)
        .websocket("/slow", move |mut socket: Socket| {
            let (gate, sender) = (Arc::clone(&inner), sender.clone());
            async move {
                gate.acquire().await.unwrap().forget();
                while let Some(message) = socket.recv().await {
                    sender.send(message.as_text().unwrap().to_owned()).unwrap();
                }
            }
        })
        .inline("/", echo);
    let (address, _running) = start(server.tls(identity.tls()));
    let mut slow = connect(address, "/slow", identity.client(None)).await;
    let writer = tokio::spawn(async move {
        // More than the inbox, the worker's buffers and the sockets' can hold together.
        let filler = "x".repeat(16 * 1024);
        for number in 0..COUNT {
            slow.send(format!("{number} {filler}")).await.unwrap();
        }
        // Behind it small ones, so that the last records of TLS hold many.
        for number in COUNT..2 * COUNT {
            slow.send(number.to_string()).await.unwrap();
        }
        slow
    });
    let mut brisk = connect(address, "/", identity.client(None)).await;
    for _ in 0..50 {
        echoes(&mut brisk, Message::text("quick")).await;
    }
    assert!(!writer.is_finished(), "somebody holds it all");
    gate.add_permits(1);
    for number in 0..2 * COUNT {
        let text = timeout(SOON, seen.recv()).await.unwrap().unwrap();
        assert_eq!(text.split(' ').next(), Some(number.to_string().as_str()));
    }
    drop(writer.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_reading_for_a_while_misses_nothing() {
    const COUNT: usize = 3_000;
    let identity = Identity::new("while");
    let outbox = OutboxLimits { max_bytes: 64 << 20, ..OutboxLimits::default() };
    let server = Server::new().workers(2).protocol(&PROTOCOL).outbox(outbox);
    let hub = server.hub().clone();
    let (address, _running) = start(server.tls(identity.tls()));
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(connect(address, "/ws/room", identity.client(None)).await);
    }
    let topic = Topic::new("room").unwrap();
    for number in 0..COUNT {
        // From one byte to more than a record and more than rustls takes at once.
        let filler = "x".repeat(number * 37 % 20_000 + if number % 500 == 7 { 200_000 } else { 0 });
        let body = Body::Text(format!("{number} {filler}").into());
        hub.publish(&topic, Draft::new(body)).unwrap();
    }
    for client in &mut clients {
        for number in 0..COUNT {
            let message = timeout(SOON, client.recv()).await.unwrap().unwrap().unwrap();
            let text = message.as_text().unwrap();
            let (first, filler) = text.split_once(' ').unwrap();
            assert_eq!(first, number.to_string());
            assert!(filler.bytes().all(|byte| byte == b'x'));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_spans_workers() {
    let identity = Identity::new("span");
    let (address, running) = open_server(&identity, 4);
    let mut clients = Vec::new();
    for _ in 0..24 {
        clients.push(connect(address, "/ws/room", identity.client(None)).await);
    }
    let topic = Topic::new("room").unwrap();
    for round in 0..20 {
        clients[round].send(format!("from {round}")).await.unwrap();
        running.hub().publish(&topic, Draft::new(Body::Text("tick".into()))).unwrap();
        let mut first = None;
        for client in &mut clients {
            let mut texts = Vec::new();
            for _ in 0..2 {
                let message = timeout(SOON, client.recv()).await.unwrap().unwrap().unwrap();
                texts.push(message.as_text().unwrap().to_owned());
            }
            // Which came first is open, but the same for everybody.
            assert_eq!(&texts, first.get_or_insert_with(|| texts.clone()));
            texts.sort();
            assert_eq!(texts, [format!("from {round}"), "tick".into()]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_in_place_of_a_hello_harms_nobody() {
    let identity = Identity::new("noise");
    let (address, _running) = open_server(&identity, 2);
    let mut neighbour = connect(address, "/", identity.client(None)).await;
    let config = Arc::new(identity.client(None));
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for round in 0..400 {
        let mut hello = Vec::new();
        if round % 4 == 0 {
            hello.resize(noise.below(600) + 1, 0);
            hello.fill_with(|| noise.next() as u8);
            hello[0] = 0x16;
        } else {
            let mut connection = ClientConnection::new(Arc::clone(&config), name()).unwrap();
            connection.write_tls(&mut hello).unwrap();
            for _ in 0..=noise.below(4) {
                let at = noise.below(hello.len());
                hello[at] ^= 1 << noise.below(8);
            }
            if round % 4 == 1 {
                hello.truncate(noise.below(hello.len()) + 1);
            }
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may have given up before it has read all.
        let _ = stream.write_all(&hello).await;
        let _ = stream.shutdown().await;
        let end = timeout(SOON, stream.read_to_end(&mut Vec::new())).await;
        assert!(end.is_ok(), "round {round} was left open");
    }
    echoes(&mut neighbour, Message::text("alive")).await;
    let mut newcomer = connect(address, "/", identity.client(None)).await;
    echoes(&mut newcomer, Message::text("welcome")).await;
}

/// Flips one bit of what is written, so many bytes on.
struct Faulty {
    inner: TcpStream,
    left: Option<usize>,
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = bytes.to_vec();
        if let Some(byte) = self.left.and_then(|left| bytes.get_mut(left)) {
            *byte ^= 1;
        }
        let polled = Pin::new(&mut self.inner).poll_write(cx, &bytes);
        if let Poll::Ready(Ok(written)) = polled {
            // Past the end of the counting, nothing more is flipped.
            self.left = self.left.and_then(|left| left.checked_sub(written));
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_never_becomes_a_message() {
    let identity = Identity::new("flipped");
    let (address, _running) = open_server(&identity, 1);
    let mut neighbour = connect(address, "/", identity.client(None)).await;
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    let mut whole = 0;
    for _ in 0..60 {
        let inner = TcpStream::connect(address).await.unwrap();
        let faulty = Faulty { inner, left: None };
        let mut stream = upgraded(identity.client(None), faulty, "/").await.unwrap();
        stream.get_mut().0.left = Some(noise.below(3_000));
        let mut expected = Vec::new();
        for number in 0..100_u8 {
            let frame = [&[0x82, 0xa8, 0, 0, 0, 0][..], &[number; 40]].concat();
            expected.extend_from_slice(&[&[0x82, 40][..], &[number; 40]].concat());
            // A record for each; the server may be gone before the last.
            if stream.write_all(&frame).await.is_err() || stream.flush().await.is_err() {
                break;
            }
        }
        let _ = stream.get_mut().0.shutdown().await;
        let mut back = Vec::new();
        assert!(timeout(SOON, stream.read_to_end(&mut back)).await.unwrap().is_err());
        assert!(expected.starts_with(&back));
        whole += usize::from(back.len() == 100 * 42);
    }
    // What is authenticated (RFC 8446 §5.2) is what a record's head should be: one whose type or
    // version differ may pass. They are 3 of 68 bytes.
    assert!(whole < 10, "{whole}");
    echoes(&mut neighbour, Message::text("alive")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_finish_the_tls_handshake_is_cut() {
    let identity = Identity::new("silent");
    let (address, _running) = open_server(&identity, 1);
    let mut hello = Vec::new();
    let config = Arc::new(identity.client(None));
    ClientConnection::new(config, name()).unwrap().write_tls(&mut hello).unwrap();
    let begun = Instant::now();
    let mut waiting = Vec::new();
    for length in [0, 1, 5, hello.len() / 2, hello.len()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&hello[..length]).await.unwrap();
        waiting.push(stream);
    }
    for mut stream in waiting {
        // A reset is an end, too.
        let _ = timeout(SOON, stream.read_to_end(&mut Vec::new())).await.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_secs(4), "cut before their time");
}
