//! Buckets, what is in them, and their documents.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};
use terms::clauses::DataClass;

use super::{damaged, from_json, int, storage_class, to_json};
use crate::model::{Acl, Bucket, BucketStat, ClassStat, Facts, Redundancy, Settings, StorageClass};

macro_rules! columns {
    () => {
        "id, name, owner, site, created_at, acl, storage_class, redundancy, class, mirrors, settings"
    };
}

const COLUMNS: &str = columns!();

fn read(row: &Row<'_>) -> Result<Result<Bucket, ApiError>, store::Error> {
    let acl = Acl::parse(row.text(5)?).ok_or_else(|| damaged("acl"));
    let class = storage_class(row.text(6)?);
    let redundancy = Redundancy::parse(row.text(7)?).ok_or_else(|| damaged("redundancy"));
    let data_class = DataClass::parse(row.text(8)?).ok_or_else(|| damaged("class"));
    let mirrors: Result<Vec<String>, ApiError> = from_json(row.text(9)?);
    let settings = from_json(row.text(10)?);
    let (id, name, owner, home, created) =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    let bucket = || {
        let mut sites = vec![home];
        sites.extend(mirrors?);
        Ok(Bucket {
            id,
            name,
            owner,
            sites,
            class: data_class?,
            created,
            acl: acl?,
            storage_class: class?,
            redundancy: redundancy?,
            settings: settings?,
        })
    };
    Ok(bucket())
}

/// The bucket of that name.
pub(crate) fn find(tx: &mut Tx<'_>, name: &str) -> Result<Option<Bucket>, ApiError> {
    // Each request asks this: the text is not to be made each time.
    const FIND: &str = concat!("SELECT ", columns!(), " FROM oss_bucket WHERE name = ?1");
    tx.query_opt(FIND, params![name], read)?.transpose()
}

/// Makes a bucket; its number is given by the database.
pub(crate) fn insert(tx: &mut Tx<'_>, bucket: &Bucket) -> Result<Bucket, ApiError> {
    let (home, mirrors) =
        bucket.sites.split_first().ok_or_else(|| damaged("a bucket that is nowhere"))?;
    let inserted = tx.query_opt(
        &format!(
            "INSERT INTO oss_bucket (name, owner, site, created_at, acl, storage_class, redundancy, class, mirrors, settings)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING {COLUMNS}"
        ),
        params![
            &bucket.name,
            bucket.owner,
            home,
            bucket.created,
            bucket.acl.as_str(),
            bucket.storage_class.as_str(),
            bucket.redundancy.as_str(),
            bucket.class.as_str(),
            &to_json(&mirrors.to_vec())?,
            &to_json(&bucket.settings)?
        ],
        read,
    )?;
    let bucket = inserted.ok_or_else(|| damaged("no number for a bucket"))??;
    tx.execute(
        "INSERT INTO oss_bucket_stat (bucket, objects, uploads, bytes, part_bytes) VALUES (?1, 0, 0, 0, 0)",
        params![bucket.id],
    )?;
    Ok(bucket)
}

/// Deletes a bucket and what describes it.
pub(crate) fn delete(tx: &mut Tx<'_>, bucket: i64) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_bucket_document WHERE bucket = ?1", params![bucket])?;
    tx.execute("DELETE FROM oss_inventory WHERE bucket = ?1", params![bucket])?;
    tx.execute("DELETE FROM oss_bucket_class WHERE bucket = ?1", params![bucket])?;
    tx.execute("DELETE FROM oss_bucket_stat WHERE bucket = ?1", params![bucket])?;
    tx.execute("DELETE FROM oss_bucket WHERE id = ?1", params![bucket])?;
    Ok(())
}

/// An account's buckets with names above `after` that begin with `prefix`, in order.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    owner: AccountId,
    prefix: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<Bucket>, ApiError> {
    let rows = tx.query(
        &format!(
            "SELECT {COLUMNS} FROM oss_bucket
             WHERE owner = ?1 AND name > ?2 AND name >= ?3 AND SUBSTR(name, 1, CAST(?4 AS INTEGER)) = ?3 ORDER BY name LIMIT ?5"
        ),
        params![owner, after, prefix, prefix.chars().count(), limit],
        read,
    )?;
    rows.into_iter().collect()
}

