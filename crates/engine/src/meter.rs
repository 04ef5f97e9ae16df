//! Metering: what is used, exactly once.
//!
//! Two kinds. A *count* adds up what happens, by hour. A *level* is an amount that exists (bytes
//! stored): it is integrated over time into unit-seconds, by hour. A change of a level counts from
//! the whole second in which it happened, so that the sum is an integer and anybody who has the
//! changes can recompute it: Σ level × whole seconds. Rating is not here.

use std::collections::BTreeMap;

use base::{AccountId, ApiError, Time};
use store::{Tx, params};

const HOUR: i64 = 3600;

type Key = (AccountId, String, &'static str);

/// What one transaction adds to the usage tables.
#[derive(Default, Debug)]
pub struct Meters {
    counts: BTreeMap<Key, i64>,
    levels: BTreeMap<Key, i64>,
}

impl Meters {
    /// Something happened `quantity` times.
    pub fn count(
        &mut self,
        account: AccountId,
        resource: &str,
        meter: &'static str,
        quantity: i64,
    ) {
        *self.counts.entry((account, resource.to_owned(), meter)).or_default() += quantity;
    }

    /// The amount of something changed.
    pub fn level(&mut self, account: AccountId, resource: &str, meter: &'static str, change: i64) {
        *self.levels.entry((account, resource.to_owned(), meter)).or_default() += change;
    }

    /// True where there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.levels.is_empty()
    }

    /// Writes everything into the transaction.
    pub fn write(&self, tx: &mut Tx<'_>, now: Time) -> Result<(), ApiError> {
        for ((account, resource, meter), quantity) in &self.counts {
            add(tx, *account, resource, meter, now.secs(), *quantity)?;
        }
        for ((account, resource, meter), change) in &self.levels {
            if *change != 0 {
                change_level(tx, (*account, resource, meter), now.secs(), *change)?;
            }
        }
        Ok(())
    }
}

/// Adds to the hour that `at` (seconds) is in.
fn add(
    tx: &mut Tx<'_>,
    account: AccountId,
    resource: &str,
    meter: &str,
    at: i64,
    quantity: i64,
) -> Result<(), ApiError> {
    let hour = at.div_euclid(HOUR) * HOUR;
    tx.execute(
        "INSERT INTO usage_count (account, resource, meter, hour, quantity) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (account, resource, meter, hour) DO UPDATE SET quantity = usage_count.quantity + excluded.quantity",
        params![account, resource, meter, hour, quantity],
    )?;
    Ok(())
}

fn change_level(
    tx: &mut Tx<'_>,
    key: (AccountId, &str, &str),
    now: i64,
    change: i64,
) -> Result<(), ApiError> {
    let (account, resource, meter) = key;
    // Within a second there is nothing to add up: the usual case where much is written.
    let same_second = tx.execute(
        "UPDATE usage_level SET quantity = quantity + ?4 WHERE account = ?1 AND resource = ?2 AND meter = ?3
         AND since >= ?5 AND quantity + ?4 >= 0",
        params![account, resource, meter, change, now],
    )?;
    if same_second > 0 {
        return Ok(());
    }
    let before = tx.query_opt(
        "SELECT quantity, since FROM usage_level WHERE account = ?1 AND resource = ?2 AND meter = ?3",
        params![account, resource, meter],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
    )?;
    let Some((quantity, since)) = before else {
        tx.execute(
            "INSERT INTO usage_level (account, resource, meter, quantity, since) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![account, resource, meter, change, now],
        )?;
        return Ok(());
    };
    // A clock that was set back must not take back what was metered.
    let now = now.max(since);
    if quantity != 0 {
        for (hour, seconds) in hours(since, now) {
            add(tx, account, resource, meter, hour, quantity.saturating_mul(seconds))?;
        }
    }
    let after = quantity.saturating_add(change);
    assert!(after >= 0, "the level {meter} of {resource} would fall below zero");
    tx.execute(
        "UPDATE usage_level SET quantity = ?4, since = ?5 WHERE account = ?1 AND resource = ?2 AND meter = ?3",
        params![account, resource, meter, after, now],
    )?;
    Ok(())
}

/// Cuts a span of seconds at the hours: (start of the hour, seconds within it).
fn hours(since: i64, until: i64) -> impl Iterator<Item = (i64, i64)> {
    let mut at = since;
    std::iter::from_fn(move || {
        (at < until).then(|| {
            let hour = at.div_euclid(HOUR) * HOUR;
            let end = until.min(hour + HOUR);
            let seconds = end - at;
            at = end;
            (hour, seconds)
        })
    })
}

/// One line of usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What was used.
    pub resource: String,
    /// Which meter; its unit is documented with the service that notes it.
    pub meter: String,
    /// The hour's start, seconds since the epoch.
    pub hour: i64,
    /// How much: a count, or unit-seconds for a level.
    pub quantity: i64,
}

