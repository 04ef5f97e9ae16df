//! Appending to an object: each request adds its bytes behind those that are there, if there are as many as
//! the client thinks. What an append costs does not grow with the object.
//!
//! The entity tag of such an object is no digest of its body, which nobody could continue, but changes with
//! every append; the CRC-64 is that of the whole.

use base::ApiError;
use engine::places::{self, Placement};
use engine::{Cx, Session};
use std::sync::Arc;
use wire::object::checksum::{Md5, crc64_combine};

use super::class::reclassify;
use super::commit::{Commit, apply, receive};
use super::encryption::resolve;
use super::lifecycle::expiry;
use super::object::{admission, check_write};
use super::{RequestCtx, Source, check_key, decide, find_bucket, meta, retention};
use crate::access::{Gives, payer, require_write};
use crate::acl::AccessList;
use crate::blob::{Body, Written};
use crate::meter::PUTS;
use crate::model::{Bucket, Encryption, Kind, PutOptions, Stored, Wanted};
use crate::tables::bucket::bytes;
use crate::tables::object::Object;
use crate::{Oss, error, tables};

/// The largest object that can be appended to, bytes (5 GiB).
pub const APPENDABLE_BYTES_MAX: u64 = 5 << 30;
/// The field of a refusal that says where the next append must begin.
pub(crate) const NEXT_POSITION: &str = "NextAppendPosition";

/// What an append found before its bytes came.
struct Admitted {
    placement: Placement,
    bucket: Bucket,
    /// How the object that is there is sealed; nothing where the append makes it.
    sealed: Option<Option<Encryption>>,
}

impl Oss {
    /// Appends to an object at `position`, which must be its size; at 0 it is made where there is none.
    /// Everything in `options` but the digests counts only then. Returns once it is durable, with the size
    /// that the object has now. In a bucket with versions, the current version grows and none is made.
    ///
    /// # Errors
    /// `PositionNotEqualToLength` and `ObjectNotAppendable`; `EntityTooLarge` where the object would be
    /// larger than 5 GiB; else as [`Self::put`].
    pub async fn append(
        &self,
        ctx: &RequestCtx,
        (bucket, key, position): (&str, &str, u64),
        options: PutOptions,
        body: impl Source,
    ) -> Result<Stored, ApiError> {
        check_key(key)?;
        let session = ctx.session(meta::PUT_OBJECT);
        let admitted = self.admit_append(&session, (bucket, key, position), &options).await?;
        let wanted = options.encryption.as_ref();
        let encryption = match &admitted.sealed {
            Some(sealed) => sealed.clone().unwrap_or(Encryption::Aes256),
            None => resolve(wanted, &admitted.bucket.settings, &*self.0.cloud.rng),
        };
        let customer = wanted.and_then(Wanted::customer);
        let key_of_bytes = self.sealing_key(admitted.bucket.owner, &encryption, customer).await?;
        let bytes_max = APPENDABLE_BYTES_MAX.saturating_sub(position);
        let sealing = (&admitted.placement, key_of_bytes);
        let (written, priors) =
            receive(&self.0.blobs, sealing, &options.expected, bytes_max, body).await?;
        if admitted.sealed.is_none() {
            let placed = (admitted.placement, encryption);
            let commit =
                Commit::of_put(bucket, key, options, written, placed).of_kind(Kind::Appendable);
            let commit = move |cx: &mut Cx<'_>| commit.run(cx);
            return self.0.cloud.write_after(session, priors, commit).await;
        }
        let append = Append {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            position,
            placement: admitted.placement,
            encryption,
            written,
        };
        self.0.cloud.write_after(session, priors, move |cx| append.run(cx)).await
    }

