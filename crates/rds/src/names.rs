//! Names of accounts and databases, character sets, and texts for people: what they may look like. Everything that
//! passes here can stand between double quotes in a configuration or a statement without an escape.

use base::ApiError;
use terms::text::deceives;

use crate::errors::{ACCOUNT_NAME, CHARACTER_SET, DATABASE_NAME};
use crate::model::Engine;

/// Names that engines, their configuration or this service have for themselves.
const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "all",
    "aurora",
    "current_role",
    "current_user",
    "guest",
    "information_schema",
    "mariadb",
    "mysql",
    "none",
    "performance_schema",
    "postgres",
    "public",
    "replication",
    "replicator",
    "root",
    "samegroup",
    "samerole",
    "sameuser",
    "session_user",
    "superuser",
    "sys",
    "system",
    "template0",
    "template1",
    "test",
    "user",
];
const RESERVED_PREFIXES: &[&str] = &["awan_", "pg_", "rds_"];

/// Character sets of PostgreSQL that a database may have; all of them, but UTF8, with the locale `C` only.
const POSTGRES_SETS: &[&str] = &[
    "UTF8",
    "EUC_CN",
    "EUC_JP",
    "EUC_JIS_2004",
    "EUC_KR",
    "EUC_TW",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "KOI8R",
    "KOI8U",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "SQL_ASCII",
    "WIN866",
    "WIN874",
    "WIN1250",
    "WIN1251",
    "WIN1252",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
    "WIN1258",
];
/// Locales that every server has, whatever machine it runs on.
const POSTGRES_LOCALES: &[&str] = &["C", "POSIX", "C.UTF-8"];
/// The locale of clusters, and so of a database that asked for none.
pub(crate) const CLUSTER_LOCALE: &str = "C.UTF-8";
const MARIADB_SETS: &[&str] = &["utf8mb4", "utf8", "utf8mb3", "latin1", "gbk", "ascii", "binary"];

fn free(name: &str) -> bool {
    !RESERVED.contains(&name) && !RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a tenant's account may be called so: 2 to 63 of a–z, 0–9 and `_`, a letter first, and a letter or digit
/// last.
pub(crate) fn is_account(name: &str) -> bool {
    let bytes = name.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    (2..=63).contains(&bytes.len())
        && bytes.iter().all(plain)
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'_'
        && free(name)
}

/// Whether a tenant's database may be called so: as an account, and `-` within.
pub(crate) fn is_database(name: &str) -> bool {
    !name.starts_with('-') && !name.ends_with('-') && {
        let plain = name.replace('-', "_");
        is_account(&plain) && free(name)
    }
}

/// As [`is_account`].
///
/// # Errors
/// `InvalidAccountName.Malformed`.
pub(crate) fn account(name: &str) -> Result<(), ApiError> {
    if is_account(name) { Ok(()) } else { Err(ACCOUNT_NAME.error(rule("An account"))) }
}

/// As [`is_database`].
///
/// # Errors
/// `InvalidDBName.Malformed`.
pub(crate) fn database(name: &str) -> Result<(), ApiError> {
    if is_database(name) { Ok(()) } else { Err(DATABASE_NAME.error(rule("A database"))) }
}

fn rule(what: &str) -> String {
    format!(
        "{what} has a name of 2 to 63 lower-case letters, digits and _ (a database also -), which begins with a \
         letter, ends with a letter or digit, and is not one that the engine or the service has for itself."
    )
}

/// A text for people, of at most 256 characters in one line.
///
/// # Errors
/// `InvalidParameter` with the parameter's name.
pub(crate) fn description(parameter: &'static str, text: &str) -> Result<(), ApiError> {
    if text.chars().count() <= 256 && !text.contains(|c: char| c == '\n' || deceives(c)) {
        return Ok(());
    }
    let message = format!("{parameter} is one line of at most 256 characters.");
    Err(base::code::INVALID_PARAMETER.error(message).suffix(parameter))
}

/// A character set with what orders and classes its characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Locale {
    /// `UTF8`, `utf8mb4`.
    pub(crate) charset: String,
    /// Empty for the engine's own.
    pub(crate) collation: String,
    /// Empty for the engine's own.
    pub(crate) ctype: String,
}

/// Reads `UTF8`, `UTF8,C` or `UTF8,C,C.UTF-8`; for MariaDB `utf8mb4`, with a collation beside it.
///
/// # Errors
/// `InvalidCharacterSetName.Malformed`.
pub(crate) fn locale(engine: Engine, text: &str, collation: &str) -> Result<Locale, ApiError> {
    let found = match engine {
        Engine::Postgres => postgres(text, collation),
        Engine::MariaDb => mariadb(text, collation),
    };
    let sets = match engine {
        Engine::Postgres => POSTGRES_SETS,
        Engine::MariaDb => MARIADB_SETS,
    };
    found.ok_or_else(|| {
        CHARACTER_SET.error(format!(
            "The character set is one of {}; for PostgreSQL with a collation and classes behind it, as UTF8,C,C.UTF-8.",
            sets.join(", ")
        ))
    })
}

