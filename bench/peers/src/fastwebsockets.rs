//! fastwebsockets: echoes at `/`, sends to everybody at `/ws/bench`. With `tls` behind the port it
//! speaks TLS, as tokio-rustls does it by default.

mod listen;
mod secure;

use bytes::Bytes;
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocket, WebSocketError, upgrade,
};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast::Sender;
use tokio::sync::broadcast::error::RecvError;

type Socket = WebSocket<TokioIo<Upgraded>>;
type Everybody = Sender<(OpCode, Bytes)>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = listen::listen()?;
    let everybody: Everybody = listen::channel();
    let acceptor = std::env::args().nth(2).filter(|arg| arg == "tls").map(|_| secure::acceptor());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (everybody, acceptor) = (everybody.clone(), acceptor.clone());
        tokio::spawn(async move {
            match acceptor {
                None => serve(stream, everybody).await,
                Some(acceptor) => {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    serve(stream, everybody).await;
                }
            }
        });
    }
}

async fn serve<S>(stream: S, everybody: Everybody)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| handshake(request, everybody.clone()));
    // An error is the client's leaving, which ends each run.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

async fn handshake(
    mut request: Request<Incoming>,
    everybody: Everybody,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, socket) = upgrade::upgrade(&mut request)?;
    let fan_out = request.uri().path() == "/ws/bench";
    tokio::spawn(async move {
        let Ok(socket) = socket.await else { return };
        let _ = if fan_out { member(socket, everybody).await } else { echo(socket).await };
    });
    Ok(response)
}

async fn echo(socket: Socket) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn member(socket: Socket, everybody: Everybody) -> Result<(), WebSocketError> {
    let mut news = everybody.subscribe();
    let (read, mut write) = socket.split(tokio::io::split);
    // Its reading half is not cancel-safe, so it has a task of its own.
    let reader = tokio::spawn(async move {
        let mut read = FragmentCollectorRead::new(read);
        // A ping's answer has no way out here; the generator sends none.
        let mut nothing = |_: Frame<'_>| async { Ok::<(), WebSocketError>(()) };
        while let Ok(frame) = read.read_frame(&mut nothing).await {
            match frame.opcode {
                OpCode::Close => break,
                OpCode::Text | OpCode::Binary => {
                    let _ = everybody.send((frame.opcode, Bytes::copy_from_slice(&frame.payload)));
                }
                _ => {}
            }
        }
    });
    loop {
        match news.recv().await {
            Ok((opcode, body)) => {
                let frame = Frame::new(true, opcode, None, Payload::Borrowed(&body));
                if write.write_frame(frame).await.is_err() {
                    break;
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => break,
        }
        if reader.is_finished() {
            break;
        }
    }
    reader.abort();
    Ok(())
}
