//! Listing: range scans over keys in byte order, with roll-up at a delimiter.

use std::ops::ControlFlow;

use base::{AccountId, ApiError, Time};
use engine::Cx;
use store::{Row, Tx};

use super::multipart::owner_of;
use super::{PAGE_MAX, RequestCtx, find_bucket, meta};
use crate::access::{Ask, Need, require};
use crate::meter::LISTS;
use crate::model::{Bucket, Etag, Restored, StorageClass, object_type};
use crate::tables::upload::Upload;
use crate::{Oss, tables};

/// Keys under a rolled-up prefix that are stepped over before the scan begins anew behind it: a seek
/// costs about as much as stepping over so many.
pub(super) const STEPS_MAX: usize = 24;

/// Which objects to list. All text compares by its UTF-8 bytes.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Keys that begin so.
    pub prefix: String,
    /// Keys that have this after the prefix are rolled up into one common prefix, which ends with
    /// it. Empty for none.
    pub delimiter: String,
    /// Only what comes after this: `marker`, `start-after` or a continuation. A common prefix given
    /// here (as [`ListPage::next`]) skips everything under it.
    pub after: String,
    /// At most so many keys and common prefixes together; no more than 1,000.
    pub limit: usize,
}

/// A line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: Etag,
    /// When it was stored.
    pub modified: Time,
    /// Its class.
    pub storage_class: StorageClass,
    /// That it is, or is being, restored from an archive.
    pub restored: Option<Restored>,
    pub(crate) kind: i64,
}

impl ListedObject {
    /// As [`crate::ObjectInfo::object_type`].
    pub fn object_type(&self) -> &'static str {
        object_type(self.kind, &self.etag)
    }
}

/// A page of a listing. Keys and common prefixes are each in order.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// The bucket, whose owner owns every object.
    pub bucket: Bucket,
    /// Objects.
    pub objects: Vec<ListedObject>,
    /// Common prefixes.
    pub prefixes: Vec<String>,
    /// Where the next page begins ([`ListQuery::after`]), if there is more.
    pub next: Option<String>,
}

/// Which uploads to list.
#[derive(Clone, Debug, Default)]
pub struct UploadQuery {
    /// Keys that begin so.
    pub prefix: String,
    /// As in [`ListQuery`].
    pub delimiter: String,
    /// Only uploads of keys after this, and of this one those after `after_upload`.
    pub after_key: String,
    /// Empty for all of `after_key`'s to be passed over.
    pub after_upload: String,
    /// At most so many; no more than 1,000.
    pub limit: usize,
}

/// A line of a listing of uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUpload {
    /// The key.
    pub key: String,
    /// The upload's id.
    pub upload_id: String,
    /// When it began.
    pub initiated: Time,
    /// The class that the object will have.
    pub storage_class: StorageClass,
    /// Whose the object will be.
    pub owner: AccountId,
}

/// A page of uploads, by key and age.
#[derive(Clone, Debug)]
pub struct UploadPage {
    /// The bucket.
    pub bucket: Bucket,
    /// Uploads.
    pub uploads: Vec<ListedUpload>,
    /// Common prefixes.
    pub prefixes: Vec<String>,
    /// `after_key` and `after_upload` of the next page, if there is more.
    pub next: Option<(String, String)>,
}