/// The usage of an account in the hours from `from` (inclusive) to `until` (exclusive), with what
/// the running levels amount to up to `now`.
pub fn usage(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: i64,
    until: i64,
    now: Time,
) -> Result<Vec<Usage>, ApiError> {
    let mut lines: BTreeMap<(String, String, i64), i64> = BTreeMap::new();
    tx.visit(
        "SELECT resource, meter, hour, quantity FROM usage_count WHERE account = ?1 AND hour >= ?2 AND hour < ?3",
        params![account, from, until],
        |row| {
            lines.insert((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?);
            Ok(std::ops::ControlFlow::Continue(()))
        },
    )?;
    tx.visit(
        "SELECT resource, meter, quantity, since FROM usage_level WHERE account = ?1",
        params![account],
        |row| {
            let (quantity, since): (i64, i64) = (row.get(2)?, row.get(3)?);
            if quantity == 0 {
                return Ok(std::ops::ControlFlow::Continue(()));
            }
            for (hour, seconds) in hours(since.max(from), now.secs().min(until)) {
                *lines.entry((row.get(0)?, row.get(1)?, hour)).or_default() +=
                    quantity.saturating_mul(seconds);
            }
            Ok(std::ops::ControlFlow::Continue(()))
        },
    )?;
    let line = |((resource, meter, hour), quantity)| Usage { resource, meter, hour, quantity };
    Ok(lines.into_iter().map(line).collect())
}

/// Something that a meter outside of this program counted: adds to the hour that `at` is in. Keeping
/// repeats out is the caller's business.
pub fn record(
    tx: &mut Tx<'_>,
    account: AccountId,
    resource: &str,
    meter: &str,
    at: Time,
    quantity: i64,
) -> Result<(), ApiError> {
    add(tx, account, resource, meter, at.secs(), quantity)
}

/// Adds up the running levels of an account to `until`, which must not lie in the future: from then on
/// the hours before it are whole in the table, and no change of a level can reach back into them,
/// whatever the clock does. Answers the hours to which something was added, each once.
pub fn settle(tx: &mut Tx<'_>, account: AccountId, until: Time) -> Result<Vec<i64>, ApiError> {
    let until = until.secs();
    let running = tx.query(
        "SELECT resource, meter, quantity, since FROM usage_level
         WHERE account = ?1 AND quantity <> 0 AND since < ?2",
        params![account, until],
        |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?, row.get(3)?)),
    )?;
    let mut touched = std::collections::BTreeSet::new();
    for (resource, meter, quantity, since) in running {
        for (hour, seconds) in hours(since, until) {
            add(tx, account, &resource, &meter, hour, quantity.saturating_mul(seconds))?;
            touched.insert(hour);
        }
        tx.execute(
            "UPDATE usage_level SET since = ?4 WHERE account = ?1 AND resource = ?2 AND meter = ?3",
            params![account, &resource, &meter, until],
        )?;
    }
    Ok(touched.into_iter().collect())
}

/// An amount that exists now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// What there is.
    pub resource: String,
    /// Which meter.
    pub meter: String,
    /// How much.
    pub quantity: i64,
    /// Up to when it is added up, seconds since the epoch.
    pub since: i64,
}

/// What an account has now, by resource and meter; 0 where it had something once.
pub fn levels(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<Level>, ApiError> {
    let sql = "SELECT resource, meter, quantity, since FROM usage_level
         WHERE account = ?1 ORDER BY resource, meter";
    Ok(tx.query(sql, params![account], |row| {
        Ok(Level {
            resource: row.get(0)?,
            meter: row.get(1)?,
            quantity: row.get(2)?,
            since: row.get(3)?,
        })
    })?)
}

/// The first account after `after` that ever used anything.
pub fn next_account(
    tx: &mut Tx<'_>,
    after: Option<AccountId>,
) -> Result<Option<AccountId>, ApiError> {
    let after = after.map_or(i64::MIN, AccountId::to_i64);
    let mut next = None;
    for table in ["usage_count", "usage_level"] {
        let sql = format!("SELECT MIN(account) FROM {table} WHERE account > ?1");
        let first = tx.query_opt(&sql, params![after], |row| row.get::<Option<i64>>(0))?.flatten();
        next = [next, first].into_iter().flatten().min();
    }
    Ok(next.map(AccountId::from_i64))
}

/// The first hour from `from` on (seconds since the epoch) in which the account used anything.
pub fn first_hour(tx: &mut Tx<'_>, account: AccountId, from: i64) -> Result<Option<i64>, ApiError> {
    let counted = "SELECT MIN(hour) FROM usage_count WHERE account = ?1 AND hour >= ?2";
    let counted =
        tx.query_opt(counted, params![account, from], |row| row.get::<Option<i64>>(0))?.flatten();
    let running = "SELECT MIN(since) FROM usage_level WHERE account = ?1 AND quantity <> 0";
    let running =
        tx.query_opt(running, params![account], |row| row.get::<Option<i64>>(0))?.flatten();
    let running = running.map(|since| (since.div_euclid(HOUR) * HOUR).max(from));
    Ok([counted, running].into_iter().flatten().min())
}

#[cfg(test)]
mod tests {
    use super::hours;

    #[test]
    fn a_span_is_cut_at_the_hours_and_loses_no_second() {
        assert_eq!(hours(3599, 7201).collect::<Vec<_>>(), [(0, 1), (3600, 3600), (7200, 1)]);
        assert_eq!(hours(5, 5).count(), 0);
    }
}
