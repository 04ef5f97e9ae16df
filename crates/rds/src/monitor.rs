//! Monitoring: keeps what nodes tell of their servers, and makes of counters what clients ask for. Not here: asking
//! the nodes, and the actions that answer.

use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Time};
use engine::Cloud;

use crate::model::Engine;
use crate::node::api::{Figures, LogLine};
use crate::tables::figure;
use crate::tables::log::{self, Kind};

/// For how long figures and lines are kept.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Rows that one transaction removes at most of a kind: others write meanwhile.
const REMOVED_MAX: usize = 1000;
/// The longest text of a line that is kept, bytes.
const TEXT_MAX: usize = 16 * 1024;

/// Keeps one point of figures and the lines since the last; what was told before changes nothing. A line with a
/// duration is a slow statement. What has been kept for [`KEPT`] goes.
///
/// # Errors
/// Those of the database.
pub async fn record(
    cloud: &Arc<Cloud>,
    instance: &str,
    figures: Figures,
    lines: Vec<LogLine>,
) -> Result<(), ApiError> {
    let old = cloud.clock.now().minus(KEPT);
    let instance = instance.to_owned();
    let lines: Vec<LogLine> = lines.into_iter().map(shortened).collect();
    let write = move |tx: &mut store::Tx<'_>| {
        figure::put(tx, &instance, &figures)?;
        for line in lines.iter().filter(|line| line.at >= old.micros()) {
            let kind = if line.duration_us > 0 { Kind::Slow } else { Kind::Error };
            log::put(tx, &instance, kind, line)?;
        }
        clear(tx, &instance, old).map(drop)
    };
    cloud.db.write(write).await
}

/// Removes everything that is kept of an instance that is gone.
///
/// # Errors
/// Those of the database.
pub async fn forget(cloud: &Arc<Cloud>, instance: &str) -> Result<(), ApiError> {
    loop {
        let instance = instance.to_owned();
        let all = Time::from_micros(i64::MAX);
        if cloud.db.write(move |tx| clear(tx, &instance, all)).await? == 0 {
            return Ok(());
        }
    }
}

/// Removes some of what is older; says how many rows.
fn clear(tx: &mut store::Tx<'_>, instance: &str, before: Time) -> Result<u64, ApiError> {
    let mut removed = figure::remove_before(tx, instance, before, REMOVED_MAX)?;
    for kind in [Kind::Error, Kind::Slow] {
        removed += log::remove_before(tx, (instance, kind), before, REMOVED_MAX)?;
    }
    Ok(removed)
}

fn shortened(mut line: LogLine) -> LogLine {
    let end = line.text.floor_char_boundary(TEXT_MAX);
    line.text.truncate(end);
    // The store takes no zero byte in text; JSON writes it as an escape, and clients need none.
    line.text.retain(|c| c != '\0');
    line
}

/// What a class gives: cores and GiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    cores: f64,
    memory_gib: f64,
}

impl Size {
    /// From the name of a class, `pg.n2.4c.1m`: family, cores, category; the family says how many GiB a core has.
    pub(crate) fn of_class(class: &str) -> Option<Self> {
        let mut parts = class.split('.').skip(1);
        let (family, cores) = (parts.next()?, parts.next()?);
        let cores: f64 = cores.strip_suffix('c')?.parse().ok().filter(|cores| *cores > 0.0)?;
        let digits = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let per_core: f64 = digits.trim_end_matches('e').parse().ok()?;
        (per_core > 0.0).then_some(Self { cores, memory_gib: cores * per_core })
    }
}

