//! The pages that the binary carries.

/// The chat page, as the binary embeds it.
pub(super) const PAGES: &[(&str, &str, &[u8])] = &[
    ("/", "text/html; charset=utf-8", include_bytes!("../../../../web/index.html")),
    ("/chat.css", "text/css; charset=utf-8", include_bytes!("../../../../web/chat.css")),
    ("/chat.js", SCRIPT, include_bytes!("../../../../web/chat.js")),
    ("/connection.js", SCRIPT, include_bytes!("../../../../web/connection.js")),
    ("/doors.js", SCRIPT, include_bytes!("../../../../web/doors.js")),
    ("/doors/http.js", SCRIPT, include_bytes!("../../../../web/doors/http.js")),
    ("/doors/longpoll.js", SCRIPT, include_bytes!("../../../../web/doors/longpoll.js")),
    ("/doors/poll.js", SCRIPT, include_bytes!("../../../../web/doors/poll.js")),
    ("/doors/socketio.js", SCRIPT, include_bytes!("../../../../web/doors/socketio.js")),
    ("/doors/sse.js", SCRIPT, include_bytes!("../../../../web/doors/sse.js")),
    ("/doors/stream.js", SCRIPT, include_bytes!("../../../../web/doors/stream.js")),
    ("/doors/websocket.js", SCRIPT, include_bytes!("../../../../web/doors/websocket.js")),
    ("/headcount.js", SCRIPT, include_bytes!("../../../../web/headcount.js")),
    ("/images.js", SCRIPT, include_bytes!("../../../../web/images.js")),
    ("/outbox.js", SCRIPT, include_bytes!("../../../../web/outbox.js")),
    ("/people.js", SCRIPT, include_bytes!("../../../../web/people.js")),
    ("/protocol.js", SCRIPT, include_bytes!("../../../../web/protocol.js")),
    ("/view.js", SCRIPT, include_bytes!("../../../../web/view.js")),
    ("/words.js", SCRIPT, include_bytes!("../../../../web/words.js")),
    ("/favicon.svg", ICON, include_bytes!("../../../../web/favicon.svg")),
    ("/favicon.ico", ICON, include_bytes!("../../../../web/favicon.svg")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";
const ICON: &str = "image/svg+xml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_chat_is_embedded() {
        let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
        for folder in ["", "/doors"] {
            for entry in std::fs::read_dir(format!("{web}{folder}")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let served = [".js", ".css", ".svg"].iter().any(|ending| name.ends_with(ending));
                let path = format!("{folder}/{name}");
                assert!(!served || PAGES.iter().any(|(known, ..)| *known == path), "{path}");
            }
        }
    }
}
