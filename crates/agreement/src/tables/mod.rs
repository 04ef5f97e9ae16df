//! All SQL of this crate.

pub mod agreement;
