//! A client, in a handler's hand.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use http::Request;
use madang_proto::{Body, Cursor, Kind, Position, Topic, session::Present};
use tokio::runtime::Handle;

use crate::{
    hub::{Draft, Hub, PublishError},
    websocket::Message,
};

use super::{
    Begin, Client, Command,
    inbox::{Inbox, InboxSession},
};

/// The client has gone; nothing can be sent to it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client has gone")]
pub struct Closed;

/// A text message becomes a `Text` body, a binary one a `Binary` body.
impl From<Message> for Body {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into_bytes()),
            Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl From<Message> for Draft {
    fn from(message: Message) -> Self {
        Self::new(message)
    }
}

/// One connected client. When it is dropped, the connection is closed with 1000, or with 1011 when
/// that is because its handler panics.
///
/// ```no_run
/// # async fn example() -> Result<(), madang::Error> {
/// madang::Server::new()
///     .websocket("/", async |mut socket: madang::Socket| {
///         while let Some(message) = socket.recv().await {
///             if socket.send(message).is_err() {
///                 break;
///             }
///         }
///     })
///     .run()
///     .await
/// # }
/// ```
pub struct Socket {
    sender: Sender,
    hub: Hub,
    request: Request<()>,
}

impl Socket {
    /// The next message, or `None` when the client has gone. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Message> {
        let (message, resume) = self.sender.inbox.pop().await?;
        if resume {
            self.sender.client.command(Command::Resume);
        }
        Some(message)
    }

    /// Sends a message. It does not wait: what the client cannot take now is kept for it, up to the
    /// limits of its outbox.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), Closed> {
        self.sender.send(message)
    }

    /// A handle that sends, for other tasks. It does not keep the connection open.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Joins a topic: what is published there from now on goes to the client by itself, text as
    /// text and binary as binary.
    pub fn join(&self, topic: &Topic) {
        let (topic, present) = (topic.clone(), Some(Present::default()));
        self.sender.client.command(Command::Join { topic, from: Cursor::Now, present });
    }

    /// Publishes to a topic, whether the client has joined it or not; one that has gets it too. See
    /// [`Hub::publish`].
    pub fn publish(
        &self,
        topic: &Topic,
        draft: impl Into<Draft>,
    ) -> Result<Position, PublishError> {
        self.hub.publish(topic, draft)
    }

    /// Leaves a topic.
    pub fn leave(&self, topic: &Topic) {
        self.sender.client.command(Command::Leave(topic.clone()));
    }

    /// Closes the connection with a code and a reason of at most 123 bytes. Codes that may not be
    /// sent (RFC 6455 §7.4.1) become 1011.
    pub fn close(self, code: u16, reason: &str) {
        self.sender.client.command(Command::Close(code, reason.to_owned()));
    }

    /// A number for the session, unique in the process.
    pub fn id(&self) -> u64 {
        self.sender.client.session()
    }

    /// The client's address; `None` when the system did not tell.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.sender.client.peer()
    }

    /// The head of the request that opened the connection.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Where `close` was called, this one comes second and does nothing.
        let code = if std::thread::panicking() { 1011 } else { 1000 };
        self.sender.client.command(Command::Close(code, String::new()));
    }
}

/// Sends to one client from any task. Cloning counts a reference.
#[derive(Clone)]
pub struct Sender {
    client: Arc<dyn Client>,
    inbox: Arc<Inbox>,
}

impl Sender {
    /// See [`Socket::send`].
    pub fn send(&self, message: impl Into<Message>) -> Result<(), Closed> {
        if self.inbox.is_closed() {
            return Err(Closed);
        }
        let message = message.into();
        let kind = match message {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
        };
        self.client.command(Command::Send(kind, message.into_bytes()));
        Ok(())
    }
}

/// A registered handler.
pub(crate) type Handler =
    Arc<dyn Fn(Socket) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Begins a session whose messages go to `handler`, on `runtime`.
pub(crate) fn begin(handler: Handler, runtime: Handle, hub: Hub, request: Request<()>) -> Begin {
    Begin::Handler(Box::new(move |client| {
        let inbox = Arc::new(Inbox::default());
        let sender = Sender { client, inbox: Arc::clone(&inbox) };
        let socket = Socket { sender, hub, request };
        // Not even the call is made here: what it does before its future is no worker's business.
        runtime.spawn(async move { handler(socket).await });
        Box::new(InboxSession(inbox))
    }))
}
