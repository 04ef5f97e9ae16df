//! Rows of `agreement_spend`: what a calendar month (UTC) of an account has cost so far.

use base::{AccountId, ApiError, Time};
use store::{Tx, params};

/// Notes the sum; the last one counts.
pub(crate) fn set(
    tx: &mut Tx<'_>,
    account: AccountId,
    month: Time,
    amount: i64,
) -> Result<(), ApiError> {
    let sql = "INSERT INTO agreement_spend (account, month, amount) VALUES (?1, ?2, ?3)
               ON CONFLICT (account, month) DO UPDATE SET amount = excluded.amount";
    tx.execute(sql, params![account, month, amount])?;
    Ok(())
}

/// The sum of the month that `now` is in.
pub(crate) fn of(tx: &mut Tx<'_>, account: AccountId, now: Time) -> Result<i64, ApiError> {
    let sql = "SELECT amount FROM agreement_spend WHERE account = ?1 AND month = ?2";
    let found = tx.query_opt(sql, params![account, month(now)], |row| row.get(0))?;
    Ok(found.unwrap_or(0))
}

/// The first second of the calendar month that a moment is in.
fn month(of: Time) -> Time {
    let text = of.iso();
    Time::parse_iso(&format!("{}-01T00:00:00Z", &text[..7]))
        .expect("a year and a month, as they were just written, and the first day")
}

#[cfg(test)]
mod tests {
    use super::month;
    use base::Time;

    #[test]
    fn a_month_begins_with_its_first_second() {
        for (moment, begin) in [
            ("2026-01-02T03:04:05Z", "2026-01-01T00:00:00Z"),
            ("2028-02-29T23:59:59Z", "2028-02-01T00:00:00Z"),
            ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ] {
            let moment = Time::parse_iso(moment).expect("a moment");
            assert_eq!(month(moment).iso(), begin);
        }
    }
}
