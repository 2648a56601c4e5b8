use http::HeaderValue;

use crate::deflate::negotiate::{AnswerError, ParamError};
use crate::deflate::{Agreement, Settings, accept, answer, offer, parse_offers};
use crate::handshake::Malformed;

/// Nothing asked for beyond compression itself.
fn plain() -> Settings {
    Settings {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        ..Settings::default()
    }
}

fn answered(header: &str, settings: &Settings) -> Option<(Agreement, String)> {
    let value = HeaderValue::from_str(header).unwrap();
    let offers = parse_offers([&value]).unwrap();
    answer(&offers, settings).map(|(agreed, value)| (agreed, value.to_str().unwrap().to_owned()))
}

fn accepted(header: &str, settings: &Settings) -> Result<Option<Agreement>, AnswerError> {
    accept([&HeaderValue::from_str(header).unwrap()], settings)
}

#[track_caller]
fn assert_answer(header: &str, settings: &Settings, expected: &str) {
    let answer = answered(header, settings).map(|(_, answer)| answer);
    assert_eq!(answer.as_deref(), Some(expected), "{header}");
}

#[test]
fn an_offer_of_each_parameter_is_answered() {
    for (offered, expected) in [
        ("permessage-deflate", "permessage-deflate"),
        (
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover",
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover",
        ),
        (
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
        ),
        (
            "permessage-deflate; server_max_window_bits=15",
            "permessage-deflate; server_max_window_bits=15",
        ),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits=15", "permessage-deflate"),
        (
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=8",
        ),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=9; \
             client_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=9",
        ),
    ] {
        assert_answer(offered, &plain(), expected);
    }
}

#[test]
fn a_server_adds_what_it_wants() {
    let settings =
        Settings { server_max_window_bits: 12, client_max_window_bits: 11, ..Settings::default() };
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; ";
    for (offered, expected) in [
        // The window of a client that did not say it can limit it is left alone (§7.1.2.2).
        ("permessage-deflate", "server_max_window_bits=12"),
        (
            "permessage-deflate; client_max_window_bits",
            "server_max_window_bits=12; client_max_window_bits=11",
        ),
        (
            "permessage-deflate; client_max_window_bits=10; server_max_window_bits=9",
            "server_max_window_bits=9; client_max_window_bits=10",
        ),
    ] {
        assert_answer(offered, &settings, &format!("{both}{expected}"));
    }
    let (agreement, _) = answered("permessage-deflate", &settings).unwrap();
    assert_eq!(agreement.client_max_window_bits, 15);
    assert_eq!(agreement.server_max_window_bits, 12);
}

#[test]
fn the_first_offer_that_fits_is_taken() {
    for offered in [
        "permessage-deflate; server_max_window_bits=8, permessage-deflate",
        "permessage-deflate; unheard_of, permessage-deflate",
        "permessage-deflate; unheard_of=1, permessage-deflate, permessage-deflate; \
         server_max_window_bits=10",
        "x-webkit-deflate-frame, permessage-deflate",
        "foo; bar=\"baz\", , ,permessage-deflate",
        "PERMESSAGE-deflate; server_max_window_bits=9, permessage-deflate",
    ] {
        assert_answer(offered, &plain(), "permessage-deflate");
    }
}

#[test]
fn offers_with_wrong_parameters_are_declined() {
    for params in [
        "unheard_of",
        "Server_no_context_takeover",
        "server_no_context_takeover=1",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover=true",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=8",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=1a",
        "server_max_window_bits=100",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=08",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits; client_max_window_bits=10",
    ] {
        assert_eq!(answered(&format!("permessage-deflate; {params}"), &plain()), None, "{params}");
    }
    assert_eq!(answered("x-webkit-deflate-frame", &plain()), None);
    assert_eq!(answered("", &plain()), None);
    let off = Settings { enabled: false, ..plain() };
    assert_eq!(answered("permessage-deflate", &off), None);
    assert_eq!(offer(&off), None);
}

#[test]
fn space_and_quotes_do_not_matter() {
    for offered in [
        "permessage-deflate;server_max_window_bits=10",
        "\t permessage-deflate \t;\t server_max_window_bits \t= \t10 \t",
        "permessage-deflate; server_max_window_bits=\"10\"",
        "permessage-deflate; server_max_window_bits=\"\\1\\0\"",
        ",permessage-deflate; server_max_window_bits=10,",
    ] {
        assert_answer(offered, &plain(), "permessage-deflate; server_max_window_bits=10");
    }
}

#[test]
fn what_is_no_list_of_extensions_is_an_error() {
    for header in [
        ";",
        "=",
        "a b",
        "a;",
        "a;;b",
        "a; b=",
        "a; =1",
        "a; b=\"",
        "a; b=\"c",
        "a; b=\"c\\",
        "a; b=\"\"",
        "a; b=\"c d\"",
        "a; b=\"c\"d",
        "a; b=c=d",
        "\"a\"",
        "a/b",
    ] {
        let value = HeaderValue::from_str(header).unwrap();
        assert_eq!(parse_offers([&value]), Err(Malformed::Syntax), "{header}");
    }
    let latin = HeaderValue::from_bytes(b"permessage-deflate; \xe9").unwrap();
    assert_eq!(parse_offers([&latin]), Err(Malformed::Syntax));
}

