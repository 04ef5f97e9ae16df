//! The error codes of both object-storage protocols, and their bodies. The codes of the shared path
//! (`base::code`) are put into the words of the dialect here, so that the engine need not know any.

use std::borrow::Cow;

use base::{ApiError, Code, code};

use super::Dialect;
use super::checksum::base64;
use super::xml::Writer;
use crate::answer::Body;

macro_rules! codes {
    ($($ident:ident $name:literal $status:literal $message:literal;)*) => {
        $(#[doc = concat!("`", $name, "`, status ", $status, ".")]
        pub const $ident: Code = Code::new($name, $status, $message);)*

        /// Every code above, for the tests and the reference page.
        pub const ALL: &[Code] = &[$($ident),*];
    };
}

codes! {
    ACCESS_DENIED "AccessDenied" 403 "You have no right to access this object.";
    ACCOUNT_PROBLEM "AccountProblem" 403 "This account is suspended.";
    AUTHORIZATION_HEADER_MALFORMED "AuthorizationHeaderMalformed" 400 "The authorization header that you provided is not valid.";
    AUTHORIZATION_QUERY_PARAMETERS_ERROR "AuthorizationQueryParametersError" 400 "The authorization query parameters that you provided are not valid.";
    BAD_DIGEST "BadDigest" 400 "The Content-MD5 or checksum value that you specified did not match what the server received.";
    BUCKET_ALREADY_EXISTS "BucketAlreadyExists" 409 "The requested bucket name is not available. Please select a different name and try again.";
    BUCKET_ALREADY_OWNED "BucketAlreadyOwnedByYou" 409 "Your previous request to create the named bucket succeeded and you already own it.";
    BUCKET_NOT_EMPTY "BucketNotEmpty" 409 "The bucket you tried to delete is not empty.";
    CALLBACK_FAILED "CallbackFailed" 203 "The callback to your server failed; the object was stored.";
    ENTITY_TOO_LARGE "EntityTooLarge" 400 "The proposed upload exceeds the maximum allowed size.";
    ENTITY_TOO_SMALL "EntityTooSmall" 400 "The proposed upload is smaller than the minimum allowed size.";
    EXPIRED_TOKEN "ExpiredToken" 400 "The provided token has expired.";
    FILE_ALREADY_EXISTS "FileAlreadyExists" 409 "The object you specified already exists and can not be overwritten.";
    FILE_IMMUTABLE "FileImmutable" 409 "The object you specified is immutable.";
    IMAGE_TOO_LARGE "ImageTooLarge" 400 "The image is too large to be processed.";
    INCOMPLETE_BODY "IncompleteBody" 400 "You did not provide the number of bytes specified by the Content-Length HTTP header.";
    INTERNAL_ERROR "InternalError" 500 "We encountered an internal error. Please try again.";
    INVALID_ACCESS_KEY_ID "InvalidAccessKeyId" 403 "The Access Key Id you provided does not exist in our records.";
    INVALID_ARGUMENT "InvalidArgument" 400 "Invalid argument.";
    INVALID_BUCKET_NAME "InvalidBucketName" 400 "The specified bucket is not valid.";
    INVALID_BUCKET_STATE "InvalidBucketState" 409 "The request is not valid for the current state of the bucket.";
    INVALID_DIGEST "InvalidDigest" 400 "The Content-MD5 you specified was invalid.";
    INVALID_LOCATION "InvalidLocationConstraint" 400 "The specified location constraint is not valid.";
    INVALID_OBJECT_NAME "InvalidObjectName" 400 "The specified object is not valid.";
    INVALID_PART "InvalidPart" 400 "One or more of the specified parts could not be found or the specified entity tag might not have matched the part's entity tag.";
    INVALID_PART_ORDER "InvalidPartOrder" 400 "The list of parts was not in ascending order.";
    INVALID_POLICY_DOCUMENT "InvalidPolicyDocument" 400 "The policy document is not valid.";
    INVALID_RANGE "InvalidRange" 416 "The requested range cannot be satisfied.";
    INVALID_REQUEST "InvalidRequest" 400 "The request is not valid.";
    INVALID_RETENTION_PERIOD "InvalidRetentionPeriod" 400 "The retention period is not valid.";
    INVALID_SECURITY_TOKEN "InvalidSecurityToken" 403 "The security token you provided is invalid.";
    INVALID_STORAGE_CLASS "InvalidStorageClass" 400 "The storage class you specified is not valid.";
    INVALID_TAG "InvalidTag" 400 "The tag provided was not a valid tag.";
    INVALID_TARGET_TYPE "InvalidTargetType" 400 "The target of the symbolic link is a symbolic link.";
    INVALID_TOKEN "InvalidToken" 400 "The provided token is malformed or otherwise not valid.";
    INVALID_URI "InvalidURI" 400 "Couldn't parse the specified URI.";
    INVALID_WORM "InvalidWORMConfiguration" 400 "The retention policy of the bucket does not allow this.";
    KEY_TOO_LONG "KeyTooLongError" 400 "Your key is too long.";
    MALFORMED_POLICY "MalformedPolicy" 400 "The policy is not valid.";
    MALFORMED_POST "MalformedPOSTRequest" 400 "The body of your POST request is not well-formed multipart/form-data.";
    MALFORMED_TRAILER "MalformedTrailerError" 400 "The request contained trailing data that was not well-formed.";
    MALFORMED_XML "MalformedXML" 400 "The XML you provided was not well-formed or did not validate against our published schema.";
    METADATA_TOO_LARGE "MetadataTooLarge" 400 "Your metadata headers exceed the maximum allowed metadata size.";
    METHOD_NOT_ALLOWED "MethodNotAllowed" 405 "The specified method is not allowed against this resource.";
    MIRROR_FAILED "MirrorFailed" 424 "The object could not be fetched from the mirror.";
    MISSING_CONTENT_LENGTH "MissingContentLength" 411 "You must provide the Content-Length HTTP header.";
    NOT_IMPLEMENTED "NotImplemented" 501 "A header or query you provided requests a function that is not implemented.";
    NOT_MODIFIED "NotModified" 304 "The object has not been modified.";
    NOT_SYMLINK "NotSymlink" 400 "The object is not a symbolic link.";
    NO_SUCH_BUCKET "NoSuchBucket" 404 "The specified bucket does not exist.";
    NO_SUCH_BUCKET_POLICY "NoSuchBucketPolicy" 404 "The bucket policy does not exist.";
    NO_SUCH_CORS "NoSuchCORSConfiguration" 404 "The CORS configuration does not exist.";
    NO_SUCH_KEY "NoSuchKey" 404 "The specified key does not exist.";
    NO_SUCH_LIFECYCLE "NoSuchLifecycleConfiguration" 404 "The lifecycle configuration does not exist.";
    NO_SUCH_OBJECT_LOCK "NoSuchObjectLockConfiguration" 404 "The specified object does not have such a lock.";
    NO_SUCH_TAG_SET "NoSuchTagSet" 404 "The tag set does not exist.";
    NO_SUCH_UPLOAD "NoSuchUpload" 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    NO_SUCH_VERSION "NoSuchVersion" 404 "The specified version does not exist.";
    NO_SUCH_WEBSITE "NoSuchWebsiteConfiguration" 404 "The website configuration does not exist.";
    NO_SUCH_WORM "NoSuchWORMConfiguration" 404 "The bucket has no such retention policy.";
    OBJECT_LOCK_NOT_FOUND "ObjectLockConfigurationNotFoundError" 404 "The bucket has no object lock configuration.";
    OBJECT_NOT_APPENDABLE "ObjectNotAppendable" 409 "The object is not appendable.";
    OPERATION_ABORTED "OperationAborted" 409 "A conflicting operation is under way on this resource. Try again.";
    POSITION_NOT_EQUAL_TO_LENGTH "PositionNotEqualToLength" 409 "The position is not equal to the length of the object.";
    POST_FIELDS_TOO_LONG "MaxPOSTPreDataLengthExceededError" 400 "The fields of your POST request before the file are too long.";
    PRECONDITION_FAILED "PreconditionFailed" 412 "At least one of the pre-conditions you specified did not hold.";
    QPS_LIMIT_EXCEEDED "QpsLimitExceeded" 503 "The request rate exceeds the limit.";
    QUOTA_EXCEEDED "QuotaExceeded" 403 "The quota of this account is used up.";
    REQUEST_TIMEOUT "RequestTimeout" 400 "Your socket connection to the server was not read from or written to within the timeout period.";
    REQUEST_TIME_TOO_SKEWED "RequestTimeTooSkewed" 403 "The difference between the request time and the current time is too large.";
    SECURITY_TOKEN_EXPIRED "SecurityTokenExpired" 403 "The security token you provided has expired.";
    SERVICE_UNAVAILABLE "ServiceUnavailable" 503 "Please reduce your request rate, or try again later.";
    SHA256_MISMATCH "XAmzContentSHA256Mismatch" 400 "The provided x-amz-content-sha256 header does not match what was computed.";
    SIGNATURE_DOES_NOT_MATCH "SignatureDoesNotMatch" 403 "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    SLOW_DOWN "SlowDown" 503 "Please reduce your request rate.";
    SYMLINK_TARGET_NOT_EXIST "SymlinkTargetNotExist" 404 "The target of the symbolic link does not exist.";
    TOO_LONG_BODY "MaxMessageLengthExceeded" 400 "Your request was too big.";
    TOO_MANY_BUCKETS "TooManyBuckets" 400 "You have attempted to create more buckets than allowed.";
    USER_DISABLED "UserDisable" 403 "This account is suspended.";
    WORM_LOCKED "WORMConfigurationLocked" 403 "The retention policy of the bucket is locked.";
}

