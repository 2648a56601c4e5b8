//! Packets, written and read.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::connect::show::{Body, string};

/// Most attachments of one packet.
const MAX_ATTACHMENTS: usize = 1_000;

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
}

/// A packet of Socket.IO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) id: Option<u64>,
    /// JSON; empty where there is none.
    pub(crate) data: String,
    /// So many binary messages belong to it.
    pub(crate) attachments: usize,
}

/// What is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PacketError {
    #[error("a packet has an unknown type")]
    Kind,
    #[error("a packet has over {MAX_ATTACHMENTS} attachments, or no number of them")]
    Attachments,
    #[error("the attachments of a packet are over --max-message BYTES")]
    LongAttachments,
    #[error("a packet's id is no number")]
    Id,
    #[error("a packet's data are no JSON of the right form")]
    Data,
    #[error("a binary message belongs to no packet")]
    Stray,
    #[error("a packet came before the attachments of the one before it")]
    Unfinished,
}

impl Packet {
    pub(crate) fn new(kind: Kind, namespace: &str, data: String) -> Self {
        Self { kind, namespace: namespace.to_owned(), id: None, data, attachments: 0 }
    }

    /// The packet as a message of Engine.IO, which begins with 4.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::from("4");
        text.push(match self.kind {
            Kind::Connect => '0',
            Kind::Disconnect => '1',
            Kind::Event => '2',
            Kind::Ack => '3',
            Kind::ConnectError => '4',
        });
        if self.namespace != "/" {
            text.push_str(&self.namespace);
            text.push(',');
        }
        if let Some(id) = self.id {
            text.push_str(&id.to_string());
        }
        text.push_str(&self.data);
        text
    }

    /// Reads `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`.
    pub(crate) fn read(text: &str) -> Result<Self, PacketError> {
        let mut chars = text.chars();
        let (kind, is_binary) = match chars.next() {
            Some('0') => (Kind::Connect, false),
            Some('1') => (Kind::Disconnect, false),
            Some('2') => (Kind::Event, false),
            Some('3') => (Kind::Ack, false),
            Some('4') => (Kind::ConnectError, false),
            Some('5') => (Kind::Event, true),
            Some('6') => (Kind::Ack, true),
            _ => return Err(PacketError::Kind),
        };
        let mut rest = chars.as_str();
        let mut attachments = 0;
        if is_binary {
            let (count, behind) = rest.split_once('-').ok_or(PacketError::Attachments)?;
            attachments = count.parse().map_err(|_| PacketError::Attachments)?;
            if attachments > MAX_ATTACHMENTS {
                return Err(PacketError::Attachments);
            }
            rest = behind;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
            // A query may stand behind it.
            namespace = namespace.split('?').next().unwrap_or(namespace);
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (id, data) = rest.split_at(digits);
        let id = match id {
            "" => None,
            id => Some(id.parse().map_err(|_| PacketError::Id)?),
        };
        let (namespace, data) = (namespace.to_owned(), data.to_owned());
        Ok(Self { kind, namespace, id, data, attachments })
    }

    /// The elements of the list in an event or ack, with its attachments in their places.
    pub(crate) fn list(&self, attachments: &[Bytes]) -> Result<Vec<Body>, PacketError> {
        let list: Vec<&RawValue> =
            serde_json::from_str(&self.data).map_err(|_| PacketError::Data)?;
        list.iter().map(|value| body(value.get(), attachments)).collect()
    }
}

/// One argument. Bytes deep in an object are written in Base64 where they stand.
fn body(json: &str, attachments: &[Bytes]) -> Result<Body, PacketError> {
    if !json.contains("\"_placeholder\"") {
        return Ok(Body::Json(json.to_owned()));
    }
    let value = serde_json::from_str(json).map_err(|_| PacketError::Data)?;
    if let Some(bytes) = attachment(&value, attachments) {
        return Ok(Body::Binary(bytes));
    }
    Ok(Body::Json(filled(value, attachments).to_string()))
}

/// `{"_placeholder":true,"num":N}` stands for attachment N.
fn attachment(value: &serde_json::Value, attachments: &[Bytes]) -> Option<Bytes> {
    value.get("_placeholder")?.as_bool()?.then_some(())?;
    let at = usize::try_from(value.get("num")?.as_u64()?).ok()?;
    attachments.get(at).cloned()
}

fn filled(value: serde_json::Value, attachments: &[Bytes]) -> serde_json::Value {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use serde_json::Value;
    if let Some(bytes) = attachment(&value, attachments) {
        return serde_json::json!({ "base64": BASE64_STANDARD.encode(bytes) });
    }
    match value {
        Value::Array(list) => list.into_iter().map(|one| filled(one, attachments)).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(name, one)| (name, filled(one, attachments))).collect()
        }
        other => other,
    }
}

/// A packet whose attachments have not all come.
#[derive(Debug)]
pub(crate) struct Gathering {
    pub(crate) packet: Packet,
    pub(crate) attachments: Vec<Bytes>,
    bytes: usize,
}

impl Gathering {
    pub(crate) fn new(packet: Packet) -> Self {
        Self { packet, attachments: Vec::new(), bytes: 0 }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.attachments.len() >= self.packet.attachments
    }

    pub(crate) fn push(&mut self, bytes: Bytes, max: usize) -> Result<(), PacketError> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > max {
            return Err(PacketError::LongAttachments);
        }
        self.attachments.push(bytes);
        Ok(())
    }
}

/// The values that were typed behind an event: JSON, one after the other; what does not look like
/// JSON is one string.
pub(crate) fn arguments(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    let mut values = Vec::new();
    let stream = serde_json::Deserializer::from_str(text).into_iter::<Box<RawValue>>();
    for value in stream {
        match value {
            Ok(value) => values.push(value.get().to_owned()),
            Err(error) if text.starts_with(['{', '[', '"']) => {
                return Err(format!("this is no JSON: {error}"));
            }
            Err(_) => return Ok(vec![string(text)]),
        }
    }
    Ok(values)
}

/// The name of an event at the start, which is a string of JSON where it has spaces.
pub(crate) fn event_name(text: &str) -> Result<(String, &str), String> {
    let text = text.trim_start();
    if !text.starts_with('"') {
        let (name, rest) = super::super::word(text);
        return if name.is_empty() {
            Err("say which event".into())
        } else {
            Ok((name.into(), rest))
        };
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
    match stream.next() {
        Some(Ok(name)) => {
            Ok((name, text.get(stream.byte_offset()..).unwrap_or_default().trim_start()))
        }
        _ => Err("the event's name has no closing quotation mark".into()),
    }
}
