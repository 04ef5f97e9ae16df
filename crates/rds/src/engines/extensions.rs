//! Which extensions of PostgreSQL tenants may have. An extension is on offer unless it is a way out of the
//! database: to files, to other hosts, to the server's memory or to more rights.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Extension;

/// Why an extension is not offered to tenants; `None` for one that is.
pub fn refused(name: &str) -> Option<&'static str> {
    let known = REFUSED.iter().find(|(refused, _)| *refused == name);
    let alike = PATTERNS.iter().find(|(pattern, _)| pattern.fits(name));
    known.map(|(_, why)| *why).or_else(|| alike.map(|(_, why)| *why))
}

/// Extensions that are known to be a way out.
const REFUSED: &[(&str, &str)] = &[
    ("adminpack", "writes files of the server"),
    ("dblink", "connects from the server's own address, where white lists do not reach"),
    ("http", "sends requests from the server's own address"),
    ("multicorn", "runs Python in the server"),
    ("orafce", "reads and writes files (utl_file)"),
    ("pageinspect", "reads pages of all databases past every right"),
    ("pg_background", "runs statements in sessions that nobody counts"),
    ("pg_dirtyread", "reads rows that were deleted, past row security"),
    ("pg_net", "sends requests from the server's own address"),
    ("pg_surgery", "changes pages past the log: standbys and backups then differ"),
    ("pg_walinspect", "reads the log of all databases"),
    ("plproxy", "connects from the server's own address"),
    ("pljava", "an untrusted language: it runs with the rights of the server"),
    ("plr", "an untrusted language: it runs with the rights of the server"),
    ("plsh", "an untrusted language: it runs with the rights of the server"),
    ("set_user", "gives the superuser's rights"),
];

enum Pattern {
    Ends(&'static str),
    Has(&'static str),
}

impl Pattern {
    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Ends(end) => name.ends_with(end),
            Self::Has(part) => name.contains(part),
        }
    }
}

/// Families of them, with those that are not written yet.
const PATTERNS: &[(Pattern, &str)] = &[
    (
        Pattern::Ends("_fdw"),
        "a foreign data wrapper reads files or connects from the server's own address",
    ),
    (Pattern::Has("plpython"), "an untrusted language: it runs with the rights of the server"),
    (Pattern::Ends("plperlu"), "an untrusted language: it runs with the rights of the server"),
    (Pattern::Ends("pltclu"), "an untrusted language: it runs with the rights of the server"),
    (Pattern::Ends("plluau"), "an untrusted language: it runs with the rights of the server"),
];

/// Extensions that PostgreSQL leaves to superusers, and that a node makes for tenants who ask for them: they reach
/// nothing but the instance's own statistics, pages and indexes, and their scripts call nothing that a tenant could
/// have put into its way.
const BY_NODE: &[&str] =
    &["bloom", "pg_buffercache", "pg_stat_statements", "pgrowlocks", "pgstattuple"];

/// Whether a node makes that extension for who asks, where PostgreSQL trusts nobody with it.
pub fn made_by_node(name: &str) -> bool {
    BY_NODE.contains(&name)
}

/// What a tenant may have of the extensions that are there: all names, and what is known of those that it gets without
/// a superuser. Both sorted.
pub(super) fn offered(programs: &Path, major: &str) -> (Vec<String>, Vec<Extension>) {
    let mut names = Vec::new();
    let mut offers = Vec::new();
    for path in controls(programs, major) {
        let Some(name) = path.file_stem().and_then(OsStr::to_str) else { continue };
        if refused(name).is_some() {
            continue;
        }
        names.push(name.to_owned());
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let extension = described(name, &text);
        if extension.trusted || made_by_node(name) {
            offers.push(extension);
        }
    }
    names.sort();
    offers.sort_by(|one: &Extension, other| one.name.cmp(&other.name));
    (names, offers)
}

