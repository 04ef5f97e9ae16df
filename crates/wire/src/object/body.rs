//! The bodies of requests, read into plain values. Only their form is checked here; what a value may
//! be in a given bucket, and in what order, is the operation's matter.

use base::ApiError;

use super::checksum::Algorithm;
use super::xml::{Element, malformed, read};
use super::{Dialect, address};

/// The longest body with a list of parts: ten thousand of them with checksums.
pub const COMPLETE_BYTES_MAX: usize = 4 << 20;
/// The longest body with a list of keys: a thousand of them, every byte escaped.
pub const DELETE_BYTES_MAX: usize = 8 << 20;
/// The longest of the other bodies.
pub const SMALL_BYTES_MAX: usize = 256 << 10;
/// The most parts of an upload.
pub const PARTS_MAX: usize = 10_000;
/// The most keys of one multi-object delete.
pub const DELETE_KEYS_MAX: usize = 1000;

/// One part of `CompleteMultipartUpload`, in the order sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number; 1 to 10,000 where it is valid.
    pub number: u32,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its additional checksums, as sent (Base64).
    pub checksums: Vec<(Algorithm, String)>,
}

/// Reads `CompleteMultipartUpload{Part{PartNumber,ETag,Checksum…}…}`.
///
/// Errors: `MalformedXML`, also for no part and for more than [`PARTS_MAX`].
pub fn complete_multipart_upload(body: &[u8]) -> Result<Vec<Part>, ApiError> {
    let root = read(body, "CompleteMultipartUpload", COMPLETE_BYTES_MAX)?;
    let parts: Vec<Part> = root.all("Part").map(part).collect::<Result<_, _>>()?;
    if parts.is_empty() || parts.len() > PARTS_MAX {
        return Err(malformed(format!("There must be 1 to {PARTS_MAX} parts.")));
    }
    Ok(parts)
}

fn part(element: &Element<'_>) -> Result<Part, ApiError> {
    let number = element.need("PartNumber")?.trim();
    let number =
        number.parse().map_err(|_| malformed("The element PartNumber is not a number."))?;
    let etag = element.need("ETag")?.trim().trim_matches('"').to_owned();
    let checksums = Algorithm::ALL
        .into_iter()
        .filter_map(|algorithm| Some((algorithm, element.word_of(algorithm.element())?.to_owned())))
        .collect();
    Ok(Part { number, etag, checksums })
}

/// A multi-object delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// True where the answer lists failures only.
    pub quiet: bool,
    /// What to delete, in the order sent.
    pub objects: Vec<DeleteObject>,
}

/// An object that is to be deleted, and what it must be to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteObject {
    /// The key.
    pub key: String,
    /// One version of it.
    pub version_id: Option<String>,
    /// S3: the entity tag that it must have.
    pub etag: Option<String>,
    /// S3: when it must have been modified last.
    pub modified: Option<String>,
    /// S3: its size in bytes.
    pub size: Option<String>,
}

/// A key, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The key, exactly as sent; [`address::check_key`] says whether it is a valid one.
    pub key: String,
    /// The version, where one is named.
    pub version_id: Option<String>,
}

/// Reads `Delete{Quiet,Object{Key,VersionId}…}`.
///
/// Errors: `MalformedXML`, also for no object and for more than [`DELETE_KEYS_MAX`].
pub fn delete(body: &[u8]) -> Result<Delete, ApiError> {
    let root = read(body, "Delete", DELETE_BYTES_MAX)?;
    let quiet = match root.word_of("Quiet") {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("true") => true,
        Some(word) if word.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err(malformed("The element Quiet is neither true nor false.")),
    };
    let object = |element: &Element<'_>| {
        let word = |name: &str| element.word_of(name).map(str::to_owned);
        Ok(DeleteObject {
            key: element.need("Key")?.to_owned(),
            version_id: word("VersionId"),
            etag: word("ETag"),
            modified: word("LastModifiedTime"),
            size: word("Size"),
        })
    };
    let objects: Vec<DeleteObject> =
        root.all("Object").map(object).collect::<Result<_, ApiError>>()?;
    if objects.is_empty() || objects.len() > DELETE_KEYS_MAX {
        return Err(malformed(format!("There must be 1 to {DELETE_KEYS_MAX} objects.")));
    }
    Ok(Delete { quiet, objects })
}

/// What a bucket should be made like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateBucket {
    /// OSS: `StorageClass`.
    pub storage_class: Option<String>,
    /// OSS: `DataRedundancyType`.
    pub redundancy: Option<String>,
    /// `LocationConstraint`: a region, which OSS writes with `oss-` before it.
    pub location: Option<String>,
}

