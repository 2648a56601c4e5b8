use std::path::Path;

use super::{KEYS, Origin, Settings, effective, file, sample};

fn read(text: &str) -> (Settings, Vec<String>) {
    let (mut settings, mut problems) = (Settings::defaults(), Vec::new());
    file::read(Path::new("m.toml"), text, &mut settings, &mut problems);
    (settings, problems)
}

#[test]
fn every_default_can_be_read() {
    let with_default = KEYS.iter().filter(|key| !key.default.is_empty()).count();
    assert_eq!(Settings::defaults().values.len(), with_default);
}

#[test]
fn values_remember_their_line() {
    let (settings, problems) =
        read("log = \"warn\"\n[websocket]\n\nmax_message = \"2MiB\"\ndeflate = false\n");
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(settings.size("websocket.max_message"), 2 << 20);
    assert_eq!(settings.origin("websocket.max_message"), Origin::File("m.toml".into(), 4));
    assert!(!settings.switch("websocket.deflate"));
    assert_eq!(settings.text("log"), Some("warn"));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    let (_, problems) = read(
        "logs = \"x\"\n[server]\nworkers = \"two\"\nlisten = \"a\"\nworker = 1\n\
         max_message = 5\n[websokcet]\nx = 1\n[outbox]\npolicy = \"wait\"\n",
    );
    let expected = [
        "m.toml:1: there is no key `logs`; do you mean `log`?",
        "m.toml:3: server.workers: write a whole number from 1 to 1024",
        "m.toml:4: server.listen: write a list",
        "m.toml:5: there is no key `server.worker`; do you mean `server.workers`?",
        "m.toml:6: there is no key `server.max_message`; do you mean `websocket.max_message`?",
        "m.toml:7: there is no key `websokcet`",
        "m.toml:10: outbox.policy: write one of disconnect, drop-oldest, latest",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for line in expected {
        assert!(problems.iter().any(|problem| problem.starts_with(line)), "{line} {problems:#?}");
    }
    let (_, problems) = read("[server]\nworkers = \n");
    assert!(problems[0].starts_with("m.toml:2: "), "{problems:?}");
}

#[test]
fn what_is_in_force_can_be_read_again() {
    let (settings, _) =
        read("[server]\nstatic = \"a \\\"b\\\"\"\nallowed_origins = [\"http://a\"]\n");
    let (again, problems) = read(&effective(&settings));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(settings.changes(&again), (Vec::new(), Vec::new()));
    assert!(effective(&settings).contains("workers is not set"));
    assert!(effective(&settings).contains("\"http://a\"] # m.toml:3"));
}

#[test]
fn a_change_is_live_or_waits_for_a_restart() {
    let (old, _) = read("");
    let (new, _) = read("log = \"debug\"\n[server]\nworkers = 3\n");
    assert_eq!(old.changes(&new), (vec!["log"], vec!["server.workers"]));
}

#[test]
fn the_sample_is_the_one_in_the_docs_and_names_every_key_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/madang.toml");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == sample(), "run `cargo run -- check-config --sample > docs/madang.toml`");
    // With its keys taken out of the comments, it sets every default.
    let is_key = |line: &&str| line.contains(" = ") && !line.contains('…');
    let keys = sample();
    let keys: Vec<_> = keys
        .lines()
        .filter_map(|line| {
            line.strip_prefix("# ").filter(is_key).or(line.starts_with('[').then_some(line))
        })
        .collect();
    let (settings, problems) = read(&keys.join("\n"));
    assert!(problems.is_empty(), "{problems:?}");
    let from_file = settings.values.values().filter(|(_, o)| matches!(o, Origin::File(..))).count();
    assert_eq!(from_file, KEYS.iter().filter(|key| !key.default.is_empty()).count());
    assert_eq!(Settings::defaults().changes(&settings), (Vec::new(), Vec::new()));
}
