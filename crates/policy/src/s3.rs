//! What S3 calls the permissions and condition keys of object storage.

use crate::document::RawConditions;
use crate::json::{Object, One};
use crate::matcher::glob;

/// S3's permissions and those that each stands for. S3 has fewer: who may set a configuration may also
/// delete it.
static ACTIONS: &[(&str, &[&str])] = &[
    ("s3:AbortMultipartUpload", &["oss:AbortMultipartUpload"]),
    ("s3:BypassGovernanceRetention", &["oss:BypassGovernanceRetention"]),
    ("s3:DeleteBucket", &["oss:DeleteBucket"]),
    ("s3:DeleteBucketPolicy", &["oss:DeleteBucketPolicy"]),
    ("s3:DeleteBucketWebsite", &["oss:DeleteBucketWebsite"]),
    ("s3:DeleteObject", &["oss:DeleteObject"]),
    ("s3:DeleteObjectTagging", &["oss:DeleteObjectTagging"]),
    ("s3:DeleteObjectVersion", &["oss:DeleteObjectVersion"]),
    ("s3:DeleteObjectVersionTagging", &["oss:DeleteObjectVersionTagging"]),
    ("s3:GetBucketAcl", &["oss:GetBucketAcl"]),
    ("s3:GetBucketCORS", &["oss:GetBucketCors"]),
    ("s3:GetBucketLocation", &["oss:GetBucketLocation"]),
    ("s3:GetBucketLogging", &["oss:GetBucketLogging"]),
    ("s3:GetBucketObjectLockConfiguration", &["oss:GetBucketObjectWormConfiguration"]),
    ("s3:GetBucketOwnershipControls", &["oss:GetBucketOwnershipControls"]),
    ("s3:GetBucketPolicy", &["oss:GetBucketPolicy"]),
    ("s3:GetBucketPolicyStatus", &["oss:GetBucketPolicyStatus"]),
    ("s3:GetBucketPublicAccessBlock", &["oss:GetBucketPublicAccessBlock"]),
    ("s3:GetBucketRequestPayment", &["oss:GetBucketRequestPayment"]),
    ("s3:GetBucketTagging", &["oss:GetBucketTagging"]),
    ("s3:GetBucketVersioning", &["oss:GetBucketVersioning"]),
    ("s3:GetBucketWebsite", &["oss:GetBucketWebsite"]),
    ("s3:GetEncryptionConfiguration", &["oss:GetBucketEncryption"]),
    ("s3:GetInventoryConfiguration", &["oss:GetBucketInventory", "oss:ListBucketInventory"]),
    ("s3:GetLifecycleConfiguration", &["oss:GetBucketLifecycle"]),
    ("s3:GetObject", &["oss:GetObject"]),
    ("s3:GetObjectAcl", &["oss:GetObjectAcl"]),
    ("s3:GetObjectLegalHold", &["oss:GetObjectLegalHold"]),
    ("s3:GetObjectRetention", &["oss:GetObjectRetention"]),
    ("s3:GetObjectTagging", &["oss:GetObjectTagging"]),
    ("s3:GetObjectVersion", &["oss:GetObjectVersion"]),
    ("s3:GetObjectVersionAcl", &["oss:GetObjectVersionAcl"]),
    ("s3:GetObjectVersionTagging", &["oss:GetObjectVersionTagging"]),
    // S3 has one permission for what the bucket's own protocol has three.
    ("s3:ListBucket", &["oss:ListObjects", "oss:GetBucketInfo", "oss:GetBucketStat"]),
    ("s3:ListBucketMultipartUploads", &["oss:ListMultipartUploads"]),
    ("s3:ListBucketVersions", &["oss:ListObjectVersions"]),
    ("s3:ListMultipartUploadParts", &["oss:ListParts"]),
    ("s3:PutBucketAcl", &["oss:PutBucketAcl"]),
    ("s3:PutBucketCORS", &["oss:PutBucketCors", "oss:DeleteBucketCors"]),
    ("s3:PutBucketLogging", &["oss:PutBucketLogging", "oss:DeleteBucketLogging"]),
    ("s3:PutBucketObjectLockConfiguration", &["oss:PutBucketObjectWormConfiguration"]),
    (
        "s3:PutBucketOwnershipControls",
        &["oss:PutBucketOwnershipControls", "oss:DeleteBucketOwnershipControls"],
    ),
    ("s3:PutBucketPolicy", &["oss:PutBucketPolicy"]),
    (
        "s3:PutBucketPublicAccessBlock",
        &["oss:PutBucketPublicAccessBlock", "oss:DeleteBucketPublicAccessBlock"],
    ),
    ("s3:PutBucketRequestPayment", &["oss:PutBucketRequestPayment"]),
    ("s3:PutBucketTagging", &["oss:PutBucketTagging", "oss:DeleteBucketTagging"]),
    ("s3:PutBucketVersioning", &["oss:PutBucketVersioning"]),
    ("s3:PutBucketWebsite", &["oss:PutBucketWebsite"]),
    ("s3:PutEncryptionConfiguration", &["oss:PutBucketEncryption", "oss:DeleteBucketEncryption"]),
    ("s3:PutInventoryConfiguration", &["oss:PutBucketInventory", "oss:DeleteBucketInventory"]),
    ("s3:PutLifecycleConfiguration", &["oss:PutBucketLifecycle", "oss:DeleteBucketLifecycle"]),
    ("s3:PutObject", &["oss:PutObject"]),
    ("s3:PutObjectAcl", &["oss:PutObjectAcl"]),
    ("s3:PutObjectLegalHold", &["oss:PutObjectLegalHold"]),
    ("s3:PutObjectRetention", &["oss:PutObjectRetention"]),
    ("s3:PutObjectTagging", &["oss:PutObjectTagging"]),
    ("s3:PutObjectVersionAcl", &["oss:PutObjectVersionAcl"]),
    ("s3:PutObjectVersionTagging", &["oss:PutObjectVersionTagging"]),
];

