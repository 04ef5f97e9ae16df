//! Tests of relational databases over an in-process cloud and real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod backup_archive;
mod backup_replication;
mod backup_restore;
mod backup_world;
mod backups;
mod catalogue;
mod control;
mod databases;
mod engines;
mod foreign;
mod gateway;
mod hosts;
mod instances;
mod machine;
mod mariadb_driver;
mod monitoring;
mod network;
mod node_door;
mod node_lab;
mod node_life;
mod node_roles;
mod node_seed;
mod node_settings;
mod node_standby;
mod parameters;
mod replicas;
mod restores;
mod settings;
mod stage;
mod strangers;
mod tags;
mod world;
