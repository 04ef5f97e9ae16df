//! The codes that object storage answers. Most are the protocols' own, from `wire`; the few that
//! neither protocol has are here. The skins translate those that the two call differently.

use base::Code;

pub use wire::object::error::{
    ACCESS_DENIED, BAD_DIGEST, BUCKET_ALREADY_EXISTS, BUCKET_ALREADY_OWNED, BUCKET_NOT_EMPTY,
    ENTITY_TOO_LARGE, ENTITY_TOO_SMALL, FILE_ALREADY_EXISTS, FILE_IMMUTABLE, INCOMPLETE_BODY,
    INVALID_ARGUMENT, INVALID_BUCKET_NAME, INVALID_BUCKET_STATE, INVALID_LOCATION,
    INVALID_OBJECT_NAME, INVALID_PART, INVALID_PART_ORDER, INVALID_RANGE, INVALID_REQUEST,
    INVALID_TARGET_TYPE, INVALID_WORM, MALFORMED_POLICY, NO_SUCH_BUCKET, NO_SUCH_BUCKET_POLICY,
    NO_SUCH_KEY, NO_SUCH_UPLOAD, NO_SUCH_WORM, NOT_SYMLINK, OBJECT_NOT_APPENDABLE,
    OPERATION_ABORTED, POSITION_NOT_EQUAL_TO_LENGTH, PRECONDITION_FAILED, QUOTA_EXCEEDED,
    SHA256_MISMATCH, SYMLINK_TARGET_NOT_EXIST, TOO_MANY_BUCKETS, WORM_LOCKED,
};

/// `NoSuchConfiguration`, status 404: the skins answer with the document's own code.
pub const NO_SUCH_CONFIGURATION: Code =
    Code::new("NoSuchConfiguration", 404, "The bucket has no such configuration.");

/// `InvalidObjectState`, status 403: the bytes of an archived object are not there to be read.
pub const INVALID_OBJECT_STATE: Code =
    Code::new("InvalidObjectState", 403, "The operation is not valid for the object's state.");

/// `OperationNotSupported`, status 400: only archived objects are restored.
pub const OPERATION_NOT_SUPPORTED: Code = Code::new(
    "OperationNotSupported",
    400,
    "The operation is not supported for an object of this storage class.",
);

/// `RestoreAlreadyInProgress`, status 409.
pub const RESTORE_ALREADY_IN_PROGRESS: Code =
    Code::new("RestoreAlreadyInProgress", 409, "The restore operation is in progress.");

/// `ArchiveRestoreFileStale`, status 409: the object is not restored.
pub const ARCHIVE_RESTORE_FILE_STALE: Code =
    Code::new("ArchiveRestoreFileStale", 409, "The object is not restored, or is so no longer.");

/// `ArchiveRestoreNotFinished`, status 409.
pub const ARCHIVE_RESTORE_NOT_FINISHED: Code =
    Code::new("ArchiveRestoreNotFinished", 409, "The object is still being restored.");

/// `NoSuchTransferAccelerationConfiguration`, status 404.
pub const NO_SUCH_TRANSFER_ACCELERATION: Code = Code::new(
    "NoSuchTransferAccelerationConfiguration",
    404,
    "The bucket has no transfer acceleration configuration.",
);

/// `NoSuchStyle`, status 404.
pub const NO_SUCH_STYLE: Code = Code::new("NoSuchStyle", 404, "The style does not exist.");

/// `InsufficientStorage`, status 507 (RFC 4918, section 11.5).
pub const STORAGE_FULL: Code = Code::new(
    "InsufficientStorage",
    507,
    "There is no space left to store this. Nothing was changed; reading and deleting go on.",
);