/// How many buckets an account has.
pub(crate) fn count(tx: &mut Tx<'_>, owner: AccountId) -> Result<u64, ApiError> {
    let count =
        tx.query_opt("SELECT COUNT(*) FROM oss_bucket WHERE owner = ?1", params![owner], |row| {
            row.get(0)
        })?;
    Ok(count.unwrap_or(0))
}

/// The data centres of each bucket that has anything in it.
pub(crate) fn sites_of_data(tx: &mut Tx<'_>) -> Result<Vec<Vec<String>>, ApiError> {
    let rows = tx.query(
        &format!(
            "SELECT {COLUMNS} FROM oss_bucket JOIN oss_bucket_stat ON bucket = id
             WHERE objects > 0 OR uploads > 0 OR versions > 0"
        ),
        &[],
        read,
    )?;
    rows.into_iter().map(|bucket| Ok(bucket?.sites)).collect()
}

/// Changes a bucket's ACL: the canned word, and the settings with its grants.
pub(crate) fn set_acl(
    tx: &mut Tx<'_>,
    bucket: i64,
    acl: Acl,
    settings: &Settings,
) -> Result<(), ApiError> {
    tx.execute("UPDATE oss_bucket SET acl = ?2 WHERE id = ?1", params![bucket, acl.as_str()])?;
    set_settings(tx, bucket, settings)
}

/// Changes what the requests to a bucket obey.
pub(crate) fn set_settings(
    tx: &mut Tx<'_>,
    bucket: i64,
    settings: &Settings,
) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE oss_bucket SET settings = ?2 WHERE id = ?1",
        params![bucket, &to_json(settings)?],
    )?;
    Ok(())
}

/// What a commit changes about what is in a bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    pub(crate) objects: i64,
    pub(crate) uploads: i64,
    pub(crate) bytes: i64,
    pub(crate) part_bytes: i64,
    /// Versions behind the current one of their key.
    pub(crate) versions: i64,
    pub(crate) markers: i64,
    pub(crate) version_bytes: i64,
    /// Of `bytes`, those that are metered as [`crate::meter::TIERS`].
    pub(crate) tiers: [i64; 4],
    /// The objects, of all versions, that these bytes are of.
    pub(crate) tiered: [i64; 4],
}

impl Change {
    /// Bodies more or fewer, whichever version's they are.
    pub(crate) fn bodies(&self) -> i64 {
        self.objects + self.versions
    }

    /// Adds an object that is metered in a class of its own, or (`sign` -1) takes it off.
    pub(crate) fn tier(&mut self, facts: &Facts, sign: i64) {
        if let Some((class, size)) = facts.tier
            && let Some(tier) = (class as usize).checked_sub(1)
        {
            self.tiers[tier] += sign * int(size);
            self.tiered[tier] += sign;
        }
    }

    /// Adds what else changes.
    pub(crate) fn add(&mut self, other: Self) {
        for (tier, more) in self.tiers.iter_mut().zip(other.tiers) {
            *tier += more;
        }
        for (tiered, more) in self.tiered.iter_mut().zip(other.tiered) {
            *tiered += more;
        }
        self.objects += other.objects;
        self.uploads += other.uploads;
        self.bytes += other.bytes;
        self.part_bytes += other.part_bytes;
        self.versions += other.versions;
        self.markers += other.markers;
        self.version_bytes += other.version_bytes;
    }
}

/// Adds to what is in a bucket.
pub(crate) fn change(tx: &mut Tx<'_>, bucket: i64, by: Change, now: Time) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE oss_bucket_stat SET objects = objects + ?2, uploads = uploads + ?3, bytes = bytes + ?4,
         part_bytes = part_bytes + ?5, versions = versions + ?6, markers = markers + ?7,
         version_bytes = version_bytes + ?8, changed_at = ?9 WHERE bucket = ?1",
        params![
            bucket,
            by.objects,
            by.uploads,
            by.bytes,
            by.part_bytes,
            by.versions,
            by.markers,
            by.version_bytes,
            now
        ],
    )?;
    for (class, (objects, bytes)) in StorageClass::TIERS.iter().zip(by.tiered.iter().zip(by.tiers))
    {
        if *objects != 0 || bytes != 0 {
            tx.execute(
                "INSERT INTO oss_bucket_class (bucket, class, objects, bytes) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (bucket, class) DO UPDATE SET objects = oss_bucket_class.objects + excluded.objects,
                     bytes = oss_bucket_class.bytes + excluded.bytes",
                params![bucket, class.as_str(), *objects, bytes],
            )?;
        }
    }
    Ok(())
}