impl Oss {
    /// Lists a bucket's objects.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn list(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        query: ListQuery,
    ) -> Result<ListPage, ApiError> {
        let name = bucket.to_owned();
        let list = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            let action = cx.meta.permission();
            let limit = query.limit.to_string();
            let conditions = [
                ("oss:MaxKeys", limit.as_str()),
                ("oss:Prefix", query.prefix.as_str()),
                ("oss:Delimiter", query.delimiter.as_str()),
            ];
            let ask = Ask { conditions: &conditions, ..Ask::new(&action, Need::Read).reading() };
            require(cx, &bucket, ask)?;
            Ok((bucket.clone(), page(cx.tx(), bucket, &query)?))
        };
        Ok(self.read(ctx, (meta::LIST_OBJECTS, LISTS), bucket, list).await?.found)
    }

    /// Lists a bucket's uploads under way.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn list_uploads(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        query: UploadQuery,
    ) -> Result<UploadPage, ApiError> {
        let name = bucket.to_owned();
        let list = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            // In a bucket with the rules of S3 who may list its objects may list these too.
            let need = if bucket.obeys_s3() { Need::Read } else { Need::Own };
            super::bucket::require_to_read(cx, &bucket, need)?;
            Ok((bucket.clone(), upload_page(cx.tx(), bucket, &query)?))
        };
        Ok(self.read(ctx, (meta::LIST_MULTIPART_UPLOADS, LISTS), bucket, list).await?.found)
    }
}

/// The first byte string after everything that begins with `prefix`; `None` where there is none.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// The common prefix that a key is rolled up into: up to and with the first delimiter after `prefix`.
pub(super) fn rolled<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// The first key of a page, or `None` where there can be none.
fn first_key(query: &ListQuery) -> Option<Vec<u8>> {
    let ListQuery { prefix, delimiter, after, .. } = query;
    if after.as_bytes() < prefix.as_bytes() {
        return Some(prefix.as_bytes().to_vec());
    }
    if rolled(after, prefix, delimiter) == Some(after) {
        return successor(after.as_bytes());
    }
    Some(behind(after.as_bytes()))
}

/// The first byte string after this one.
fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// A page while it fills.
struct Filling<'q> {
    query: &'q ListQuery,
    limit: usize,
    objects: Vec<ListedObject>,
    prefixes: Vec<String>,
    /// Where the scan goes on.
    from: Option<Vec<u8>>,
    /// Keys stepped over under the last prefix since the last seek.
    steps: usize,
    /// So many are stepped over before the next seek: where one prefix took it, so will others.
    patience: usize,
    /// Rows looked at, in all scans.
    rows: usize,
    last: Option<String>,
    more: bool,
}

