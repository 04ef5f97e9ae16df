//! Tests of relational databases over an in-process cloud and real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup_archive;
mod backup_restore;
mod backup_world;
mod catalogue;
mod control;
mod foreign;
mod gateway;
mod hosts;
mod instances;
mod machine;
mod network;
mod node_door;
mod node_lab;
mod node_life;
mod node_roles;
mod node_seed;
mod node_standby;
mod replicas;
mod settings;
mod stage;
mod tags;
