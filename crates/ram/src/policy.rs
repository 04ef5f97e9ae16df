//! The RAM policy language: documents, what they say of a request, and the system policies.
//!
//! A document is parsed once, wholly checked, into a form that is ready to be asked; nothing here
//! reads a database. Not in the language, and refused by name where a document uses them: set
//! operators (`ForAllValues:…`), policy variables, federated principals.

pub mod condition;
pub mod document;
pub mod evaluate;
pub mod matcher;
pub mod system;

mod json;

pub use document::{Document, Effect, Malformed, Principal, Statement};
pub use evaluate::{Facts, evaluate};

#[cfg(test)]
mod tests;
