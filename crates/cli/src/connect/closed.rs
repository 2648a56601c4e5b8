//! Close codes in words.

/// What a close code means; `None` for those that nobody is known to use.
pub(crate) fn meaning(code: u16) -> Option<&'static str> {
    CODES.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, words)| *words)
}

/// Whether the server ended it for a reason that is no error: it was done, goes away, or said
/// nothing of why.
pub(crate) fn is_clean(code: u16) -> bool {
    matches!(code, 1000 | 1001 | 1005)
}

/// Whether coming back may help (`--reconnect`).
pub(crate) fn is_passing(code: u16) -> bool {
    // Centrifugo's disconnect codes below 3500 ask the client to come back, Pusher's 42xx too.
    matches!(code, 1001 | 1005 | 1006 | 1011..=1014 | 3001..=3499 | 4200..=4299)
}

const CODES: &[(std::ops::RangeInclusive<u16>, &str)] = &[
    // RFC 6455 §7.4.1 and IANA's registry of close codes.
    (1000..=1000, "done: closed in the regular way"),
    (1001..=1001, "going away: the server stops, or the page was left"),
    (1002..=1002, "protocol error: we sent what WebSocket does not allow"),
    (1003..=1003, "a kind of data that the server does not take, text or binary"),
    (1004..=1004, "reserved; nobody may use it"),
    (1005..=1005, "no reason given"),
    (1006..=1006, "cut without a close frame: the network, a proxy, or the program that ended"),
    (1007..=1007, "data that does not fit its kind, such as text that is no UTF-8"),
    (1008..=1008, "against the server's policy: often the login, a rate, or reading too slowly"),
    (1009..=1009, "a message that is too big for the server"),
    (1010..=1010, "an extension that the other side needs was not agreed on"),
    (1011..=1011, "an error inside the server"),
    (1012..=1012, "the server restarts; come back"),
    (1013..=1013, "the server is overloaded; come back later"),
    (1014..=1014, "a gateway got a bad answer from the server behind it"),
    (1015..=1015, "TLS could not be opened"),
    // What is known of libraries and services.
    (3000..=3000, "unauthorized (IANA), or \"Go away!\" of SockJS"),
    (3001..=3001, "Centrifugo: the server stops; come back"),
    (3003..=3003, "forbidden (IANA)"),
    (3004..=3004, "Centrifugo: an error inside the server; come back"),
    (3005..=3005, "Centrifugo: the session has expired; come back with a new token"),
    (3006..=3006, "Centrifugo: a subscription has expired; come back with a new token"),
    (3008..=3008, "time ran out (IANA), or Centrifugo: reading too slowly"),
    (3009..=3009, "Centrifugo: the server could not write to us; come back"),
    (3010..=3010, "Centrifugo: the place in a stream was lost; come back"),
    (3011..=3011, "Centrifugo: the server asks us to come back"),
    (3012..=3012, "Centrifugo: no answer to a ping; come back"),
    (3013..=3013, "Centrifugo: too many requests"),
    (3500..=3500, "Centrifugo: the token is wrong"),
    (3501..=3501, "Centrifugo: a bad request"),
    (3502..=3502, "Centrifugo: no login in time"),
    (3503..=3503, "Centrifugo: disconnected by the server"),
    (3504..=3504, "Centrifugo: over the limit of connections"),
    (3505..=3505, "Centrifugo: over the limit of channels"),
    (3506..=3506, "Centrifugo: another protocol is spoken here"),
    (3507..=3507, "Centrifugo: not permitted"),
    (3508..=3508, "Centrifugo: not available"),
    (3509..=3509, "Centrifugo: too many errors"),
    (4000..=4000, "Pusher: TLS only; others: an error of the application"),
    (4001..=4001, "Pusher: no such application; others: often not logged in"),
    (4003..=4003, "Pusher: the application is disabled; others: often forbidden"),
    (4004..=4004, "Pusher: over the quota of connections"),
    (4005..=4005, "Pusher: no such path"),
    (4006..=4006, "Pusher: the protocol's version cannot be read"),
    (4007..=4007, "Pusher: that version of the protocol is not spoken"),
    (4008..=4008, "Pusher: no version of the protocol was given"),
    (4009..=4009, "Pusher: not authorized"),
    (4100..=4100, "Pusher: over capacity; come back later"),
    (4200..=4200, "Pusher: come back at once"),
    (4201..=4201, "Pusher: no answer to a ping; come back"),
    (4202..=4202, "Pusher: closed after silence; come back"),
    (4301..=4301, "Pusher: events came too fast"),
    (4400..=4400, "graphql-ws: a message that it does not understand"),
    (4401..=4401, "graphql-ws: not logged in"),
    (4403..=4403, "graphql-ws: forbidden"),
    (4406..=4406, "graphql-ws: the subprotocol is not accepted"),
    (4408..=4408, "graphql-ws: the client said no connection_init in time"),
    (4409..=4409, "graphql-ws: there is a subscriber with this id already"),
    (4429..=4429, "graphql-ws: more than one connection_init"),
    (4500..=4500, "graphql-ws: an error inside the server"),
    (4504..=4504, "graphql-ws: the server said no connection_ack in time"),
    (3000..=3999, "a code registered by a library; see its documentation"),
    (4000..=4999, "a code of the application; see its documentation"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_may_come_has_words_and_the_special_ones_go_first() {
        for code in (1000..=1015).chain(3000..=4999) {
            assert!(meaning(code).is_some(), "{code}");
        }
        assert!(meaning(4403).is_some_and(|words| words.contains("graphql-ws")));
        assert!(meaning(4123).is_some_and(|words| words.contains("application")));
        assert_eq!((meaning(999), meaning(1016), meaning(5000)), (None, None, None));
    }

    #[test]
    fn what_is_no_error_and_what_passes() {
        assert!([1000, 1001, 1005].iter().all(|&code| is_clean(code)));
        assert!(![1002, 1006, 1008, 1012, 4000].iter().any(|&code| is_clean(code)));
        assert!([1001, 1012, 1013].iter().all(|&code| is_passing(code)));
        assert!(![1000, 1002, 1008, 4000, 4401].iter().any(|&code| is_passing(code)));
    }
}
