//! The server's own log and that of slow statements, as lines.

use std::io::ErrorKind;
use std::path::Path;

use base::Time;

use super::super::api::LogLine;
use super::super::driver::LogQuery;
use super::super::error::{Doing, Result};
use super::super::home;

/// How much of the end of a log is read at most.
const WINDOW: u64 = 16 << 20;

/// Warnings and errors, oldest first.
pub fn errors(path: &Path, query: LogQuery) -> Result<Vec<LogLine>> {
    Ok(chosen(tail(path)?.lines().filter_map(error_line), query))
}

/// Slow statements, oldest first.
pub fn slow(path: &Path, query: LogQuery) -> Result<Vec<LogLine>> {
    Ok(chosen(slow_statements(&tail(path)?).into_iter(), query))
}

fn chosen(lines: impl Iterator<Item = LogLine>, query: LogQuery) -> Vec<LogLine> {
    let mut all: Vec<LogLine> =
        lines.filter(|it| (query.since..query.until).contains(&it.at)).collect();
    all.drain(..all.len().saturating_sub(query.limit));
    all
}

/// The end of a log; nothing where there is none yet.
fn tail(path: &Path) -> Result<String> {
    match home::read_end(path, WINDOW) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.doing(path.display()),
    }
}

/// `2026-11-23 20:57:21 12 [Warning] Aborted connection …`; notes are not asked for.
fn error_line(line: &str) -> Option<LogLine> {
    let (date, rest) = line.split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(' ')?;
    let at = Time::parse_iso(&format!("{date}T{time:0>8}Z"))?.micros();
    let (_, rest) = rest.split_once('[')?;
    let (severity, text) = rest.split_once("] ")?;
    let severity = match severity {
        "ERROR" => "ERROR",
        "Warning" => "WARNING",
        _ => return None,
    };
    let quoted = |key: &str| {
        let after = text.split_once(key)?.1.strip_prefix('\'')?;
        Some(after.split_once('\'')?.0.to_owned())
    };
    Some(LogLine {
        at,
        severity: severity.to_owned(),
        database: quoted("db: ").filter(|it| it != "unconnected").unwrap_or_default(),
        account: quoted("user: ").unwrap_or_default(),
        client: quoted("host: ").unwrap_or_default(),
        text: text.to_owned(),
        duration_us: 0,
    })
}

/// The statements of a slow log: comments of who, where and how long, then `SET timestamp=…;`, then the statement.
fn slow_statements(text: &str) -> Vec<LogLine> {
    let mut all = Vec::new();
    let mut current: Option<LogLine> = None;
    for line in text.lines() {
        if let Some(who) = line.strip_prefix("# User@Host: ") {
            all.extend(current.take().filter(|it| it.at > 0 && !it.text.is_empty()));
            let (account, rest) = who.split_once('[').unwrap_or((who, ""));
            let client = rest.rsplit_once('[').and_then(|(_, host)| host.split_once(']'));
            current = Some(LogLine {
                at: 0,
                severity: "SLOW".to_owned(),
                database: String::new(),
                account: account.to_owned(),
                client: client.map(|(host, _)| host.to_owned()).unwrap_or_default(),
                text: String::new(),
                duration_us: 0,
            });
        } else if let Some(entry) = &mut current {
            continue_statement(entry, line);
        }
    }
    all.extend(current.filter(|it| it.at > 0 && !it.text.is_empty()));
    all
}

fn continue_statement(entry: &mut LogLine, line: &str) {
    let word = |key: &str| line.split_once(key)?.1.split_whitespace().next().map(str::to_owned);
    if line.starts_with("# Thread_id:") {
        entry.database = word("Schema: ").filter(|it| !it.ends_with(':')).unwrap_or_default();
    } else if line.starts_with("# Query_time:") {
        entry.duration_us = word("Query_time: ").and_then(|it| micros(&it)).unwrap_or_default();
    } else if let Some(stamp) = line.strip_prefix("SET timestamp=").filter(|_| entry.at == 0) {
        let (seconds, fraction) =
            stamp.trim_end_matches(';').split_once('.').unwrap_or((stamp, ""));
        let whole = format!("{}.{fraction}", seconds.trim_end_matches(';'));
        entry.at = micros(&whole).and_then(|it| i64::try_from(it).ok()).unwrap_or_default();
    } else if entry.at > 0 && !line.starts_with("# ") {
        if !entry.text.is_empty() {
            entry.text.push('\n');
        }
        entry.text.push_str(line);
    }
}

/// `1.000245` seconds as microseconds.
fn micros(seconds: &str) -> Option<u64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(digits.parse().ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn warnings_and_errors_are_read_and_notes_are_not() {
        let line = "2026-11-23  9:57:21 8 [Warning] Aborted connection 8 to db: 'shop' user: 't' host: '10.0.0.1' (x)";
        let read = error_line(line).unwrap();
        assert_eq!((read.severity.as_str(), read.database.as_str()), ("WARNING", "shop"));
        assert_eq!((read.account.as_str(), read.client.as_str()), ("t", "10.0.0.1"));
        assert_eq!(Time::from_micros(read.at).iso(), "2026-11-23T09:57:21Z");
        assert_eq!(error_line("2026-11-23 20:57:21 0 [Note] ready"), None);
    }

    #[test]
    fn a_slow_statement_has_who_where_and_how_long() {
        let text = "# Time: 261123 20:57:21\n# User@Host: app[app] @  [10.0.0.7]\n\
            # Thread_id: 8  Schema: shop  QC_hit: No\n# Query_time: 1.500245  Lock_time: 0.000000  Rows_sent: 1\n\
            # Rows_affected: 0  Bytes_sent: 64\nSET timestamp=1763931441;\nselect 1,\n  sleep(1.5);\n";
        let read = slow_statements(text);
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].account.as_str(), read[0].client.as_str()), ("app", "10.0.0.7"));
        assert_eq!((read[0].database.as_str(), read[0].duration_us), ("shop", 1_500_245));
        assert_eq!(
            (read[0].at, read[0].text.as_str()),
            (1_763_931_441_000_000, "select 1,\n  sleep(1.5);")
        );
    }

    proptest! {
        #[test]
        fn no_log_makes_the_reader_fail(text in "(# User@Host: |# Query_time: |SET timestamp=|\\[ERROR\\] |[0-9:. -]|.|\n){0,80}") {
            slow_statements(&text);
            text.lines().for_each(|line| drop(error_line(line)));
        }
    }
}
