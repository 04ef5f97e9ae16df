//! Withheld fields. In place of the value the document holds a commitment and the legal ground; the
//! parties keep the opening (salt and value), with which anybody can check what was withheld.
//!
//! Which fields may be withheld is said by the published schema alone (`"redactable": true`), after
//! the Information Commission's ruling of April 2024: IP addresses, where exactly a device stands, and
//! contact persons. A document is redacted before it is signed, so the digest never changes.

use std::sync::LazyLock;

use base::text::{hex, unhex};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clauses::{Text, Withheld};
use crate::{canonical, extension};

/// The field that stands where a value is withheld.
const MARK: &str = "withheld";

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(extension::SCHEMA).expect("the published schema is JSON: a test reads it")
});

/// Why a field cannot be withheld, or an opening opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The schema does not allow it.
    #[error("{0} may not be withheld")]
    NotRedactable(String),
    /// The document has no such field.
    #[error("there is no {0}")]
    Absent(String),
    /// It already is.
    #[error("{0} is already withheld")]
    Already(String),
    /// Nothing is withheld there.
    #[error("{0} is not withheld")]
    NotWithheld(String),
    /// No ground in both languages, or no well-formed commitment.
    #[error("{0}: what is withheld has a commitment, and a ground in both languages")]
    Malformed(String),
    /// Salt or value are others.
    #[error("salt and value do not give the commitment at {0}")]
    Mismatch(String),
}

/// What opens a withheld field. Only the parties have it, and may show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Where (RFC 6901).
    pub pointer: String,
    /// The salt, hexadecimal.
    pub salt: String,
    /// The value that was there.
    pub value: Value,
}

/// Withholds the field at a JSON pointer (RFC 6901) of a release's document, as
/// `/parties/1/contactPoint`. The salt must be fresh from the random source: without it a short value
/// could be guessed and checked.
///
/// # Errors
/// Where the schema does not mark the field, it is absent or already withheld, or the ground is empty.
pub fn withhold(
    document: &mut Value,
    pointer: &str,
    ground: &Text,
    salt: [u8; 16],
) -> Result<Opening, Error> {
    let at = || pointer.to_owned();
    if !is_redactable(pointer) {
        return Err(Error::NotRedactable(at()));
    }
    if ground.check(pointer).is_err() {
        return Err(Error::Malformed(at()));
    }
    let field = document.pointer_mut(pointer).ok_or_else(|| Error::Absent(at()))?;
    if field.get(MARK).is_some() {
        return Err(Error::Already(at()));
    }
    let commitment = commitment(&salt, field).ok_or_else(|| Error::Malformed(at()))?;
    let shown = json!({ MARK: { "commitment": commitment, "ground": ground } });
    let value = std::mem::replace(field, shown);
    Ok(Opening { pointer: at(), salt: hex(&salt), value })
}

/// Checks that an opening shows what was withheld.
///
/// # Errors
/// Where nothing is withheld there, or salt and value are not those of the commitment.
pub fn open(document: &Value, opening: &Opening) -> Result<(), Error> {
    let Opening { pointer, salt, value } = opening;
    let field = document.pointer(pointer).ok_or_else(|| Error::Absent(pointer.clone()))?;
    let withheld =
        Withheld::deserialize(field).map_err(|_| Error::NotWithheld(pointer.clone()))?.withheld;
    let opened = unhex(salt).and_then(|salt| commitment(&salt, value));
    if opened.as_deref() == Some(withheld.commitment.as_str()) {
        Ok(())
    } else {
        Err(Error::Mismatch(pointer.clone()))
    }
}

/// Everything that a document withholds: pointer and commitment, in the document's order.
pub fn withheld(document: &Value) -> Vec<(String, Withheld)> {
    let mut found = Vec::new();
    walk(document, &mut String::new(), &mut |pointer, value| {
        if let Ok(withheld) = Withheld::deserialize(value) {
            found.push((pointer.to_owned(), withheld));
        }
    });
    found
}

/// Checks that a document withholds nothing but what may be, and says why.
///
/// # Errors
/// The first field that does not.
pub fn check(document: &Value) -> Result<(), Error> {
    let mut result = Ok(());
    walk(document, &mut String::new(), &mut |pointer, value| {
        if result.is_ok() {
            result = check_field(pointer, value);
        }
    });
    result
}

fn check_field(pointer: &str, value: &Value) -> Result<(), Error> {
    if !is_redactable(pointer) {
        return Err(Error::NotRedactable(pointer.to_owned()));
    }
    let formed = Withheld::deserialize(value).is_ok_and(|Withheld { withheld }| {
        let Some(bytes) = unhex(&withheld.commitment) else { return false };
        bytes.len() == 32
            && hex(&bytes) == withheld.commitment
            && withheld.ground.check(pointer).is_ok()
    });
    if formed { Ok(()) } else { Err(Error::Malformed(pointer.to_owned())) }
}

/// `SHA-256(salt || canonical value)`, hexadecimal.
fn commitment(salt: &[u8], value: &Value) -> Option<String> {
    let value = canonical::bytes(value).ok()?;
    Some(canonical::sha256(&[salt, &value].concat()))
}

/// Calls `see` with every object that has the mark, and the pointer to it.
fn walk(value: &Value, pointer: &mut String, see: &mut dyn FnMut(&str, &Value)) {
    let length = pointer.len();
    let mut descend = |token: &str, child: &Value| {
        pointer.push('/');
        pointer.push_str(token);
        walk(child, pointer, see);
        pointer.truncate(length);
    };
    match value {
        Value::Array(all) => {
            all.iter().enumerate().for_each(|(at, child)| descend(&at.to_string(), child));
        }
        Value::Object(all) if !all.contains_key(MARK) => {
            for (name, child) in all {
                descend(&name.replace('~', "~0").replace('/', "~1"), child);
            }
        }
        Value::Object(_) => see(pointer, value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether the schema marks the field at a pointer.
fn is_redactable(pointer: &str) -> bool {
    let Some(path) = pointer.strip_prefix('/') else { return false };
    let mut node = &*SCHEMA;
    for token in path.split('/') {
        let name = token.replace("~1", "/").replace("~0", "~");
        node = resolve(node);
        let child = node.get("properties").and_then(|properties| properties.get(&name));
        let is_index = || !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
        match child.or_else(|| node.get("items").filter(|_| is_index())) {
            Some(child) => node = child,
            None => return false,
        }
    }
    node.get("redactable") == Some(&Value::Bool(true))
}

/// Follows `$ref` within the schema.
fn resolve(node: &'static Value) -> &'static Value {
    let target = node.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| SCHEMA.pointer(pointer)).unwrap_or(node)
}

#[cfg(test)]
mod tests;
