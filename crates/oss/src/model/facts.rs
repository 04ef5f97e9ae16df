//! What is known about an object besides what its client said about it: its kind, how its bytes are sealed,
//! how it is metered.

use base::{Secret, Time};
use serde::{Deserialize, Serialize};

use super::{Etag, Lock, StorageClass, is_default};
use crate::acl::Grant;

/// What is known about an object besides what its client said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// How its bytes are sealed; not told where they were stored in clear, before there were keys.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Its own ACL, where no canned word says it.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Grant>>,
    /// What keeps it from being deleted or replaced.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lock: Lock,
    /// The multipart upload that it came of.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// What kind of object it is.
    #[serde(rename = "k", default, skip_serializing_if = "is_default")]
    pub kind: Kind,
    /// Of its bytes so many are metered in another class than [`StorageClass::Standard`]. Kept with the object,
    /// so that what was counted is what is taken off, whatever its class says by then.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<(StorageClass, u64)>,
    /// That it is, or is being, restored from an archive.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// The beginning of the day in which it was read last, Unix seconds; noted where the bucket's access monitor is on.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub accessed: Option<i64>,
    /// Since when its last access counts; told with it, and not kept.
    #[serde(skip)]
    pub last_access: Option<Time>,
    /// When the bucket's lifecycle will end it; told with it, and not kept.
    #[serde(skip)]
    pub expires: Option<Expiry>,
}

/// That an archived object can be read for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// From when on, Unix seconds.
    #[serde(rename = "f")]
    pub from: i64,
    /// Until when, Unix seconds.
    #[serde(rename = "u")]
    pub until: i64,
}

impl Restored {
    /// Whether it is still under way.
    pub const fn is_ongoing(&self, now: Time) -> bool {
        now.secs() < self.from
    }

    /// Whether the object can be read.
    pub const fn is_readable(&self, now: Time) -> bool {
        self.from <= now.secs() && now.secs() < self.until
    }
}

/// When a lifecycle will end an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The first moment at which it may.
    pub at: Time,
    /// The rule that says so.
    pub rule: String,
}

/// What kind of object something is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Bytes that came at once or in parts.
    #[default]
    #[serde(rename = "O")]
    Ordinary,
    /// Bytes that more can be appended to.
    #[serde(rename = "A")]
    Appendable,
    /// A link to the object of that key in the same bucket; it has no bytes of its own.
    #[serde(rename = "L")]
    Symlink(String),
}

impl Kind {
    /// The number that listings read.
    pub(crate) const fn number(&self) -> i64 {
        match self {
            Self::Ordinary => 0,
            Self::Appendable => 1,
            Self::Symlink(_) => 2,
        }
    }
}

/// What OSS calls the kind of that number, of an object with such an entity tag.
pub(crate) const fn object_type(kind: i64, etag: &Etag) -> &'static str {
    match (kind, etag.parts) {
        (1, _) => "Appendable",
        (2, _) => "Symlink",
        (_, 0) => "Normal",
        _ => "Multipart",
    }
}

/// How an object's bytes are sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// Under the key of the account that owns the bucket, as nobody asked for anything else.
    #[serde(rename = "D")]
    Account,
    /// The same, asked for.
    #[serde(rename = "A")]
    Aes256,
    /// Under a key that is made of the account's for this name; empty for the account's default.
    #[serde(rename = "K")]
    Kms(String),
    /// Under a key that only the client has (SSE-C).
    #[serde(rename = "C")]
    Customer {
        /// The Base64 of the key's MD5, as the client sent it and is told it.
        #[serde(rename = "m")]
        md5: String,
        /// What the verifier was salted with.
        #[serde(rename = "s")]
        salt: String,
        /// What tells the key from others, and not what it is.
        #[serde(rename = "v")]
        verifier: String,
    },
}

/// A key that a client brings with a request (SSE-C). It is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerKey {
    /// The key.
    pub key: Secret<[u8; 32]>,
    /// The Base64 of its MD5, checked.
    pub md5: String,
}

/// The encryption that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Under a key that we keep: never [`Encryption::Customer`].
    Managed(Encryption),
    /// Under this key of the client's.
    Customer(CustomerKey),
}

impl Wanted {
    /// The key that the client brings, if it does.
    pub fn customer(&self) -> Option<&CustomerKey> {
        match self {
            Self::Managed(_) => None,
            Self::Customer(key) => Some(key),
        }
    }
}
