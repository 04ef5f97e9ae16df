//! Configurations of a bucket that are acted upon: what they say, read from the XML of either
//! protocol, kept as JSON, and told in the protocol of whoever asks.
//!
//! Not here: who may set one (`ops::document`), and requests and answers (`http`).

pub(crate) mod cors;
pub(crate) mod referer;
pub(crate) mod retention;

use base::ApiError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::object::xml::{Element, Writer};
use wire::object::{Dialect, error};

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
    matches!(document, Document::Cors | Document::Referer)
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
        Document::Referer => keep::<referer::Referer>(body, dialect),
        _ => Err(ApiError::new(&error::NOT_IMPLEMENTED)),
    }
}

/// A kept configuration in the words of a protocol.
///
/// Errors: where it cannot be read.
pub(crate) fn tell(document: Document, kept: &str, dialect: Dialect) -> Result<Vec<u8>, ApiError> {
    match document {
        Document::Cors => Ok(restore::<cors::Cors>(kept)?.render(dialect)),
        Document::Referer => Ok(restore::<referer::Referer>(kept)?.render(dialect)),
        _ => Err(ApiError::new(&error::NOT_IMPLEMENTED)),
    }
}

fn keep<T: Config>(body: &[u8], dialect: Dialect) -> Result<String, ApiError> {
    serde_json::to_string(&T::parse(body, dialect)?).map_err(ApiError::internal)
}

/// A configuration from the form that is kept.
///
/// Errors: where it is damaged.
pub(crate) fn restore<T: Config>(kept: &str) -> Result<T, ApiError> {
    serde_json::from_str(kept).map_err(ApiError::internal)
}

/// A document with its root open.
fn root(name: &'static str, dialect: Dialect) -> Writer {
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
