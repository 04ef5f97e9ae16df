//! Which extensions of PostgreSQL tenants may have. An extension is on offer unless it is a way out of the
//! database: to files, to other hosts, to the server's memory or to more rights.

use std::ffi::OsStr;
use std::path::Path;

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

/// The extensions that a PostgreSQL of that major version, with its programs there, offers to tenants; sorted.
pub(super) fn offered(programs: &Path, major: &str) -> Vec<String> {
    let base = programs.parent().unwrap_or(programs);
    let debian = Path::new("/usr/share/postgresql").join(major);
    // Debian's packages split a version between two trees; everybody else keeps it in one.
    let own = [base.join("share"), base.join("share/postgresql"), debian];
    let directory = own.iter().map(|share| share.join("extension")).find(|dir| dir.is_dir());
    let entries =
        directory.and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let controls = paths.filter(|path| path.extension() == Some(OsStr::new("control")));
    let names = controls.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let mut offered: Vec<String> = names.filter(|name| refused(name).is_none()).collect();
    offered.sort();
    offered
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

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
        assert_eq!(offered(&dir.path().join("bin"), "99"), ["citext", "hstore"]);
    }
}
