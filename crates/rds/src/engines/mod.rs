//! The programs of database engines: where they are found, how they are installed, what they can do.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

use crate::model::Engine;

/// An engine that runs here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Which engine.
    pub engine: Engine,
    /// Its major version: `17`, `10.11`.
    pub major: String,
    /// Its exact version: `17.11`.
    pub version: String,
    /// Where its programs are.
    pub programs: PathBuf,
    /// SHA-256 of the server program, lower-case hexadecimal.
    pub sha256: String,
    /// Extensions that a tenant may have.
    pub extensions: Vec<String>,
    /// Its settings.
    pub settings: Vec<Setting>,
}

/// A setting of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// `bool`, `integer`, `real`, `string`, `enum`.
    pub kind: String,
    /// The unit of the bare number: `8kB`, `ms`; empty for none.
    pub unit: String,
    /// The least value, where there is one.
    pub min: String,
    /// The greatest value, where there is one.
    pub max: String,
    /// What an `enum` takes.
    pub values: Vec<String>,
    /// The value without any configuration.
    pub default: String,
    /// Takes effect only with a restart.
    pub restart: bool,
    /// Whether tenants may set it: nothing of paths, files, replication, who may connect.
    pub tenant: bool,
    /// One line of what it is for.
    pub description: String,
}
