//! Actions of the product `awan` that tell what was used.

mod list_usage;

use engine::{Entry, action};

/// The table.
pub static ACTIONS: &[Entry] = &[action::<list_usage::ListUsage>()];
