//! A node: the process that is the parent of database servers in one data centre (`awan serve --role db-node`).
//! It knows no database of the cloud, no account and no agreement; it makes true what it is told ([`api`]).

pub mod api;
pub mod driver;
pub mod error;
pub mod home;
pub mod mariadb;
pub mod process;