/// A key of `DescribeDBInstancePerformance`.
#[derive(Debug)]
pub(crate) struct Key {
    /// As the API spells it.
    pub(crate) name: &'static str,
    /// Of which engine.
    engine: Engine,
    /// What its values are, `&` between them.
    pub(crate) format: &'static str,
    /// The unit of its values.
    pub(crate) unit: &'static str,
    values: fn(&Span<'_>) -> Option<Vec<f64>>,
}

/// All keys that have a figure behind them.
pub(crate) const KEYS: &[Key] = &[
    key("CpuUsage", Engine::Postgres, "cpuusage", "%", |it| Some(vec![it.cpu_percent()?])),
    key("MemoryUsage", Engine::Postgres, "memusage", "%", |it| Some(vec![it.memory_percent()?])),
    key("PgSQL_SpaceUsage", Engine::Postgres, "ins_size&data_size&log_size", "MB", |it| {
        Some(it.space())
    }),
    key("PgSQL_IOPS", Engine::Postgres, "iops", "int", |it| Some(vec![it.iops()?])),
    key("PgSQL_Session", Engine::Postgres, "active_session&total_session", "int", |it| {
        Some(it.sessions())
    }),
    key("PolarDBQPSTPS", Engine::Postgres, "tps&commits&rollbacks&deadlocks", "int", |it| {
        let (commits, rollbacks) = (it.rate(|it| it.commits)?, it.rate(|it| it.rollbacks)?);
        Some(vec![commits + rollbacks, commits, rollbacks, it.rate(|it| it.deadlocks)?])
    }),
    key("PolarDBRowDML", Engine::Postgres, "rows_read&rows_written", "int", |it| {
        Some(vec![it.rate(|it| it.rows_read)?, it.rate(|it| it.rows_written)?])
    }),
    key("MySQL_MemCpuUsage", Engine::MariaDb, "cpuusage&memusage", "%", |it| {
        Some(vec![it.cpu_percent()?, it.memory_percent()?])
    }),
    key("MySQL_DetailedSpaceUsage", Engine::MariaDb, "ins_size&data_size&log_size", "MB", |it| {
        Some(it.space())
    }),
    key("MySQL_IOPS", Engine::MariaDb, "io", "int", |it| Some(vec![it.iops()?])),
    key("MySQL_Sessions", Engine::MariaDb, "active_session&total_session", "int", |it| {
        Some(it.sessions())
    }),
    key("MySQL_MBPS", Engine::MariaDb, "mbps", "MB", |it| {
        Some(vec![megabytes(it.rate(|it| it.read_bytes)? + it.rate(|it| it.write_bytes)?)])
    }),
];

const fn key(
    name: &'static str,
    engine: Engine,
    format: &'static str,
    unit: &'static str,
    values: fn(&Span<'_>) -> Option<Vec<f64>>,
) -> Key {
    Key { name, engine, format, unit, values }
}

impl Key {
    /// The key of that name that an engine has.
    pub(crate) fn find(engine: Engine, name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.engine == engine && key.name == name)
    }

    /// Its values over a span, `&` between them; `None` where they cannot be known.
    pub(crate) fn value(&self, span: &Span<'_>) -> Option<String> {
        let values = (self.values)(span)?;
        Some(values.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join("&"))
    }
}

/// Two points, one after the other.
pub(crate) struct Span<'a> {
    /// The earlier; `None` before the first.
    pub(crate) before: Option<&'a Figures>,
    /// The later: what values are told of.
    pub(crate) now: &'a Figures,
    /// What the instance may use, where its class says so.
    pub(crate) size: Option<Size>,
}

impl Span<'_> {
    /// How much a counter grew in a second. A counter that is lower than before began anew when the server was
    /// started: what it shows was counted since, so that no rate is below zero.
    fn rate(&self, counter: fn(&Figures) -> u64) -> Option<f64> {
        let before = self.before?;
        let micros = self.now.at.checked_sub(before.at).filter(|micros| *micros > 0)?;
        let (before, now) = (counter(before), counter(self.now));
        let grown = now.checked_sub(before).unwrap_or(now);
        #[allow(
            clippy::cast_precision_loss,
            reason = "figures for people, of far less than 52 bits a second"
        )]
        Some(grown as f64 * 1e6 / micros as f64)
    }

    fn cpu_percent(&self) -> Option<f64> {
        Some(self.rate(|it| it.cpu_us)? / 1e4 / self.size?.cores)
    }

    fn memory_percent(&self) -> Option<f64> {
        Some(megabytes(float(self.now.memory_bytes)) / 1024.0 / self.size?.memory_gib * 100.0)
    }

    fn iops(&self) -> Option<f64> {
        Some(self.rate(|it| it.reads)? + self.rate(|it| it.writes)?)
    }

    fn space(&self) -> Vec<f64> {
        let (data, log) = (float(self.now.data_bytes), float(self.now.log_bytes));
        [data + log, data, log].map(megabytes).to_vec()
    }

    fn sessions(&self) -> Vec<f64> {
        [self.now.active_sessions, self.now.sessions].map(float).to_vec()
    }
}

