//! The parts that an object was uploaded in, as they are known once it is one: their sizes, and checksums.

use base::ApiError;
use store::{Tx, params};

use super::{from_json, to_json};
use crate::digest::Checksum;
use crate::model::ObjectPart;

/// Notes the checksums of a part of a body, if it has any.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    blob: i64,
    part: u32,
    checksums: &Vec<Checksum>,
) -> Result<(), ApiError> {
    if !checksums.is_empty() {
        tx.execute(
            "INSERT INTO oss_part_checksum (blob, part, checksums) VALUES (?1, ?2, ?3)",
            params![blob, part, &to_json(checksums)?],
        )?;
    }
    Ok(())
}

/// Forgets the checksums of the parts of a body.
pub(crate) fn delete(tx: &mut Tx<'_>, blob: i64) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_part_checksum WHERE blob = ?1", params![blob])?;
    Ok(())
}

/// The parts of a body, in order. A part without bytes has no row and is not among them.
pub(crate) fn parts(tx: &mut Tx<'_>, blob: i64) -> Result<Vec<ObjectPart>, ApiError> {
    let rows = tx.query(
        "SELECT extent.part, extent.start, extent.size, COALESCE(checksum.checksums, '')
         FROM (SELECT part, MIN(start) AS start, CAST(SUM(size) AS BIGINT) AS size
               FROM oss_extent WHERE blob = ?1 AND part > 0 GROUP BY part) AS extent
         LEFT JOIN oss_part_checksum AS checksum ON checksum.blob = ?1 AND checksum.part = extent.part
         ORDER BY extent.start",
        params![blob],
        |row| Ok((row.get::<u32>(0)?, row.get::<u64>(1)?, row.get::<u64>(2)?, row.get::<String>(3)?)),
    )?;
    rows.into_iter()
        .map(|(number, start, size, checksums)| {
            Ok(ObjectPart { number, start, size, checksums: from_json(&checksums)? })
        })
        .collect()
}
