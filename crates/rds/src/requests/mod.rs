//! What actions share and is none: forms of parameters, networks of white lists, how a new instance is placed and made.

pub(crate) mod forms;
pub(crate) mod make;
pub(crate) mod networks;
pub(crate) mod place;
pub(crate) mod within;
