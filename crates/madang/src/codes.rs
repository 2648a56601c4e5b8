//! Codes of refusals: one table that answers, close reasons, log lines, counters and
//! `madang explain` take from. A code that was given out keeps its meaning.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use madang_ws::{Error, PeerMisbehaved, handshake::server::Refusal};

/// A refusal's code, such as `M501`.
///
/// ```
/// use madang::codes::Code;
///
/// let code = Code::find("M501").unwrap();
/// assert_eq!(code.status(), Some(503));
/// println!("{code}: {}. {}", code.what(), code.cure());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(usize);

struct Entry {
    name: &'static str,
    /// The status of an answer with this code.
    status: Option<u16>,
    /// The close code of a WebSocket that it ends (RFC 6455 §7.4).
    close: Option<u16>,
    what: &'static str,
    why: &'static str,
    cure: &'static str,
}

/// Makes the table and a constant for each of its rows.
macro_rules! codes {
    ($($name:ident $status:expr, $close:expr; $what:literal; $why:literal; $cure:literal)+) => {
        /// Numbers the rows.
        #[allow(clippy::upper_case_acronyms)]
        enum Row { $($name),+ }
        const TABLE: &[Entry] = &[$(Entry {
            name: stringify!($name),
            status: $status,
            close: $close,
            what: $what,
            why: $why,
            cure: $cure,
        }),+];
        impl Code {
            $(#[doc = concat!("`", stringify!($name), "`: ", $what, ".")]
            pub const $name: Self = Self(Row::$name as usize);)+
        }
    };
}