fn megabytes(bytes: f64) -> f64 {
    bytes / 1_048_576.0
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn float(number: u64) -> f64 {
    number as f64
}

/// A statement without what differs from call to call: literals become `?`, white space one blank.
pub(crate) fn normalized(statement: &str) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut chars = statement.chars().peekable();
    while let Some(c) = chars.next() {
        let in_word =
            out.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '$'));
        match c {
            '\'' => {
                // A doubled quote is one within the literal: the next round reads what is behind it as its rest.
                while chars.next().is_some_and(|c| c != '\'') {}
                if !out.ends_with('?') {
                    out.push('?');
                }
            }
            '0'..='9' if !in_word => {
                while chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
                out.push('?');
            }
            c if c.is_whitespace() => {
                if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rate_is_the_difference_by_seconds_and_begins_anew_with_the_server() {
        let point = |at: i64, commits: u64| Figures { at, commits, ..Figures::default() };
        let rate = |before: &Figures, now: &Figures| {
            Span { before: Some(before), now, size: None }.rate(|it| it.commits)
        };
        let (one, two, again) = (point(0, 100), point(10_000_000, 150), point(20_000_000, 30));
        assert_eq!(rate(&one, &two), Some(5.0));
        assert_eq!(rate(&two, &again), Some(3.0), "30 since it began anew");
        assert_eq!(rate(&two, &one), None, "time does not run backwards");
        assert_eq!(rate(&one, &one), None);
        assert_eq!(Span { before: None, now: &one, size: None }.rate(|it| it.commits), None);
    }

    #[test]
    fn percentages_are_of_what_the_class_gives() {
        let size = Size::of_class("pg.n2.4c.2m");
        assert_eq!(size, Some(Size { cores: 4.0, memory_gib: 8.0 }));
        assert_eq!(Size::of_class("pg.n2e.1c.1m"), Some(Size { cores: 1.0, memory_gib: 2.0 }));
        for odd in ["", "pg", "pg.n2", "pg.x8.medium.1", "pg.n.2c.1m", "pg.n2.0c.1m"] {
            assert_eq!(Size::of_class(odd), None, "{odd}");
        }
        let before = Figures::default();
        let now = Figures {
            at: 10_000_000,
            cpu_us: 20_000_000,
            memory_bytes: 4 << 30,
            ..Figures::default()
        };
        let span = Span { before: Some(&before), now: &now, size };
        let value = |name| Key::find(Engine::Postgres, name).and_then(|key| key.value(&span));
        assert_eq!(value("CpuUsage").as_deref(), Some("50.00"));
        assert_eq!(value("MemoryUsage").as_deref(), Some("50.00"));
        assert_eq!(value("MySQL_IOPS"), None, "that is another engine's");
    }

    #[test]
    fn every_key_has_as_many_values_as_its_format_names() {
        let before = Figures::default();
        let now = Figures { at: 1_000_000, ..Figures::default() };
        let size = Size::of_class("pg.n2.4c.2m");
        for key in KEYS {
            let value = key.value(&Span { before: Some(&before), now: &now, size });
            let value = value.unwrap_or_else(|| panic!("{} has a value", key.name));
            assert_eq!(value.split('&').count(), key.format.split('&').count(), "{}", key.name);
        }
    }

    #[test]
    fn statements_that_differ_in_literals_are_one() {
        let one = normalized("SELECT *  FROM t1\n WHERE a = 'it''s' AND b = 12.5");
        assert_eq!(one, "SELECT * FROM t1 WHERE a = ? AND b = ?");
        assert_eq!(one, normalized("SELECT * FROM t1 WHERE a = 'x' AND b = 7 "));
        assert_ne!(one, normalized("SELECT * FROM t2 WHERE a = 'x' AND b = 7"));
    }

    proptest! {
        #[test]
        fn no_rate_is_below_zero_whatever_was_counted(a: u64, b: u64, at: i64, later: i64) {
            let (before, now) = (
                Figures { at, commits: a, ..Figures::default() },
                Figures { at: later, commits: b, ..Figures::default() },
            );
            let span = Span { before: Some(&before), now: &now, size: None };
            prop_assert!(span.rate(|it| it.commits).is_none_or(|rate| rate >= 0.0));
        }

        #[test]
        fn a_normalized_statement_is_normal_and_shows_no_literal(text: String, secret in "[a-z]{8}") {
            let once = normalized(&text);
            prop_assert_eq!(normalized(&once).len(), once.len());
            let shown = normalized(&format!("SELECT '{secret}'"));
            prop_assert!(!shown.contains(&secret));
        }
    }
}
