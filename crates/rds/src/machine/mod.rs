//! Takes an instance from what it is to what it is to be: one task for each.

pub(crate) mod parts;

/// The kind of the task, as stored.
pub const KIND: &str = "rds.instance";
/// The state in which it looks at the rows anew, as stored.
pub const CONVERGE: &str = "\"Converge\"";
