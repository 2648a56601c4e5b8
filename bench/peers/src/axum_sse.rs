//! axum's `Sse` over a broadcast channel: `POST /topics/bench` publishes, `GET /topics/bench/sse` is
//! sent all.

mod listen;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use futures_util::stream::{Stream, unfold};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::broadcast::Sender;
use tokio::sync::broadcast::error::RecvError;

#[derive(Clone)]
struct Topic {
    last: Arc<AtomicU64>,
    everybody: Sender<Event>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = listen::listen()?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let topic = Topic { last: Arc::default(), everybody: listen::channel() };
    let router = Router::new()
        .route("/topics/bench", post(publish))
        .route("/topics/bench/sse", get(subscribe))
        .with_state(topic);
    axum::serve(listener, router).await
}

/// The event is made once; each client has a copy of its bytes.
async fn publish(State(topic): State<Topic>, body: String) -> StatusCode {
    let id = topic.last.fetch_add(1, Ordering::Relaxed);
    // Nobody may be there.
    let _ = topic.everybody.send(Event::default().id(id.to_string()).data(body));
    StatusCode::NO_CONTENT
}

async fn subscribe(State(topic): State<Topic>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = unfold(topic.everybody.subscribe(), |mut news| async move {
        loop {
            match news.recv().await {
                Ok(event) => return Some((Ok(event), news)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