#[test]
fn extensions_and_parameters_are_counted() {
    let line = |text: String| HeaderValue::try_from(text).unwrap();
    let sixteen = line("permessage-deflate,".repeat(16));
    assert_eq!(parse_offers([&sixteen]).unwrap().len(), 16);
    assert_eq!(parse_offers([&line("a,".repeat(17))]), Err(Malformed::TooMany));
    // Over several header lines too.
    assert_eq!(parse_offers([&sixteen, &line("a".into())]), Err(Malformed::TooMany));
    assert!(parse_offers([&line(format!("a{}", ";b=c".repeat(16)))]).is_ok());
    assert_eq!(parse_offers([&line(format!("a{}", ";b=c".repeat(17)))]), Err(Malformed::TooMany));
    // Empty elements are none.
    assert_eq!(parse_offers([&line(",".repeat(10_000))]), Ok(vec![]));
}

#[test]
fn a_client_offers_what_it_wants() {
    let text = |settings: &Settings| offer(settings).unwrap().to_str().unwrap().to_owned();
    assert_eq!(text(&plain()), "permessage-deflate; client_max_window_bits");
    assert_eq!(
        text(&Settings::default()),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         client_max_window_bits"
    );
    let narrow = Settings { server_max_window_bits: 10, client_max_window_bits: 8, ..plain() };
    assert_eq!(
        text(&narrow),
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"
    );
}

#[test]
fn a_client_takes_the_answers_that_it_asked_for() {
    let narrow =
        Settings { server_max_window_bits: 12, client_max_window_bits: 11, ..Settings::default() };
    for (header, settings, expected) in [
        ("permessage-deflate", plain(), (false, false, 15, 15)),
        ("permessage-deflate; server_no_context_takeover", plain(), (true, false, 15, 15)),
        ("permessage-deflate; client_no_context_takeover", plain(), (false, true, 15, 15)),
        ("permessage-deflate; server_max_window_bits=8", plain(), (false, false, 8, 15)),
        ("permessage-deflate; client_max_window_bits=\"10\"", plain(), (false, false, 15, 10)),
        ("permessage-deflate", Settings::default(), (false, true, 15, 15)),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=12",
            narrow,
            (true, true, 12, 11),
        ),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; \
             client_max_window_bits=8",
            narrow,
            (true, true, 9, 8),
        ),
    ] {
        let agreed = accepted(header, &settings).unwrap().unwrap();
        let fields = (
            agreed.server_no_context_takeover,
            agreed.client_no_context_takeover,
            agreed.server_max_window_bits,
            agreed.client_max_window_bits,
        );
        assert_eq!(fields, expected, "{header}");
    }
    assert_eq!(accept([], &plain()), Ok(None));
    assert_eq!(accepted(" , ", &plain()), Ok(None));
}

#[test]
fn a_client_refuses_other_answers() {
    let narrow =
        Settings { server_max_window_bits: 12, client_max_window_bits: 11, ..Settings::default() };
    let fresh = "permessage-deflate; server_no_context_takeover";
    for (header, settings, expected) in [
        ("x-webkit-deflate-frame", plain(), AnswerError::Unasked("x-webkit-deflate-frame".into())),
        ("permessage-deflate, foo", plain(), AnswerError::Unasked("foo".into())),
        (
            "permessage-deflate",
            Settings { enabled: false, ..plain() },
            AnswerError::Unasked("permessage-deflate".into()),
        ),
        ("permessage-deflate, permessage-deflate", plain(), AnswerError::Twice),
        (
            "permessage-deflate; what",
            plain(),
            AnswerError::Param(ParamError::Unknown("what".into())),
        ),
        (
            "permessage-deflate; server_max_window_bits=16",
            plain(),
            AnswerError::Param(ParamError::Value("server_max_window_bits")),
        ),
        (
            "permessage-deflate; client_max_window_bits",
            plain(),
            AnswerError::Param(ParamError::Value("client_max_window_bits")),
        ),
        (
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            plain(),
            AnswerError::Param(ParamError::Repeated("server_no_context_takeover")),
        ),
        (fresh, narrow, AnswerError::Ignored("server_max_window_bits")),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=13",
            narrow,
            AnswerError::Ignored("server_max_window_bits"),
        ),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; \
             client_max_window_bits=12",
            narrow,
            AnswerError::Ignored("client_max_window_bits"),
        ),
        ("permessage-deflate;", plain(), AnswerError::Malformed(Malformed::Syntax)),
    ] {
        assert_eq!(accepted(header, &settings), Err(expected), "{header}");
    }
}

#[test]
fn any_two_settings_agree() {
    let all = |level: u8| {
        (0..4_u8).flat_map(move |flags| {
            (8..=15).flat_map(move |server| {
                (8..=15).map(move |client| Settings {
                    level,
                    server_no_context_takeover: flags & 1 == 0,
                    client_no_context_takeover: flags & 2 == 0,
                    server_max_window_bits: server,
                    client_max_window_bits: client,
                    ..Settings::default()
                })
            })
        })
    };
    for client in all(1) {
        let offers = parse_offers([&offer(&client).unwrap()]).unwrap();
        for server in all(1) {
            let (agreement, value) = answer(&offers, &server).expect("an answer");
            assert_eq!(accept([&value], &client), Ok(Some(agreement)), "{client:?} {server:?}");
        }
    }
}
