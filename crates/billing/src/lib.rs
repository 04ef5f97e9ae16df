//! What was used. So far this crate tells usage ([`ACTIONS`]); usage itself is noted by the shared
//! path (`engine::meter`). The price book, rating, bills and their export are not here yet: they come
//! with the agreement that holds the prices.

mod actions;

/// The table of this crate's actions.
pub use actions::ACTIONS;
