//! Restoring archived objects, and giving up what was restored.
//!
//! Nothing waits for it: an object's facts say from when until when it can be read, and whoever reads compares.

use base::ApiError;
use engine::{Cx, Meta};

use super::object::of_version;
use super::{RequestCtx, meta};
use crate::access::Need;
use crate::model::{At, Bucket, Restored, StorageClass};
use crate::tables::object::Object;
use crate::{Oss, error, tables};

/// An object stays restored at most so long, days.
const DAYS_MAX: u32 = 365;

/// What came of asking for an object to be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restoring {
    /// True where it begins; false where it was restored already and is now so for longer.
    pub begun: bool,
    /// The object's class.
    pub class: StorageClass,
}

impl Oss {
    /// Restores an archived object so that it can be read for so many days; one that is restored stays so for so
    /// many days from now.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`; `InvalidArgument` for a number of days that is not 1 to 365;
    /// `OperationNotSupported` for what is not archived; `RestoreAlreadyInProgress`.
    pub async fn restore(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        days: u32,
    ) -> Result<Restoring, ApiError> {
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(error::INVALID_ARGUMENT
                .error(format!("The Days of a restore are 1 to {DAYS_MAX}.")));
        }
        let at = at.into();
        let meta = of_version(at.version, meta::RESTORE_OBJECT, meta::RESTORE_OBJECT_VERSION);
        let pace = self.0.pace;
        self.change(ctx, (meta, Need::Own), bucket, at, move |cx, bucket, object| {
            let now = cx.now.secs();
            if !object.info.storage_class.is_archived() {
                return Err(ApiError::new(&error::OPERATION_NOT_SUPPORTED)
                    .field("StorageClass", object.info.storage_class.as_str()));
            }
            let before = object.info.facts.restored;
            if before.is_some_and(|restored| restored.is_ongoing(cx.now)) {
                return Err(ApiError::new(&error::RESTORE_ALREADY_IN_PROGRESS));
            }
            let kept = before.filter(|restored| restored.is_readable(cx.now));
            let from = kept.map_or(now.saturating_add(pace.restore_seconds), |kept| kept.from);
            let until = from.max(now).saturating_add(pace.days(days));
            set(cx, bucket, object, Some(Restored { from, until }))?;
            cx.audit_detail("days", days.to_string());
            Ok(Restoring { begun: kept.is_none(), class: object.info.storage_class })
        })
        .await
    }

    /// Gives up what was restored: the object is as archived as before.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`; `ArchiveRestoreFileStale` for what is not restored,
    /// `ArchiveRestoreNotFinished` for what is about to be.
    pub async fn clean_restored(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
    ) -> Result<(), ApiError> {
        const META: Meta = meta::put_document("CleanRestoredObject");
        self.change(ctx, (META, Need::Own), bucket, at.into(), |cx, bucket, object| {
            match object.info.facts.restored {
                Some(restored) if restored.is_ongoing(cx.now) => {
                    Err(ApiError::new(&error::ARCHIVE_RESTORE_NOT_FINISHED))
                }
                Some(restored) if restored.is_readable(cx.now) => set(cx, bucket, object, None),
                _ => Err(ApiError::new(&error::ARCHIVE_RESTORE_FILE_STALE)),
            }
        })
        .await
    }
}

fn set(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    object: &Object,
    restored: Option<Restored>,
) -> Result<(), ApiError> {
    let mut facts = object.info.facts.clone();
    facts.restored = restored;
    tables::object::set_facts(cx.tx(), bucket.id, object, &facts)
}
