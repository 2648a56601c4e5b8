//! Texts in two languages.

use serde::Serialize;

/// The language of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lang {
    /// English.
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// From the locale, in the order that POSIX gives its variables (XBD §8.2).
    pub(crate) fn of_locale() -> Self {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let locale = names.iter().filter_map(|name| std::env::var(name).ok());
        Self::of(&locale.into_iter().find(|value| !value.is_empty()).unwrap_or_default())
    }

    fn of(locale: &str) -> Self {
        let language = locale.split(['_', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("ko") { Self::Ko } else { Self::En }
    }
}

/// A fixed text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) en: &'static str,
    pub(crate) ko: &'static str,
}

impl Text {
    pub(crate) const fn new(en: &'static str, ko: &'static str) -> Self {
        Self { en, ko }
    }

    pub(crate) const fn get(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Ko => self.ko,
        }
    }
}

/// A text that was put together; `said!` makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    pub(crate) en: String,
    pub(crate) ko: String,
}

impl Said {
    /// What is the same in both, such as a line that came over the wire.
    pub(crate) fn same(text: impl Into<String>) -> Self {
        let en: String = text.into();
        Self { ko: en.clone(), en }
    }

    pub(crate) fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Ko => &self.ko,
        }
    }

    /// Followed by another.
    pub(crate) fn join(self, other: &Self) -> Self {
        Self { en: format!("{} {}", self.en, other.en), ko: format!("{} {}", self.ko, other.ko) }
    }
}

impl From<Text> for Said {
    fn from(text: Text) -> Self {
        Self { en: text.en.to_owned(), ko: text.ko.to_owned() }
    }
}

/// `said!("English {x}", "Korean {x}")`, as `format!` twice.
macro_rules! said {
    ($en:literal, $ko:literal) => {
        $crate::doctor::lang::Said { en: format!($en), ko: format!($ko) }
    };
}
pub(crate) use said;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides() {
        for (locale, lang) in [
            ("ko_KR.UTF-8", Lang::Ko),
            ("ko", Lang::Ko),
            ("kok_IN", Lang::En),
            ("C", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(Lang::of(locale), lang, "{locale}");
        }
        let x = 3;
        assert_eq!(said!("{x} days", "{x}일").get(Lang::Ko), "3일");
    }
}
