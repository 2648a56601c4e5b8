//! Conversations with a session that echoes, whose bodies end after 4,096 bytes.

/// A streaming body, and what is said meanwhile.
pub const STREAMING: &str = r#"
    s → POST 000/one/xhr_streaming
    s ← 200 …
    s ← | [prelude]
    s ← | o
    a → POST 000/one/xhr_send ["hello","wor\nld"]
    a ← 204
    s ← | a["hello","wor\nld"]
    // There is one receiver at a time.
    t → POST 000/one/xhr_streaming
    t ← 200 …
    t ← | [prelude]
    t ← | c[2010,"Another connection still open"]
    t ← end
    b → POST 000/one/xhr_send
    b ← 500 Payload expected.
    c → POST 000/one/xhr_send ["x
    c ← 500 Broken JSON encoding.
    d → POST 000/nobody/xhr_send ["x"]
    d ← 404 [text]
    // A receiver that breaks off takes its session with it.
    s → hang up
    + 50ms
    e → POST 000/one/xhr_send ["x"]
    e ← 404 [text]
"#;

/// Polling, and what waits for the next poll.
pub const POLLING: &str = r#"
    a → POST 000/two/xhr
    a ← 200 o
    b → POST 000/two/xhr_send ["one"]
    b ← 204
    c → POST 000/two/xhr_send ["two"]
    c ← 204
    d → POST 001/two/xhr
    d ← 200 a["one","two"]
"#;
