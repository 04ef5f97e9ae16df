//! The codes that only object storage answers. They have the names of the OSS protocol where the two
//! protocols agree or only OSS has one; the skins translate the few that differ.

use base::Code;

macro_rules! codes {
    ($($ident:ident $name:literal $status:literal $message:literal;)*) => {
        $(#[doc = concat!("`", $name, "`, status ", $status, ".")]
        pub const $ident: Code = Code::new($name, $status, $message);)*
    };
}

codes! {
    ACCESS_DENIED "AccessDenied" 403 "You have no right to access this object because of bucket acl.";
    NO_SUCH_BUCKET "NoSuchBucket" 404 "The specified bucket does not exist.";
    NO_SUCH_KEY "NoSuchKey" 404 "The specified key does not exist.";
    NO_SUCH_UPLOAD "NoSuchUpload" 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    NO_SUCH_CONFIGURATION "NoSuchConfiguration" 404 "The bucket has no such configuration.";
    BUCKET_EXISTS "BucketAlreadyExists" 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
    BUCKET_OWNED "BucketAlreadyOwnedByYou" 409 "Your previous request to create the named bucket succeeded and you already own it.";
    BUCKET_NOT_EMPTY "BucketNotEmpty" 409 "The bucket you tried to delete is not empty.";
    TOO_MANY_BUCKETS "TooManyBuckets" 400 "You have attempted to create more buckets than allowed.";
    INVALID_BUCKET_NAME "InvalidBucketName" 400 "The specified bucket is not valid.";
    INVALID_OBJECT_NAME "InvalidObjectName" 400 "The specified object is not valid.";
    INVALID_ARGUMENT "InvalidArgument" 400 "An argument is not valid.";
    FILE_EXISTS "FileAlreadyExists" 409 "The object you specified already exists and can not be overwritten.";
    PRECONDITION_FAILED "PreconditionFailed" 412 "At least one of the pre-conditions you specified did not hold.";
    INVALID_RANGE "InvalidRange" 416 "The requested range cannot be satisfied.";
    BAD_DIGEST "InvalidDigest" 400 "The digest you specified did not match what was received.";
    INCOMPLETE_BODY "IncompleteBody" 400 "The request body ended before the declared number of bytes.";
    ENTITY_TOO_LARGE "EntityTooLarge" 400 "The object to be stored is larger than the largest allowed.";
    ENTITY_TOO_SMALL "EntityTooSmall" 400 "A part that is not the last one is smaller than the smallest allowed.";
    INVALID_PART "InvalidPart" 400 "One or more of the specified parts could not be found or did not match.";
    INVALID_PART_ORDER "InvalidPartOrder" 400 "The list of parts was not in ascending order.";
    STORAGE_FULL "InsufficientStorage" 507 "There is no space left to store this. Nothing was changed; reading and deleting go on.";
}
