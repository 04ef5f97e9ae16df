//! The words of object storage: what callers give and get. Plain data; no dialect, no SQL.

mod facts;
mod retention;

use base::{AccountId, RequestId, Time};
use engine::places::Want;
use engine::{Caller, Meta, RequestInfo, Session};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use terms::clauses::DataClass;

pub use self::facts::*;
pub use self::retention::*;
use crate::acl::{AccessBlock, Grant, Ownership};
use crate::config::switches::DEFAULT_GROUP;
use crate::digest::{Algorithm, Checksum};

/// Who asks, and from where. A dialect makes one for each request once the signature is checked
/// (or the caller is anonymous); every operation takes one and authorizes by it.
#[derive(Clone, Debug)]
pub struct RequestCtx {
    /// Who asks.
    pub caller: Caller,
    /// From where.
    pub request: RequestInfo,
}

impl RequestCtx {
    pub(crate) fn session(&self, meta: Meta) -> Arc<Session> {
        Arc::new(Session { meta, caller: self.caller.clone(), request: self.request.clone() })
    }

    /// The request's id.
    pub fn id(&self) -> RequestId {
        self.request.id
    }
}

/// A bucket's or an object's access control list, in its canned form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acl {
    /// Only whom the owner's policies allow.
    #[default]
    Private,
    /// Anybody may read.
    PublicRead,
    /// Anybody may read and write.
    PublicReadWrite,
    /// Whoever signed may read. This and those that follow are words of S3 alone.
    AuthenticatedRead,
    /// The bucket's owner may read the object.
    BucketOwnerRead,
    /// The bucket's owner may do all with the object.
    BucketOwnerFullControl,
    /// What writes access logs may put them into the bucket.
    LogDeliveryWrite,
}

impl Acl {
    const ALL: [Self; 7] = [
        Self::Private,
        Self::PublicRead,
        Self::PublicReadWrite,
        Self::AuthenticatedRead,
        Self::BucketOwnerRead,
        Self::BucketOwnerFullControl,
        Self::LogDeliveryWrite,
    ];

    /// `private`, `public-read`, `public-read-write`: the same words in both dialects; and those of S3.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
            Self::AuthenticatedRead => "authenticated-read",
            Self::BucketOwnerRead => "bucket-owner-read",
            Self::BucketOwnerFullControl => "bucket-owner-full-control",
            Self::LogDeliveryWrite => "log-delivery-write",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|acl| acl.as_str() == text)
    }
}

/// How an object is kept, the warmest first. All are on the same disks; the price differs, and archived objects are
/// restored before they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StorageClass {
    /// For data in use.
    #[default]
    Standard,
    /// For data that is read now and then.
    InfrequentAccess,
    /// For data that is seldom read.
    Archive,
    /// For data that is hardly ever read.
    ColdArchive,
    /// For data that is kept because it must be.
    DeepColdArchive,
}

impl StorageClass {
    /// Those other than Standard, in order.
    pub(crate) const TIERS: [Self; 4] =
        [Self::InfrequentAccess, Self::Archive, Self::ColdArchive, Self::DeepColdArchive];

    /// The OSS name: `Standard`, `IA`, `Archive`, `ColdArchive`, `DeepColdArchive`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::InfrequentAccess => "IA",
            Self::Archive => "Archive",
            Self::ColdArchive => "ColdArchive",
            Self::DeepColdArchive => "DeepColdArchive",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Standard,
            Self::InfrequentAccess,
            Self::Archive,
            Self::ColdArchive,
            Self::DeepColdArchive,
        ]
        .into_iter()
        .find(|class| class.as_str() == text)
    }

    /// The name that S3 tells: `STANDARD`, `STANDARD_IA`, `GLACIER`, `DEEP_ARCHIVE`.
    pub const fn s3_name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::InfrequentAccess => "STANDARD_IA",
            Self::Archive => "GLACIER",
            Self::ColdArchive | Self::DeepColdArchive => "DEEP_ARCHIVE",
        }
    }

    /// Reads a name of S3, which has more of them than there are classes here.
    pub fn parse_s3(text: &str) -> Option<Self> {
        Some(match text {
            "STANDARD" | "REDUCED_REDUNDANCY" | "INTELLIGENT_TIERING" => Self::Standard,
            "STANDARD_IA" | "ONEZONE_IA" | "GLACIER_IR" => Self::InfrequentAccess,
            "GLACIER" => Self::Archive,
            "DEEP_ARCHIVE" => Self::DeepColdArchive,
            _ => return None,
        })
    }

    /// Whether an object is restored before it is read.
    pub const fn is_archived(self) -> bool {
        matches!(self, Self::Archive | Self::ColdArchive | Self::DeepColdArchive)
    }
}

