//! What this program was built from.

use std::sync::LazyLock;

/// The version and the facts of the build (`--version`; `-V` is the version alone).
pub(crate) static LONG: LazyLock<String> = LazyLock::new(|| {
    let features = match madang::FEATURES {
        [] => "none".to_owned(),
        features => features.join(", "),
    };
    let fact = |name: &str, value: &str| format!("\n{name:10}{value}");
    [
        env!("CARGO_PKG_VERSION").to_owned(),
        fact("commit", env!("MADANG_BUILD_COMMIT")),
        fact("date", env!("MADANG_BUILD_DATE")),
        fact("target", env!("MADANG_BUILD_TARGET")),
        fact("profile", env!("MADANG_BUILD_PROFILE")),
        fact("compiler", env!("MADANG_BUILD_RUSTC")),
        fact("features", &features),
    ]
    .concat()
});
