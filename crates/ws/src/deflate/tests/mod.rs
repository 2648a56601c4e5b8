mod codec;
mod negotiate;
mod panics;

use std::path::Path;

/// Runs `body` on every file of a committed corpus, and on every prefix of the short ones.
pub(crate) fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files = 0;
    for entry in folder.read_dir().expect("the corpus is committed") {
        let path = entry.expect("a readable folder").path();
        let data = std::fs::read(&path).expect("a readable file");
        for end in if data.len() > 300 { data.len() } else { 0 }..=data.len() {
            body(&data[..end]);
        }
        files += 1;
    }
    assert!(files >= 10, "{} has {files} files", folder.display());
}

#[test]
fn corpus() {
    replay("deflate", super::fuzzing::deflate);
}
