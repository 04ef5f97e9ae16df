//! Agreements from the template to the end, what they grant, and where they let data be.

#![allow(clippy::unwrap_used, reason = "tests")]

mod access;
mod enforcement;
mod harness;
mod history;
mod lifecycle;
mod places;
mod start;