/// The permissions that a pattern of S3's names; none where it names nothing that is here.
pub(crate) fn expand(pattern: &str) -> Vec<String> {
    if pattern == "*" || pattern.eq_ignore_ascii_case("s3:*") {
        return vec!["oss:*".to_owned()];
    }
    let named = ACTIONS.iter().filter(|(name, _)| glob(pattern, name, true));
    named.flat_map(|(_, ours)| ours.iter().map(|name| (*name).to_owned())).collect()
}

/// Condition keys that a bucket's policy may ask for: as the OSS form writes them, and as S3's does.
static KEYS: &[(&str, &str)] = &[
    ("acs:CurrentTime", "aws:CurrentTime"),
    // What the client says it comes from, which it may say as it likes.
    ("acs:Referer", "aws:Referer"),
    ("acs:SecureTransport", "aws:SecureTransport"),
    // What a service acts for: the account, and the resource by the name that S3 gives it.
    ("acs:SourceAccount", "aws:SourceAccount"),
    ("acs:SourceArn", "aws:SourceArn"),
    ("acs:SourceIp", "aws:SourceIp"),
    ("acs:UserAgent", "aws:UserAgent"),
    ("oss:Delimiter", "s3:delimiter"),
    ("oss:MaxKeys", "s3:max-keys"),
    ("oss:Prefix", "s3:prefix"),
    // What the headers of a write ask for.
    ("oss:x-oss-acl", "s3:x-amz-acl"),
    ("oss:x-oss-copy-source", "s3:x-amz-copy-source"),
    ("oss:x-oss-grant-full-control", "s3:x-amz-grant-full-control"),
    ("oss:x-oss-grant-read", "s3:x-amz-grant-read"),
    ("oss:x-oss-grant-read-acp", "s3:x-amz-grant-read-acp"),
    ("oss:x-oss-grant-write", "s3:x-amz-grant-write"),
    ("oss:x-oss-grant-write-acp", "s3:x-amz-grant-write-acp"),
    ("oss:x-oss-metadata-directive", "s3:x-amz-metadata-directive"),
    ("oss:x-oss-server-side-encryption", "s3:x-amz-server-side-encryption"),
    (
        "oss:x-oss-server-side-encryption-customer-algorithm",
        "s3:x-amz-server-side-encryption-customer-algorithm",
    ),
    ("oss:x-oss-server-side-encryption-key-id", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ("oss:x-oss-storage-class", "s3:x-amz-storage-class"),
];

/// Condition keys that end in a tag's key: the tags that an object has, and those that a request gives it.
static TAGS: &[(&str, &str)] = &[
    ("oss:ExistingObjectTag/", "s3:ExistingObjectTag/"),
    ("oss:RequestObjectTag/", "s3:RequestObjectTag/"),
];

/// The key of either form, in the word that requests are asked by. Only what follows the slash of a tag's
/// depends on the case.
pub(crate) fn key(name: &str) -> Option<String> {
    let same = |one: &str| one.eq_ignore_ascii_case(name);
    if let Some((oss, _)) = KEYS.iter().find(|(oss, s3)| same(oss) || same(s3)) {
        return Some((*oss).to_owned());
    }
    let (kind, tag) = name.split_at(name.find('/')? + 1);
    let same = |one: &str| one.eq_ignore_ascii_case(kind);
    let (oss, _) = TAGS.iter().find(|(oss, s3)| same(oss) || same(s3))?;
    (!tag.is_empty()).then(|| format!("{oss}{tag}"))
}

/// S3's operators for names of resources, which are the language's for text: theirs compare part by part, and
/// no part of a bucket's name has a colon.
static OPERATORS: &[(&str, &str)] = &[
    ("ArnEquals", "StringLike"),
    ("ArnLike", "StringLike"),
    ("ArnNotEquals", "StringNotLike"),
    ("ArnNotLike", "StringNotLike"),
];

/// Conditions with the language's own operators in the place of those that only S3 has.
pub(crate) fn operators(given: RawConditions, is_s3: bool) -> RawConditions {
    let One(Object(mut operators)) = given;
    for (operator, _) in operators.iter_mut().filter(|_| is_s3) {
        let found = OPERATORS.iter().find(|(name, _)| operator == name);
        if let Some((_, ours)) = found {
            *operator = (*ours).to_owned();
        }
    }
    One(Object(operators))
}
