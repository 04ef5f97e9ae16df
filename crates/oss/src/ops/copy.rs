//! Copying an object. Between keys the bytes are read and written anew, since the target may be in
//! another place; onto itself, only the row changes.

use std::sync::Arc;

use base::ApiError;
use engine::{Cx, Session, places};

use super::class::reclassify;
use super::commit::{Commit, apply, receive};
use super::encryption::resolve;
use super::lifecycle::expiry;
use super::object::{Opened, check_write, is_fresh};
use super::stream::{ObjectStream, Opening};
use super::{
    PUT_BYTES_MAX, RequestCtx, check_key, decide, find_bucket, meta, no_such_key, retention,
};
use crate::access::{Gives, payer, require_write, tell_tags, writer};
use crate::acl::{AccessList, Grant};
use crate::digest::Algorithm;
use crate::meter::PUTS;
use crate::model::{
    Acl, Attributes, Encryption, Expected, Kind, Lock, ObjectInfo, PutOptions, ReadConditions,
    StorageClass, Stored, Tags, VersionId, Wanted, WriteConditions,
};
use crate::{Oss, error, tables};

/// Where something of the new object comes from.
#[derive(Clone, Debug, Default)]
pub enum Directive<T> {
    /// From the source.
    #[default]
    Copy,
    /// From the request.
    Replace(T),
}

impl<T> Directive<T> {
    fn or(self, source: T) -> T {
        match self {
            Self::Copy => source,
            Self::Replace(value) => value,
        }
    }
}

/// The source of a copy. The caller needs `oss:GetObject` on it.
#[derive(Clone, Debug, Default)]
pub struct CopySource {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// One version of it; the current one where not told.
    pub version: Option<VersionId>,
    /// Conditions on it (`x-oss-copy-source-if-…`); any that does not hold is `PreconditionFailed`.
    pub conditions: ReadConditions,
}

/// What the copy is to be.
#[derive(Clone, Debug, Default)]
pub struct CopyOptions {
    /// Headers and user metadata.
    pub attributes: Directive<Attributes>,
    /// Whether other attributes without a content type leave the source's (OSS).
    pub keeps_type: bool,
    /// Tags.
    pub tags: Directive<Tags>,
    /// Its class; the bucket's where not told.
    pub storage_class: Option<StorageClass>,
    /// Its own ACL; never the source's.
    pub acl: Option<Acl>,
    /// The grants of its own ACL, where no canned word says them.
    pub grants: Option<Vec<Grant>>,
    /// Conditions on the target.
    pub conditions: WriteConditions,
    /// Checksums to make besides those that the source has.
    pub compute: Vec<Algorithm>,
    /// What it is to be sealed as; the bucket's default where not told.
    pub encryption: Option<Wanted>,
    /// What is to keep it; never what keeps the source.
    pub lock: Lock,
}

impl CopyOptions {
    /// What the copy of an object with these attributes has.
    fn attributes(&self, source: Attributes) -> Attributes {
        let Directive::Replace(mut attributes) = self.attributes.clone() else { return source };
        let name = "content-type";
        if self.keeps_type && attributes.header(name).is_none() {
            let kept = source.header(name).map(|value| (name.to_owned(), value.to_owned()));
            attributes.headers.extend(kept);
        }
        if self.keeps_type {
            // The bytes are still what the client encrypted, and only these say how.
            let kept = source.user.into_iter().filter(|(name, _)| {
                name.starts_with("client-side-encryption-")
                    && !attributes.user.iter().any(|(known, _)| known == name)
            });
            let kept: Vec<_> = kept.collect();
            attributes.user.extend(kept);
        }
        attributes
    }

    fn gives(&self) -> Gives {
        let tags = matches!(&self.tags, Directive::Replace(tags) if !tags.is_empty());
        let list = AccessList { acl: self.acl, grants: self.grants.clone() };
        Gives { list, tags, lock: self.lock }
    }

    /// Whether a copy onto itself can leave the bytes as they are sealed.
    fn keeps_bytes(&self, current: &ObjectInfo) -> bool {
        match (&self.encryption, &current.facts.encryption) {
            (None, sealed) => !matches!(sealed, Some(Encryption::Customer { .. })),
            (Some(Wanted::Managed(wanted)), Some(sealed)) => wanted == sealed,
            _ => false,
        }
    }
}

