//! Tests of relational databases over an in-process cloud and real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gateway;
mod hosts;
mod machine;
mod node_door;
mod node_lab;
mod node_life;
mod node_roles;
mod node_seed;
mod node_standby;
mod stage;
