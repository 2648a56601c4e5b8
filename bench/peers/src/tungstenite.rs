//! tokio-tungstenite, batched: echoes at `/`, sends to everybody at `/ws/bench`.

mod listen;

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio::net::TcpStream;
use tokio::sync::broadcast::Sender;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = listen::listen()?;
    let everybody = listen::channel();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, everybody.clone()));
    }
}

async fn connection(stream: TcpStream, everybody: Sender<Message>) {
    let mut fan_out = false;
    #[allow(clippy::result_large_err, reason = "the library's own type")]
    let path = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        fan_out = request.uri().path() == "/ws/bench";
        Ok(response)
    };
    let Ok(socket) = accept_hdr_async(stream, path).await else { return };
    // An error is the client's leaving, which ends each run.
    let _ = if fan_out { member(socket, everybody).await } else { echo(socket).await };
}

/// `forward` writes whatever is ready and flushes when nothing more is.
async fn echo(socket: WebSocketStream<TcpStream>) -> Result<(), Error> {
    let (write, read) = socket.split();
    read.try_filter(|m| future::ready(m.is_text() || m.is_binary())).forward(write).await
}

async fn member(mut socket: WebSocketStream<TcpStream>, everybody: Sender<Message>) -> Result<(), Error> {
    let mut news = everybody.subscribe();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(m)) if m.is_text() || m.is_binary() => {
                    let _ = everybody.send(m);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            first = news.recv() => {
                let mut next = match first {
                    Ok(m) => Ok(m),
                    Err(RecvError::Lagged(_)) => news.try_recv(),
                    Err(RecvError::Closed) => return Ok(()),
                };
                // All that is there, then one flush.
                loop {
                    match next {
                        Ok(m) => socket.feed(m).await?,
                        Err(TryRecvError::Lagged(_)) => {}
                        Err(_) => break,
                    }
                    next = news.try_recv();
                }
                socket.flush().await?;
            }
        }
    }
}
