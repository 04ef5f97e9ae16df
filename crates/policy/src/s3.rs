//! What S3 calls the permissions and condition keys of object storage.

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
    ("s3:GetBucketPolicy", &["oss:GetBucketPolicy"]),
    ("s3:GetBucketPolicyStatus", &["oss:GetBucketPolicyStatus"]),
    ("s3:GetBucketPublicAccessBlock", &["oss:GetBucketPublicAccessBlock"]),
    ("s3:GetBucketRequestPayment", &["oss:GetBucketRequestPayment"]),
    ("s3:GetBucketTagging", &["oss:GetBucketTagging"]),
    ("s3:GetBucketVersioning", &["oss:GetBucketVersioning"]),
    ("s3:GetBucketWebsite", &["oss:GetBucketWebsite"]),
    ("s3:GetEncryptionConfiguration", &["oss:GetBucketEncryption"]),
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
    ("acs:SecureTransport", "aws:SecureTransport"),
    ("acs:SourceIp", "aws:SourceIp"),
    ("acs:UserAgent", "aws:UserAgent"),
    ("oss:Delimiter", "s3:delimiter"),
    ("oss:MaxKeys", "s3:max-keys"),
    ("oss:Prefix", "s3:prefix"),
];

/// The key of either form, in the word that requests are asked by.
pub(crate) fn key(name: &str) -> Option<&'static str> {
    let found = KEYS
        .iter()
        .find(|(oss, s3)| oss.eq_ignore_ascii_case(name) || s3.eq_ignore_ascii_case(name));
    found.map(|(oss, _)| *oss)
}
