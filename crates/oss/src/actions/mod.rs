//! What the operator asks of object storage over the control API (product `awan`). What clients do is in
//! `http`.

mod list_damaged_objects;

use engine::{Entry, action};

/// All control actions of this crate.
pub static ACTIONS: &[Entry] = &[action::<list_damaged_objects::ListDamagedObjects>()];
