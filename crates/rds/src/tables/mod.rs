//! Rows: every statement of this crate, one function each, for SQLite and PostgreSQL alike. Decides nothing.

pub mod account;
pub mod backup;
pub mod database;
pub mod engine;
pub mod extension;
pub mod figure;
pub mod grant;
pub mod hba;
pub mod host;
pub mod instance;
pub mod ip_array;
pub mod job;
pub mod log;
pub mod member;
pub mod parameter;
pub mod parameter_group;
pub mod patroni;
pub mod route;
pub mod setting;
pub mod tag;
pub mod wal;

use base::ApiError;

/// A stored JSON text as its type.
pub(crate) fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text)
        .map_err(|error| ApiError::internal(format!("a stored JSON: {error}")))
}

/// A value as the JSON text that is stored.
pub(crate) fn text<T: serde::Serialize>(value: &T) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(|error| ApiError::internal(format!("store JSON: {error}")))
}
