//! Actions of the product `awan` on agreements.

mod get_agreement;

use engine::{Entry, action};

/// The table.
pub static ACTIONS: &[Entry] = &[action::<get_agreement::GetAgreement>()];
