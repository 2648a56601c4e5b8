//! Pages: those that the program embeds, and a folder of the user's.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tower_http::services::ServeDir;
use tower_service::Service as _;

use super::{
    gate::{Gate, Refused},
    http::{Body, plain},
};

/// What is served to plain GETs.
#[derive(Default)]
pub(super) struct Pages {
    embedded: Vec<Page>,
    folder: Option<ServeDir>,
}

struct Page {
    path: &'static str,
    kind: HeaderValue,
    bytes: Bytes,
    etag: HeaderValue,
}

/// Embedded pages load nothing from elsewhere and run no inline script.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; connect-src 'self' ws: wss:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

impl Pages {
    pub(super) fn embed(&mut self, path: &'static str, kind: &'static str, bytes: &'static [u8]) {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        self.embedded.push(Page {
            path,
            kind: HeaderValue::from_static(kind),
            bytes: Bytes::from_static(bytes),
            etag: HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\"")),
        });
    }

    pub(super) fn serve_folder(&mut self, folder: PathBuf) {
        self.folder = Some(ServeDir::new(folder));
    }

    /// Answers a GET or HEAD: the user's folder first, then what is embedded.
    /// A file's descriptor is counted by the gate until the answer is sent, whatever carries it: over
    /// HTTP/2, one connection may ask for many.
    pub(super) async fn answer(
        &self,
        request: Request<()>,
        gate: &Arc<Gate>,
    ) -> Result<Response<Body>, Refused> {
        let path = request.uri().path().to_owned();
        let (method, known) =
            (request.method().clone(), request.headers().get(header::IF_NONE_MATCH).cloned());
        if let Some(folder) = &self.folder
            && !is_hidden(&path)
        {
            let descriptor = gate.open_file()?;
            // Its error type has no value: what goes wrong is an answer.
            let Ok(response) = folder.clone().call(request).await;
            if response.status() != StatusCode::NOT_FOUND {
                let response = response.map(|body| Body::holding(body, descriptor));
                return Ok(with_nosniff(with_charset(response)));
            }
        }
        Ok(match self.embedded.iter().find(|page| page.path == path) {
            Some(page) => page.answer(&method, known.as_ref()),
            None => plain(StatusCode::NOT_FOUND, format!("There is nothing at {path}.\n")),
        })
    }
}

/// Files whose names begin with a dot are not for everybody.
fn is_hidden(path: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    Path::new(&*decoded)
        .components()
        .any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
}

impl Page {
    fn answer(&self, method: &Method, known: Option<&HeaderValue>) -> Response<Body> {
        let fresh = known.is_some_and(|known| known == self.etag);
        let body = if fresh || method == Method::HEAD { Bytes::new() } else { self.bytes.clone() };
        let mut response = Response::new(Body::from(body));
        if fresh {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.kind.clone());
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if method == Method::HEAD && !fresh {
            headers.insert(header::CONTENT_LENGTH, self.bytes.len().into());
        }
        with_nosniff(response)
    }
}

/// Text files without a word on their encoding are taken for Latin by browsers; here they are UTF-8.
fn with_charset(mut response: Response<Body>) -> Response<Body> {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if let Some(kind) = kind
        && kind.starts_with("text/")
        && !kind.contains("charset")
        && let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8"))
    {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

fn with_nosniff(mut response: Response<Body>) -> Response<Body> {
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    fn request(path: &str) -> Request<()> {
        Request::get(path).body(()).unwrap()
    }

    fn gate(descriptors: usize) -> Arc<Gate> {
        Gate::new(usize::MAX, descriptors, usize::MAX)
    }

    async fn ask(pages: &Pages, path: &str) -> Response<Body> {
        pages.answer(request(path), &gate(1)).await.unwrap()
    }

    async fn text(response: Response<Body>) -> String {
        let bytes = response.into_body().into_inner().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("madang-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.txt"), "from the folder").unwrap();
        std::fs::write(folder.join(".secret"), "hidden").unwrap();
        folder
    }

    #[tokio::test]
    async fn the_folder_comes_first_and_hides_what_is_hidden() {
        let mut pages = Pages::default();
        pages.embed("/a.txt", "text/plain", b"embedded");
        pages.embed("/b.txt", "text/plain", b"embedded");
        let folder = folder("pages");
        pages.serve_folder(folder.clone());
        assert_eq!(text(ask(&pages, "/a.txt").await).await, "from the folder");
        assert_eq!(text(ask(&pages, "/b.txt").await).await, "embedded");
        for path in ["/.secret", "/%2esecret", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/none"] {
            let status = ask(&pages, path).await.status();
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_file_is_counted_until_it_is_sent() {
        let (mut pages, gate) = (Pages::default(), gate(2));
        pages.embed("/b.txt", "text/plain", b"embedded");
        let folder = folder("counted");
        pages.serve_folder(folder.clone());
        let ask = |path| pages.answer(request(path), &gate);
        let one = ask("/a.txt").await.unwrap();
        let two = ask("/a.txt").await.unwrap();
        assert_eq!(ask("/a.txt").await.err(), Some(Refused::Full));
        assert_eq!(text(one).await, "from the folder");
        // What is in the program needs none once it is known that no file goes before it.
        let embedded = ask("/b.txt").await.unwrap();
        let three = ask("/a.txt").await.unwrap();
        assert!(ask("/a.txt").await.is_err());
        drop((two, embedded, three));
        assert!(ask("/a.txt").await.is_ok());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_page_that_is_known_is_not_sent_again() {
        let mut pages = Pages::default();
        pages.embed("/", "text/html", b"<p>");
        let first = ask(&pages, "/").await;
        let etag = first.headers()[header::ETAG].clone();
        let again = Request::get("/").header(header::IF_NONE_MATCH, etag).body(()).unwrap();
        let again = pages.answer(again, &gate(1)).await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
}
