//! SIGTERM and Ctrl-C.

use std::io::Read as _;

use rustix::process::Signal;

use super::{Serving, upgraded};

/// A close frame of the server: its code.
fn close_code(stream: &mut impl std::io::Read) -> u16 {
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 0x88, "a close frame comes next");
    u16::from_be_bytes([head[2], head[3]])
}

#[test]
fn clients_are_told_1001_and_the_program_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let serving = Serving::local(&[]);
        let mut client = upgraded(serving.address(), "/ws/yard");
        serving.signal(signal);
        assert_eq!(close_code(&mut client), 1001);
        // It goes without an answer, which ends its connection too.
        drop(client);
        let (code, errors) = serving.end();
        assert_eq!(code, Some(0), "{errors}");
        assert!(errors.contains("stopping"), "{errors}");
    }
}

#[test]
fn a_client_that_does_not_answer_is_cut_after_the_time_for_goodbyes() {
    let serving = Serving::local(&["--close-timeout", "1"]);
    let mut client = upgraded(serving.address(), "/ws");
    serving.signal(Signal::TERM);
    assert_eq!(close_code(&mut client), 1001);
    assert_eq!(serving.end().0, Some(0));
    let mut rest = Vec::new();
    drop(client.read_to_end(&mut rest));
}

#[test]
fn a_signal_right_after_the_greeting_is_a_stop_like_any_other() {
    for _ in 0..5 {
        let serving = Serving::local(&[]);
        serving.signal(Signal::TERM);
        assert_eq!(serving.end().0, Some(0));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let serving = Serving::local(&["--close-timeout", "3600"]);
    let mut client = upgraded(serving.address(), "/ws");
    serving.signal(Signal::INT);
    // The client has heard of the first signal and does not answer.
    assert_eq!(close_code(&mut client), 1001);
    serving.signal(Signal::INT);
    let (code, errors) = serving.end();
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("stopped before all clients had gone"), "{errors}");
}
