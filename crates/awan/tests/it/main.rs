//! The program itself: started, used by a client, killed, started again.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tests start the program and read their environment")]
#![allow(clippy::print_stdout, reason = "the crash test says what it did")]

mod abuse;
mod crash;
mod databases;
mod dice;
mod mirrors;
mod program;
mod server;
mod storage_verbs;
mod tenants;
mod web;
mod witnesses;
