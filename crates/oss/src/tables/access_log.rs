//! Access records that wait for their delivery, and the buckets whose requests are recorded.

use base::{AccountId, ApiError, Time};
use store::{Tx, params};

use super::int;

/// Routes looked at for one round of deliveries, at most.
const ROUTES_MAX: usize = 1000;

/// Where records wait.
pub(crate) struct Waiting {
    pub(crate) id: i64,
    /// Where they go, as JSON.
    pub(crate) route: String,
    /// When the oldest was made.
    pub(crate) began: Time,
}

/// A bucket with such a document: its name, its owner and the document.
pub(crate) type Configured = (String, AccountId, String);

/// The buckets that have a document of that name. Their number is what memory is taken for.
pub(crate) fn configured(tx: &mut Tx<'_>, name: &str) -> Result<Vec<Configured>, ApiError> {
    Ok(tx.query(
        "SELECT b.name, b.owner, d.document FROM oss_bucket_document d JOIN oss_bucket b ON b.id = d.bucket
         WHERE d.name = ?1",
        params![name],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?)
}

/// Keeps lines for a route that was made at `now`; false where more than `bytes_max` would wait there.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    route: &str,
    lines: &[u8],
    now: Time,
    bytes_max: u64,
) -> Result<bool, ApiError> {
    tx.execute(
        "INSERT INTO oss_log_route (route, began_at, bytes) VALUES (?1, 0, 0) ON CONFLICT (route) DO NOTHING",
        params![route],
    )?;
    let taken = tx.query_opt(
        "UPDATE oss_log_route SET bytes = bytes + ?2, began_at = CASE WHEN began_at = 0 THEN ?3 ELSE began_at END
         WHERE route = ?1 AND bytes < ?4 RETURNING id",
        params![route, lines.len(), now, int(bytes_max)],
        |row| row.get::<i64>(0),
    )?;
    let Some(id) = taken else { return Ok(false) };
    tx.execute(
        "INSERT INTO oss_log (route, bytes, lines) VALUES (?1, ?2, ?3)",
        params![id, lines.len(), lines],
    )?;
    Ok(true)
}

/// The routes whose oldest record was made at `before` or earlier, or of which more than `bytes` wait.
pub(crate) fn due(tx: &mut Tx<'_>, before: Time, bytes: u64) -> Result<Vec<Waiting>, ApiError> {
    Ok(tx.query(
        "SELECT id, route, began_at FROM oss_log_route WHERE began_at > 0 AND (began_at <= ?1 OR bytes > ?2)
         ORDER BY began_at, id LIMIT ?3",
        params![before, int(bytes), ROUTES_MAX],
        |row| Ok(Waiting { id: row.get(0)?, route: row.get(1)?, began: row.get(2)? }),
    )?)
}

/// The oldest lines of a route, `bytes_max` or a little more, and the number of the last row of them.
pub(crate) fn lines(
    tx: &mut Tx<'_>,
    route: i64,
    bytes_max: usize,
) -> Result<Option<(i64, Vec<u8>)>, ApiError> {
    let (mut last, mut lines) = (None, Vec::new());
    tx.visit(
        "SELECT id, lines FROM oss_log WHERE route = ?1 ORDER BY id",
        params![route],
        |row| {
            last = Some(row.get::<i64>(0)?);
            lines.extend_from_slice(&row.get::<Vec<u8>>(1)?);
            Ok(if lines.len() >= bytes_max {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            })
        },
    )?;
    Ok(last.map(|last| (last, lines)))
}

/// Forgets the lines of a route up to that row. What is left has waited since `now`.
pub(crate) fn forget(tx: &mut Tx<'_>, route: i64, last: i64, now: Time) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_log WHERE route = ?1 AND id <= ?2", params![route, last])?;
    let left = tx.query_opt(
        "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM oss_log WHERE route = ?1",
        params![route],
        |row| row.get::<i64>(0),
    )?;
    let left = left.unwrap_or(0);
    if left == 0 {
        tx.execute("DELETE FROM oss_log_route WHERE id = ?1", params![route])?;
        return Ok(());
    }
    tx.execute(
        "UPDATE oss_log_route SET bytes = ?2, began_at = ?3 WHERE id = ?1",
        params![route, left, now],
    )?;
    Ok(())
}

/// Lets a route wait until `until` less its interval, because it cannot be delivered now.
pub(crate) fn put_off(tx: &mut Tx<'_>, route: i64, began_at: Time) -> Result<(), ApiError> {
    tx.execute("UPDATE oss_log_route SET began_at = ?2 WHERE id = ?1", params![route, began_at])?;
    Ok(())
}