/// An entity tag: the MD5 of the body, or the MD5 of the parts' MD5s with their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Etag {
    /// The digest.
    pub md5: [u8; 16],
    /// The number of parts; 0 for a body that came in one piece.
    pub parts: u32,
}

impl Etag {
    /// Lower-case hexadecimal with `-N` for parts, as S3 writes it (without quotes).
    pub fn lower(&self) -> String {
        self.text(base::text::hex(&self.md5))
    }

    /// Upper-case, as OSS writes it (without quotes).
    pub fn upper(&self) -> String {
        self.text(base::text::hex_upper(&self.md5))
    }

    fn text(self, hex: String) -> String {
        if self.parts == 0 { hex } else { format!("{hex}-{}", self.parts) }
    }

    /// True where `text` (with or without quotes, in either case) is this tag.
    pub fn is(&self, text: &str) -> bool {
        text.trim().trim_matches('"').eq_ignore_ascii_case(&self.lower())
    }
}

/// What an `If-Match` or `If-None-Match` header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtagMatch {
    /// `*`: any object at all.
    Any,
    /// One of these tags (quotes and case do not matter).
    OneOf(Vec<String>),
}

impl EtagMatch {
    /// Reads a header's value. Weak tags compare as strong ones, as both protocols do it.
    pub fn parse(value: &str) -> Self {
        if value.trim() == "*" {
            return Self::Any;
        }
        let tag = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
        Self::OneOf(value.split(',').map(tag).collect())
    }

    pub(crate) fn fits(&self, etag: &Etag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|tag| etag.is(tag)),
        }
    }
}

/// Conditions of a read (RFC 9110, section 13), also those of a copy's source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadConditions {
    /// `If-Match`.
    pub if_match: Option<EtagMatch>,
    /// `If-None-Match`.
    pub if_none_match: Option<EtagMatch>,
    /// `If-Modified-Since`; whole seconds.
    pub if_modified_since: Option<Time>,
    /// `If-Unmodified-Since`; whole seconds.
    pub if_unmodified_since: Option<Time>,
    /// The key to read with: an object that is sealed under a client's key takes just that, others none.
    pub customer_key: Option<CustomerKey>,
}

/// Conditions of a write, checked against the current object in the commit itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteConditions {
    /// `If-Match`: the current object must be there and have this tag, else `PreconditionFailed`
    /// (`NoSuchKey` where there is none).
    pub if_match: Option<EtagMatch>,
    /// `If-None-Match`: it must not, else `PreconditionFailed`.
    pub if_none_match: Option<EtagMatch>,
    /// `x-oss-forbid-overwrite`: there must be none, else `FileAlreadyExists`.
    pub forbid_overwrite: bool,
}

/// What a client says about an object, given back with it unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Standard headers with lower-case names: `content-type`, `cache-control`,
    /// `content-disposition`, `content-encoding`, `content-language`, `expires`.
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// User metadata: lower-case names without the dialect's prefix.
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    pub user: Vec<(String, String)>,
    /// Checksums besides MD5 and CRC-64, those that the client asked for. Filled in by the engine.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
}