fn postgres(text: &str, collation: &str) -> Option<Locale> {
    let mut parts = text.split(',').map(str::trim);
    let wanted = parts.next().filter(|set| !set.is_empty()).unwrap_or("UTF8");
    let charset = POSTGRES_SETS.iter().find(|set| set.eq_ignore_ascii_case(wanted))?;
    let collation = parts.next().unwrap_or(collation);
    let ctype = parts.next().unwrap_or(collation);
    if parts.next().is_some() {
        return None;
    }
    let known = |name: &str| -> Option<String> {
        let alike =
            |locale: &&&str| locale.replace('-', "").eq_ignore_ascii_case(&name.replace('-', ""));
        match (name, *charset) {
            ("", "UTF8") => Some(String::new()),
            ("", _) => Some("C".to_owned()),
            _ => POSTGRES_LOCALES.iter().find(alike).map(|locale| (*locale).to_owned()),
        }
    };
    let (collation, ctype) = (known(collation)?, known(ctype)?);
    let fits = |locale: &str| *charset == "UTF8" || matches!(locale, "C" | "POSIX");
    (fits(&collation) && fits(&ctype)).then(|| Locale {
        charset: (*charset).to_owned(),
        collation,
        ctype,
    })
}

fn mariadb(text: &str, collation: &str) -> Option<Locale> {
    let wanted = if text.is_empty() { "utf8mb4" } else { text };
    let charset = MARIADB_SETS.iter().find(|set| set.eq_ignore_ascii_case(wanted))?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let collation = collation.to_ascii_lowercase();
    let own = collation
        .strip_prefix(charset)
        .is_some_and(|rest| rest.is_empty() && *charset == "binary" || rest.starts_with('_'));
    let sound =
        collation.is_empty() || own && collation.len() <= 64 && collation.bytes().all(plain);
    sound.then(|| Locale { charset: (*charset).to_owned(), collation, ctype: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_plain_and_not_those_of_the_engine_or_the_service() {
        let long = format!("a{}", "b".repeat(62));
        for good in ["app", "a1", "toko_ku", &long] {
            assert!(is_account(good) && is_database(good), "{good}");
        }
        assert!(is_database("toko-ku") && !is_account("toko-ku"));
        let longer = format!("{long}c");
        for bad in [
            "",
            "a",
            "App",
            "1a",
            "_a",
            "a_",
            "-a",
            "a-",
            "a b",
            "a\"b",
            "é1",
            "postgres",
            "root",
            "pg_x",
            "awan_x",
            "rds_x",
            "all",
            "replication",
            "template1",
            "mysql",
            "sameuser",
            "public",
            &longer,
        ] {
            assert!(!is_account(bad) && !is_database(bad), "{bad}");
        }
    }

    #[test]
    fn a_character_set_comes_with_locales_that_go_with_it() {
        let read = |text, collation| {
            locale(Engine::Postgres, text, collation)
                .ok()
                .map(|it| [it.charset, it.collation, it.ctype])
        };
        let is = |parts: [&str; 3]| Some(parts.map(str::to_owned));
        assert_eq!(read("", ""), is(["UTF8", "", ""]));
        assert_eq!(read("utf8,C,C.UTF-8", ""), is(["UTF8", "C", "C.UTF-8"]));
        assert_eq!(read("UTF8,C.utf8", ""), is(["UTF8", "C.UTF-8", "C.UTF-8"]));
        assert_eq!(read("LATIN1", ""), is(["LATIN1", "C", "C"]));
        for bad in ["utf9", "LATIN1,C.UTF-8", "UTF8,xx_YY", "UTF8,C,C,C", "UTF8,C;DROP"] {
            assert_eq!(read(bad, ""), None, "{bad}");
        }
        let maria = |text, collation| locale(Engine::MariaDb, text, collation).is_ok();
        assert!(maria("utf8mb4", "utf8mb4_general_ci") && maria("", ""));
        assert!(
            !maria("utf8mb4", "latin1_bin") && !maria("UTF8,C", "") && !maria("utf8", "utf8_x'")
        );
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_quotes(text: String, set: String, collation: String) {
            if is_account(&text) || is_database(&text) {
                prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            }
            for engine in [Engine::Postgres, Engine::MariaDb] {
                if let Ok(it) = locale(engine, &set, &collation) {
                    let all = format!("{}{}{}", it.charset, it.collation, it.ctype);
                    prop_assert!(all.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)));
                }
            }
        }
    }
}
