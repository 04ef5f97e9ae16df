//! Configurations of a bucket that are acted upon: what they say, read from the XML of either
//! protocol, kept as JSON, and told in the protocol of whoever asks.
//!
//! Not here: who may set one (`ops::document`), and requests and answers (`http`).

pub(crate) mod callback;
pub(crate) mod capacity;
pub(crate) mod control;
pub(crate) mod cors;
pub(crate) mod inventory;
pub(crate) mod lifecycle;
pub(crate) mod logging;
pub(crate) mod origin;
pub(crate) mod overwrite;
pub(crate) mod referer;
pub(crate) mod retention;
pub(crate) mod switches;
pub(crate) mod tags;
pub(crate) mod website;

use std::collections::HashSet;

use base::{ApiError, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::object::xml::{Element, Writer};
use wire::object::{Dialect, error};

use crate::model::Settings;
use crate::ops::Document;

/// The name space of the documents of S3.
pub(crate) const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// One kind of configuration.
pub(crate) trait Config: Serialize + DeserializeOwned {
    /// The document that it is kept as.
    const DOCUMENT: Document;

    /// Reads and checks the body of a request that sets it.
    fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError>;

    /// The document that tells it.
    fn render(&self, dialect: Dialect) -> Vec<u8>;
}

/// True for the documents that are configurations of this module.
pub(crate) const fn is_served(document: Document) -> bool {
    matches!(
        document,
        Document::Cors
            | Document::LogFields
            | Document::Logging
            | Document::Referer
            | Document::Website
            | Document::Lifecycle
            | Document::AccessMonitor
            | Document::ArchiveDirectRead
            | Document::Https
            | Document::ResourceGroup
            | Document::TransferAcceleration
            | Document::Overwrite
            | Document::Capacity
            | Document::Callbacks
    )
}

/// Reads the body of a request that sets a configuration into the form that is kept.
///
/// Errors: those of the kind; `NotImplemented` for the kinds that nothing acts on.
pub(crate) fn accept(
    document: Document,
    body: &[u8],
    dialect: Dialect,
) -> Result<String, ApiError> {
    match document {
        Document::Cors => keep::<cors::Cors>(body, dialect),
        Document::LogFields => keep::<logging::Fields>(body, dialect),
        Document::Referer => keep::<referer::Referer>(body, dialect),
        Document::Website => keep::<website::Website>(body, dialect),
        Document::Lifecycle => keep::<lifecycle::Lifecycle>(body, dialect),
        Document::AccessMonitor => keep::<switches::AccessMonitor>(body, dialect),
        Document::ArchiveDirectRead => keep::<switches::ArchiveDirectRead>(body, dialect),
        Document::Https => keep::<switches::Https>(body, dialect),
        Document::ResourceGroup => keep::<switches::ResourceGroup>(body, dialect),
        Document::TransferAcceleration => keep::<switches::Acceleration>(body, dialect),
        Document::Overwrite => keep::<overwrite::Overwrite>(body, dialect),
        Document::Capacity => keep::<capacity::Capacity>(body, dialect),
        Document::Callbacks => keep::<callback::Callbacks>(body, dialect),
        _ => Err(ApiError::new(&error::NOT_IMPLEMENTED)),
    }
}

/// A kept configuration in the words of a protocol.
///
/// Errors: where it cannot be read.
pub(crate) fn tell(document: Document, kept: &str, dialect: Dialect) -> Result<Vec<u8>, ApiError> {
    match document {
        Document::Cors => Ok(restore::<cors::Cors>(kept)?.render(dialect)),
        Document::LogFields => Ok(restore::<logging::Fields>(kept)?.render(dialect)),
        Document::Logging => Ok(restore::<logging::Status>(kept)?.render(dialect)),
        Document::Referer => Ok(restore::<referer::Referer>(kept)?.render(dialect)),
        Document::Website => Ok(restore::<website::Website>(kept)?.render(dialect)),
        Document::Lifecycle => Ok(restore::<lifecycle::Lifecycle>(kept)?.render(dialect)),
        Document::AccessMonitor => Ok(restore::<switches::AccessMonitor>(kept)?.render(dialect)),
        Document::ArchiveDirectRead => {
            Ok(restore::<switches::ArchiveDirectRead>(kept)?.render(dialect))
        }
        Document::Https => Ok(restore::<switches::Https>(kept)?.render(dialect)),
        Document::ResourceGroup => Ok(restore::<switches::ResourceGroup>(kept)?.render(dialect)),
        Document::TransferAcceleration => {
            Ok(restore::<switches::Acceleration>(kept)?.render(dialect))
        }
        Document::Overwrite => Ok(restore::<overwrite::Overwrite>(kept)?.render(dialect)),
        Document::Capacity => Ok(restore::<capacity::Capacity>(kept)?.render(dialect)),
        Document::Callbacks => Ok(restore::<callback::Callbacks>(kept)?.render(dialect)),
        _ => Err(ApiError::new(&error::NOT_IMPLEMENTED)),
    }
}

/// What of a configuration requests must know at once, in the settings that are read with the bucket. Called with
/// what is kept from now on, `None` where it is deleted.
///
/// Errors: where it is damaged.
pub(crate) fn settle(
    document: Document,
    kept: Option<&str>,
    settings: &mut Settings,
    now: Time,
) -> Result<(), ApiError> {
    match document {
        Document::Lifecycle => settings.lifecycle = kept.is_some(),
        Document::AccessMonitor => {
            let on = read::<switches::AccessMonitor>(kept)?.enabled;
            settings.access_monitor = on.then(|| settings.access_monitor.unwrap_or(now.secs()));
        }
        Document::ArchiveDirectRead => {
            settings.archive_direct_read = read::<switches::ArchiveDirectRead>(kept)?.enabled;
        }
        Document::TransferAcceleration => {
            settings.accelerated = read::<switches::Acceleration>(kept)?.enabled;
        }
        Document::Overwrite => settings.overwrite_rules = kept.is_some(),
        Document::Capacity => settings.capacity = read::<capacity::Capacity>(kept)?.bytes(),
        Document::ResourceGroup => {
            let group: Option<switches::ResourceGroup> = kept.map(restore).transpose()?;
            settings.resource_group = group.map(|group| group.id);
        }
        _ => {}
    }
    Ok(())
}

fn read<T: Config + Default>(kept: Option<&str>) -> Result<T, ApiError> {
    kept.map_or_else(|| Ok(T::default()), restore)
}

fn keep<T: Config>(body: &[u8], dialect: Dialect) -> Result<String, ApiError> {
    serde_json::to_string(&T::parse(body, dialect)?).map_err(ApiError::internal)
}

/// A configuration from the form that is kept.
///
/// Errors: where it is damaged.
pub(crate) fn restore<T: DeserializeOwned>(kept: &str) -> Result<T, ApiError> {
    serde_json::from_str(kept).map_err(ApiError::internal)
}

/// A document with its root open.
pub(crate) fn root(name: &'static str, dialect: Dialect) -> Writer {
    let mut xml = Writer::new();
    match dialect {
        Dialect::Oss => xml.open(name),
        Dialect::S3 => xml.open_in(name, S3_NAMESPACE),
    };
    xml
}

fn malformed(message: impl Into<String>) -> ApiError {
    error::MALFORMED_XML.error(message)
}

/// A value that is well-formed and that the protocol does not allow.
fn invalid(dialect: Dialect, message: impl Into<String>) -> ApiError {
    match dialect {
        Dialect::Oss => error::INVALID_ARGUMENT.error(message),
        Dialect::S3 => error::INVALID_REQUEST.error(message),
    }
}

/// The texts of the children of that name, without the white space around them.
///
/// Errors: as [`checked`]; `MalformedXML` for one that is empty.
fn words(element: &Element<'_>, name: &str) -> Result<Vec<String>, ApiError> {
    element
        .all(name)
        .map(|child| match child.text.trim() {
            "" => Err(malformed(format!("The element {name} is empty."))),
            word => checked(word, name),
        })
        .collect()
}

/// As [`words`], of the first child of that name, where there is one with a text.
fn word(element: &Element<'_>, name: &str) -> Result<Option<String>, ApiError> {
    element.word_of(name).map(|word| checked(word, name)).transpose()
}

/// Errors: `MalformedXML` for control characters: these texts become headers, where such would end
/// the line.
fn checked(word: &str, name: &str) -> Result<String, ApiError> {
    if word.chars().any(char::is_control) {
        return Err(malformed(format!("The element {name} has control characters.")));
    }
    Ok(word.to_owned())
}

/// Errors: `InvalidArgument` (OSS) or `InvalidRequest` (S3) for a text of more than so many bytes.
fn at_most(
    text: String,
    bytes_max: usize,
    name: &str,
    dialect: Dialect,
) -> Result<String, ApiError> {
    if text.len() > bytes_max {
        return Err(invalid(dialect, format!("A {name} has more than {bytes_max} bytes.")));
    }
    Ok(text)
}

/// Whether two are the same.
fn repeats<'n>(mut names: impl Iterator<Item = &'n str>) -> bool {
    let mut seen = HashSet::new();
    !names.all(|name| seen.insert(name))
}

/// Reads `true` or `false` in any case.
///
/// Errors: `MalformedXML` for anything else.
fn flag(element: &Element<'_>, name: &str) -> Result<Option<bool>, ApiError> {
    match element.word_of(name) {
        None => Ok(None),
        Some(word) if word.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(word) if word.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(malformed(format!("The element {name} is neither true nor false."))),
    }
}
