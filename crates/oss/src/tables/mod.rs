//! Rows: every SQL statement of object storage, one function each. They decide nothing.

pub(crate) mod access_log;
pub(crate) mod account;
pub(crate) mod append;
pub(crate) mod attributes;
pub(crate) mod bucket;
pub(crate) mod cname;
pub(crate) mod damage;
pub(crate) mod disk;
pub(crate) mod extent;
pub(crate) mod free;
pub(crate) mod inventory;
pub(crate) mod key;
pub(crate) mod lifecycle;
pub(crate) mod object;
pub(crate) mod remote;
pub(crate) mod space;
pub(crate) mod upload;
pub(crate) mod version;

use base::ApiError;

use crate::model::{Acl, StorageClass};

/// An amount on its way into an integer column. No disk holds 8 EiB.
pub(crate) fn int(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// A stored row that does not read as what was written.
pub(crate) fn damaged(what: &str) -> ApiError {
    ApiError::internal(format!("a stored row is damaged: {what}"))
}

fn key(bytes: &[u8]) -> Result<String, ApiError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| damaged("key"))
}

fn md5(bytes: &[u8]) -> Result<[u8; 16], ApiError> {
    bytes.try_into().map_err(|_| damaged("md5"))
}

fn storage_class(text: &str) -> Result<StorageClass, ApiError> {
    StorageClass::parse(text).ok_or_else(|| damaged("storage class"))
}

/// Empty where the bucket's applies.
fn own_acl(text: &str) -> Result<Option<Acl>, ApiError> {
    if text.is_empty() {
        Ok(None)
    } else {
        Acl::parse(text).map(Some).ok_or_else(|| damaged("acl"))
    }
}

/// JSON text, or empty text for the usual case of nothing.
fn to_json<T: serde::Serialize + Default + PartialEq>(value: &T) -> Result<String, ApiError> {
    if *value == T::default() {
        return Ok(String::new());
    }
    serde_json::to_string(value)
        .map_err(|error| ApiError::internal(format!("encode a row: {error}")))
}

fn from_json<T: serde::de::DeserializeOwned + Default>(text: &str) -> Result<T, ApiError> {
    if text.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))
}