impl Oss {
    /// Copies an object; says also what the source was.
    ///
    /// # Errors
    /// Those of [`Self::get`] on the source and of [`Self::put`] on the target; those of
    /// [`engine::places::decide_copy`]; `InvalidRequest` for a source above 5 GiB, which is copied in parts.
    pub async fn copy(
        &self,
        ctx: &RequestCtx,
        source: CopySource,
        bucket: &str,
        key: &str,
        options: CopyOptions,
    ) -> Result<(Stored, ObjectInfo), ApiError> {
        check_key(key)?;
        let session = ctx.session(meta::PUT_OBJECT);
        let (placement, home) =
            self.admit(&session, bucket, key, options.gives(), &options.conditions).await?;
        let tags = matches!(options.tags, Directive::Copy);
        let opened = self.open_source(ctx, (&session, &placement), &source, tags).await?;
        let info = opened.info.clone();
        let session = with_tags(session, &options, &info);
        // With versioning it is a version of its own, with bytes of its own.
        let itself = source.bucket == bucket && source.key == key;
        if itself && info.version.is_none() && options.keeps_bytes(&info) {
            let restate = Restate { source, options };
            let stored = self.0.cloud.write(session, move |cx| restate.run(cx)).await?;
            return Ok((stored, info));
        }
        if info.size > PUT_BYTES_MAX {
            return Err(
                error::INVALID_REQUEST.error("The source is larger than 5 GiB; copy it in parts.")
            );
        }
        let Opened { body, origin, pin, .. } = opened;
        let opening = Opening::of(&info, &source.conditions);
        let body = ObjectStream::new(self.clone(), (body, opening), (0, info.size), pin, None);
        let options = put_options(options, &info);
        // A link is copied as what it is; what was appended to is then an object like any other.
        let kind = match &info.facts.kind {
            Kind::Symlink(target) => Kind::Symlink(target.clone()),
            Kind::Ordinary | Kind::Appendable => Kind::Ordinary,
        };
        let wanted = options.encryption.as_ref();
        let encryption = resolve(wanted, &home.settings, &*self.0.cloud.rng);
        let customer = wanted.and_then(Wanted::customer);
        let sealing = self.sealing_key(home.owner, &encryption, customer).await?;
        let sealed = (&placement, sealing);
        let (written, priors) =
            receive(&self.0.blobs, sealed, &options.expected, PUT_BYTES_MAX, body).await?;
        let commit = Commit::of_put(bucket, key, options, written, (placement, encryption))
            .of_kind(kind)
            .copied_from(origin);
        let run = move |cx: &mut Cx<'_>| commit.run(cx);
        let stored = self.0.cloud.write_after(session, priors, run).await?;
        Ok((stored, info))
    }
}

/// The session of a copy as policies are to see it: the tags that it gives may be the source's.
fn with_tags(session: Arc<Session>, options: &CopyOptions, source: &ObjectInfo) -> Arc<Session> {
    if matches!(options.tags, Directive::Replace(_)) {
        return session;
    }
    let mut of_source = (*session).clone();
    tell_tags(&mut of_source.request.told, &source.tags);
    Arc::new(of_source)
}

fn put_options(options: CopyOptions, source: &ObjectInfo) -> PutOptions {
    let attributes = options.attributes(source.attributes.clone());
    let mut compute = options.compute;
    compute.extend(source.attributes.checksums.iter().map(|checksum| checksum.algorithm));
    let crc64 = Some(source.crc64);
    PutOptions {
        attributes,
        storage_class: options.storage_class,
        acl: options.acl,
        grants: options.grants,
        tags: options.tags.or(source.tags.clone()),
        conditions: options.conditions,
        expected: Expected { length: Some(source.size), crc64, compute, ..Expected::default() },
        encryption: options.encryption,
        lock: options.lock,
    }
}

/// A copy of an object onto itself: other metadata, same bytes.
struct Restate {
    source: CopySource,
    options: CopyOptions,
}

impl Restate {
    fn run(&self, cx: &mut Cx<'_>) -> Result<Stored, ApiError> {
        let Self { source: CopySource { bucket, key, conditions, .. }, options } = self;
        let bucket = find_bucket(cx, bucket)?;
        let gives = options.gives();
        let current = require_write(cx, &bucket, key, &gives)?;
        if bucket.is_versioned() {
            // It was not when this began.
            return Err(ApiError::new(&error::OPERATION_ABORTED));
        }
        let placement = decide(cx, &bucket)?;
        let mut object = current.ok_or_else(|| no_such_key(key))?;
        if !is_fresh(conditions, &object.info)? {
            return Err(ApiError::new(&error::PRECONDITION_FAILED));
        }
        check_write(&options.conditions, key, Some(&object.info))?;
        super::overwrite::check(cx, &bucket, key)?;
        // It becomes another with the same bytes.
        retention::check(cx, &bucket, &object.info, false)?;
        let info = &mut object.info;
        let checksums = std::mem::take(&mut info.attributes.checksums);
        info.attributes = options.attributes(std::mem::take(&mut info.attributes));
        info.attributes.checksums = checksums;
        info.tags = options.tags.clone().or(std::mem::take(&mut info.tags));
        let class = options.storage_class.unwrap_or(bucket.storage_class);
        let change = reclassify(info, class);
        let (owner, list) = bucket.newborn(writer(cx), gives.list);
        info.owner = owner;
        info.acl = list.acl;
        info.facts.grants = list.grants;
        info.modified = cx.now;
        tables::object::put(cx.tx(), bucket.id, &object)?;
        apply(cx, &bucket, change)?;
        let expires = expiry(cx, &bucket, &object.info)?;
        let info = object.info;
        cx.count(payer(cx, &bucket), &bucket.arn(), PUTS, 1);
        cx.audit_account(bucket.owner);
        cx.audit_resource(bucket.object_arn(key));
        cx.audit_detail("size", info.size.to_string());
        cx.audit_detail("etag", info.etag.lower());
        cx.audit_detail("site", info.site.as_str());
        places::state(cx, &placement, "objects", 0);
        Ok(Stored::of(info, None, expires))
    }
}