/// The code and status of an error in a dialect's words.
pub fn words(dialect: Dialect, refused: &ApiError) -> (Cow<'_, str>, u16) {
    match shared(dialect, refused) {
        Some(code) => (Cow::Borrowed(code.name), code.status),
        None => (Cow::Borrowed(refused.code()), refused.status()),
    }
}

/// What the codes of the shared path are called in object storage, and what S3 has no code of its own for.
fn shared(dialect: Dialect, refused: &ApiError) -> Option<&'static Code> {
    let is = |codes: &[&Code]| codes.iter().any(|code| refused.is(code));
    let by = |oss: &'static Code, s3: &'static Code| match dialect {
        Dialect::Oss => Some(oss),
        Dialect::S3 => Some(s3),
    };
    if is(&[&code::FORBIDDEN_RAM, &code::NO_PERMISSION]) {
        Some(&ACCESS_DENIED)
    } else if is(&[&code::ACCOUNT_SUSPENDED]) {
        by(&USER_DISABLED, &ACCOUNT_PROBLEM)
    } else if is(&[&code::INVALID_KEY, &code::INACTIVE_KEY]) {
        Some(&INVALID_ACCESS_KEY_ID)
    } else if is(&[&code::TOKEN_EXPIRED]) {
        by(&SECURITY_TOKEN_EXPIRED, &EXPIRED_TOKEN)
    } else if is(&[&code::TOKEN_MALFORMED]) {
        by(&INVALID_SECURITY_TOKEN, &INVALID_TOKEN)
    } else if is(&[&code::SIGNATURE_MISMATCH]) {
        Some(&SIGNATURE_DOES_NOT_MATCH)
    } else if is(&[&code::THROTTLED]) {
        by(&QPS_LIMIT_EXCEEDED, &SLOW_DOWN)
    } else if is(&[&code::QUOTA_EXCEEDED]) {
        Some(&QUOTA_EXCEEDED)
    } else if is(&[&code::MISSING_PARAMETER, &code::INVALID_PARAMETER]) {
        Some(&INVALID_ARGUMENT)
    } else if is(&[&code::BODY_TOO_LARGE]) {
        Some(&ENTITY_TOO_LARGE)
    } else if is(&[&code::BODY_MISMATCH]) {
        Some(&BAD_DIGEST)
    } else if is(&[&code::METHOD_NOT_ALLOWED]) {
        Some(&METHOD_NOT_ALLOWED)
    } else if is(&[&code::MALFORMED_REQUEST]) {
        Some(&INVALID_REQUEST)
    } else if is(&[&FILE_IMMUTABLE]) && dialect == Dialect::S3 {
        Some(&ACCESS_DENIED)
    } else {
        None
    }
}

