//! The policy language: documents, and what they say of a request. Pure: no database, no clock.
//!
//! | module | owns |
//! |---|---|
//! | [`document`] | policies of principals (permissions) and of roles (trust) |
//! | [`bucket`] | policies of buckets, in the OSS form and in the S3 form |
//! | [`condition`] | the operators |
//! | [`matcher`] | wildcards, in linear time |
//! | [`evaluate`](mod@evaluate) | what statements say of a request |
//!
//! A document is parsed once, wholly checked, into a form that is ready to be asked. Not in the
//! language, and refused by name where a document uses them: set operators (`ForAllValues:…`), policy
//! variables, federated principals.

pub mod bucket;
pub mod condition;
pub mod document;
pub mod evaluate;
pub mod matcher;

mod json;
mod s3;

pub use document::{Document, Effect, Malformed, Principal, Statement};
pub use evaluate::{Asker, Decision, Facts, Party, evaluate};

#[cfg(test)]
mod tests;
