//! The versions of a key: what a write or a deletion does to those that are there, and finding one. A bucket
//! without versioning has one version of each key, the null version.
//!
//! Nothing here authorizes, and nothing but rows changes: the sums, the usage and the audit entry are the
//! caller's, by the [`Change`] that it is told.

use base::{AccountId, ApiError};
use engine::Cx;

use super::bucket::require_on;
use super::class::tier_of;
use super::{DeleteKey, RequestCtx, find_bucket, meta, no_such_key, retention};
use crate::access::Need;
use crate::blob::Body;
use crate::meter::PUTS;
use crate::model::{
    At, Attributes, Bucket, Etag, EtagMatch, Facts, Matching, ObjectInfo, StorageClass, VersionId,
    Versioning,
};
use crate::tables::bucket::{Change, bytes};
use crate::tables::object::Object;
use crate::tables::version::Version;
use crate::{Oss, error, tables};

/// What is at a key, or is one version of it.
pub(super) enum Found {
    /// An object.
    Object(Box<Object>),
    /// A delete marker.
    Marker(VersionId),
    /// Nothing.
    Nothing,
}

impl Found {
    /// The object, as the bucket's answers tell it.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion`; `MethodNotAllowed` where a delete marker is asked for by its id.
    pub(super) fn object(self, bucket: &Bucket, at: At<'_>) -> Result<Object, ApiError> {
        let marked = |refused: ApiError, id: VersionId| {
            Err(refused.field("VersionId", id.to_string()).field("ResourceType", DELETE_MARKER))
        };
        match self {
            Self::Object(mut object) => {
                object.info.version = bucket.version_id(object.version);
                Ok(*object)
            }
            Self::Marker(id) if at.version.is_none() => marked(no_such_key(at.key), id),
            Self::Marker(id) => marked(ApiError::new(&wire::object::error::METHOD_NOT_ALLOWED), id),
            Self::Nothing => Err(at.version.map_or_else(
                || no_such_key(at.key),
                |id| {
                    ApiError::new(&wire::object::error::NO_SUCH_VERSION)
                        .field("Key", at.key)
                        .field("VersionId", id.to_string())
                },
            )),
        }
    }

    /// What is known of the object.
    pub(super) fn info(&self) -> Option<&ObjectInfo> {
        match self {
            Self::Object(object) => Some(&object.info),
            Self::Marker(_) | Self::Nothing => None,
        }
    }
}

/// The `ResourceType` of a refusal that is because of a delete marker.
pub(crate) const DELETE_MARKER: &str = "DeleteMarker";

/// Looks for a key's current version, or for the one that is named.
pub(super) fn seek(cx: &mut Cx<'_>, bucket: &Bucket, at: At<'_>) -> Result<Found, ApiError> {
    let current = tables::object::find(cx.tx(), bucket.id, at.key)?;
    let behind = match (&current, at.version) {
        (Some(_), None) => None,
        (Some(object), Some(id)) if object.version == id.number() => None,
        _ if !bucket.is_versioned() => return Ok(Found::Nothing),
        (None, None) => tables::version::newest(cx.tx(), bucket.id, at.key)?,
        (_, Some(id)) => match tables::version::find(cx.tx(), bucket.id, at.key, id)? {
            None => return Ok(Found::Nothing),
            found => found,
        },
    };
    Ok(match (behind, current) {
        (Some(Version { object, marker: true }), _) => Found::Marker(VersionId::of(object.version)),
        (Some(Version { object, .. }), _) | (None, Some(object)) => Found::Object(Box::new(object)),
        (None, None) => Found::Nothing,
    })
}

/// The ordinal of what is to be the newest version of a key: after the newest that there is, however the
/// clock goes.
fn next_ordinal(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &str,
    current: Option<&Object>,
) -> Result<i64, ApiError> {
    let newest = match current {
        Some(current) => Some(current.ordinal),
        None if bucket.is_versioned() => {
            tables::version::newest(cx.tx(), bucket.id, key)?.map(|newest| newest.object.ordinal)
        }
        None => None,
    };
    Ok(newest.map_or(0, |newest| newest.saturating_add(1)).max(cx.now.micros()))
}

/// The number of a new version.
fn number(bucket: &Bucket, ordinal: i64) -> i64 {
    if bucket.settings.versioning == Versioning::Enabled { ordinal } else { 0 }
}

/// Makes `object` the current version of its key in place of `current`.
pub(super) fn supersede(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    current: Option<&Object>,
    object: &mut Object,
) -> Result<Change, ApiError> {
    let key = object.info.key.clone();
    object.ordinal = next_ordinal(cx, bucket, &key, current)?;
    object.version = number(bucket, object.ordinal);
    object.info.facts.tier = tier_of(&object.info);
    let mut change = make_way(cx, bucket, &key, current)?;
    if current.is_some() {
        tables::object::replaced(cx.tx(), bucket.id, &key)?;
    }
    tables::object::put(cx.tx(), bucket.id, object)?;
    change.objects += 1;
    change.bytes += bytes(object.info.size, 0);
    change.tier(&object.info.facts, 1);
    Ok(change)
}