/// The `EC` number of a code, for the element and the header `x-oss-ec`. Those that are known of OSS
/// are its own; all others are `0000-` and the status.
fn ec(name: &str, status: u16) -> Cow<'static, str> {
    match name {
        "AccessDenied" => Cow::Borrowed("0003-00000001"),
        "InvalidAccessKeyId" => Cow::Borrowed("0002-00000902"),
        "NoSuchBucket" => Cow::Borrowed("0015-00000101"),
        "NoSuchKey" => Cow::Borrowed("0026-00000001"),
        "RequestTimeTooSkewed" => Cow::Borrowed("0002-00000504"),
        "SignatureDoesNotMatch" => Cow::Borrowed("0002-00000040"),
        _ => Cow::Owned(format!("0000-{status:08}")),
    }
}

/// The field of an error that has an `EC` number of its own, which its code does not tell.
pub const EC: &str = "EC";

/// The `EC` number of an error: its own, or that of its code.
pub fn ec_of<'e>(refused: &'e ApiError, name: &str, status: u16) -> Cow<'e, str> {
    let own = refused.fields().iter().find(|(field, _)| *field == EC);
    own.map_or_else(|| ec(name, status), |(_, number)| Cow::Borrowed(number.as_str()))
}

/// The body of an error. `host_id` is the host that was asked (OSS) or the server's own id (S3);
/// `resource` is the path that was asked (S3 only).
///
/// The caller leaves the body out in answers to HEAD (see [`head_header`]) and with status 304.
pub fn render(
    dialect: Dialect,
    refused: &ApiError,
    request_id: &str,
    host_id: &str,
    resource: &str,
) -> Body {
    let (name, status) = words(dialect, refused);
    let mut xml = Writer::new();
    xml.open("Error").text("Code", &name).text("Message", refused.text());
    match dialect {
        Dialect::Oss => {
            xml.text("RequestId", request_id).text("HostId", host_id);
            push_fields(&mut xml, refused);
            xml.text("EC", &ec_of(refused, &name, status));
        }
        Dialect::S3 => {
            push_fields(&mut xml, refused);
            xml.text("Resource", resource).text("RequestId", request_id).text("HostId", host_id);
        }
    }
    Body { status, content_type: "application/xml", bytes: xml.finish() }
}

fn push_fields(xml: &mut Writer, refused: &ApiError) {
    for (name, value) in refused.fields().iter().filter(|(name, _)| *name != EC) {
        xml.text(name, value);
    }
}

/// The value of `x-oss-err`: the error's body in Base64, since an answer to HEAD has none.
pub fn head_header(body: &Body) -> String {
    base64(&body.bytes)
}

#[cfg(test)]
mod tests;
