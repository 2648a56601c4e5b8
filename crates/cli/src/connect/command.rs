//! The `madang doctor` line that asks for the same.

use super::{
    dial::full_url,
    door::Protocol,
    flags::Connect,
    secrets::{self, HIDDEN, Secrets},
};
use crate::client::{Keep, escaped};

/// The line, with secrets hidden.
pub(crate) fn doctor(flags: &Connect, secrets: &Secrets) -> String {
    let mut line = String::from("madang doctor");
    let mut say = |words: &[&str]| {
        for word in words {
            line.push(' ');
            line.push_str(&quoted(word));
        }
    };
    // The doctor finds the path of Socket.IO itself.
    say(&[&secrets::url(&full_url(&flags.url, None))]);
    if let Some(protocol) = flags.protocol {
        let name = match protocol {
            Protocol::Stomp => "stomp",
            Protocol::Socketio => "socketio",
        };
        say(&["--as", name]);
    }
    for name in &flags.subprotocols {
        say(&["--subprotocol", &secrets.hide(name)]);
    }
    for (name, value) in &flags.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = secrets.sent_header(name.as_str(), &value);
        say(&["--header", &format!("{name}: {value}")]);
    }
    if let Some(origin) = &flags.origin {
        say(&["--origin", origin]);
    }
    if let Some(token) = &flags.token {
        // The name of a file is no secret.
        say(&["--token", if token.starts_with('@') { token } else { HIDDEN }]);
    }
    if let Some(proxy) = &flags.proxy {
        let login =
            if proxy.authorization().is_some() { format!("{HIDDEN}@") } else { String::new() };
        let host = proxy.host();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        say(&["--proxy", &format!("http://{login}{host}:{}", proxy.port())]);
    }
    // The doctor wants to be told both.
    let key = flags.key.as_ref().or(flags.cert.as_ref());
    for (flag, file) in
        [("--ca", flags.ca.as_ref()), ("--cert", flags.cert.as_ref()), ("--key", key)]
    {
        if let Some(file) = file {
            say(&[flag, &file.to_string_lossy()]);
        }
    }
    if flags.insecure {
        say(&["--insecure"]);
    }
    line
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:.-_~%".contains(c);
    let word = escaped(word, Keep::None);
    // Brackets of an IPv6 address are no pattern that fits a file.
    let is_address = word.contains("://[") && !word.contains(HIDDEN);
    if !word.is_empty() && word.chars().all(|c| is_plain(c) || (is_address && "[]".contains(c))) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::connect::dial::Dialer;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: Connect,
    }

    fn line(arguments: &[&str]) -> String {
        let flags = Line::parse_from(["connect"].iter().chain(arguments)).flags;
        // Files are not there.
        if flags.ca.is_some() || flags.cert.is_some() || flags.token.as_deref() == Some("@token") {
            return doctor(&flags, &Secrets::default());
        }
        Dialer::new(&flags).unwrap().doctor
    }

    #[test]
    fn it_asks_for_the_same_and_shows_no_secret() {
        for (arguments, is) in [
            (&["ws://h:1/ws"][..], "ws://h:1/ws"),
            (&["h/a b"], "'ws://h/a b'"),
            (&["ws://h/?token=1&a='"], "'ws://h/?token=[hidden]&a='\\'''"),
            (&["http://h", "--as", "socketio"], "http://h --as socketio"),
            (
                &["ws://h", "--as", "stomp", "--subprotocol", "v11.stomp", "--origin", "https://a"],
                "ws://h --as stomp --subprotocol v11.stomp --origin https://a",
            ),
            (
                &["ws://h", "-H", "User-Agent: it's", "--header", "Cookie: sid=secret-1"],
                "ws://h --header 'user-agent: it'\\''s' --header 'cookie: [hidden]'",
            ),
            // A key may be in any header that somebody thought of, as the doctor has it.
            (&["ws://h", "-H", "X-Yard: garden"], "ws://h --header 'x-yard: [hidden]'"),
            (&["ws://h", "--token", "secret-1"], "ws://h --token '[hidden]'"),
            (&["ws://h", "--token", "@token"], "ws://h --token '@token'"),
            (
                &["ws://h", "--proxy", "http://ana:secret-1@[::1]:3128"],
                "ws://h --proxy 'http://[hidden]@[::1]:3128'",
            ),
            (&["ws://h", "--proxy", "[::1]:3128"], "ws://h --proxy http://[::1]:3128"),
            (&["wss://h", "--ca", "a b.pem"], "wss://h --ca 'a b.pem'"),
            (
                &["wss://h", "--insecure", "--cert", "c.pem"],
                "wss://h --cert c.pem --key c.pem --insecure",
            ),
        ] {
            assert_eq!(line(arguments), format!("madang doctor {is}"), "{arguments:?}");
        }
    }
}
