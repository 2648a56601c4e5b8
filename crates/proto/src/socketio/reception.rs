//! Requests below `/socket.io`: the clients' connections, and the client itself for pages.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{
    application::{Application, Settings},
    connection::{Connection, Ids},
};
use crate::{Request, engineio, reception::Received};

/// One of the files that pages load the client from.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever has read the files")]
pub struct ClientFile {
    /// Its name, such as `socket.io.min.js`.
    pub name: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// Sorts requests to sessions of Socket.IO.
pub struct Reception {
    engine: Box<dyn crate::Reception>,
    files: Vec<ClientFile>,
}

impl fmt::Debug for Reception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reception").field(&self.engine).finish()
    }
}

impl Reception {
    /// One for an application, with the usual settings.
    pub fn new<A: Application>(app: A) -> Self {
        Self::with(engineio::Settings::default(), Settings::default(), app)
    }

    /// One for an application.
    pub fn with<A: Application>(engine: engineio::Settings, settings: Settings, app: A) -> Self {
        let (app, ids, settings) = (Arc::new(app), Arc::new(Ids::default()), Arc::new(settings));
        let make = move |request: &Request| {
            Connection::new(Arc::clone(&app), Arc::clone(&ids), &settings, request)
        };
        Self { engine: Box::new(engineio::Reception::new(engine, make)), files: Vec::new() }
    }

    /// Serves these files, too.
    #[must_use]
    pub fn files(mut self, files: Vec<ClientFile>) -> Self {
        self.files = files;
        self
    }

    fn file(&self, request: &Request) -> Response<Bytes> {
        let Some(file) = self.files.iter().find(|file| file.name == request.rest) else {
            return missing(&request.rest);
        };
        let kind = match file.name.rsplit_once('.') {
            Some((_, "js" | "mjs")) => "text/javascript; charset=utf-8",
            Some((_, "map" | "json")) => "application/json",
            _ => "application/octet-stream",
        };
        let is_head = request.head.method() == Method::HEAD;
        let mut response = Response::new(if is_head { Bytes::new() } else { file.bytes.clone() });
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// Says where the client comes from.
fn missing(name: &str) -> Response<Bytes> {
    let kind = name.rsplit_once('.').map(|(_, kind)| kind);
    let text = if matches!(kind, Some("js" | "map")) {
        "The client is not a part of this server. Pages can load it from the npm package \
         socket.io-client (its folder dist), from a copy of yours or from a CDN; to have it served \
         here, start the server with --socketio-client DIR, DIR being that folder.\n"
    } else {
        "There is nothing here. Clients of Socket.IO ask for /socket.io/.\n"
    };
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

impl crate::Reception for Reception {
    fn receive(&self, request: &Request) -> Received {
        let is_file = !request.rest.is_empty() && !request.is_websocket;
        if is_file && matches!(*request.head.method(), Method::GET | Method::HEAD) {
            return Received::Answer(Box::new(self.file(request)));
        }
        self.engine.receive(request)
    }

    fn open(&self, name: &str, request: &Request) -> Box<dyn crate::Session> {
        self.engine.open(name, request)
    }

    fn unknown(&self, request: &Request) -> Response<Bytes> {
        self.engine.unknown(request)
    }

    fn max_body(&self) -> usize {
        self.engine.max_body()
    }

    fn too_large(&self, request: &Request) -> Response<Bytes> {
        self.engine.too_large(request)
    }
}
