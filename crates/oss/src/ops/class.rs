//! Storage classes: in which one bytes are metered, and which are read only once they are restored.

use base::{ApiError, Time};

use crate::error;
use crate::model::{Bucket, ObjectInfo, StorageClass};
use crate::tables::bucket::Change;

/// What an object's facts say about how it is metered.
pub(super) fn tier_of(info: &ObjectInfo) -> Option<(StorageClass, u64)> {
    (info.storage_class != StorageClass::Standard).then_some((info.storage_class, info.size))
}

/// Gives an object another class. What it was restored for ends with the class. The change is what is metered
/// otherwise from now on; it is the caller's to note in the same commit.
pub(super) fn reclassify(info: &mut ObjectInfo, class: StorageClass) -> Change {
    let mut change = Change::default();
    change.tier(&info.facts, -1);
    if info.storage_class != class {
        info.facts.restored = None;
    }
    info.storage_class = class;
    info.facts.tier = tier_of(info);
    change.tier(&info.facts, 1);
    change
}

/// Requires that the bytes of an object can be read.
///
/// # Errors
/// `InvalidObjectState` for what is archived and not restored.
pub(super) fn check_readable(
    bucket: &Bucket,
    info: &ObjectInfo,
    now: Time,
) -> Result<(), ApiError> {
    let direct = bucket.settings.archive_direct_read && info.storage_class == StorageClass::Archive;
    let restored = info.facts.restored.is_some_and(|restored| restored.is_readable(now));
    if !info.storage_class.is_archived() || direct || restored {
        return Ok(());
    }
    Err(ApiError::new(&error::INVALID_OBJECT_STATE)
        .field("ObjectName", info.key.as_str())
        .field("StorageClass", info.storage_class.as_str()))
}