impl Filling<'_> {
    /// Takes a row: into the page, into a prefix, or as the sign that there is more.
    fn take(&mut self, row: &Row<'_>) -> Result<ControlFlow<()>, ApiError> {
        self.rows += 1;
        let key = std::str::from_utf8(row.blob(0)?).map_err(|_| tables::damaged("key"))?;
        let prefix = rolled(key, &self.query.prefix, &self.query.delimiter);
        if prefix.is_some() && prefix == self.prefixes.last().map(String::as_str) {
            self.steps += 1;
            if self.steps >= self.patience {
                self.patience = 1;
                self.from = prefix.and_then(|prefix| successor(prefix.as_bytes()));
                return Ok(ControlFlow::Break(()));
            }
            self.from = Some(behind(key.as_bytes()));
            return Ok(ControlFlow::Continue(()));
        }
        if self.objects.len() + self.prefixes.len() == self.limit {
            (self.more, self.from) = (true, None);
            return Ok(ControlFlow::Break(()));
        }
        self.from = Some(behind(key.as_bytes()));
        self.last = Some(prefix.unwrap_or(key).to_owned());
        match prefix {
            Some(prefix) => {
                self.prefixes.push(prefix.to_owned());
                self.steps = 0;
            }
            None => self.objects.push(listed(row, key)?),
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn listed(row: &Row<'_>, key: &str) -> Result<ListedObject, ApiError> {
    let md5 = row.blob(3)?.try_into().map_err(|_| tables::damaged("md5"))?;
    let storage_class =
        StorageClass::parse(row.text(5)?).ok_or_else(|| tables::damaged("storage class"))?;
    Ok(ListedObject {
        key: key.to_owned(),
        size: row.get(2)?,
        etag: Etag { md5, parts: row.get(4)? },
        modified: row.get(1)?,
        storage_class,
        kind: row.get(6)?,
        restored: tables::object::restored(row.text(7)?)?,
    })
}

fn page(tx: &mut Tx<'_>, bucket: Bucket, query: &ListQuery) -> Result<ListPage, ApiError> {
    let Filling { objects, prefixes, last, more, .. } = fill(tx, bucket.id, query)?;
    Ok(ListPage { bucket, objects, prefixes, next: last.filter(|_| more) })
}

/// Rows of one scan: what the page can take, and no fewer than it takes to decide for a seek.
pub(super) fn rows_max(limit: usize) -> usize {
    (limit + 1).max(STEPS_MAX + 2)
}

fn fill<'q>(tx: &mut Tx<'_>, bucket: i64, query: &'q ListQuery) -> Result<Filling<'q>, ApiError> {
    let limit = query.limit.min(PAGE_MAX);
    let until = successor(query.prefix.as_bytes());
    let from = first_key(query).filter(|_| limit > 0);
    let (objects, prefixes) = (Vec::with_capacity(limit), Vec::new());
    let mut page = Filling {
        query,
        limit,
        objects,
        prefixes,
        from,
        steps: 0,
        patience: STEPS_MAX,
        rows: 0,
        last: None,
        more: false,
    };
    let rows_max = rows_max(limit);
    while let Some(from) = page.from.take() {
        let (before, mut failed) = (page.rows, None);
        tables::object::scan(tx, bucket, &from, until.as_deref(), rows_max, |row| {
            Ok(page.take(row).unwrap_or_else(|error| {
                failed = Some(error);
                ControlFlow::Break(())
            }))
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if page.steps >= page.patience {
            // Broken off to seek.
            page.steps = 0;
        } else if page.rows - before < rows_max {
            // Ran dry.
            break;
        }
    }
    Ok(page)
}

/// Where a page of uploads begins, behind a key and an id; `None` where there can be none.
fn first_upload(query: &UploadQuery) -> Option<(Vec<u8>, String)> {
    // Ids are hexadecimal, so this one is behind all.
    const LAST_ID: &str = "~";
    let UploadQuery { prefix, delimiter, after_key, after_upload, .. } = query;
    if rolled(after_key, prefix, delimiter) == Some(after_key) {
        return successor(after_key.as_bytes()).map(|next| (next, String::new()));
    }
    let after_upload = match (after_key.is_empty(), after_upload.is_empty()) {
        (true, _) => "",
        (false, true) => LAST_ID,
        (false, false) => after_upload,
    };
    Some((after_key.clone().into_bytes(), after_upload.to_owned()))
}

fn upload_page(
    tx: &mut Tx<'_>,
    bucket: Bucket,
    query: &UploadQuery,
) -> Result<UploadPage, ApiError> {
    let limit = query.limit.min(PAGE_MAX);
    let mut page = UploadPage { bucket, uploads: Vec::new(), prefixes: Vec::new(), next: None };
    let Some(mut after) = first_upload(query).filter(|_| limit > 0) else {
        return Ok(page);
    };
    let (mut last, mut steps) = (None, 0);
    let rows_max = rows_max(limit);
    loop {
        let (key, id) = (after.0.as_slice(), after.1.as_str());
        let prefix = query.prefix.as_bytes();
        let uploads = tables::upload::list(tx, page.bucket.id, prefix, (key, id), rows_max)?;
        let ended = uploads.len() < rows_max;
        after = uploads
            .last()
            .map(|last| (last.key.clone().into_bytes(), last.id.clone()))
            .unwrap_or_default();
        let mut seeks = false;
        for upload in uploads {
            if !upload.key.starts_with(&query.prefix) {
                return Ok(page);
            }
            let prefix = rolled(&upload.key, &query.prefix, &query.delimiter);
            if let Some(prefix) = prefix
                && page.prefixes.last().is_some_and(|last| last == prefix)
            {
                steps += 1;
                if steps < STEPS_MAX {
                    continue;
                }
                let Some(next) = successor(prefix.as_bytes()) else { return Ok(page) };
                (after, seeks, steps) = ((next, String::new()), true, 0);
                break;
            }
            if page.uploads.len() + page.prefixes.len() == limit {
                page.next = last;
                return Ok(page);
            }
            let prefix = prefix.map(str::to_owned);
            last = Some(page.push(prefix, upload));
            steps = 0;
        }
        if ended && !seeks {
            return Ok(page);
        }
    }
}

impl UploadPage {
    /// Adds a line: the upload, or the prefix that it is rolled up into. Says where to go on.
    fn push(&mut self, prefix: Option<String>, upload: Upload) -> (String, String) {
        if let Some(prefix) = prefix {
            self.prefixes.push(prefix.clone());
            return (prefix, String::new());
        }
        let owner = owner_of(&self.bucket, &upload);
        let Upload { id, key, created: initiated, storage_class, .. } = upload;
        self.uploads.push(ListedUpload {
            key: key.clone(),
            upload_id: id.clone(),
            initiated,
            storage_class,
            owner,
        });
        (key, id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use terms::clauses::DataClass;

    use super::*;
    use crate::blob::Body;
    use crate::model::{Acl, Attributes, Facts, ObjectInfo, Redundancy, Settings};
    use crate::tables::object::Object;

    fn bucket() -> Bucket {
        Bucket {
            id: 0,
            name: "b".to_owned(),
            owner: AccountId::new(1),
            sites: vec!["jkt-1".to_owned()],
            class: DataClass::Internal,
            created: Time::from_secs(0),
            acl: Acl::Private,
            storage_class: StorageClass::Standard,
            redundancy: Redundancy::default(),
            settings: Settings::default(),
        }
    }

    fn object(key: String) -> Object {
        let info = ObjectInfo {
            key,
            size: 0,
            etag: Etag { md5: [0; 16], parts: 0 },
            crc64: 0,
            modified: Time::from_secs(0),
            storage_class: StorageClass::Standard,
            owner: AccountId::new(1),
            site: "jkt-1".to_owned(),
            acl: None,
            attributes: Attributes::default(),
            tags: Vec::new(),
            facts: Facts::default(),
            version: None,
        };
        Object { info, body: Body::Inline(Vec::new()), ordinal: 0, version: 0 }
    }

    #[test]
    fn a_page_of_one_line_does_not_walk_the_prefix_that_it_rolls_up() {
        let test = testkit::cloud(&[], &[crate::MIGRATIONS]);
        let rows = test.cloud.db.write_blocking(|tx| {
            let bucket = tables::bucket::insert(tx, &bucket())?.id;
            for at in 0..1000 {
                tables::object::put(tx, bucket, &object(format!("many/{at:04}")))?;
            }
            tables::object::put(tx, bucket, &object("zebra".to_owned()))?;
            let mut rows = Vec::new();
            for limit in [1, 2, 1000] {
                let query = ListQuery { delimiter: "/".to_owned(), limit, ..ListQuery::default() };
                let page = fill(tx, bucket, &query)?;
                assert_eq!((page.prefixes, page.more), (vec!["many/".to_owned()], limit == 1));
                rows.push(page.rows);
            }
            Ok::<_, ApiError>(rows)
        });
        assert_eq!(rows.unwrap(), [STEPS_MAX + 2; 3]);
    }

    #[test]
    fn the_successor_of_a_prefix_is_behind_all_that_begin_with_it() {
        assert_eq!(successor(b"a/"), Some(b"a0".to_vec()));
        assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b""), None);
        assert_eq!(successor(b"\xff"), None);
    }

    #[test]
    fn a_key_rolls_up_at_the_first_delimiter_after_the_prefix() {
        assert_eq!(rolled("a/b/c", "", "/"), Some("a/"));
        assert_eq!(rolled("a/b/c", "a/", "/"), Some("a/b/"));
        assert_eq!(rolled("a/b", "a/", "/"), None);
        assert_eq!(rolled("aXYb", "", "XY"), Some("aXY"));
        assert_eq!(rolled("a/b", "", ""), None);
    }
}
