//! PostgreSQL's settings that are texts: what each takes. Its server checks most of them when it starts, and does not
//! start with one that it does not take. Which settings a tenant may have is said in `engines`; one that is not known
//! here is none of them.

/// Time zones that PostgreSQL servers may be given; one that a server does not know would keep it from starting.
pub(crate) const TIME_ZONES: [&str; 41] = [
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Africa/Nairobi",
    "America/Bogota",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Toronto",
    "Asia/Bangkok",
    "Asia/Brunei",
    "Asia/Dhaka",
    "Asia/Dili",
    "Asia/Dubai",
    "Asia/Ho_Chi_Minh",
    "Asia/Hong_Kong",
    "Asia/Jakarta",
    "Asia/Jayapura",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kuala_Lumpur",
    "Asia/Makassar",
    "Asia/Manila",
    "Asia/Pontianak",
    "Asia/Riyadh",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Taipei",
    "Asia/Tokyo",
    "Australia/Melbourne",
    "Australia/Perth",
    "Australia/Sydney",
    "Europe/Amsterdam",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "UTC",
];

/// Configurations of full-text search that every version since 14 has.
const SEARCHES: [&str; 29] = [
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "simple",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
];

/// What a setting takes.
enum Takes {
    /// One of these.
    One(&'static [&'static str]),
    /// Some of these, with commas between them, or nothing.
    Some(&'static [&'static str]),
    /// A style of dates, an order of their parts, or both.
    Dates,
    /// A configuration of full-text search, which may have its schema's name before it.
    Search,
    /// Names of schemas, with commas between them, or nothing.
    Schemas,
}

/// Locales that every server has, whatever its operating system knows.
const LOCALES: Takes = Takes::One(&["C", "POSIX"]);

fn takes(name: &str) -> Option<Takes> {
    let takes = match name {
        "client_encoding" => Takes::One(&["UTF8", "LATIN1", "WIN1252", "SQL_ASCII"]),
        "createrole_self_grant" => Takes::Some(&["set", "inherit"]),
        "DateStyle" => Takes::Dates,
        "default_table_access_method" => Takes::One(&["heap"]),
        "default_text_search_config" => Takes::Search,
        "lc_messages" | "lc_monetary" | "lc_numeric" | "lc_time" => LOCALES,
        // A text since 18.
        "log_connections" => {
            Takes::Some(&["receipt", "authentication", "authorization", "setup_durations", "all"])
        }
        "restrict_nonsystem_relation_kind" => Takes::Some(&["view", "foreign-table"]),
        "search_path" => Takes::Schemas,
        "TimeZone" => Takes::One(&TIME_ZONES),
        _ => return None,
    };
    Some(takes)
}

/// Whether it is known what that setting takes.
pub(crate) fn is_known(name: &str) -> bool {
    takes(name).is_some()
}

/// The value as it is stored. What is not known here is taken as it is.
///
/// # Errors
/// What the setting takes, for the client.
pub(super) fn check(name: &str, value: &str) -> Result<String, String> {
    let Some(takes) = takes(name) else { return Ok(value.to_owned()) };
    let one_of = |words: &[&str], value: &str| {
        words.iter().find(|word| word.eq_ignore_ascii_case(value)).map(|word| (*word).to_owned())
    };
    let parts = |value: &str| -> Vec<String> {
        value.split(',').map(|part| part.trim().to_owned()).collect()
    };
    match takes {
        Takes::One(words) => {
            one_of(words, value).ok_or_else(|| format!("{name} is one of {}.", words.join(", ")))
        }
        Takes::Some(_) | Takes::Schemas if value.is_empty() => Ok(String::new()),
        Takes::Some(words) => {
            let all: Option<Vec<_>> = parts(value).iter().map(|part| one_of(words, part)).collect();
            let bad = || format!("{name} is some of {}, with commas.", words.join(", "));
            all.map(|all| all.join(",")).ok_or_else(bad)
        }
        Takes::Dates => dates(value).ok_or_else(|| {
            format!("{name} is ISO, SQL, Postgres or German, and DMY, MDY or YMD, with a comma.")
        }),
        Takes::Search => {
            let bare = value.strip_prefix("pg_catalog.").unwrap_or(value);
            let word = one_of(&SEARCHES, bare);
            let bad = || format!("{name} is one of {}.", SEARCHES.join(", "));
            word.map(|word| format!("pg_catalog.{word}")).ok_or_else(bad)
        }
        Takes::Schemas => {
            let good = parts(value).iter().all(|part| is_name(part));
            let bad = || format!("{name} is names of schemas, with commas.");
            good.then(|| value.to_owned()).ok_or_else(bad)
        }
    }
}

fn dates(value: &str) -> Option<String> {
    const STYLES: [&str; 4] = ["ISO", "SQL", "Postgres", "German"];
    const ORDERS: [&str; 3] = ["DMY", "MDY", "YMD"];
    let find = |words: &[&'static str], part: &str| {
        words.iter().find(|word| word.eq_ignore_ascii_case(part)).copied()
    };
    let (mut style, mut order) = (None, None);
    for part in value.split(',').map(str::trim) {
        let (slot, word) = match find(&STYLES, part) {
            Some(word) => (&mut style, word),
            None => (&mut order, find(&ORDERS, part)?),
        };
        if slot.replace(word).is_some() {
            return None;
        }
    }
    let words: Vec<&str> = style.into_iter().chain(order).collect();
    Some(words.join(", "))
}

/// A name as SQL has it: plain, or in quotes without another quote or a comma in it.
fn is_name(part: &str) -> bool {
    let quoted = part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
    (1..=63).contains(&quoted.unwrap_or(part).len())
        && match quoted {
            Some(inside) => !inside.contains('"'),
            None => {
                part.chars().all(plain)
                    && !part.starts_with(|c: char| c.is_ascii_digit() || c == '$')
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_one_that_the_server_starts_with() {
        for (name, value, stored) in [
            ("TimeZone", "asia/jakarta", "Asia/Jakarta"),
            ("DateStyle", "iso , dmy", "ISO, DMY"),
            ("DateStyle", "German", "German"),
            ("lc_time", "C", "C"),
            ("default_text_search_config", "indonesian", "pg_catalog.indonesian"),
            ("search_path", "\"$user\", public", "\"$user\", public"),
            ("search_path", "", ""),
            ("createrole_self_grant", "SET, inherit", "set,inherit"),
            ("sql_mode", "ANSI", "ANSI"),
        ] {
            assert_eq!(check(name, value).as_deref(), Ok(stored), "{name}={value}");
        }
        for (name, value) in [
            ("TimeZone", "Mars"),
            ("TimeZone", ""),
            ("DateStyle", "Stardate"),
            ("DateStyle", "ISO, SQL"),
            ("DateStyle", ""),
            ("lc_time", "id_ID.UTF-8"),
            ("default_text_search_config", "klingon"),
            ("search_path", "\"open"),
            ("search_path", "a,,b"),
            ("search_path", "a b"),
            ("default_table_access_method", "columns"),
        ] {
            assert!(check(name, value).is_err(), "{name}={value}");
        }
    }

    proptest! {
        #[test]
        fn what_was_taken_is_taken_again_unchanged(value in "[ -~é]{0,20}|[A-Za-z]{2,4}, ?[A-Z]{3}") {
            for name in ["TimeZone", "DateStyle", "search_path", "default_text_search_config",
                "createrole_self_grant", "lc_time"] {
                if let Ok(stored) = check(name, &value) {
                    prop_assert_eq!(check(name, &stored), Ok(stored.clone()));
                }
            }
        }
    }
}
