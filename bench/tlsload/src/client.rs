//! One WebSocket over TLS.

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use rustix::event::epoll;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::options::Options;

/// The key of all masks, so that frames can be made once.
pub const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Where sockets are received; one for all clients.
pub struct Buffers {
    received: Vec<u8>,
}

impl Buffers {
    pub fn new() -> Self {
        Self { received: vec![0; 256 * 1024] }
    }
}

pub struct Client {
    pub socket: TcpStream,
    tls: ClientConnection,
    /// The start of a frame whose rest has yet to come.
    pending: Vec<u8>,
    waits_to_write: bool,
}

/// Takes any certificate: what is measured is on loopback and shows one made for the run.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What all clients of a run share.
pub fn config() -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let mut config = builder
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// One masked text frame.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The length of the head and of the payload of an unmasked frame, once the head is whole.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? & 0x7f {
        126 => Some((4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into())),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            Some((10, usize::try_from(length).ok()?))
        }
        length => Some((2, length.into())),
    }
}

impl Client {
    /// Connects, waiting for each step.
    pub fn connect(options: &Options, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut socket = TcpStream::connect(options.address)?;
        socket.set_nodelay(true)?;
        let name = ServerName::from(std::net::IpAddr::V4(*options.address.ip()));
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            options.path, options.address
        );
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        if !answer.starts_with(b"HTTP/1.1 101 ") {
            return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
        }
        socket.set_nonblocking(true)?;
        Ok(Self { socket, tls, pending: Vec::new(), waits_to_write: false })
    }

    /// Encrypts whole frames; [`Client::flush`] sends them.
    pub fn queue(&mut self, frames: &[u8]) -> io::Result<()> {
        self.tls.set_buffer_limit(None);
        self.tls.writer().write_all(frames)
    }

    /// Sends what the socket takes; the rest when it can be written.
    pub fn flush(&mut self, epoll: &impl std::os::fd::AsFd, token: u64) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let waits = self.tls.wants_write();
        if waits != self.waits_to_write {
            self.waits_to_write = waits;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, waits);
            epoll::modify(epoll, &self.socket, epoll::EventData::new_u64(token), flags)?;
        }
        Ok(())
    }

    /// Receives once and hands out the payloads of all frames that are whole.
    pub fn receive(
        &mut self,
        buffers: &mut Buffers,
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let count = match self.socket.read(&mut buffers.received) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let mut rest = &buffers.received[..count];
        loop {
            if !rest.is_empty() {
                self.tls.read_tls(&mut rest)?;
                self.tls.process_new_packets().map_err(io::Error::other)?;
            }
            let mut reader = self.tls.reader();
            while let Some(plain) = filled(&mut reader)? {
                let length = plain.len();
                self.pending.extend_from_slice(plain);
                reader.consume(length);
            }
            if rest.is_empty() {
                break;
            }
        }
        let mut at = 0;
        while let Some((head, length)) = head(&self.pending[at..]) {
            let Some(payload) = self.pending.get(at + head..at + head + length) else { break };
            each(payload);
            at += head + length;
        }
        self.pending.drain(..at);
        Ok(())
    }
}

fn filled<'a>(reader: &'a mut rustls::Reader<'_>) -> io::Result<Option<&'a [u8]>> {
    match reader.fill_buf() {
        Ok([]) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(plain) => Ok(Some(plain)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