/// What a control file says (PostgreSQL, "Extension Files").
fn described(name: &str, text: &str) -> Extension {
    let mut extension = Extension { name: name.to_owned(), ..Extension::default() };
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let value = match value.strip_prefix('\'') {
            Some(quoted) => unquoted(quoted),
            None => value.split('#').next().unwrap_or_default().trim().to_owned(),
        };
        let yes = ["true", "on", "yes", "1"].contains(&value.to_ascii_lowercase().as_str());
        match key.trim() {
            "default_version" => extension.version = value,
            "comment" => extension.comment = value,
            "requires" => {
                let names = value.split(',').map(|name| name.trim().to_owned());
                extension.requires = names.filter(|name| !name.is_empty()).collect();
            }
            "trusted" => extension.trusted = yes,
            // Where no superuser is needed, nobody has to be trusted.
            "superuser" => extension.trusted |= !yes,
            _ => {}
        }
    }
    extension
}

/// What is between quotes, of which the first is taken off already: two stand for one.
fn unquoted(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        if next == '\'' && rest.next_if_eq(&'\'').is_none() {
            break;
        }
        out.push(next);
    }
    out
}

/// The control files of a PostgreSQL of that major version, with its programs there.
fn controls(programs: &Path, major: &str) -> impl Iterator<Item = PathBuf> {
    let base = programs.parent().unwrap_or(programs);
    let debian = Path::new("/usr/share/postgresql").join(major);
    // Debian's packages split a version between two trees; everybody else keeps it in one.
    let own = [base.join("share"), base.join("share/postgresql"), debian];
    let directory = own.iter().map(|share| share.join("extension")).find(|dir| dir.is_dir());
    let entries =
        directory.and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension() == Some(OsStr::new("control")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ways_out_of_the_database_are_refused_with_a_reason() {
        for name in
            ["file_fdw", "postgres_fdw", "dblink", "adminpack", "plpython3u", "jsonb_plperlu"]
        {
            assert!(refused(name).is_some(), "{name}");
        }
        for name in ["plpgsql", "plperl", "pg_trgm", "postgis", "vector", "pg_stat_statements"] {
            assert_eq!(refused(name), None, "{name}");
        }
    }

    #[test]
    fn only_control_files_that_are_safe_are_offered() {
        let dir = tempfile::tempdir().unwrap();
        let extensions = dir.path().join("share/extension");
        std::fs::create_dir_all(&extensions).unwrap();
        for file in ["hstore.control", "hstore--1.8.sql", "file_fdw.control", "citext.control"] {
            std::fs::write(extensions.join(file), "").unwrap();
        }
        std::fs::write(extensions.join("hstore.control"), "trusted = true").unwrap();
        std::fs::write(extensions.join("bloom.control"), "superuser = true").unwrap();
        let (names, offers) = offered(&dir.path().join("bin"), "99");
        assert_eq!(names, ["bloom", "citext", "hstore"]);
        let offers: Vec<&str> = offers.iter().map(|offer| offer.name.as_str()).collect();
        assert_eq!(offers, ["bloom", "hstore"], "only a superuser makes the other one");
    }

    #[test]
    fn a_control_file_says_what_an_extension_is() {
        let text = "# a comment\ncomment = 'it''s for text' # and more\ndefault_version='1.6'\n\
                    module_pathname = '$libdir/x'\nrequires = 'cube, earth'\ntrusted = true # yes\n";
        let expected = Extension {
            name: "x".to_owned(),
            version: "1.6".to_owned(),
            comment: "it's for text".to_owned(),
            requires: vec!["cube".to_owned(), "earth".to_owned()],
            trusted: true,
        };
        assert_eq!(described("x", text), expected);
        assert!(!described("x", "default_version = 1").trusted);
        assert!(described("x", "superuser = false").trusted);
    }

    #[test]
    fn what_a_node_makes_for_tenants_is_no_way_out() {
        for name in BY_NODE {
            assert_eq!(refused(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_control_file_panics_and_what_is_quoted_is_read_back(text: String, comment in "[^\n\r]*") {
            let _ = described("x", &text);
            let line = format!("comment = '{}'", comment.replace('\'', "''"));
            prop_assert_eq!(described("x", &line).comment, comment);
        }
    }
}
