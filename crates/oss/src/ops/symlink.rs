//! Symbolic links: objects that stand for another one of their bucket. A link is a thing of its own: it has
//! an ACL, tags, metadata and versions, and what is done to it but for reading its bytes is done to the link.
//!
//! Whoever reads through a link needs the right to read the target too, or a link would be a way around it.

use base::ApiError;
use engine::Cx;

use super::commit::{Commit, receive};
use super::encryption::resolve;
use super::version::{Found, seek};
use super::{RequestCtx, Whole, check_key, meta};
use crate::access::{Ask, Gives, Need, require};
use crate::acl::AccessList;
use crate::model::{At, Bucket, Kind, ObjectInfo, PutOptions, Stored};
use crate::tables::object::Object;
use crate::{Oss, error};

impl Oss {
    /// Makes a link to the object `target`, which need not be there. Returns once it is durable.
    ///
    /// # Errors
    /// As [`Self::put`]; `InvalidObjectName` for a target that no object can have.
    pub async fn put_symlink(
        &self,
        ctx: &RequestCtx,
        (bucket, key): (&str, &str),
        target: &str,
        options: PutOptions,
    ) -> Result<Stored, ApiError> {
        check_key(key)?;
        check_key(target)?;
        let session = ctx.session(meta::PUT_OBJECT);
        let tags = !options.tags.is_empty();
        let list = AccessList { acl: options.acl, grants: options.grants.clone() };
        let gives = Gives { list, tags, lock: options.lock };
        let (placement, home) =
            self.admit(&session, bucket, key, gives, &options.conditions).await?;
        let encryption = resolve(None, &home.settings, &*self.0.cloud.rng);
        let sealing = (&placement, self.sealing_key(home.owner, &encryption, None).await?);
        let nothing = Whole::new("");
        let (written, priors) =
            receive(&self.0.blobs, sealing, &options.expected, 0, nothing).await?;
        let commit = Commit::of_put(bucket, key, options, written, (placement, encryption))
            .of_kind(Kind::Symlink(target.to_owned()));
        self.0.cloud.write_after(session, priors, move |cx| commit.run(cx)).await
    }

    /// A link itself, and the key that it leads to.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`; `NotSymlink` for any other object.
    pub async fn symlink(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
    ) -> Result<(ObjectInfo, String), ApiError> {
        let read = (meta::GET_OBJECT, Need::Read);
        let (_, info) = self.describe(ctx, read, bucket, at.into()).await?;
        match &info.facts.kind {
            Kind::Symlink(target) => {
                let target = target.clone();
                Ok((info, target))
            }
            _ => Err(ApiError::new(&error::NOT_SYMLINK)),
        }
    }
}

/// What a read of an object is of: the object, or what it links to under the link's own name. Size, tag and
/// bytes are then the target's, the rest is the link's, and the time is that of the newer one.
///
/// # Errors
/// `SymlinkTargetNotExist`; `InvalidTargetType` where it is a link too; `AccessDenied` for the target.
pub(super) fn follow(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    mut link: Object,
) -> Result<Object, ApiError> {
    let Kind::Symlink(key) = &link.info.facts.kind else { return Ok(link) };
    let found = seek(cx, bucket, At::from(key))?;
    // The leaf about a privilege states one access. Whoever read the link by it asks for the target itself.
    let reads = !cx.is_public("access");
    let action = cx.meta.permission();
    let ask = Ask { reads, ..Ask::new(&action, Need::Read) };
    require(cx, bucket, ask.on(key).object(found.info()))?;
    let Found::Object(target) = found else {
        return Err(ApiError::new(&error::SYMLINK_TARGET_NOT_EXIST).field("Key", key.as_str()));
    };
    let Object { info: target, body, .. } = *target;
    if matches!(target.facts.kind, Kind::Symlink(_)) {
        return Err(ApiError::new(&error::INVALID_TARGET_TYPE));
    }
    let info = &mut link.info;
    info.size = target.size;
    info.etag = target.etag;
    info.crc64 = target.crc64;
    info.modified = info.modified.max(target.modified);
    // Whether its bytes can be read now.
    info.storage_class = target.storage_class;
    info.facts.restored = target.facts.restored;
    info.attributes.checksums = target.attributes.checksums;
    info.facts.encryption = target.facts.encryption;
    link.body = body;
    Ok(link)
}