/// Whether the current version, of that number, is still there, behind, once something newer comes.
pub(super) fn stays(bucket: &Bucket, version: i64) -> bool {
    match bucket.settings.versioning {
        Versioning::Unversioned => false,
        Versioning::Enabled => true,
        Versioning::Suspended => version != 0,
    }
}

/// Moves the current version behind what is to come, or frees it where that takes its place; its row stays for
/// the caller to replace. Without versioning enabled what is to come is the null version, so that the one there
/// is goes, wherever it is.
fn make_way(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &str,
    current: Option<&Object>,
) -> Result<Change, ApiError> {
    let mut change = Change::default();
    if bucket.settings.versioning == Versioning::Suspended
        && let Some(null) = tables::version::find(cx.tx(), bucket.id, key, VersionId::NULL)?
    {
        change.add(discard(cx, bucket, &null, false)?);
    }
    let Some(current) = current else { return Ok(change) };
    let stays = stays(bucket, current.version);
    if !stays {
        retention::check(cx, bucket, &current.info, false)?;
    }
    let size = bytes(current.info.size, 0);
    change.objects -= 1;
    let now = cx.now;
    if stays {
        let behind = Version { object: current.clone(), marker: false };
        tables::version::insert(cx.tx(), bucket.id, &behind, now)?;
        change.versions += 1;
        change.version_bytes += size;
    } else {
        tables::free::insert(cx.tx(), &current.body, now)?;
        change.bytes -= size;
        change.tier(&current.info.facts, -1);
    }
    Ok(change)
}

/// Deletes a version that is not the current one, for good; past a governance retention where that is asked.
///
/// # Errors
/// Those of [`retention::check`], before anything is changed.
fn discard(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    version: &Version,
    bypass: bool,
) -> Result<Change, ApiError> {
    if version.marker {
        tables::version::delete(cx.tx(), bucket.id, &version.object)?;
        return Ok(Change { markers: -1, ..Change::default() });
    }
    retention::check(cx, bucket, &version.object.info, bypass)?;
    tables::version::delete(cx.tx(), bucket.id, &version.object)?;
    let now = cx.now;
    tables::free::insert(cx.tx(), &version.object.body, now)?;
    let size = -bytes(version.object.info.size, 0);
    let mut change = Change { versions: -1, bytes: size, version_bytes: size, ..Change::default() };
    change.tier(&version.object.info.facts, -1);
    Ok(change)
}

/// Deletes the current version of a key, for good, as [`discard`].
fn discard_current(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    current: &Object,
    bypass: bool,
) -> Result<Change, ApiError> {
    retention::check(cx, bucket, &current.info, bypass)?;
    tables::object::delete(cx.tx(), bucket.id, &current.info.key)?;
    let now = cx.now;
    tables::free::insert(cx.tx(), &current.body, now)?;
    let size = -bytes(current.info.size, 0);
    let mut change = Change { objects: -1, bytes: size, ..Change::default() };
    change.tier(&current.info.facts, -1);
    Ok(change)
}

/// Makes the newest version the current one of a key that has none, unless it is a delete marker.
fn promote(cx: &mut Cx<'_>, bucket: &Bucket, key: &str) -> Result<Change, ApiError> {
    match tables::version::newest(cx.tx(), bucket.id, key)? {
        Some(Version { object, marker: false }) => {
            tables::object::put(cx.tx(), bucket.id, &object)?;
            tables::damage::move_ahead(cx.tx(), bucket.id, key, -object.ordinal)?;
            tables::version::delete(cx.tx(), bucket.id, &object)?;
            let version_bytes = -bytes(object.info.size, 0);
            Ok(Change { objects: 1, versions: -1, version_bytes, ..Change::default() })
        }
        _ => Ok(Change::default()),
    }
}

/// What came of a deletion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// False where there was no such object, which is a success all the same.
    pub existed: bool,
    /// The version that was deleted, or the delete marker that was made; `None` while the bucket has no
    /// versioning.
    pub version: Option<VersionId>,
    /// Whether that is a delete marker.
    pub marker: bool,
}

/// What a deletion did.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) deleted: Deleted,
    pub(super) change: Change,
    /// The object that is not seen any more.
    pub(super) info: Option<ObjectInfo>,
}

fn check_match(key: &DeleteKey, object: &Object) -> Result<(), ApiError> {
    let Matching { etag, modified, size } = &key.matching;
    let info = &object.info;
    let failed = if etag.as_ref().is_some_and(|tags| !tags.fits(&info.etag)) {
        "If-Match"
    // Clients know whole seconds only.
    } else if modified.is_some_and(|modified| modified.secs() != info.modified.secs()) {
        "If-Match-Last-Modified-Time"
    } else if size.is_some_and(|size| size != info.size) {
        "If-Match-Size"
    } else {
        return Ok(());
    };
    Err(ApiError::new(&error::PRECONDITION_FAILED).field("Condition", failed))
}

