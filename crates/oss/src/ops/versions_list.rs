//! Listing versions: the rows of two tables in one order, rolled up at a delimiter as plain listings are.

use base::ApiError;
use engine::Cx;
use store::Tx;

use super::list::{ListedObject, STEPS_MAX, rolled, rows_max, successor};
use super::{PAGE_MAX, RequestCtx, find_bucket, meta};
use crate::access::{Ask, Need, require};
use crate::meter::LISTS;
use crate::model::{Bucket, VersionId};
use crate::tables::version::Line;
use crate::{Oss, error, tables};

/// Which versions to list.
#[derive(Clone, Debug, Default)]
pub struct VersionQuery {
    /// Keys that begin so.
    pub prefix: String,
    /// As in [`crate::ListQuery`].
    pub delimiter: String,
    /// Only versions of keys after this, and of this one those older than `after_version`.
    pub after_key: String,
    /// Nothing for all of `after_key`'s to be passed over.
    pub after_version: Option<VersionId>,
    /// At most so many versions and common prefixes together; no more than 1,000.
    pub limit: usize,
}

/// A line of a listing of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// The object; of a delete marker only key and time say anything.
    pub object: ListedObject,
    /// The version's id.
    pub version: VersionId,
    /// Whether there is none newer of this key.
    pub latest: bool,
    /// Whether it is a delete marker.
    pub marker: bool,
}

/// A page of versions: by key, the newest first.
#[derive(Clone, Debug)]
pub struct VersionPage {
    /// The bucket, whose owner owns every version.
    pub bucket: Bucket,
    /// Versions and delete markers.
    pub versions: Vec<ListedVersion>,
    /// Common prefixes.
    pub prefixes: Vec<String>,
    /// `after_key` and `after_version` of the next page, if there is more.
    pub next: Option<(String, Option<VersionId>)>,
}

impl Oss {
    /// Lists the versions of a bucket's objects, and the delete markers among them.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `InvalidArgument` for a version to begin behind without a key.
    pub async fn list_versions(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        query: VersionQuery,
    ) -> Result<VersionPage, ApiError> {
        if query.after_key.is_empty() && query.after_version.is_some() {
            return Err(error::INVALID_ARGUMENT
                .error("A version-id marker cannot be specified without a key marker.")
                .field("ArgumentName", "version-id-marker"));
        }
        let name = bucket.to_owned();
        let list = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            let action = cx.meta.permission();
            let conditions = [
                ("oss:Prefix", query.prefix.as_str()),
                ("oss:Delimiter", query.delimiter.as_str()),
            ];
            let ask = Ask { conditions: &conditions, ..Ask::new(&action, Need::Read).reading() };
            require(cx, &bucket, ask)?;
            Ok((bucket.clone(), page(cx.tx(), bucket, &query)?))
        };
        Ok(self.read(ctx, (meta::LIST_OBJECT_VERSIONS, LISTS), bucket, list).await?.found)
    }
}

/// A place in the order of versions: behind the version of that age, of a key.
type Position = (Vec<u8>, i64);

/// Behind all versions of the keys before this one, before all of its own.
fn before(key: Vec<u8>) -> Position {
    (key, i64::MIN)
}

/// The age of the newest version of a key.
fn newest_age(tx: &mut Tx<'_>, bucket: i64, key: &str) -> Result<Option<i64>, ApiError> {
    if let Some(current) = tables::object::find(tx, bucket, key)? {
        return Ok(Some(-current.ordinal));
    }
    Ok(tables::version::newest(tx, bucket, key)?.map(|newest| -newest.object.ordinal))
}

/// The age of a version, also of one that is no more, where its id tells it.
fn age_of(tx: &mut Tx<'_>, bucket: i64, key: &str, id: VersionId) -> Result<Option<i64>, ApiError> {
    if !id.is_null() {
        return Ok(Some(-id.number()));
    }
    match tables::object::find(tx, bucket, key)? {
        Some(current) if current.version == 0 => Ok(Some(-current.ordinal)),
        _ => {
            let null = tables::version::find(tx, bucket, key, id)?;
            Ok(null.map(|null| -null.object.ordinal))
        }
    }
}

