//! Topics over plain HTTP: publishing, polling, streams, presence.
//!
//! ```text
//! POST /topics/{t}                         publishes its body
//! GET  /topics/{t}/messages                poll; with ?wait=SECONDS long poll
//! GET  /topics/{t}/presence                who is here
//! GET  /topics/{t}/sse, /topics/{t}/stream protocols of their own; see `stream`
//! GET  /openapi.json                       all of this, for programs
//! ```
//!
//! Whatever is asked, one rule says which pages may ask ([`cors`]), and each answer tells browsers so.

pub(super) mod cors;
mod description;
mod once;
mod payload;
mod publish;
mod read;
mod room;
pub(super) mod stream;
mod wait;

use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use madang_proto::{Topic, topic::TopicError};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

pub(super) use self::{
    once::Once,
    payload::{Payload, Unread},
    room::Room,
};
use super::{
    http::{Body, Detail, Visit, mark, plain, retry_after},
    route::Found,
};
use crate::{codes::Code, hub::Hub};

/// What the topics of a site need.
pub(super) struct Topics {
    pub(super) hub: Hub,
    pub(super) once: Once,
    /// For the answers to polls that are on their way.
    pub(super) room: Room,
    /// Largest body.
    pub(super) max_body: usize,
    /// The longest time that a body may take.
    pub(super) patience: Duration,
}

/// An answer that refuses.
pub(super) type Refused = Box<Response<Body>>;

const READ: &str = "GET, HEAD, OPTIONS";
const PUBLISH: &str = "POST, OPTIONS";
/// Of topics with the name of a door to several.
const BOTH: &str = "GET, HEAD, POST, OPTIONS";

/// What is asked of which topic.
enum Asked<'a> {
    Description,
    Publish(&'a str),
    Messages(Option<&'a str>),
    Presence(&'a str),
    /// Streams are found by their routes; what comes here has no topic's name.
    Stream(&'a str),
}

impl<'a> Asked<'a> {
    /// What a path is for; the methods that it takes, where it takes any.
    fn find(path: &'a str, is_read: bool) -> Option<(Self, &'static str)> {
        match path {
            "/openapi.json" => return Some((Self::Description, READ)),
            "/messages" => return Some((Self::Messages(None), READ)),
            "/topics/messages" if is_read => return Some((Self::Messages(None), BOTH)),
            _ => {}
        }
        let rest = path.strip_prefix("/topics/")?;
        match rest.split_once('/') {
            None if matches!(rest, "messages" | "sse" | "stream") => {
                Some((Self::Publish(rest), BOTH))
            }
            None => Some((Self::Publish(rest), PUBLISH)),
            Some((topic, "messages")) => Some((Self::Messages(Some(topic)), READ)),
            Some((topic, "presence")) => Some((Self::Presence(topic), READ)),
            Some((topic, "sse" | "stream")) => Some((Self::Stream(topic), READ)),
            Some(_) => None,
        }
    }
}

/// Answers what is asked of topics; gives back what is not.
pub(super) async fn answer<P: Payload>(
    visit: &Visit,
    mut request: Request<P>,
) -> Result<Response<Body>, Request<P>> {
    let Some(topics) = &visit.site.topics else { return Err(request) };
    let path = request.uri().path().to_owned();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let streams = visit.site.routes.find(&path).filter(Found::is_stream);
    let asked = Asked::find(&path, is_read);
    let may_publish = matches!(asked, Some((Asked::Publish(_), _)));
    let is_streamed = streams.is_some() && (is_read || !may_publish);
    if asked.is_none() && streams.is_none() {
        return Err(request);
    }
    let client = visit.site.identify(visit.peer, &mut request);
    let (parts, payload) = request.into_parts();
    let (request, mut payload) = (Request::from_parts(parts, ()), Some(payload));
    let allow = match cors::check(&visit.site, || visit.local, &client, &request) {
        Ok(allow) => allow,
        Err(refused) => {
            skip(&request, payload).await;
            return Ok(*refused);
        }
    };
    let methods = match &asked {
        Some((_, methods)) if !is_streamed => methods,
        _ => READ,
    };
    let mut response = if request.method() == Method::OPTIONS {
        cors::preflight(methods, &request)
    } else if let Some(found) = streams.filter(|_| is_streamed) {
        stream::answer(visit, &client, &found, &request).await
    } else if let Some((asked, _)) = asked {
        let answered = carry_out(visit, topics, asked, methods, &request, &mut payload).await;
        answered.unwrap_or_else(|refused| *refused)
    } else {
        wrong_method(methods)
    };
    allow.put_on(&mut response);
    skip(&request, payload).await;
    Ok(response)
}

/// Reads what nobody wants, so that the connection can go on with the next request. Of more than a
/// little the connection does not survive.
async fn skip<P: Payload>(request: &Request<()>, payload: Option<P>) {
    const LITTLE: usize = 64 * 1024;
    const PATIENCE: Duration = Duration::from_secs(1);
    // Who waits for a 100 has not sent anything, and to read would be to ask for it (RFC 9110 §10.1.1).
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    if let Some(payload) = payload {
        drop(timeout(PATIENCE, payload.read(LITTLE)).await);
    }
}

async fn carry_out<P: Payload>(
    visit: &Visit,
    topics: &Topics,
    asked: Asked<'_>,
    methods: &'static str,
    request: &Request<()>,
    payload: &mut Option<P>,
) -> Result<Response<Body>, Refused> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match asked {
        Asked::Publish(topic) if request.method() == Method::POST => {
            publish::publish(&visit.site, topics, &named(topic)?, request, payload).await
        }
        Asked::Messages(topic) if is_read => {
            let topic = topic.map(named).transpose()?;
            read::messages(visit, topics, topic.as_ref(), request).await
        }
        Asked::Presence(topic) if is_read => Ok(read::presence(topics, &named(topic)?)),
        Asked::Description if is_read => Ok(description::answer()),
        Asked::Stream(topic) if is_read => {
            named(topic)?;
            Err(refuse(Code::M213, StatusCode::NOT_FOUND, "there is no stream here"))
        }
        _ => Err(Box::new(wrong_method(methods))),
    }
}

/// The topic that a segment of a path names.
fn named(segment: &str) -> Result<Topic, Refused> {
    let name = percent_decode_str(segment).decode_utf8();
    let topic = name.map_or(Err(TopicError::Control), |name| Topic::new(&name));
    topic.map_err(|error| refuse(Code::M213, StatusCode::BAD_REQUEST, &error.to_string()))
}

fn wrong_method(methods: &'static str) -> Response<Body> {
    let detail = format!("this path takes {methods}");
    let mut response = *refuse(Code::M214, StatusCode::METHOD_NOT_ALLOWED, &detail);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

/// An answer that refuses, with what is wrong in particular.
#[expect(clippy::unnecessary_box_returns, reason = "it is an error wherever it goes")]
fn refuse(code: Code, status: StatusCode, detail: &str) -> Refused {
    let mut response = plain(status, format!("{code}: {detail}. {}\n", code.cure()));
    mark(&mut response, code);
    if let Some(seconds) = retry_after(code) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response.extensions_mut().insert(Detail(detail.to_owned()));
    Box::new(response)
}

/// An answer in JSON, which no cache is to keep.
fn json(bytes: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes.into()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
