//! Connections: TCP, TLS, HTTP/1.1.

use std::{future::Future, io, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Client, HttpError, tls};

/// Time for DNS, TCP and TLS together.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Time from a request to the head of its answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// One kept-alive connection. It must be made within a tokio runtime, which drives it.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

/// A request without an answer.
#[derive(Debug)]
pub(crate) struct SendError {
    pub(crate) error: HttpError,
    /// The request, where it is certain that the server has not seen it.
    pub(crate) unsent: Option<Request<Full<Bytes>>>,
}

impl Client {
    /// Opens a connection. Not cancel-safe: when it is dropped, the connection is closed.
    pub(crate) async fn connect(&self) -> Result<Connection, HttpError> {
        let deadline = Instant::now() + CONNECT_TIME;
        let unreachable = |why: io::Error| HttpError::Unreachable {
            base: self.base.to_string(),
            why: why.to_string(),
        };
        let tcp = self.dial(deadline).await.map_err(unreachable)?;
        let Some(connector) = &self.tls else { return speak(tcp).await };
        let failed = |why| HttpError::Tls { base: self.base.to_string(), why };
        let name = ServerName::try_from(self.base.host.clone())
            .map_err(|error| failed(error.to_string()))?;
        let opened = within(deadline, connector.connect(name, tcp)).await;
        speak(opened.map_err(|error| failed(tls::explained(&error)))?).await
    }

    /// To the first address that answers. The time that is left is shared between those that are
    /// left, so that one that swallows packets does not take it all.
    async fn dial(&self, deadline: Instant) -> io::Result<TcpStream> {
        let host = (self.base.host.as_str(), self.base.port);
        let addresses: Vec<_> = within(deadline, lookup_host(host)).await?.collect();
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for (at, &address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
            match within(Instant::now() + share, TcpStream::connect(address)).await {
                Ok(tcp) => {
                    // Only speed is lost if it fails.
                    drop(tcp.set_nodelay(true));
                    return Ok(tcp);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Connection {
    /// Whether another request may be sent; waits for the end of the one before.
    pub(crate) async fn is_ready(&mut self) -> bool {
        self.0.ready().await.is_ok()
    }

    /// Sends a request; its answer, whatever the status. Answers such as 103, which come before
    /// the one that counts, are passed over.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, SendError> {
        match timeout(ANSWER_TIME, self.0.try_send_request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut lost)) => {
                let unsent = lost.take_message();
                Err(SendError { error: HttpError::Lost(told(lost.error())), unsent })
            }
            Err(_) => {
                Err(SendError { error: HttpError::Slow(ANSWER_TIME.as_secs()), unsent: None })
            }
        }
    }
}

/// What hyper says of an error, with its cause.
pub(crate) fn told(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

async fn speak<S>(io: S) -> Result<Connection, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        handshake(TokioIo::new(io)).await.map_err(|error| HttpError::Lost(told(&error)))?;
    // How it ends is seen by whoever waits for an answer.
    drop(tokio::spawn(connection));
    Ok(Connection(sender))
}

async fn within<T>(deadline: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    timeout_at(deadline, work).await.map_err(|_| late())?
}
