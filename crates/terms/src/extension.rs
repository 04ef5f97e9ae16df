//! The published description of the clauses: the files of `docs/agreement/`, as the public pages serve
//! them beside the documents that they describe.

/// Where the extension's `extension.json` is on the host of the public pages; the other files are
/// beside it.
pub const PATH: &str = "/agreement/extension.json";

/// `schema.json`: JSON Schema (2020-12) of a release with clauses. Its `"redactable": true` says what
/// may be withheld.
pub const SCHEMA: &str = include_str!("../../../docs/agreement/schema.json");

/// `extension.json`: what the extension is, for tools of the Open Contracting Data Standard.
pub const METADATA: &str = include_str!("../../../docs/agreement/extension.json");

/// `release-schema.json`: the patch to the standard's release schema.
pub const RELEASE_SCHEMA: &str = include_str!("../../../docs/agreement/release-schema.json");

/// `fields.md`: the same, field by field, for people.
pub const FIELDS: &str = include_str!("../../../docs/agreement/fields.md");

/// `README.md`: what it is for, and how a release is hashed, signed and redacted.
pub const README: &str = include_str!("../../../docs/agreement/README.md");

#[cfg(test)]
mod tests;
