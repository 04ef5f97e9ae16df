//! Bodies that no object has any more, waiting for their last reader.

use base::{ApiError, Time};
use store::{Tx, params};

use crate::blob::{Body, extent};

/// A freed body.
#[derive(Clone, Debug)]
pub(crate) struct Freed {
    pub(crate) id: i64,
    pub(crate) body: Body,
}

/// Hands a body to the reclaimer. An empty one has nothing to give.
pub(crate) fn insert(tx: &mut Tx<'_>, body: &Body, now: Time) -> Result<(), ApiError> {
    let (extents, blob) = match body {
        Body::Inline(extents) if extents.is_empty() => return Ok(()),
        Body::Inline(extents) => (extent::pack(extents), None),
        Body::Blob(blob) => (Vec::new(), Some(*blob)),
    };
    tx.execute(
        "INSERT INTO oss_free (freed_at, extents, blob) VALUES (?1, ?2, ?3)",
        params![now, &extents, blob],
    )?;
    Ok(())
}

/// Freed bodies with numbers above `after`, in order.
pub(crate) fn list(tx: &mut Tx<'_>, after: i64, limit: usize) -> Result<Vec<Freed>, ApiError> {
    let rows = tx.query(
        "SELECT id, extents, blob FROM oss_free WHERE id > ?1 ORDER BY id LIMIT ?2",
        params![after, limit],
        |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?, row.get::<Option<i64>>(2)?)),
    )?;
    rows.into_iter()
        .map(|(id, packed, blob)| {
            let body = match blob {
                Some(blob) => Body::Blob(blob),
                None => Body::Inline(extent::unpack(&packed, 0)?),
            };
            Ok(Freed { id, body })
        })
        .collect()
}

/// Forgets a body whose space was given back.
pub(crate) fn delete(tx: &mut Tx<'_>, id: i64) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_free WHERE id = ?1", params![id])?;
    Ok(())
}
