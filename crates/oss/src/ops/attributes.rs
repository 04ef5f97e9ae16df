//! The parts that an object was uploaded in: where each begins, and what is known of it.

use base::ApiError;
use engine::Cx;

use super::RequestCtx;
use super::encryption::check_customer;
use super::meta;
use super::object::is_fresh;
use super::symlink::follow;
use crate::access::Need;
use crate::blob::Body;
use crate::meter::GETS;
use crate::model::{At, CustomerKey, ObjectInfo, ObjectPart, ReadConditions};
use crate::tables::object::Object;
use crate::{Oss, error, tables};

impl Oss {
    /// What an object is, and the parts that it came in; none where it came at once.
    ///
    /// # Errors
    /// As [`Self::get`]; conditions that would be a 304 are `PreconditionFailed`.
    pub async fn object_parts(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        conditions: &ReadConditions,
    ) -> Result<(ObjectInfo, Vec<ObjectPart>), ApiError> {
        let (info, parts) = self.look_at_parts(ctx, bucket, at.into()).await?;
        if is_fresh(conditions, &info)? {
            Ok((info, parts))
        } else {
            Err(ApiError::new(&error::PRECONDITION_FAILED))
        }
    }

    /// What an object is, and its part of that number. That there is none is told also without the client's key
    /// that the object is sealed under: listings tell in its entity tag how many it has.
    ///
    /// # Errors
    /// As [`Self::get`]; `InvalidPart`.
    pub async fn object_part(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        (at, number): (impl Into<At<'_>>, u32),
        customer: Option<&CustomerKey>,
    ) -> Result<(ObjectInfo, ObjectPart), ApiError> {
        let (info, parts) = self.look_at_parts(ctx, bucket, at.into()).await?;
        let part = part_of(&info, &parts, number)?;
        check_customer(info.facts.encryption.as_ref(), customer)?;
        Ok((info, part))
    }

    async fn look_at_parts(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: At<'_>,
    ) -> Result<(ObjectInfo, Vec<ObjectPart>), ApiError> {
        super::check_key(at.key)?;
        let meta =
            super::object::of_version(at.version, meta::GET_OBJECT, meta::GET_OBJECT_VERSION);
        let (name, key, version) = (bucket.to_owned(), at.key.to_owned(), at.version);
        let find = move |cx: &mut Cx<'_>| {
            let at = At { key: &key, version };
            let (bucket, object) = super::object::find_object(cx, &name, at, Need::Read, true)?;
            let object = follow(cx, &bucket, object)?;
            let parts = parts(cx, &object)?;
            Ok((bucket, (object.info, parts)))
        };
        Ok(self.read(ctx, (meta, GETS), bucket, find).await?.found)
    }
}

/// The parts of an object, in order.
pub(super) fn parts(cx: &mut Cx<'_>, object: &Object) -> Result<Vec<ObjectPart>, ApiError> {
    match object.body {
        Body::Blob(blob) if object.info.etag.parts > 0 => tables::attributes::parts(cx.tx(), blob),
        _ => Ok(Vec::new()),
    }
}

/// The part of that number. What came at once is its own first part, and so is what has no bytes.
///
/// # Errors
/// `InvalidPart`.
fn part_of(info: &ObjectInfo, parts: &[ObjectPart], number: u32) -> Result<ObjectPart, ApiError> {
    if parts.is_empty() && number == 1 {
        return Ok(ObjectPart { number, start: 0, size: info.size, checksums: Vec::new() });
    }
    let found = parts.iter().find(|part| part.number == number);
    found
        .cloned()
        .ok_or_else(|| ApiError::new(&error::INVALID_PART).field("PartNumber", number.to_string()))
}
