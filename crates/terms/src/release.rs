//! (being written)
/// (being written)
pub struct Release;
