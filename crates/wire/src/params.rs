//! Business parameters: flat names as `Tag.1.Key`, or the fields of a JSON body, decoded into the
//! typed request of an action.
//!
//! It does not know what any parameter means; system parameters are gone before an action looks.

mod de;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;

use base::ApiError;
use ring::digest;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::call::{get, twice};
use tree::Node;

/// Parameters of the protocol, and those that clients may send to any action and none heeds. Sorted.
const SYSTEM: [&str; 20] = [
    "AcceptLanguage",
    "AccessKeyId",
    "Action",
    "BearerToken",
    "Format",
    "Lang",
    "OwnerAccount",
    "OwnerId",
    "ResourceOwnerAccount",
    "ResourceOwnerId",
    "SecureTransport",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "SourceIp",
    "Timestamp",
    "Version",
];

/// The parameters of one request.
#[derive(Clone, Default, PartialEq)]
pub struct Params {
    /// Decoded pairs of query, form or path, sorted by name.
    flat: Vec<(String, String)>,
    /// The fields of a JSON body. No name is in both.
    json: Map<String, Value>,
}

impl Params {
    /// The business parameters among sorted pairs.
    pub(crate) fn business(mut sorted: Vec<(String, String)>) -> Self {
        sorted.retain(|(name, _)| SYSTEM.binary_search(&name.as_str()).is_err());
        Self { flat: sorted, json: Map::new() }
    }

    /// Query pairs, sorted, and the fields of a JSON body. Errors: `InvalidParameter` where both
    /// name the same.
    pub(crate) fn with_json(
        sorted: Vec<(String, String)>,
        json: Map<String, Value>,
    ) -> Result<Self, ApiError> {
        match sorted.iter().find(|(name, _)| json.contains_key(name)) {
            Some((name, _)) => Err(twice(name)),
            None => Ok(Self { flat: sorted, json }),
        }
    }

    /// Adds a parameter that stood elsewhere, as in the path of a ROA request. Errors:
    /// `InvalidParameter` where the name is there already.
    pub fn add(&mut self, name: &str, value: impl Into<String>) -> Result<(), ApiError> {
        match self.flat.binary_search_by(|(key, _)| key.as_str().cmp(name)) {
            Err(at) if !self.json.contains_key(name) => {
                self.flat.insert(at, (name.to_owned(), value.into()));
                Ok(())
            }
            _ => Err(twice(name)),
        }
    }

    /// A parameter's text by its full name (`RegionId`, `Tag.1.Key`), or a JSON body's text field.
    pub fn get(&self, name: &str) -> Option<&str> {
        get(&self.flat, name).or_else(|| self.json.get(name)?.as_str())
    }

    /// Decodes the parameters into a request.
    ///
    /// - `Name.1`, `Name.2.Key` are lists and structs. Indexes count from 1, may have gaps and
    ///   come in any order; elements are ordered by them.
    /// - A list, struct or map may also be one JSON text.
    /// - Booleans are `true` and `false` in any case; numbers are decimal; enums are their names.
    /// - Names match exactly; names that the request does not have are ignored.
    ///
    /// `#[serde(flatten)]` and untagged enums see every scalar as text.
    ///
    /// Errors: `MissingParameter`, and `InvalidParameter.<Name>` for a value of the wrong type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        T::deserialize(&self.tree()).map_err(ApiError::from)
    }

    /// SHA-256 over the names and values, whatever their order; `ClientToken` left out. Two requests
    /// with one token and one digest are the same request sent twice.
    pub fn digest(&self) -> [u8; 32] {
        let mut root = self.tree();
        for token in ["ClientToken", "clientToken"] {
            root.remove(token);
        }
        let mut context = digest::Context::new(&digest::SHA256);
        root.hash(&mut context);
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        out
    }

    fn tree(&self) -> Node<'_> {
        let mut root = Node::object(&self.json);
        for (name, value) in &self.flat {
            root.insert(name, value);
        }
        root
    }
}

/// For tests and for callers inside the program: pairs in any order, nothing removed. Where a name
/// comes twice the later value counts.
impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let mut flat: Vec<_> = pairs.into_iter().collect();
        flat.sort_by(|one, other| one.0.cmp(&other.0));
        flat.reverse();
        flat.dedup_by(|one, other| one.0 == other.0);
        flat.reverse();
        Self { flat, json: Map::new() }
    }
}

/// For tests and for callers inside the program: the fields of a JSON object.
impl From<Map<String, Value>> for Params {
    fn from(json: Map<String, Value>) -> Self {
        Self { flat: Vec::new(), json }
    }
}

/// Shows the names only: values may be passwords.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.flat.iter().map(|(name, _)| name))
            .entries(self.json.keys())
            .finish()
    }
}