/// Where a page begins; `None` where there can be none.
fn start(tx: &mut Tx<'_>, bucket: i64, query: &VersionQuery) -> Result<Option<Position>, ApiError> {
    let VersionQuery { prefix, delimiter, after_key, after_version, .. } = query;
    if after_key.as_bytes() < prefix.as_bytes() {
        return Ok(Some(before(prefix.as_bytes().to_vec())));
    }
    if after_key.is_empty() {
        return Ok(Some(before(Vec::new())));
    }
    if rolled(after_key, prefix, delimiter) == Some(after_key) {
        return Ok(successor(after_key.as_bytes()).map(before));
    }
    let age = match after_version {
        Some(id) => age_of(tx, bucket, after_key, *id)?,
        None => None,
    };
    Ok(Some((after_key.as_bytes().to_vec(), age.unwrap_or(i64::MAX))))
}

/// What becomes of the scan after a row.
enum Next {
    /// It goes on.
    Row,
    /// It begins anew, behind a prefix.
    Seek(Position),
    /// It ends.
    End,
}

/// A page while it fills.
struct Filling<'q> {
    query: &'q VersionQuery,
    limit: usize,
    page: VersionPage,
    /// The key of the last row, and with the first row of the page the age of the newest of its key.
    key: Option<String>,
    newest: Option<i64>,
    last: Option<(String, Option<VersionId>)>,
    steps: usize,
}

impl Filling<'_> {
    fn take(&mut self, line: Line) -> Next {
        let VersionQuery { prefix, delimiter, .. } = self.query;
        if !line.key.starts_with(prefix.as_str()) {
            return Next::End;
        }
        if let Some(rolled) = rolled(&line.key, prefix, delimiter)
            && self.page.prefixes.last().is_some_and(|last| last == rolled)
        {
            self.steps += 1;
            if self.steps < STEPS_MAX {
                return Next::Row;
            }
            self.steps = 0;
            return successor(rolled.as_bytes()).map_or(Next::End, |next| Next::Seek(before(next)));
        }
        if self.page.versions.len() + self.page.prefixes.len() == self.limit {
            self.page.next = self.last.take();
            return Next::End;
        }
        self.steps = 0;
        if let Some(rolled) = rolled(&line.key, prefix, delimiter) {
            self.page.prefixes.push(rolled.to_owned());
            self.last = Some((rolled.to_owned(), None));
            return Next::Row;
        }
        self.push(line);
        Next::Row
    }

    fn push(&mut self, line: Line) {
        let first = self.key.as_ref() != Some(&line.key);
        // Of the key that the page begins within, newer versions are on the page before.
        let latest = first && (line.key != self.query.after_key || self.newest == Some(line.age));
        if first {
            self.key = Some(line.key.clone());
        }
        self.last = Some((line.key.clone(), Some(line.version)));
        let Line { key, modified, size, etag, storage_class, version, marker, kind, .. } = line;
        let restored = line.restored;
        let object = ListedObject { key, size, etag, modified, storage_class, restored, kind };
        self.page.versions.push(ListedVersion { object, version, latest, marker });
    }
}

fn page(tx: &mut Tx<'_>, bucket: Bucket, query: &VersionQuery) -> Result<VersionPage, ApiError> {
    let (id, limit) = (bucket.id, query.limit.min(PAGE_MAX));
    let page = VersionPage { bucket, versions: Vec::new(), prefixes: Vec::new(), next: None };
    let Some(mut from) = start(tx, id, query)?.filter(|_| limit > 0) else { return Ok(page) };
    let newest = match query.after_version {
        Some(_) => newest_age(tx, id, &query.after_key)?,
        None => None,
    };
    let mut filling = Filling { query, limit, page, key: None, newest, last: None, steps: 0 };
    let rows_max = rows_max(limit);
    loop {
        let rows = tables::version::list(tx, id, (&from.0, from.1), rows_max)?;
        let mut more = rows.len() == rows_max;
        if let Some(last) = rows.last() {
            from = (last.key.as_bytes().to_vec(), last.age);
        }
        for line in rows {
            match filling.take(line) {
                Next::Row => {}
                Next::Seek(position) => {
                    (from, more) = (position, true);
                    break;
                }
                Next::End => return Ok(filling.page),
            }
        }
        if !more {
            return Ok(filling.page);
        }
    }
}
