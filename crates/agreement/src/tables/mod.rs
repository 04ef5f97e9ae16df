//! All SQL of this crate.

pub(crate) mod access;
pub(crate) mod provider;
pub(crate) mod release;
pub(crate) mod spend;
pub(crate) mod term;