    /// Checks before the body is taken what the commit checks again.
    async fn admit_append(
        &self,
        session: &Arc<Session>,
        (bucket, key, position): (&str, &str, u64),
        options: &PutOptions,
    ) -> Result<Admitted, ApiError> {
        let (bucket, key, conditions) =
            (bucket.to_owned(), key.to_owned(), options.conditions.clone());
        let tags = !options.tags.is_empty();
        let list = AccessList { acl: options.acl, grants: options.grants.clone() };
        let gives = Gives { list, tags, lock: options.lock };
        let admit = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &bucket)?;
            let current = require_write(cx, &bucket, &key, &gives)?;
            let sealed = match check_position(current.as_ref(), position)? {
                Some(object) => {
                    retention::check(cx, &bucket, &object.info, false)?;
                    Some(object.info.facts.encryption.clone())
                }
                None => {
                    check_write(&conditions, &key, None)?;
                    None
                }
            };
            Ok(Admitted { placement: decide(cx, &bucket)?, bucket, sealed })
        };
        let admitted = self.0.cloud.read(admission(session), admit).await;
        if let Err(error) = &admitted {
            self.0.cloud.audit_refusal(session, error).await;
        }
        admitted
    }
}

/// The object that an append at `position` grows; `None` where it makes one.
///
/// # Errors
/// `ObjectNotAppendable`, `PositionNotEqualToLength`.
pub(super) fn check_position(
    current: Option<&Object>,
    position: u64,
) -> Result<Option<&Object>, ApiError> {
    let size = match current {
        Some(object) if object.info.facts.kind != Kind::Appendable => {
            return Err(ApiError::new(&error::OBJECT_NOT_APPENDABLE));
        }
        Some(object) => object.info.size,
        None => 0,
    };
    if size != position {
        return Err(ApiError::new(&error::POSITION_NOT_EQUAL_TO_LENGTH)
            .field(NEXT_POSITION, size.to_string()));
    }
    Ok(current)
}

/// What the commit of an append needs. It may run more than once.
struct Append {
    bucket: String,
    key: String,
    position: u64,
    placement: Placement,
    encryption: Encryption,
    written: Written,
}

impl Append {
    fn run(&self, cx: &mut Cx<'_>) -> Result<Stored, ApiError> {
        let bucket = find_bucket(cx, &self.bucket)?;
        let current = require_write(cx, &bucket, &self.key, &Gives::default())?;
        let aborted = || ApiError::new(&error::OPERATION_ABORTED);
        if decide(cx, &bucket)? != self.placement {
            return Err(aborted());
        }
        check_position(current.as_ref(), self.position)?;
        // It was there when this began; one that has come in its place may be sealed otherwise.
        let mut object = current.ok_or_else(aborted)?;
        retention::check(cx, &bucket, &object.info, false)?;
        let Body::Blob(blob) = object.body else { return Err(aborted()) };
        if object.info.facts.encryption.as_ref() != Some(&self.encryption) {
            return Err(aborted());
        }
        let digested = &self.written.digested;
        tables::append::extend_body(cx.tx(), blob, self.position, &self.written.extents)?;
        self.written.settle(cx.tx())?;
        let info = &mut object.info;
        info.etag.md5 = chained(info.etag.md5, digested.md5);
        info.crc64 = crc64_combine(info.crc64, digested.crc64, digested.size);
        info.size += digested.size;
        info.modified = cx.now;
        // They were of what was there before.
        info.attributes.checksums.clear();
        let class = info.storage_class;
        let mut change = reclassify(info, class);
        change.bytes = bytes(digested.size, 0);
        tables::append::restate(cx.tx(), bucket.id, &object)?;
        apply(cx, &bucket, change)?;
        self.told(cx, &bucket, object)
    }

    /// Usage, audit, and the answer.
    fn told(&self, cx: &mut Cx<'_>, bucket: &Bucket, object: Object) -> Result<Stored, ApiError> {
        let (arn, info) = (bucket.arn(), object.info);
        cx.count(payer(cx, bucket), &arn, PUTS, 1);
        cx.audit_account(bucket.owner);
        cx.audit_resource(bucket.object_arn(&self.key));
        cx.audit_detail("position", self.position.to_string());
        cx.audit_detail("size", info.size.to_string());
        cx.audit_detail("crc64", info.crc64.to_string());
        cx.audit_detail("site", info.site.clone());
        places::state(cx, &self.placement, "objects", 0);
        let expires = expiry(cx, bucket, &info)?;
        Ok(Stored::of(info, bucket.version_id(object.version), expires))
    }
}

/// The tag of an object after an append: of the tag before and the MD5 of what was appended.
fn chained(before: [u8; 16], piece: [u8; 16]) -> [u8; 16] {
    let mut digest = Md5::default();
    digest.update(&before);
    digest.update(&piece);
    digest.finish()
}
