//! The Socket.IO door of `madang serve`, as the configuration has it.

use std::{fs, path::Path, sync::Arc};

use madang::{
    Server,
    proto::{
        engineio,
        socketio::{ClientFile, Limits, PROTOCOL, Reception, Settings as Socketio, Yard},
    },
};

use super::Failure;
use crate::config::Settings;

pub(super) fn mount(mut server: Server, settings: &Settings) -> Result<Server, Failure> {
    let max_payload =
        settings.size("socketio.max_payload").min(settings.size("websocket.max_message"));
    let engine = engineio::Settings {
        ping_interval: settings.seconds("socketio.ping_interval"),
        ping_timeout: settings.seconds("socketio.ping_timeout"),
        upgrade_timeout: settings.seconds("socketio.upgrade_timeout"),
        max_payload,
        // Bytes grow by a third, and a few of the largest may come between two polls.
        max_queue: settings.size("outbox.max_bytes").max(max_payload.saturating_mul(4)),
        max_queued: settings.size("outbox.max_messages"),
        allow_v3: settings.switch("socketio.v2"),
        cookie: settings.text("socketio.cookie").map(str::to_owned),
        ..engineio::Settings::default()
    };
    let own = Socketio {
        connect_timeout: settings.seconds("socketio.connect_timeout"),
        limits: Limits {
            attachments: settings.size("socketio.max_attachments"),
            ..Limits::default()
        },
        max_bytes: max_payload,
        max_namespaces: settings.size("socketio.max_namespaces"),
        // Topics are counted by the hub; several namespaces may have rooms of one.
        max_rooms: settings.size("websocket.max_subscriptions").saturating_mul(4),
        ..Socketio::default()
    };
    let files = match settings.text("socketio.client") {
        Some(folder) => client_files(folder)?,
        None => Vec::new(),
    };
    let reception = Arc::new(Reception::with(engine, own, Yard).files(files));
    for mount in PROTOCOL.mounts {
        server = server.reception(mount.path, &PROTOCOL, reception.clone());
    }
    Ok(server)
}

/// The most bytes of one of the client's files; the largest, a source map, has half a megabyte.
const MOST: u64 = 4 * 1024 * 1024;

/// Reads the files that a page may ask for.
fn client_files(folder: &str) -> Result<Vec<ClientFile>, Failure> {
    let wrong = |why: String| {
        Failure::Usage(format!(
            "--socketio-client {folder}: {why}; give the folder `dist` of the npm package \
             socket.io-client, which has socket.io.js"
        ))
    };
    let entries = fs::read_dir(Path::new(folder)).map_err(|error| wrong(error.to_string()))?;
    let mut files = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_client = name.starts_with("socket.io.") && !name.ends_with(".d.ts");
        let is_small = entry.metadata().is_ok_and(|about| about.is_file() && about.len() <= MOST);
        if is_client && is_small {
            let bytes = fs::read(entry.path()).map_err(|error| wrong(error.to_string()))?;
            files.push(ClientFile { name, bytes: bytes.into() });
        }
    }
    if files.iter().any(|file| file.name == "socket.io.js") {
        Ok(files)
    } else {
        Err(wrong("there is no socket.io.js in it".into()))
    }
}
