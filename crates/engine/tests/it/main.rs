//! The shared path, driven as a client drives it (signed bytes) and as tests of services do (typed).

#![allow(clippy::unwrap_used, reason = "tests")]

mod doors;
mod log;
mod path;
mod places;
mod receipt;
mod sample;
mod tasks;
mod usage;
mod witnesses;