/// A delete marker is any object (`*`), and like none.
fn check_marker(key: &DeleteKey) -> Result<(), ApiError> {
    let Matching { etag, modified, size } = &key.matching;
    let named = etag.as_ref().is_some_and(|tags| !matches!(tags, EtagMatch::Any));
    if named || modified.is_some() || size.is_some() {
        return Err(ApiError::new(&error::PRECONDITION_FAILED).field("Condition", "If-Match"));
    }
    Ok(())
}

/// Deletes a key or a version of it.
///
/// # Errors
/// `PreconditionFailed`, and those of [`retention::check`]; rows are as they were then.
pub(super) fn remove(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &DeleteKey,
    current: Option<Object>,
) -> Result<Removed, ApiError> {
    if let Some(id) = key.version {
        return remove_version(cx, bucket, key, id, current);
    }
    if let Some(current) = &current {
        check_match(key, current)?;
    }
    if bucket.is_versioned() {
        if current.is_none() && key.matching != Matching::default() {
            if tables::version::newest(cx.tx(), bucket.id, &key.key)?.is_none() {
                // What has to be something and is nothing needs no marker.
                return Ok(Removed::default());
            }
            check_marker(key)?;
        }
        return mark(cx, bucket, &key.key, current);
    }
    let Some(current) = current else { return Ok(Removed::default()) };
    let change = discard_current(cx, bucket, &current, key.bypass_governance)?;
    let deleted = Deleted { existed: true, ..Deleted::default() };
    Ok(Removed { deleted, change, info: Some(current.info) })
}

/// Puts a delete marker before the versions of a key. There need not be any.
fn mark(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &str,
    current: Option<Object>,
) -> Result<Removed, ApiError> {
    let ordinal = next_ordinal(cx, bucket, key, current.as_ref())?;
    let mut change = make_way(cx, bucket, key, current.as_ref())?;
    if current.is_some() {
        tables::object::delete(cx.tx(), bucket.id, key)?;
    }
    let now = cx.now;
    let info = nothing(key, bucket.owner, now);
    let body = Body::Inline(Vec::new());
    let object = Object { info, body, ordinal, version: number(bucket, ordinal) };
    let version = bucket.version_id(object.version);
    tables::version::insert(cx.tx(), bucket.id, &Version { object, marker: true }, now)?;
    change.markers += 1;
    let deleted = Deleted { existed: current.is_some(), version, marker: true };
    Ok(Removed { deleted, change, info: current.map(|current| current.info) })
}

/// What a delete marker says of an object: nothing but when it went.
fn nothing(key: &str, owner: AccountId, modified: base::Time) -> ObjectInfo {
    ObjectInfo {
        key: key.to_owned(),
        size: 0,
        etag: Etag { md5: [0; 16], parts: 0 },
        crc64: 0,
        modified,
        storage_class: StorageClass::Standard,
        owner,
        site: String::new(),
        acl: None,
        attributes: Attributes::default(),
        tags: Vec::new(),
        facts: Facts::default(),
        version: None,
    }
}

/// Deletes one version or delete marker for good. Where it was the newest, the next one is seen.
fn remove_version(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &DeleteKey,
    id: VersionId,
    current: Option<Object>,
) -> Result<Removed, ApiError> {
    let version = bucket.version_id(id.number());
    let mut deleted = Deleted { existed: true, version, marker: false };
    let visible = match current {
        Some(current) if current.version == id.number() => {
            check_match(key, &current)?;
            let mut change = discard_current(cx, bucket, &current, key.bypass_governance)?;
            if bucket.is_versioned() {
                change.add(promote(cx, bucket, &key.key)?);
            }
            return Ok(Removed { deleted, change, info: Some(current.info) });
        }
        current => current.is_some(),
    };
    let behind = if bucket.is_versioned() {
        tables::version::find(cx.tx(), bucket.id, &key.key, id)?
    } else {
        None
    };
    let Some(behind) = behind else {
        deleted.existed = false;
        return Ok(Removed { deleted, ..Removed::default() });
    };
    if !behind.marker {
        check_match(key, &behind.object)?;
    }
    deleted.marker = behind.marker;
    let mut change = discard(cx, bucket, &behind, key.bypass_governance)?;
    if !visible {
        change.add(promote(cx, bucket, &key.key)?);
    }
    let info = (!behind.marker).then_some(behind.object.info);
    Ok(Removed { deleted, change, info })
}

impl Oss {
    /// Turns versioning of a bucket on, or suspends it. It cannot be as if there had never been any.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `InvalidArgument`, `InvalidBucketState`.
    pub async fn set_bucket_versioning(
        &self,
        ctx: &RequestCtx,
        name: &str,
        versioning: Versioning,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            if versioning == Versioning::Unversioned {
                return Err(error::INVALID_ARGUMENT.error("Versioning can only be suspended."));
            }
            retention::check_versioning(&bucket, versioning, cx.now)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            cx.audit_detail("versioning", format!("{versioning:?}"));
            let mut settings = bucket.settings.clone();
            settings.versioning = versioning;
            tables::bucket::set_settings(cx.tx(), bucket.id, &settings)?;
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            Ok(())
        };
        self.0.cloud.write(ctx.session(meta::PUT_BUCKET_VERSIONING), set).await
    }
}
