//! `GET /openapi.json`: what the doors over HTTP take and answer, for programs.

use bytes::Bytes;
use http::Response;

use super::json;
use crate::server::http::Body;

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) fn answer() -> Response<Body> {
    json(Bytes::from_static(DOCUMENT.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use madang_proto::topics::{sse, stream};
    use serde_json::{Map, Value};

    use super::{super::Asked, *};
    use crate::codes::Code;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    fn paths(document: &Value) -> &Map<String, Value> {
        document["paths"].as_object().unwrap()
    }

    /// The paths of one thing that may be asked. A new one does not compile until it is here.
    fn paths_of(asked: &Asked<'_>) -> &'static [&'static str] {
        match asked {
            Asked::Description => &["/openapi.json"],
            Asked::Publish(_) => &["/topics/{topic}"],
            Asked::Messages(_) => &["/topics/{topic}/messages", "/topics/messages", "/messages"],
            Asked::Presence(_) => &["/topics/{topic}/presence"],
            Asked::Stream(_) => &["/topics/{topic}/stream", "/topics/{topic}/sse"],
        }
    }

    #[test]
    fn it_names_every_path_and_no_other() {
        let all = [
            Asked::Description,
            Asked::Publish(""),
            Asked::Messages(None),
            Asked::Presence(""),
            Asked::Stream(""),
        ];
        let asked = all.iter().flat_map(paths_of).map(|path| (*path).to_owned());
        let mounts = sse::PROTOCOL.mounts.iter().chain(stream::PROTOCOL.mounts);
        let streams = mounts.map(|mount| {
            let segment = if mount.segment { "/{topic}" } else { "" };
            format!("{}{segment}{}", mount.path, mount.tail)
        });
        let known: BTreeSet<String> = asked.chain(streams).chain(["/healthz".to_owned()]).collect();
        let document = document();
        let described: BTreeSet<String> = paths(&document).keys().cloned().collect();
        assert_eq!(described, known);
    }

    #[test]
    fn the_methods_are_those_that_the_paths_take() {
        let document = document();
        for (path, item) in paths(&document) {
            let asked = path.replace("{topic}", "t");
            let Some((_, takes)) = Asked::find(&asked, false) else {
                // Streams of several topics, which routes lead to, and health.
                assert!(["/sse", "/stream", "/healthz"].contains(&&**path), "{path}");
                continue;
            };
            let takes: BTreeSet<String> = takes
                .split(", ")
                .filter(|method| !matches!(*method, "HEAD" | "OPTIONS"))
                .map(str::to_lowercase)
                .collect();
            let described = item.as_object().unwrap().keys();
            let described: BTreeSet<String> =
                described.filter(|key| *key != "parameters").cloned().collect();
            assert_eq!(described, takes, "{path}");
        }
    }

    #[test]
    fn its_references_lead_somewhere() {
        fn visit(value: &Value, document: &Value, count: &mut usize) {
            if let Some(Value::String(to)) = value.get("$ref") {
                let pointer = to.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{to}");
                *count += 1;
            }
            match value {
                Value::Object(members) => {
                    members.values().for_each(|value| visit(value, document, count));
                }
                Value::Array(items) => items.iter().for_each(|item| visit(item, document, count)),
                _ => {}
            }
        }
        let (document, mut count) = (document(), 0);
        visit(&document, &document, &mut count);
        assert!(count > 100, "{count}");
    }

    #[test]
    fn its_codes_are_codes_and_its_version_is_ours() {
        let document = document();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let responses = document["components"]["responses"].as_object().unwrap();
        let mut named = BTreeSet::new();
        for (status, response) in responses {
            let text = response["description"].as_str().unwrap();
            for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
                let is_code = word.len() == 4
                    && word.strip_prefix('M').is_some_and(|n| n.parse::<u16>().is_ok());
                if is_code {
                    assert!(Code::find(word).is_some(), "{status}: {word}");
                    named.insert(word);
                }
            }
        }
        for code in ["M213", "M214", "M303", "M304", "M305", "M401", "M506", "M509", "M511"] {
            assert!(named.contains(code), "{code}");
        }
    }
}
