//! Taking a body in, and the one transaction that makes it an object.

use std::sync::Arc;

use base::ApiError;
use engine::Cx;
use engine::places::{self, Placement};

use super::object::check_write;
use super::version::supersede;
use super::{Origin, Source, decide, find_bucket, home, retention};
use crate::access::{Gives, require_write};
use crate::blob::{Blobs, BodyKey, Written};
use crate::digest::Digests;
use crate::meter::{PUTS, STORAGE};
use crate::model::{
    Acl, Attributes, Bucket, Encryption, Etag, Expected, Facts, Lock, ObjectInfo, PutOptions,
    StorageClass, Stored, Tags, WriteConditions,
};
use crate::tables::bucket::Change;
use crate::tables::object::Object;
use crate::{error, tables};

/// Streams a body into the byte store in constant memory; checks everything promised about it. What
/// comes back is durable but nobody's.
pub(super) async fn receive(
    blobs: &Arc<Blobs>,
    (placement, key): (&Placement, BodyKey),
    expected: &Expected,
    bytes_max: u64,
    mut body: impl Source,
) -> Result<Written, ApiError> {
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
    let written = writer.finish().await?;
    written.digested.check(expected, &trailers)?;
    Ok(written)
}

/// All that the commit of a new object needs. It may run more than once, and changes nothing of its
/// own.
pub(super) struct Commit {
    bucket: String,
    key: String,
    attributes: Attributes,
    storage_class: Option<StorageClass>,
    acl: Option<Acl>,
    tags: Tags,
    conditions: WriteConditions,
    written: Written,
    placement: Placement,
    origin: Option<Origin>,
    encryption: Encryption,
    lock: Lock,
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
            acl: options.acl,
            tags: options.tags,
            conditions: options.conditions,
            written,
            placement,
            origin: None,
            encryption,
            lock: options.lock,
        }
    }

    /// Of what was copied from there.
    pub(super) fn copied_from(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    pub(super) fn run(&self, cx: &mut Cx<'_>) -> Result<Stored, ApiError> {
        let bucket = find_bucket(cx, &self.bucket)?;
        let (tags, lock) = (!self.tags.is_empty(), self.lock);
        let gives = Gives { acl: self.acl.is_some(), tags, lock };
        let current = require_write(cx, &bucket, &self.key, gives)?;
        // By the agreement of now: it may have been amended while the body came.
        if decide(cx, &bucket)? != self.placement {
            // The bucket was made anew while the body came: the bytes are where nobody decided.
            return Err(ApiError::new(&error::OPERATION_ABORTED));
        }
        if let Some(origin) = self.origin {
            origin.decide(cx, &self.placement)?;
        }
        let digested = &self.written.digested;
        let body = tables::extent::store(cx.tx(), &self.written.extents, digested.size)?;
        self.written.settle(cx.tx())?;
        let info = ObjectInfo {
            key: self.key.clone(),
            size: digested.size,
            etag: Etag { md5: digested.md5, parts: 0 },
            crc64: digested.crc64,
            modified: cx.now,
            storage_class: self.storage_class.unwrap_or(bucket.storage_class),
            owner: bucket.owner,
            site: home(&self.placement).to_owned(),
            acl: self.acl,
            attributes: self.attributes.clone(),
            tags: self.tags.clone(),
            facts: Facts {
                encryption: Some(self.encryption.clone()),
                lock: self.lock,
                ..Facts::default()
            },
            version: None,
        };
        let object = Object { info, body, ordinal: 0, version: 0 };
        let also = Change::default();
        replace(cx, (&bucket, &self.placement), current, &self.conditions, object, also)
    }
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
    retention::settle(cx, bucket, &mut object.info)?;
    let mut change = supersede(cx, bucket, current.as_ref(), &mut object)?;
    change.add(also);
    tables::bucket::change(cx.tx(), bucket.id, change)?;
    let (arn, info) = (bucket.arn(), &object.info);
    cx.count(bucket.owner, &arn, PUTS, 1);
    cx.level(bucket.owner, &arn, STORAGE, change.bytes);
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
    Ok(Stored {
        etag: info.etag,
        crc64: info.crc64,
        size: info.size,
        modified: info.modified,
        checksums: info.attributes.checksums.clone(),
        encryption: info.facts.encryption.clone(),
        version,
    })
}

/// Writes what deletions within one commit change: the sums, the usage, and in public what is where no more.
pub(super) fn apply_removal(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    change: Change,
) -> Result<(), ApiError> {
    tables::bucket::change(cx.tx(), bucket.id, change)?;
    if change.bytes != 0 {
        cx.level(bucket.owner, &bucket.arn(), STORAGE, change.bytes);
    }
    if change.bodies() != 0 {
        let (owner, class) = (bucket.owner, bucket.class);
        places::state_removed(cx, owner, class, &bucket.sites, "objects", change.bodies());
    }
    Ok(())
}