/// Reads `CreateBucketConfiguration`; no body at all asks for nothing in particular.
///
/// Errors: `MalformedXML`.
pub fn create_bucket(body: &[u8], dialect: Dialect) -> Result<CreateBucket, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(CreateBucket::default());
    }
    let root = read(body, "CreateBucketConfiguration", SMALL_BYTES_MAX)?;
    let word = |name: &str| root.word_of(name).map(str::to_owned);
    Ok(match dialect {
        Dialect::Oss => CreateBucket {
            storage_class: word("StorageClass"),
            redundancy: word("DataRedundancyType"),
            location: word("LocationConstraint"),
        },
        Dialect::S3 => {
            CreateBucket { location: word("LocationConstraint"), ..CreateBucket::default() }
        }
    })
}

/// Reads `Tagging{TagSet{Tag{Key,Value}…}}` into pairs, in the order sent.
///
/// Errors: `MalformedXML`.
pub fn tagging(body: &[u8]) -> Result<Vec<(String, String)>, ApiError> {
    let root = read(body, "Tagging", SMALL_BYTES_MAX)?;
    let set = root.child("TagSet").ok_or_else(|| malformed("The element TagSet is missing."))?;
    set.all("Tag")
        .map(|tag| Ok((tag.need("Key")?.to_owned(), tag.need("Value")?.to_owned())))
        .collect()
}

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// It does.
    Enabled,
    /// It did; those that there are stay.
    Suspended,
}

/// Reads `VersioningConfiguration{Status}`.
///
/// Errors: `MalformedXML`, also for a status that is missing or unknown.
pub fn versioning(body: &[u8]) -> Result<Versioning, ApiError> {
    match read(body, "VersioningConfiguration", SMALL_BYTES_MAX)?.word_of("Status") {
        Some("Enabled") => Ok(Versioning::Enabled),
        Some("Suspended") => Ok(Versioning::Suspended),
        _ => Err(malformed("The element Status must be Enabled or Suspended.")),
    }
}

/// An access-control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessControl {
    /// The owner's id.
    pub owner: Option<String>,
    /// Who may do what.
    pub grants: Vec<Grant>,
}

/// One entry of an access-control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub grantee: Grantee,
    /// `FULL_CONTROL`, `READ`, `WRITE`, `READ_ACP` or `WRITE_ACP`, as sent.
    pub permission: String,
}

/// Whom an entry of an access-control list names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// An account.
    Id(String),
    /// A predefined group, such as all users.
    Group(String),
    /// An account, by its mail address.
    Email(String),
}

/// Reads `AccessControlPolicy{Owner{ID},AccessControlList{Grant{Grantee,Permission}…}}`.
///
/// Errors: `MalformedXML`.
pub fn access_control(body: &[u8]) -> Result<AccessControl, ApiError> {
    let root = read(body, "AccessControlPolicy", SMALL_BYTES_MAX)?;
    let owner = root.child("Owner").and_then(|owner| owner.word_of("ID")).map(str::to_owned);
    let list = root
        .child("AccessControlList")
        .ok_or_else(|| malformed("The element AccessControlList is missing."))?;
    Ok(AccessControl { owner, grants: list.all("Grant").map(grant).collect::<Result<_, _>>()? })
}

fn grant(element: &Element<'_>) -> Result<Grant, ApiError> {
    let grantee =
        element.child("Grantee").ok_or_else(|| malformed("The element Grantee is missing."))?;
    let word = |name: &str| grantee.word_of(name).map(str::to_owned);
    let grantee = word("ID")
        .map(Grantee::Id)
        .or_else(|| word("URI").map(Grantee::Group))
        .or_else(|| word("EmailAddress").map(Grantee::Email))
        .ok_or_else(|| malformed("The element Grantee names nobody."))?;
    let permission = element.need("Permission")?.trim();
    match permission {
        "FULL_CONTROL" | "READ" | "WRITE" | "READ_ACP" | "WRITE_ACP" => {
            Ok(Grant { grantee, permission: permission.to_owned() })
        }
        _ => Err(malformed("The element Permission is not valid.")),
    }
}

/// Reads a copy source (`x-oss-copy-source`, `x-amz-copy-source`): `[/]bucket/key[?versionId=…]`,
/// percent-encoded.
///
/// Errors: `InvalidArgument`, and what [`address::check_key`] answers.
pub fn copy_source(value: &str, dialect: Dialect) -> Result<(String, ObjectVersion), ApiError> {
    let (path, query) = value.split_once('?').unwrap_or((value, ""));
    // Some clients encode the slash between bucket and key too.
    let decoded = String::from_utf8(base::text::percent_decode(path, false));
    let decoded = decoded
        .map_err(|_| super::error::INVALID_ARGUMENT.error("The copy source is not UTF-8."))?;
    let (bucket, key) = decoded
        .strip_prefix('/')
        .unwrap_or(&decoded)
        .split_once('/')
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .ok_or_else(|| {
            super::error::INVALID_ARGUMENT.error("The copy source must be /bucket/key.")
        })?;
    address::check_key(key, dialect)?;
    let version_id = crate::query::parse(query)
        .into_iter()
        .find(|(name, _)| name == "versionId")
        .map(|(_, id)| id);
    Ok((bucket.to_owned(), ObjectVersion { key: key.to_owned(), version_id }))
}

#[cfg(test)]
mod tests;
