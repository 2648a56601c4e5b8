//! Secrets are printed nowhere.

use std::io::Write as _;

use super::{
    bed,
    certificates::File,
    wire::{Answering, Server, close, head, listen, opened, say},
};

const SECRETS: [&str; 5] =
    ["tok3n-of-ana", "c00kie-of-ana", "qu3ry-of-ana", "s3t-by-server", "h3ader-of-ana"];

#[test]
fn neither_text_nor_json_nor_report_has_them() {
    // Everything that was sent comes back in the body.
    let server = Server::new(|mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        let echo = format!("{head:?}");
        say(&mut stream, "401 Unauthorized\r\nSet-Cookie: sid=s3t-by-server; Path=/", &echo);
    });
    let report = File::new("report.json", "");
    let url = format!(
        "ws://ana:p4ss-of-ana@{}/ws?access_token=qu3ry-of-ana&room=kitchen",
        server.address
    );
    let arguments: Vec<String> = [
        url.as_str(),
        "--token",
        "tok3n-of-ana",
        "--header",
        "Cookie: session=c00kie-of-ana",
        "--header",
        "X-Api-Key: h3ader-of-ana",
        "--report",
        report.path(),
    ]
    .map(str::to_owned)
    .to_vec();
    let text = bed::doctor(&arguments).output().unwrap();
    let json = bed::doctor(&arguments).arg("--json").output().unwrap();
    let written = std::fs::read_to_string(report.path()).unwrap();
    for output in [&text.stdout, &text.stderr, &json.stdout, written.as_bytes()] {
        let output = String::from_utf8_lossy(output);
        for secret in SECRETS.iter().chain(&["p4ss-of-ana", "YW5hOnA0c3Mtb2YtYW5h"]) {
            assert!(!output.contains(secret), "{secret}: {output}");
        }
    }
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("room=kitchen") && text.contains("D27"), "{text}");
    assert!(written.contains("\"codes\"") || written.contains("\"findings\""), "{written}");
}

/// Escaped in JSON, read by the server, or in a place that is no header of secrets.
#[test]
fn secrets_are_found_however_they_are_written() {
    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl";
    const PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.dG9rZW4tb2YtYW5h";
    let server = Server::new(|mut stream, _| {
        if head(&mut stream).is_some() {
            let body = format!(
                "{{\"cookie\":\"c00\\\"kie-of-ana\",\"query\":\"qu3ry/of+ana\",\
                 \"password\":\"p4ss-of-ana\",\"new\":\"{JWT}\",\"protocol\":\"{PROTOCOL}\"}} c00\"kie-of-ana"
            );
            say(&mut stream, "403 Forbidden\r\nContent-Type: application/json", &body);
        }
    });
    let url = format!("ws://ana:p4ss-of-ana@{}/ws?token=qu3ry%2Fof%2Bana", server.address);
    let cookie = "Cookie: session=c00\"kie-of-ana";
    let arguments = [&url, "--header", cookie, "--subprotocol", PROTOCOL, "--subprotocol", "chat"];
    let arguments = arguments.map(str::to_owned);
    let text = bed::doctor(&arguments).output().unwrap().stdout;
    let json = bed::doctor(&arguments).arg("--json").output().unwrap().stdout;
    for output in [text, json] {
        let output = String::from_utf8(output).unwrap();
        for secret in ["kie-of-ana", "qu3ry/", "qu3ry%", "p4ss-of-ana", "eyJhbGci", "dG9rZW4"] {
            assert!(!output.contains(secret), "{secret}: {output}");
        }
        assert!(output.contains("D27") && output.contains("protocol"), "{output}");
    }
}