impl Attributes {
    /// A standard header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Tags: unique keys, in the order given.
pub type Tags = Vec<(String, String)>;

/// What the client promised about a body before sending it. What does not come true is refused with
/// `BadDigest` (`XAmzContentSHA256Mismatch` for the payload), and nothing is stored.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The number of bytes of the decoded body, where the client told. A body that is longer or
    /// shorter is `IncompleteBody`.
    pub length: Option<u64>,
    /// `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// `x-oss-hash-crc64ecma` (CRC-64/XZ).
    pub crc64: Option<u64>,
    /// `x-amz-content-sha256`, where it is a digest of the payload.
    pub sha256: Option<[u8; 32]>,
    /// `x-amz-checksum-…` headers; computed, compared, stored and given back.
    pub checksums: Vec<Checksum>,
    /// Further algorithms to compute and store: those whose value comes in a trailer, or that the
    /// upload asked for.
    pub compute: Vec<Algorithm>,
}

/// What a new object is to have besides its body.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Headers and user metadata (checksums are ignored here; see [`Expected`]).
    pub attributes: Attributes,
    /// Its class; the bucket's where not told.
    pub storage_class: Option<StorageClass>,
    /// Its own ACL; that of the bucket applies where not told.
    pub acl: Option<Acl>,
    /// The grants of its own ACL, where no canned word says them.
    pub grants: Option<Vec<Grant>>,
    /// Its tags.
    pub tags: Tags,
    /// Conditions, checked in the commit.
    pub conditions: WriteConditions,
    /// What was promised about the body.
    pub expected: Expected,
    /// What it is to be sealed as; the bucket's default where not told.
    pub encryption: Option<Wanted>,
    /// What is to keep it; its retention is the bucket's default where not told.
    pub lock: Lock,
}

/// What came of storing an object or completing an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The entity tag.
    pub etag: Etag,
    /// CRC-64/XZ of the whole body.
    pub crc64: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When.
    pub modified: Time,
    /// The checksums that were asked for.
    pub checksums: Vec<Checksum>,
    /// The version's id; `None` while the bucket has no versioning.
    pub version: Option<VersionId>,
    /// How it is sealed.
    pub encryption: Option<Encryption>,
    /// When the bucket's lifecycle will end it.
    pub expires: Option<Expiry>,
}

/// What an object must be to be deleted; nothing in particular where nothing is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// One of these entity tags.
    pub etag: Option<EtagMatch>,
    /// Last modified in that second.
    pub modified: Option<Time>,
    /// So many bytes long.
    pub size: Option<u64>,
}

impl Stored {
    /// What came of storing this object.
    pub(crate) fn of(
        info: ObjectInfo,
        version: Option<VersionId>,
        expires: Option<Expiry>,
    ) -> Self {
        Self {
            etag: info.etag,
            crc64: info.crc64,
            size: info.size,
            modified: info.modified,
            checksums: info.attributes.checksums,
            encryption: info.facts.encryption,
            version,
            expires,
        }
    }
}

/// An object but for its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: Etag,
    /// CRC-64/XZ of its body.
    pub crc64: u64,
    /// When it was stored.
    pub modified: Time,
    /// Its class.
    pub storage_class: StorageClass,
    /// Its owner: the bucket's, or by the rules of S3 the account that wrote it.
    pub owner: AccountId,
    /// The first of the data centres where its bytes are.
    pub site: String,
    /// Its own ACL; `None` where the bucket's applies (`default` in OSS).
    pub acl: Option<Acl>,
    /// What the client said about it.
    pub attributes: Attributes,
    /// Its tags.
    pub tags: Tags,
    /// What else is known about it.
    pub facts: Facts,
    /// The version's id; `None` while the bucket has no versioning.
    pub version: Option<VersionId>,
}

impl ObjectInfo {
    /// `Normal`, `Multipart`, `Appendable` or `Symlink`, as `x-oss-object-type` tells it.
    pub fn object_type(&self) -> &'static str {
        object_type(self.facts.kind.number(), &self.etag)
    }
}

/// A part that an object was uploaded in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPart {
    /// Its number.
    pub number: u32,
    /// Its first byte in the object.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The checksums that it was uploaded with.
    pub checksums: Vec<Checksum>,
}

/// A byte range as asked for (RFC 9110, section 14.1.2); one range only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// `bytes=first-` or `bytes=first-last` (inclusive).
    From(u64, Option<u64>),
    /// `bytes=-n`: the last n bytes.
    Last(u64),
}