codes! {
    // Listeners and TLS.
    M101 None, None; "an address cannot be listened on";
        "Another program has the port, the address is not this machine's, or the port is kept for root.";
        "Stop the other program or take another address with --listen; the message names both."
    M102 None, None; "the TLS files cannot be used";
        "A file is missing or no PEM, or the key is not the certificate's. While a server runs, it keeps the files it had.";
        "Give the certificate first and the intermediate ones after it in --tls-cert, and its own key in --tls-key; then send SIGHUP or wait."
    M103 Some(400), None; "this port speaks TLS";
        "Something else than a TLS handshake came, most likely plain HTTP.";
        "Use https:// or wss:// instead of http:// or ws://."
    M104 None, None; "a TLS handshake failed";
        "The client does not trust the certificate, speaks only old TLS, has not the certificate that is asked of it, or took too long.";
        "See what the client says; the server's log at madang=debug has its alert. TLS 1.2 and 1.3 are spoken."
    M105 Some(400), None; "connections to this address begin with a PROXY header";
        "The listener has ?proxy-protocol=1, and the connection began with something else, with a malformed header, or with nothing for too long.";
        "Come through the proxy, and let the proxy send the header; or listen without ?proxy-protocol=1."
    M106 Some(403), None; "this address is for the server's proxies";
        "The listener takes PROXY headers of trusted proxies only, and the peer is none.";
        "Come through one, or name yours with --trusted-proxy."
    M107 None, None; "the new configuration is not used";
        "After SIGHUP something in the file or the environment is wrong. The server goes on with what it had.";
        "Run `madang check-config`: it names each line that is wrong."
    // Handshakes.
    M201 Some(405), None; "a WebSocket is opened with GET";
        "The request at a WebSocket's path has another method.";
        "Use a WebSocket client, or GET."
    M202 Some(400), None; "a WebSocket needs HTTP/1.1";
        "The request is of HTTP/1.0 or older; proxies that were not told otherwise speak it to the server behind.";
        "In nginx: proxy_http_version 1.1."
    M203 Some(400), None; "the request needs exactly one Host header";
        "It is missing, empty, or there are several.";
        "See what the client or the proxy sends."
    M204 Some(426), None; "this address speaks WebSocket";
        "The request does not ask for an upgrade: a browser's address bar, curl, or a proxy that drops the header Upgrade.";
        "Connect with new WebSocket(…) or a WebSocket client. In nginx: proxy_set_header Upgrade $http_upgrade."
    M205 Some(426), None; "the request needs the header Connection: Upgrade";
        "Connection is a header from hop to hop, and a proxy in between did not pass it on.";
        "In nginx: proxy_set_header Connection \"upgrade\"."
    M206 Some(400), None; "a request for a WebSocket must not have a body";
        "There is a Content-Length or a Transfer-Encoding. What follows the head would mean different things to a proxy and to the server.";
        "Leave the body away."
    M207 Some(426), None; "only version 13 of WebSocket is spoken here";
        "Sec-WebSocket-Version is missing or another.";
        "Use a client of RFC 6455; every one since 2011 is."
    M208 Some(400), None; "the request needs one Sec-WebSocket-Key of 16 bytes in base64";
        "It is missing, repeated or of another length; firewalls for web applications remove it at times.";
        "See what the client sends and what arrives."
    M209 Some(400), None; "Sec-WebSocket-Protocol cannot be used";
        "It has something that is no name, a name twice, or more than 64 of them.";
        "Offer each subprotocol once."
    M210 Some(400), None; "Sec-WebSocket-Extensions cannot be read";
        "It does not follow RFC 6455 §9.1.";
        "See what the client or the proxy sends."
    M211 Some(400), None; "a WebSocket over HTTP/2 is opened with extended CONNECT";
        "The request at a WebSocket's path over HTTP/2 has no :protocol, or headers that belong to HTTP/1.1.";
        "Use a client of RFC 8441, or HTTP/1.1."
    M212 Some(501), None; "only websocket is spoken by extended CONNECT";
        "The :protocol of the request is another one.";
        "Ask for :protocol = websocket."
    M213 Some(400), None; "the door cannot be opened like this";
        "The topic or the query of the address is not as the door wants it; the answer says what.";
        "Correct the address."
    M214 Some(405), None; "the path does not take this method";
        "Topics are read with GET and published to with POST.";
        "See the answer's Allow."
    // Protocols.
    M301 None, Some(1002); "a frame is against RFC 6455";
        "A reserved bit or opcode, a frame that is not masked, a control frame that is too long or in pieces, or a length that is not written in the shortest form. Often another program speaks on the connection.";
        "See the close reason, and whether a proxy or a library in between changes frames."
    M302 None, Some(1007); "a text is no UTF-8, or compressed data is broken";
        "Text frames are UTF-8.";
        "Send bytes as a binary frame."
    M303 Some(400), None; "a body is not what its Content-Type says";
        "It is no JSON, no UTF-8, or a line of a batch is neither.";
        "Correct the body or its Content-Type."
    M304 Some(400), None; "an event's name or a message's own header cannot be carried";
        "It is too long, or has a character that would begin a new line somewhere.";
        "Shorten it, or put it into the body."
    M305 Some(422), None; "the Idempotency-Key cannot be used";
        "It was used for another message within five minutes, or is empty or too long.";
        "Take a new key for each message, such as a UUID."
    // Permission.
    M401 Some(403), None; "the page of another origin may not connect";
        "The request's Origin is neither the server's own nor among the allowed ones. Without this rule every page on the web could act for whoever looks at it.";
        "Name the page's origin with --allowed-origin; behind a proxy that changes Host, name the proxy with --trusted-proxy."
    // Limits.
    M501 Some(503), None; "this server has as many connections as it may";
        "The limit is --max-connections, or the descriptors that the process may have.";
        "Try again later; raise the limit, or `ulimit -n`."
    M502 Some(503), None; "this server has as many connections of your address as it may";
        "The limit is --max-connections-per-address, for one IPv4 address or one IPv6 /64.";
        "Close some, or try again later. Behind a proxy, name it with --trusted-proxy, so that clients count and not the proxy."
    M503 None, Some(1008); "slow consumer";
        "More waited for the client than --outbox or --outbox-messages allow, or it took nothing for --max-stall.";
        "Read faster, or join less. It may come back with since= and miss nothing; or choose --slow-consumer drop-oldest or latest."
    M504 Some(503), Some(1001); "this server is going away";
        "It was told to stop. Clients are told one after the other within --drain.";
        "Come back in a moment; the answer's Retry-After says when."
    M505 None, None; "an HTTP/2 connection floods";
        "It opened and reset streams, or sent frames that cost work and carry nothing, faster than any client needs.";
        "See what the client does; the connection was ended with ENHANCE_YOUR_CALM."
    M506 Some(413), Some(1009); "a message is too big";
        "The limit is --max-message, before and after decompression.";
        "Send less at once, or raise the limit."
    M507 None, Some(1008); "a message has too many fragments";
        "The limit is --max-fragments.";
        "Send larger fragments."
    M508 None, Some(1008); "too many control frames";
        "The limit is --max-control-rate a second.";
        "Ping less often."
    M509 Some(408), Some(1008); "a message was not finished in time";
        "The time from the first fragment to the last is --message-timeout.";
        "Begin a message when there is something to send."
    M510 Some(503), None; "too many connections have begun to ask for something";
        "The limit is --max-pending: requests, TLS handshakes and PROXY headers that began and are not whole, most likely because somebody sends them slowly on purpose.";
        "Try again later; see who it is, and limit them with --max-connections-per-address, or shorten --head-timeout."
    M511 Some(503), None; "there are too many topics";
        "Topics come to be by their first use, and stay for as long as somebody is in them or they hold messages.";
        "Use fewer, or let their history end sooner with --history-age."
    M512 Some(503), Some(1013); "too much history is on its way already";
        "The limit is --max-replay for all clients of a worker together, and for the answers to polls; of a reader of several topics, --outbox.";
        "Come back with the cursor of what came last: nothing is lost."
    M513 None, Some(1013); "this client joins topics too fast";
        "A client may join as many as --max-subscriptions at once, and from then on so many a second as --max-join-rate says.";
        "Join less often, or raise --max-join-rate."
}

