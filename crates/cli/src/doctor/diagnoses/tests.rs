use std::collections::BTreeSet;

use super::*;

#[test]
fn codes_are_there_once_and_have_both_languages() {
    let codes: BTreeSet<_> = DIAGNOSES.iter().map(|diagnosis| diagnosis.code).collect();
    assert_eq!(codes.len(), DIAGNOSES.len());
    let korean = |text: &str| text.chars().any(|c| ('\u{ac00}'..='\u{d7a3}').contains(&c));
    for diagnosis in DIAGNOSES {
        let texts = [diagnosis.title, diagnosis.means, diagnosis.cure];
        for text in texts.into_iter().chain(diagnosis.unseen) {
            assert!(korean(text.ko) && !text.en.is_empty(), "{}: {}", diagnosis.code, text.en);
            assert!(!korean(text.en), "{}", diagnosis.code);
        }
    }
    // Every number of the plan is there.
    let wanted = (1..=16).chain(20..=38).chain(40..=56).map(|n| format!("D{n:02}"));
    assert!(wanted.clone().all(|code| by_code(&code).is_some()));
    assert_eq!(wanted.count(), codes.len());
}

#[test]
fn each_has_a_file_of_its_own() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctor/diagnoses");
    let files: Vec<_> = std::fs::read_dir(here)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for diagnosis in DIAGNOSES {
        let start = format!("{}_", diagnosis.code.to_lowercase());
        assert!(files.iter().any(|file| file.starts_with(&start)), "{}", diagnosis.code);
    }
}
