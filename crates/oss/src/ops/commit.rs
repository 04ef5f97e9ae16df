//! Taking a body in, and the one transaction that makes it an object.

use std::sync::Arc;

use base::ApiError;
use engine::Cx;
use engine::places::{self, Placement};
use wire::object::checksum::Md5;

use super::append::check_position;
use super::lifecycle::expiry;
use super::object::check_write;
use super::version::supersede;
use super::{Origin, Source, decide, find_bucket, home, overwrite, retention};
use crate::access::{Gives, payer, require_write, writer};
use crate::acl::AccessList;
use crate::blob::{Blobs, Body, BodyKey, Priors, Written};
use crate::digest::Digests;
use crate::meter::{PUTS, STORAGE, TIERS};
use crate::model::{
    Attributes, Bucket, Encryption, Etag, Expected, Facts, Kind, ObjectInfo, PutOptions,
    StorageClass, Stored, Tags, WriteConditions,
};
use crate::tables::bucket::Change;
use crate::tables::object::Object;
use crate::{error, tables};

/// Streams a body into the byte store in constant memory; checks everything promised about it. What
/// comes back is nobody's until a commit makes it somebody's, which is to come after these priors.
pub(super) async fn receive(
    blobs: &Arc<Blobs>,
    (placement, key): (&Placement, BodyKey),
    expected: &Expected,
    bytes_max: u64,
    mut body: impl Source,
) -> Result<(Written, Priors), ApiError> {
    let too_large =
        || ApiError::new(&error::ENTITY_TOO_LARGE).field("MaxSizeAllowed", bytes_max.to_string());
    if expected.length.is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let mut writer = blobs.writer(placement, Digests::new(expected), key);
    let mut size: u64 = 0;
    while let Some(bytes) = body.next().await? {
        size += bytes.len() as u64;
        if expected.length.is_some_and(|length| size > length) {
            return Err(
                error::INCOMPLETE_BODY.error("The body is longer than it was declared to be.")
            );
        }
        if size > bytes_max {
            return Err(too_large());
        }
        writer.push(&bytes).await?;
    }
    if expected.length.is_some_and(|length| size < length) {
        return Err(ApiError::new(&error::INCOMPLETE_BODY));
    }
    let trailers = body.finish()?;
    let (written, priors) = writer.finish().await?;
    written.digested.check(expected, &trailers)?;
    Ok((written, priors))
}

/// All that the commit of a new object needs. It may run more than once, and changes nothing of its
/// own.
pub(super) struct Commit {
    bucket: String,
    key: String,
    attributes: Attributes,
    storage_class: Option<StorageClass>,
    list: AccessList,
    tags: Tags,
    conditions: WriteConditions,
    written: Written,
    placement: Placement,
    origin: Option<Origin>,
    facts: Facts,
}

impl Commit {
    pub(super) fn of_put(
        bucket: &str,
        key: &str,
        options: PutOptions,
        written: Written,
        (placement, encryption): (Placement, Encryption),
    ) -> Self {
        let mut attributes = options.attributes;
        attributes.checksums.clone_from(&written.digested.checksums);
        Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            attributes,
            storage_class: options.storage_class,
            list: AccessList { acl: options.acl, grants: options.grants },
            tags: options.tags,
            conditions: options.conditions,
            written,
            placement,
            origin: None,
            facts: Facts { encryption: Some(encryption), lock: options.lock, ..Facts::default() },
        }
    }

    /// An object of that kind.
    pub(super) fn of_kind(mut self, kind: Kind) -> Self {
        self.facts.kind = kind;
        self
    }

    /// Of what was copied from there.
    pub(super) fn copied_from(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    pub(super) fn run(&self, cx: &mut Cx<'_>) -> Result<Stored, ApiError> {
        let bucket = find_bucket(cx, &self.bucket)?;
        let (tags, lock) = (!self.tags.is_empty(), self.facts.lock);
        let gives = Gives { list: self.list.clone(), tags, lock };
        let current = require_write(cx, &bucket, &self.key, &gives)?;
        if self.facts.kind == Kind::Appendable && check_position(current.as_ref(), 0)?.is_some() {
            // An append makes an object, and never takes the place of one that came meanwhile.
            return Err(ApiError::new(&error::OPERATION_ABORTED));
        }
        // By the agreement of now: it may have been amended while the body came.
        if decide(cx, &bucket)? != self.placement {
            // The bucket was made anew while the body came: the bytes are where nobody decided.
            return Err(ApiError::new(&error::OPERATION_ABORTED));
        }
        if let Some(origin) = self.origin {
            origin.decide(cx, &self.placement)?;
        }
        let digested = &self.written.digested;
        let extents = &self.written.extents;
        let body = if self.facts.kind == Kind::Appendable {
            // In rows of its own, to which others are added.
            Body::Blob(tables::extent::insert_rows(cx.tx(), extents, digested.size, 0)?)
        } else {
            tables::extent::store(cx.tx(), extents, digested.size)?
        };
        self.written.settle(cx.tx())?;
        let (owner, AccessList { acl, grants }) = bucket.newborn(writer(cx), gives.list);
        let info = ObjectInfo {
            key: self.key.clone(),
            size: digested.size,
            etag: Etag { md5: tag_of(&self.facts.kind, digested.md5), parts: 0 },
            crc64: digested.crc64,
            modified: cx.now,
            storage_class: self.storage_class.unwrap_or(bucket.storage_class),
            owner,
            site: home(&self.placement).to_owned(),
            acl,
            attributes: self.attributes.clone(),
            tags: self.tags.clone(),
            facts: Facts { grants, ..self.facts.clone() },
            version: None,
        };
        let object = Object { info, body, ordinal: 0, version: 0 };
        let also = Change::default();
        replace(cx, (&bucket, &self.placement), current, &self.conditions, object, also)
    }
}