impl RangeSpec {
    /// The first byte and the number of bytes within a body of `size`; `None` where the range cannot
    /// be satisfied.
    pub fn within(self, size: u64) -> Option<(u64, u64)> {
        match self {
            Self::From(first, last) => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                (first < end).then(|| (first, end - first))
            }
            Self::Last(count) => {
                let count = count.min(size);
                (count > 0).then(|| (size - count, count))
            }
        }
    }
}

/// What a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub(crate) id: i64,
    /// Its name.
    pub name: String,
    /// The account that owns it and is billed for it.
    pub owner: AccountId,
    /// The data centres that hold a copy of its bytes each, the first one first; never empty.
    pub sites: Vec<String>,
    /// How sensitive what is in it may be: what the agreement's rules about places go by.
    pub class: DataClass,
    /// When it was made.
    pub created: Time,
    /// Its ACL.
    pub acl: Acl,
    /// The class of objects that name none.
    pub storage_class: StorageClass,
    /// `LRS` or `ZRS`: whether [`Self::sites`] are of several zones.
    pub redundancy: Redundancy,
    /// What requests to it obey.
    pub settings: Settings,
}

/// What the requests to a bucket obey. Read with the bucket, so small; a configuration that only its own
/// requests or a task look at is a document of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether it keeps versions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub versioning: Versioning,
    /// What new objects are sealed as that ask for nothing; the account's key where it is not told.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The bucket's policy, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether ACLs and owners of objects follow the rules of S3 (see [`crate::acl`]).
    #[serde(default, skip_serializing_if = "is_default")]
    pub s3: bool,
    /// Its ACL, where no canned word says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Grant>>,
    /// Whose the objects are that others write, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Ownership>,
    /// What is kept from being public, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<AccessBlock>,
    /// Whether who asks pays for requests and egress.
    #[serde(default, skip_serializing_if = "is_default")]
    pub requester_pays: bool,
    /// That its versions can be locked, each on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
    /// The retention of everything in it, also one whose time to be locked ran out; see `worm_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worm: Option<Worm>,
    /// Whether there are rules of a lifecycle.
    #[serde(rename = "l", default, skip_serializing_if = "is_default")]
    pub lifecycle: bool,
    /// Since when it is noted on which day objects were read, Unix seconds; `None` while it is not.
    #[serde(rename = "am", default, skip_serializing_if = "Option::is_none")]
    pub access_monitor: Option<i64>,
    /// Whether objects of [`StorageClass::Archive`] are read without being restored.
    #[serde(rename = "adr", default, skip_serializing_if = "is_default")]
    pub archive_direct_read: bool,
    /// Whether clients asked for accelerated transfer.
    #[serde(rename = "ta", default, skip_serializing_if = "is_default")]
    pub accelerated: bool,
    /// Whether there are rules of what may not be overwritten.
    #[serde(rename = "ow", default, skip_serializing_if = "is_default")]
    pub overwrite_rules: bool,
    /// How much it may hold, bytes; as much as there is room for where nobody said.
    #[serde(rename = "cap", default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// The group of resources that it is counted to, where somebody said one.
    #[serde(rename = "rg", default, skip_serializing_if = "Option::is_none")]
    pub resource_group: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whether a bucket keeps versions of its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// It never did.
    #[default]
    Unversioned,
    /// Every write makes a version of its own.
    Enabled,
    /// It did. Those that there are stay; every write makes the one null version anew.
    Suspended,
}

/// Which version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(i64);

impl VersionId {
    /// The version that is there without versioning.
    pub const NULL: Self = Self(0);

    pub(crate) const fn of(number: i64) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> i64 {
        self.0
    }

    pub(crate) const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Reads what is displayed: `null`, or 16 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::NULL);
        }
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let number = i64::from_str_radix(text, 16).ok().filter(|number| *number > 0)?;
        (text.len() == 16 && text.bytes().all(digit)).then_some(Self(number))
    }
}

impl std::fmt::Display for VersionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_null() { f.write_str("null") } else { write!(f, "{:016x}", self.0) }
    }
}

/// A key, or one version of it. A key alone is its current version.
#[derive(Clone, Copy, Debug)]
pub struct At<'k> {
    /// The key.
    pub key: &'k str,
    /// The version, where one is named.
    pub version: Option<VersionId>,
}

