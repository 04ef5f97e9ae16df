//! The policies that RAM brings itself, beside the language they are written in (the crate `policy`).

pub mod system;

pub use ::policy::{Document, Facts, Malformed, condition, document, evaluate, matcher};