/// The entity tag of an object of that kind: a link changes with its target.
fn tag_of(kind: &Kind, body: [u8; 16]) -> [u8; 16] {
    let Kind::Symlink(target) = kind else { return body };
    let mut digest = Md5::default();
    digest.update(target.as_bytes());
    digest.finish()
}

/// Makes `object` the current one of its key in place of `current`: conditions, rows, sums, usage, audit.
/// `also` is what else the commit changes about the bucket (the parts that became the object).
pub(super) fn replace(
    cx: &mut Cx<'_>,
    (bucket, placement): (&Bucket, &Placement),
    current: Option<Object>,
    conditions: &WriteConditions,
    mut object: Object,
    also: Change,
) -> Result<Stored, ApiError> {
    let key = object.info.key.as_str();
    check_write(conditions, key, current.as_ref().map(|current| &current.info))?;
    if current.is_some() {
        overwrite::check(cx, bucket, key)?;
    }
    retention::settle(cx, bucket, &mut object.info)?;
    let mut change = supersede(cx, bucket, current.as_ref(), &mut object)?;
    change.add(also);
    apply(cx, bucket, change)?;
    let (arn, info) = (bucket.arn(), &object.info);
    cx.count(payer(cx, bucket), &arn, PUTS, 1);
    cx.audit_account(bucket.owner);
    cx.audit_resource(bucket.object_arn(&info.key));
    cx.audit_detail("size", info.size.to_string());
    cx.audit_detail("etag", info.etag.lower());
    cx.audit_detail("crc64", info.crc64.to_string());
    cx.audit_detail("site", info.site.clone());
    let version = bucket.version_id(object.version);
    if let Some(version) = version {
        cx.audit_detail("version", version.to_string());
    }
    places::state(cx, placement, "objects", change.bodies());
    let expires = expiry(cx, bucket, info)?;
    Ok(Stored::of(object.info, version, expires))
}

/// Writes what a commit changes about what is in a bucket: the sums, and the usage of stored bytes.
///
/// # Errors
/// `QuotaExceeded` where the bucket would hold more than it may.
pub(super) fn apply(cx: &mut Cx<'_>, bucket: &Bucket, change: Change) -> Result<(), ApiError> {
    let now = cx.now;
    tables::bucket::change(cx.tx(), bucket.id, change, now)?;
    if let Some(capacity) = bucket.settings.capacity.filter(|_| change.bytes > 0)
        && tables::bucket::bytes_in(cx.tx(), bucket.id)? > capacity
    {
        return Err(error::QUOTA_EXCEEDED
            .error("The storage capacity of the bucket is used up.")
            .field("BucketName", bucket.name.as_str()));
    }
    level_bytes(cx, bucket, &change);
    Ok(())
}

/// The usage of stored bytes, each in the class that it is metered in.
fn level_bytes(cx: &mut Cx<'_>, bucket: &Bucket, change: &Change) {
    let arn = bucket.arn();
    let tiered: i64 = change.tiers.iter().sum();
    cx.level(bucket.owner, &arn, STORAGE, change.bytes - tiered);
    for (meter, bytes) in TIERS.into_iter().zip(change.tiers).filter(|(_, bytes)| *bytes != 0) {
        cx.level(bucket.owner, &arn, meter, bytes);
    }
}

/// Writes what deletions within one commit change: the sums, the usage, and in public what is where no more.
pub(super) fn apply_removal(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    change: Change,
) -> Result<(), ApiError> {
    apply(cx, bucket, change)?;
    if change.bodies() != 0 {
        let (owner, class) = (bucket.owner, bucket.class);
        places::state_removed(cx, owner, class, &bucket.sites, "objects", change.bodies());
    }
    Ok(())
}