/// What `doctor` says of a server that answers so, as text and as JSON.
fn said_of(body: &'static str, flags: &[&str]) -> [String; 2] {
    let server = Server::new(move |mut stream, _| {
        if head(&mut stream).is_some() {
            say(
                &mut stream,
                "403 Forbidden\r\nRefresh: 0; url=https://x/?token=zq-in-refresh",
                body,
            );
        }
    });
    let mut arguments = vec![server.url("/ws?otp=zq-otp&bearer=zq-bearer&hmac=zq-hmac")];
    arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
    let text = bed::doctor(&arguments).output().unwrap().stdout;
    let json = bed::doctor(&arguments).arg("--json").output().unwrap().stdout;
    [text, json].map(|output| String::from_utf8(output).unwrap())
}

/// Secrets of others, which a server says, are no more for a bug report than one's own.
#[test]
fn secrets_that_servers_say_are_hidden() {
    for body in [
        r#"{"password":"zq-X","a":{"access_token":"zq-X","client_secret":"zq-X"}}"#,
        r#"{"refresh_token":"zq-X","token":9912345678}"#,
        "Authorization: Bearer zq-X\nAuthorization: Basic enE6eHk5\n",
        "password=zq-X&x=1",
        "token: zq-X",
        "<form><input type=\"hidden\" name=\"csrf_token\" value=\"zq-X\"></form>",
        "{&quot;token&quot;:&quot;zq-X&quot;}",
        "<table><tr><td>DB_PASSWORD</td><td class=\"code\"><pre>&#x27;zq-X&#x27;</pre></td></tr></table>",
        "Authorization: Digest username=\"a\", response=\"zq-X\"",
        "AWS_SECRET_ACCESS_KEY=zq-X\nDATABASE_URL=postgres://app:zq-X@db/x\nredis://:zq-X@10.0.0.1\n",
    ] {
        for output in said_of(body, &[]) {
            for secret in ["zq-", "9912345678", "enE6eHk5"] {
                assert!(!output.contains(secret), "{secret} of {body}: {output}");
            }
            assert!(output.contains("403"), "{output}");
        }
    }
}

