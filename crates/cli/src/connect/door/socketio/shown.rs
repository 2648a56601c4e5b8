//! Events and acks, as they are shown.

use crate::connect::show::{Body, Frame, Shown, string};

pub(super) fn event(id: Option<u64>, mut list: Vec<Body>) -> Result<Shown, String> {
    let name = match list.first() {
        Some(Body::Json(json)) => json.clone(),
        _ => return Err("an event has no name".into()),
    };
    list.remove(0);
    let mut title: String = serde_json::from_str(&name).unwrap_or_else(|_| name.clone());
    let mut members = vec![("event", name)];
    if let Some(id) = id {
        title = format!("{title} (wants an ack: /ack {id} JSON…)");
        members.push(("id", id.to_string()));
    }
    let (kind, is_list, counts) = ("event", true, true);
    Ok(Shown::Frame(Frame {
        kind,
        title,
        members,
        body: list,
        is_list,
        counts,
        ..Frame::default()
    }))
}

pub(super) fn ack(id: u64, of: Option<&str>, list: Vec<Body>) -> Shown {
    let of = of.unwrap_or("what nobody remembers");
    Shown::Frame(Frame {
        kind: "ack",
        title: format!("ack of {of}"),
        members: vec![("id", id.to_string()), ("event", string(of))],
        body: list,
        is_list: true,
        ..Frame::default()
    })
}
