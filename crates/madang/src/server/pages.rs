//! Pages: those that the program embeds, and a folder of the user's.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tower_http::services::ServeDir;
use tower_service::Service as _;

use super::http::{Body, plain};

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
    pub(super) async fn answer(&self, request: Request<()>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let (method, known) =
            (request.method().clone(), request.headers().get(header::IF_NONE_MATCH).cloned());
        if let Some(folder) = &self.folder
            && !is_hidden(&path)
        {
            // Its error type has no value: what goes wrong is an answer.
            let Ok(response) = folder.clone().call(request).await;
            if response.status() != StatusCode::NOT_FOUND {
                return with_nosniff(with_charset(response.map(Body::new)));
            }
        }
        match self.embedded.iter().find(|page| page.path == path) {
            Some(page) => page.answer(&method, known.as_ref()),
            None => plain(StatusCode::NOT_FOUND, format!("There is nothing at {path}.\n")),
        }
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

    async fn text(response: Response<Body>) -> String {
        let bytes = response.into_body().into_inner().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("madang-pages-{}", std::process::id()));
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
        let folder = folder();
        pages.serve_folder(folder.clone());
        assert_eq!(text(pages.answer(request("/a.txt")).await).await, "from the folder");
        assert_eq!(text(pages.answer(request("/b.txt")).await).await, "embedded");
        for path in ["/.secret", "/%2esecret", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/none"] {
            let status = pages.answer(request(path)).await.status();
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_page_that_is_known_is_not_sent_again() {
        let mut pages = Pages::default();
        pages.embed("/", "text/html", b"<p>");
        let first = pages.answer(request("/")).await;
        let etag = first.headers()[header::ETAG].clone();
        let again = Request::get("/").header(header::IF_NONE_MATCH, etag).body(()).unwrap();
        assert_eq!(pages.answer(again).await.status(), StatusCode::NOT_MODIFIED);
    }
}