#[test]
fn what_tells_why_stays_readable() {
    for (body, is) in [
        (r#"{"code":1,"message":"Session ID unknown"}"#, "Session ID unknown"),
        (r#"{"error":"token expired"}"#, "token expired"),
        ("invalid token: expired", "invalid token: expired"),
        ("Missing Authorization header", "Missing Authorization header"),
        ("access token: Session has expired on Friday", "Session has expired on Friday"),
        ("Authorization: Bearer <token>", "Bearer <token>"),
        ("<html><title>Log in</title><label>Password:</label>", "<label>Password:</label>"),
    ] {
        for output in said_of(body, &[]) {
            assert!(output.contains(is), "{is}: {output}");
        }
    }
}

/// A key may be in any header, and browsers have no place for a token but a subprotocol.
#[test]
fn secrets_in_odd_places_of_the_request_are_hidden() {
    let flags = [
        "--header",
        "Ocp-Apim-Subscription-Key: zq-X",
        "--header",
        "X-Custom-Thing: zq-X",
        "--header",
        "X-User: ana:Basic enE6eHk5",
        "--header",
        "Accept-Language: ko-KR",
        "--subprotocol",
        "bearer-zq-X",
        "--subprotocol",
        "chat.v1",
    ];
    let [text, json] = said_of("no", &flags);
    for output in [&text, &json] {
        for secret in ["zq-", "enE6eHk5"] {
            assert!(!output.contains(secret), "{secret}: {output}");
        }
    }
    for shown in ["X-Custom-Thing: …", "ko-KR", "chat.v1"] {
        assert!(json.contains(shown), "{shown}: {json}");
    }
}

#[test]
fn a_close_reason_has_none() {
    let server = opened(Answering::default(), |stream, _| {
        drop(stream.write_all(&close(1008, "token=zq-X expired")));
        listen(stream);
    });
    let told = bed::examine(&[server.url("/ws")]);
    let json = told.json.to_string();
    assert!(!json.contains("zq-X") && json.contains("token=… expired"), "{json}");
}

/// A file for the token, which the list of processes does not show.
#[test]
fn a_token_is_read_from_a_file() {
    let server = Server::new(|mut stream, _| {
        let Some(head) = head(&mut stream) else { return };
        let right = head.header("authorization") == Some("Bearer tok3n-of-ana");
        say(&mut stream, if right { "418 Right" } else { "401 Wrong" }, "");
    });
    let file = File::new("token", "tok3n-of-ana\n");
    let told = bed::examine(&[server.url("/ws"), "--token".into(), format!("@{}", file.path())]);
    assert!(told.json["evidence"]["answer"].to_string().contains("418"), "{}", told.json);
}

#[test]
fn sizes_have_units_and_their_flag_an_equals_sign() {
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_madang"))
            .args([&["doctor"], arguments].concat())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, errors) = run(&["ws://127.0.0.1:1/", "--max-size", "2M"]);
    assert!(code == Some(2) && errors.contains("--max-size=2M"), "{errors}");
    let (code, errors) = run(&["ws://127.0.0.1:1/", "--max-size=much"]);
    assert!(code == Some(2) && errors.contains("64KiB"), "{errors}");
    let (code, errors) = run(&["ws://127.0.0.1:1/", "--max-size=2M", "--json"]);
    assert_eq!((code, &*errors), (Some(10), ""));
}

#[test]
fn korean_and_english_say_the_same() {
    let server = Server::new(|mut stream, _| {
        if head(&mut stream).is_some() {
            say(&mut stream, "404 Not Found", "");
        }
    });
    let say = |language: &str| {
        let arguments = [server.url("/ws"), "--lang".to_owned(), language.to_owned()];
        String::from_utf8(bed::doctor(&arguments).output().unwrap().stdout).unwrap()
    };
    assert!(say("en").contains("D23: nothing is at this path"));
    assert!(say("ko").contains("D23: 이 경로에는 아무것도 없습니다"));
    let by_locale = |name: &str, value: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_madang"))
            .args(["doctor", &server.url("/ws")])
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .env("LANG", "C")
            .env(name, value)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(by_locale("LC_ALL", "ko_KR.UTF-8").contains("할 일"));
    assert!(by_locale("LANG", "en_US.UTF-8").contains("to do"));
}

/// What makes no sense is told in a sentence, with exit code 2.
#[test]
fn bad_arguments() {
    for (arguments, hint) in [
        (&[][..], "URL"),
        (&["ftp://x"], "no URL"),
        (&["ws://x", "--hold", "soon"], "no time"),
        (&["ws://x", "--as", "smoke"], "socketio"),
        (&["wss://x", "--ca", "/no/such/file"], "/no/such/file"),
        (&["ws://x", "--header", "Upgrade: x"], "itself"),
        (&["ws://x", "--token", "@/no/such/file"], "--token @/no/such/file"),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_madang"))
            .arg("doctor")
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(hint), "{arguments:?}: {errors}");
    }
}

#[test]
fn help_says_what_cannot_be_seen_and_the_readme_has_every_flag() {
    let run = |arguments: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_madang")).args(arguments).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let help = run(&["doctor", "--help"]);
    for word in ["D13", "D48", "D56", "  10  ", "  60  ", "cannot be seen from outside"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let readme = include_str!("../../../../README.md");
    let flags: Vec<_> = help.lines().map(str::trim).filter(|line| line.starts_with("--")).collect();
    assert!(flags.len() >= 18, "{help}");
    for flag in flags {
        let name = flag.split([' ', '[', '=']).next().unwrap();
        assert!(readme.contains(&format!("`{name}")), "the README says nothing of {name}");
    }
    let list = run(&["explain", "--lang", "ko"]);
    assert!(list.contains("M501") && list.contains("D22   프록시"), "{list}");
    assert!(run(&["explain", "d22"]).contains("$http_upgrade"));
}