/// What is in a bucket.
pub(crate) fn stat(tx: &mut Tx<'_>, bucket: i64) -> Result<BucketStat, ApiError> {
    let stat = tx.query_opt(
        "SELECT objects, uploads, bytes, part_bytes, versions, markers, version_bytes, changed_at FROM oss_bucket_stat
         WHERE bucket = ?1",
        params![bucket],
        |row| {
            Ok(BucketStat {
                objects: row.get(0)?,
                uploads: row.get(1)?,
                bytes: row.get(2)?,
                part_bytes: row.get(3)?,
                versions: row.get(4)?,
                markers: row.get(5)?,
                version_bytes: row.get(6)?,
                changed: row.get(7)?,
                ..BucketStat::default()
            })
        },
    )?;
    let mut stat = stat.ok_or_else(|| damaged("a bucket without its statistics"))?;
    stat.parts = tx
        .query_opt(
            "SELECT CAST(COUNT(*) AS BIGINT) FROM oss_upload JOIN oss_part ON upload = id WHERE bucket = ?1",
            params![bucket],
            |row| row.get(0),
        )?
        .unwrap_or(0);
    stat.tiers = tiers(tx, bucket)?;
    Ok(stat)
}

/// How much is in a bucket, bytes.
pub(crate) fn bytes_in(tx: &mut Tx<'_>, bucket: i64) -> Result<u64, ApiError> {
    let found = tx.query_opt(
        "SELECT bytes FROM oss_bucket_stat WHERE bucket = ?1",
        params![bucket],
        |row| row.get(0),
    )?;
    found.ok_or_else(|| damaged("a bucket without its statistics"))
}

/// What is in a bucket of the classes other than Standard.
fn tiers(tx: &mut Tx<'_>, bucket: i64) -> Result<[ClassStat; 4], ApiError> {
    let rows = tx.query(
        "SELECT class, objects, bytes FROM oss_bucket_class WHERE bucket = ?1",
        params![bucket],
        |row| {
            let stat = ClassStat { objects: row.get(1)?, bytes: row.get(2)? };
            Ok(storage_class(row.text(0)?).map(|class| (class, stat)))
        },
    )?;
    let mut tiers = [ClassStat::default(); 4];
    for row in rows {
        let (class, stat) = row?;
        if let Some(at) = StorageClass::TIERS.iter().position(|tier| *tier == class) {
            tiers[at] = stat;
        }
    }
    Ok(tiers)
}

/// A document of a bucket.
pub(crate) fn document(
    tx: &mut Tx<'_>,
    bucket: i64,
    name: &str,
) -> Result<Option<String>, ApiError> {
    Ok(tx.query_opt(
        "SELECT document FROM oss_bucket_document WHERE bucket = ?1 AND name = ?2",
        params![bucket, name],
        |row| row.get(0),
    )?)
}

/// Stores a document, in place of the one before.
pub(crate) fn set_document(
    tx: &mut Tx<'_>,
    bucket: i64,
    name: &str,
    document: &str,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_bucket_document (bucket, name, document) VALUES (?1, ?2, ?3)
         ON CONFLICT (bucket, name) DO UPDATE SET document = excluded.document",
        params![bucket, name, document],
    )?;
    Ok(())
}

/// Deletes a document; false where there is none.
pub(crate) fn delete_document(tx: &mut Tx<'_>, bucket: i64, name: &str) -> Result<bool, ApiError> {
    let deleted = tx.execute(
        "DELETE FROM oss_bucket_document WHERE bucket = ?1 AND name = ?2",
        params![bucket, name],
    )?;
    Ok(deleted > 0)
}

/// The change of a number of bytes.
pub(crate) fn bytes(more: u64, less: u64) -> i64 {
    int(more) - int(less)
}