impl<'k> From<&'k str> for At<'k> {
    fn from(key: &'k str) -> Self {
        Self { key, version: None }
    }
}

impl<'k> From<&'k String> for At<'k> {
    fn from(key: &'k String) -> Self {
        Self::from(key.as_str())
    }
}

impl Bucket {
    /// What a version is called in its answers: nothing, before the bucket ever had versioning.
    pub(crate) fn version_id(&self, number: i64) -> Option<VersionId> {
        self.is_versioned().then_some(VersionId(number))
    }

    /// The group of resources that it is counted to.
    pub(crate) fn resource_group(&self) -> &str {
        self.settings.resource_group.as_deref().unwrap_or(DEFAULT_GROUP)
    }

    /// Whether there can be more versions of a key than the current one.
    pub(crate) fn is_versioned(&self) -> bool {
        self.settings.versioning != Versioning::Unversioned
    }

    /// The ARN of the bucket: `acs:oss:*:<owner>:<bucket>`.
    pub fn arn(&self) -> String {
        format!("acs:oss:*:{}:{}", self.owner, self.name)
    }

    /// What its owner's agreement is asked about every byte of it.
    pub(crate) fn want(&self) -> Want<'_> {
        Want { account: self.owner, class: self.class, sites: &self.sites }
    }

    /// The ARN of an object in it.
    pub fn object_arn(&self, key: &str) -> String {
        format!("acs:oss:*:{}:{}/{key}", self.owner, self.name)
    }
}

/// In how many zones there is a copy of a bucket's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redundancy {
    /// One zone.
    #[default]
    Local,
    /// Two, or as many as the agreement demands.
    Zones,
}

impl Redundancy {
    /// The OSS name: `LRS` or `ZRS`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "LRS",
            Self::Zones => "ZRS",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Local, Self::Zones].into_iter().find(|redundancy| redundancy.as_str() == text)
    }
}

/// What is in a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketStat {
    /// Objects: current versions.
    pub objects: u64,
    /// Multipart uploads under way.
    pub uploads: u64,
    /// Bytes of objects, of all their versions, and of uploaded parts.
    pub bytes: u64,
    /// Of these, bytes of parts.
    pub part_bytes: u64,
    /// Versions behind the current one of their key.
    pub versions: u64,
    /// Delete markers.
    pub markers: u64,
    /// Bytes of the versions behind, which are part of `bytes`.
    pub version_bytes: u64,
    /// Parts of the uploads under way.
    pub parts: u64,
    /// What is in the classes other than Standard, from the warmest to the coldest.
    pub tiers: [ClassStat; 4],
    /// When any of this changed last; zero where it never did.
    pub changed: Time,
}

impl BucketStat {
    /// What is in the class Standard: what is in no other one.
    pub fn standard(&self) -> ClassStat {
        let sum = |of: fn(&ClassStat) -> u64| self.tiers.iter().map(of).sum::<u64>();
        let bodies = self.bytes.saturating_sub(self.part_bytes);
        ClassStat {
            objects: (self.objects + self.versions).saturating_sub(sum(|tier| tier.objects)),
            bytes: bodies.saturating_sub(sum(|tier| tier.bytes)),
        }
    }
}

/// What is in a bucket of one class: objects and their versions behind, but for delete markers and parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassStat {
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a round of the scrub came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Bytes read, of all copies.
    pub bytes: u64,
    /// Bad or missing copies of pieces of bodies.
    pub damaged: u64,
    /// Those written anew from good ones. Copies whose file is missing are made anew by the repair.
    pub mended: u64,
    /// Pieces of bodies that no copy has.
    pub lost: u64,
    /// Rows of bodies that do not read.
    pub rows: u64,
}

/// Bytes of an object, or of a part of an upload, that no copy has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The upload's id; empty for an object.
    pub upload: String,
    /// The part's number; 0 for an object.
    pub part: u32,
    /// The segment's number; 0 where the row itself does not read.
    pub segment: u32,
    /// The first byte in the segment.
    pub start: u32,
    /// So many bytes.
    pub length: u32,
    /// When it was found first.
    pub found_at: Time,
}
