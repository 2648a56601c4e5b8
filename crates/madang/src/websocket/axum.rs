//! The extractor for axum 0.8.

use std::future::Future;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::Request;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use madang_ws::handshake::server;

use super::{Accept, Limits, Refusal, WebSocket, upgrade};

/// A request for a WebSocket, as an argument of an axum handler. A request that is none is refused
/// before the handler runs.
///
/// ```
/// use axum::Router;
/// use axum::response::IntoResponse;
/// use axum::routing::any;
/// use madang::websocket::Upgrade;
///
/// async fn echo(upgrade: Upgrade) -> impl IntoResponse {
///     upgrade.protocols(["chat"]).on(|mut socket| async move {
///         while let Some(Ok(message)) = socket.recv().await {
///             if socket.send(message).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
///
/// let app: Router = Router::new().route("/ws", any(echo));
/// ```
#[derive(Debug)]
#[must_use = "the request is answered by `on`"]
pub struct Upgrade {
    request: Request<()>,
    accept: Accept,
}

impl Upgrade {
    /// Sets everything at once.
    pub fn accept(mut self, accept: Accept) -> Self {
        self.accept = accept;
        self
    }

    /// See [`Accept::protocols`].
    pub fn protocols<I: IntoIterator<Item: Into<String>>>(mut self, protocols: I) -> Self {
        self.accept = self.accept.protocols(protocols);
        self
    }

    /// See [`Accept::allow_origin`].
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.accept = self.accept.allow_origin(origin);
        self
    }

    /// See [`Accept::limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.accept = self.accept.limits(limits);
        self
    }

    /// Answers the request, and runs `handler` with the WebSocket in a task of its own. A page that
    /// may not connect gets 403, and `handler` does not run.
    pub fn on<F, Fut>(mut self, handler: F) -> Response
    where
        F: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        match upgrade(&mut self.request, &self.accept) {
            Ok((response, accepting)) => {
                tokio::spawn(async move {
                    match accepting.await {
                        Ok(socket) => handler(socket).await,
                        Err(error) => tracing::debug!(%error, "no WebSocket after its handshake"),
                    }
                });
                response.map(|()| Body::empty())
            }
            Err(refusal) => refusal.into_response(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut request = Request::new(());
        request.method_mut().clone_from(&parts.method);
        request.uri_mut().clone_from(&parts.uri);
        *request.version_mut() = parts.version;
        request.headers_mut().clone_from(&parts.headers);
        server::check(&request)?;
        if let Some(on_upgrade) = parts.extensions.remove::<OnUpgrade>() {
            request.extensions_mut().insert(on_upgrade);
        }
        Ok(Self { request, accept: Accept::new() })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.response().map(Body::from)
    }
}