static COUNTS: [AtomicU64; TABLE.len()] = [const { AtomicU64::new(0) }; TABLE.len()];

impl Code {
    /// All codes, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..TABLE.len()).map(Self)
    }

    /// The code of a name such as `M501`, in either case.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|code| code.name().eq_ignore_ascii_case(name))
    }

    fn entry(self) -> &'static Entry {
        &TABLE[self.0]
    }

    /// Its name, such as `M501`.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The status of an HTTP answer with it.
    pub fn status(self) -> Option<u16> {
        self.entry().status
    }

    /// The close code of a WebSocket that is ended with it (RFC 6455 §7.4).
    pub fn close(self) -> Option<u16> {
        self.entry().close
    }

    /// What happened, in a clause.
    pub fn what(self) -> &'static str {
        self.entry().what
    }

    /// Why it happens.
    pub fn why(self) -> &'static str {
        self.entry().why
    }

    /// What to do about it.
    pub fn cure(self) -> &'static str {
        self.entry().cure
    }

    /// How often this process has given it.
    pub fn count(self) -> u64 {
        COUNTS[self.0].load(Ordering::Relaxed)
    }

    /// Counts one; returns the code's name, for the log.
    pub fn counted(self) -> &'static str {
        COUNTS[self.0].fetch_add(1, Ordering::Relaxed);
        self.name()
    }

    /// What a close frame with it says: the code, and what happened.
    pub(crate) fn reason(self, detail: impl fmt::Display) -> String {
        format!("{self} {detail}")
    }

    /// The code of a handshake that is refused.
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Method => Self::M201,
            Refusal::OldHttp => Self::M202,
            Refusal::Host => Self::M203,
            Refusal::NoUpgrade => Self::M204,
            Refusal::NoConnectionUpgrade => Self::M205,
            Refusal::Body => Self::M206,
            Refusal::Version => Self::M207,
            Refusal::Key => Self::M208,
            Refusal::Protocols => Self::M209,
            Refusal::Extensions(_) => Self::M210,
            Refusal::Origin(_) => Self::M401,
            Refusal::UnknownProtocol => Self::M212,
            // What is particular to HTTP/2.
            _ => Self::M211,
        }
    }

    /// The code of a WebSocket that failed; none where the fault is not the peer's.
    pub(crate) fn of_failure(error: Error) -> Option<Self> {
        Some(match error {
            Error::PeerMisbehaved(PeerMisbehaved::InvalidUtf8 | PeerMisbehaved::BadDeflate) => {
                Self::M302
            }
            Error::PeerMisbehaved(_) => Self::M301,
            Error::TooBig => Self::M506,
            Error::TooManyFragments => Self::M507,
            Error::TooManyControlFrames => Self::M508,
            Error::TooSlow => Self::M509,
            _ => return None,
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_each_is_once() {
        let names: Vec<_> = Code::all().map(Code::name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert_eq!(Code::find("m503"), Some(Code::M503));
        assert_eq!(Code::find("M999"), None);
    }

    #[test]
    fn sentences_have_their_full_stops_where_they_are_put_together() {
        for code in Code::all() {
            assert!(!code.what().ends_with('.'), "{code}");
            assert!(code.why().ends_with('.') && code.cure().ends_with('.'), "{code}");
        }
    }

    #[test]
    fn a_handshakes_code_has_the_status_of_its_answer() {
        use Refusal::{Body, Host, Key, Method, NoConnectionUpgrade, NoUpgrade, OldHttp, Version};
        for refusal in [Body, Host, Key, Method, NoConnectionUpgrade, NoUpgrade, OldHttp, Version] {
            let code = Code::of_refusal(&refusal);
            assert_eq!(code.status(), Some(refusal.status().as_u16()), "{code}");
        }
    }

    #[test]
    fn a_failures_code_has_the_close_code_of_its_frame() {
        let failures = [
            Error::TooBig,
            Error::TooSlow,
            Error::TooManyFragments,
            Error::TooManyControlFrames,
            Error::PeerMisbehaved(PeerMisbehaved::InvalidUtf8),
            Error::PeerMisbehaved(PeerMisbehaved::Unmasked),
        ];
        for error in failures {
            let code = Code::of_failure(error).unwrap();
            assert_eq!(code.close(), Some(error.close_code().as_u16()), "{code}");
        }
    }
}
