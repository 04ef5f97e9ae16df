//! Tests of relational databases over an in-process cloud and real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalogue;
mod control;
mod foreign;
mod instances;
mod network;
mod replicas;
mod settings;
mod tags;
