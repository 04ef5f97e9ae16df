//! The codes that object storage answers. Most are the protocols' own, from `wire`; the few that
//! neither protocol has are here. The skins translate those that the two call differently.

use base::Code;

pub use wire::object::error::{
    ACCESS_DENIED, BAD_DIGEST, BUCKET_ALREADY_EXISTS, BUCKET_ALREADY_OWNED, BUCKET_NOT_EMPTY,
    ENTITY_TOO_LARGE, ENTITY_TOO_SMALL, FILE_ALREADY_EXISTS, FILE_IMMUTABLE, INCOMPLETE_BODY,
    INVALID_ARGUMENT, INVALID_BUCKET_NAME, INVALID_BUCKET_STATE, INVALID_LOCATION,
    INVALID_OBJECT_NAME, INVALID_PART, INVALID_PART_ORDER, INVALID_RANGE, INVALID_REQUEST,
    INVALID_WORM, MALFORMED_POLICY, NO_SUCH_BUCKET, NO_SUCH_BUCKET_POLICY, NO_SUCH_KEY,
    NO_SUCH_UPLOAD, NO_SUCH_WORM, OPERATION_ABORTED, PRECONDITION_FAILED, SHA256_MISMATCH,
    TOO_MANY_BUCKETS, WORM_LOCKED,
};

/// `NoSuchConfiguration`, status 404: the skins answer with the document's own code.
pub const NO_SUCH_CONFIGURATION: Code =
    Code::new("NoSuchConfiguration", 404, "The bucket has no such configuration.");

/// `InsufficientStorage`, status 507 (RFC 4918, section 11.5).
pub const STORAGE_FULL: Code = Code::new(
    "InsufficientStorage",
    507,
    "There is no space left to store this. Nothing was changed; reading and deleting go on.",
);
