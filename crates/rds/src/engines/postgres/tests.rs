#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const SAID: &str = "\nPostgreSQL stand-alone backend 17.11\n\
backend> setting\tDateStyle\tClient Connection Defaults / Locale and Formatting\tuser\tstring\t\\N\t\\N\t\\N\tISO, MDY\t\\N\tSets the display format.\n\
setting\tshared_buffers\tResource Usage / Memory\tpostmaster\tinteger\t8kB\t16\t1073741823\t16384\t\\N\tSets the number.\n\
setting\twal_level\tWrite-Ahead Log / Settings\tpostmaster\tenum\t\\N\t\\N\t\\N\treplica\t{minimal,replica,logical}\tSets the level.\n\
setting\tblock_size\tPreset Options\tinternal\tinteger\t\\N\t8192\t8192\t8192\t\\N\tShows the size.\n\
backend> ";

#[test]
fn versions_of_releases_are_understood_and_nothing_else() {
    let versions = |text| version(text);
    let pair = |major: &str, exact: &str| Some((major.to_owned(), exact.to_owned()));
    assert_eq!(versions("postgres (PostgreSQL) 17.11\n"), pair("17", "17.11"));
    assert_eq!(
        versions("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
        pair("15", "15.18")
    );
    for other in ["postgres (PostgreSQL) 19beta2", "postgres (Other) 17.1", "17.11", ""] {
        assert_eq!(versions(other), None, "{other}");
    }
}

#[test]
fn settings_come_with_unit_bounds_and_choices() {
    let settings = settings(SAID);
    let names: Vec<&str> = settings.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        ["DateStyle", "shared_buffers", "wal_level"],
        "and nothing that cannot be set"
    );
    let buffers = &settings[1];
    assert_eq!((buffers.unit.as_str(), buffers.min.as_str()), ("8kB", "16"));
    assert!(buffers.restart && !buffers.tenant);
    assert_eq!(settings[2].values, ["replica", "logical"], "never without a log");
    assert!(settings[0].tenant && !settings[0].restart);
}

#[test]
fn files_addresses_and_replication_are_not_the_tenants() {
    let closed = [
        ("data_directory", "File Locations"),
        ("listen_addresses", "Connections and Authentication / Connection Settings"),
        ("ssl", "Connections and Authentication / SSL"),
        ("password_encryption", "Connections and Authentication / Authentication"),
        ("shared_preload_libraries", "Client Connection Defaults / Shared Library Preloading"),
        ("primary_conninfo", "Replication / Standby Servers"),
        ("archive_command", "Write-Ahead Log / Archiving"),
        ("restore_command", "Write-Ahead Log / Archive Recovery"),
        ("recovery_target_time", "Write-Ahead Log / Recovery Target"),
        ("zero_damaged_pages", "Developer Options"),
        ("log_directory", "Reporting and Logging / Where to Log"),
        ("fsync", "Write-Ahead Log / Settings"),
        ("something_new", "A Group That Is Not Known Yet"),
    ];
    for (name, category) in closed {
        assert!(!is_tenants(name, category), "{name}");
    }
    let open = [
        ("work_mem", "Resource Usage / Memory"),
        ("autovacuum_naptime", "Vacuuming / Automatic Vacuuming"),
        ("tcp_keepalives_idle", "Connections and Authentication / Connection Settings"),
        ("synchronous_commit", "Write-Ahead Log / Settings"),
    ];
    for (name, category) in open {
        assert!(is_tenants(name, category), "{name}");
    }
}

#[test]
fn a_text_is_the_tenants_where_it_is_known_what_it_takes() {
    let line = |name: &str| {
        format!(
            "setting\t{name}\tVersion and Platform Compatibility / Other\tuser\tstring\t\\N\t\\N\t\\N\t\t\\N\tSets it.\n"
        )
    };
    let told = settings(&format!("{}{}", line("TimeZone"), line("something_new")));
    let tenants: Vec<bool> = told.iter().map(|setting| setting.tenant).collect();
    assert_eq!(tenants, [true, false]);
}

/// The text form of COPY, written once more from its description.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for next in text.chars() {
        match next {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
    out
}

proptest! {
    #[test]
    fn nothing_that_is_said_makes_the_parser_fail(said in "(setting|backend> |[\\t\\\\N{},\"]|.|\\n){0,200}") {
        settings(&said);
        version(&said);
    }

    #[test]
    fn a_described_setting_is_read_back(
        name in "[a-z_]{1,20}",
        default in "[^\\x00]{0,30}",
        description in "[^\\x00]{0,60}",
        values in proptest::collection::vec("[a-z0-9_-]{1,10}", 0..5),
    ) {
        prop_assume!(name != "wal_level");
        let list = if values.is_empty() { "\\N".to_owned() } else { format!("{{{}}}", values.join(",")) };
        let line = format!(
            "backend> setting\t{name}\tQuery Tuning\tuser\tenum\t\\N\t\\N\t\\N\t{}\t{list}\t{}",
            escape(&default),
            escape(&description)
        );
        let read = settings(&line);
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(&read[0].name, &name);
        prop_assert_eq!(&read[0].default, &default);
        prop_assert_eq!(&read[0].description, &description);
        prop_assert_eq!(&read[0].values, &values);
    }
}
