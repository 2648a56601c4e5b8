//! Conversations with a session that echoes; played in memory here, and over sockets by the server's
//! tests.

/// Polling, then a WebSocket.
pub const UPGRADE: &str = r#"
    a → GET ?EIO=4&transport=polling
    a ← 200 0{"sid":"[sid]","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}
    b → POST ?EIO=4&transport=polling&sid=[sid] 4one
    b ← 200 ok
    c → GET ?EIO=4&transport=polling&sid=[sid]
    c ← 200 4one
    // A poll waits while a WebSocket comes, and is let go for it.
    d → GET ?EIO=4&transport=polling&sid=[sid]
    w → WS ?EIO=4&transport=websocket&sid=[sid]
    w → 2probe
    w ← 3probe
    d ← 200 6
    // One that comes still is let go as well, and what was said by then is not lost.
    e → POST ?EIO=4&transport=polling&sid=[sid] 4two
    e ← 200 ok
    w → 5
    w → 4three
    w ← 4two
    w ← 4three
    w → <01 02>
    w ← <01 02>
    f → GET ?EIO=4&transport=polling&sid=[sid]
    f ← 400 {"code":3,"message":"Bad request"}
    + 320ms
    w ← 2
    w → 3
    w → 1
    w ← close 1000
    g → GET ?EIO=4&transport=polling&sid=[sid]
    g ← 400 {"code":1,"message":"Session ID unknown"}
"#;

/// A WebSocket that comes and goes; polling goes on, until a poll is broken off.
pub const ABANDONED: &str = r#"
    a → GET ?EIO=4&transport=polling
    a ← 200 0{"sid":"[sid]",[rest]}
    w → WS ?EIO=4&transport=websocket&sid=[sid]
    w → 2probe
    w ← 3probe
    w → hang up
    b → POST ?EIO=4&transport=polling&sid=[sid] 4still
    b ← 200 ok
    c → GET ?EIO=4&transport=polling&sid=[sid]
    c ← 200 4still
    // Who says anything but a probe is turned away.
    x → WS ?EIO=4&transport=websocket&sid=[sid]
    x → 4early
    x ← close 1000
    d → GET ?EIO=4&transport=polling&sid=[sid]
    + 50ms
    d → hang up
    + 50ms
    e → GET ?EIO=4&transport=polling&sid=[sid]
    e ← 400 {"code":1,"message":"Session ID unknown"}
"#;

/// Two polls at a time.
pub const OVERLAP: &str = r#"
    a → GET ?EIO=4&transport=polling
    a ← 200 0{"sid":"[sid]",[rest]}
    b → GET ?EIO=4&transport=polling&sid=[sid]
    + 50ms
    c → GET ?EIO=4&transport=polling&sid=[sid]
    c ← 400 {"code":3,"message":"Bad request"}
    b ← 200 1
    d → GET ?EIO=4&transport=polling&sid=[sid]
    d ← 400 {"code":1,"message":"Session ID unknown"}
"#;

/// Who does not answer is gone.
pub const SILENT: &str = r#"
    w → WS ?EIO=4&transport=websocket
    w ← 0{"sid":"[sid]","upgrades":[],[rest]}
    + 320ms
    w ← 2
    + 220ms
    w ← close 1000
    a → GET ?EIO=4&transport=polling
    a ← 200 0{"sid":"[other]",[more]}
    + 550ms
    b → GET ?EIO=4&transport=polling&sid=[other]
    b ← 400 {"code":1,"message":"Session ID unknown"}
"#;
