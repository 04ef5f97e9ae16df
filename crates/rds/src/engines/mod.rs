//! The programs of database engines: where they are found, how they are installed, what they can do.
//! Runs them only to ask them about themselves; servers with data belong to `node`.
//!
//! # Where engines come from
//! In this order; the first place that has a major version decides for it, with its newest minor version:
//! 1. paths that the operator names,
//! 2. the operating system's packages (`/usr/lib/postgresql/*/bin`, `/usr/sbin/mariadbd`),
//! 3. the private store `<store>/<engine>/<version>/`, which [`install`] fills.
//!
//! The store lies where every user may go (`x` for others on each directory above it), because servers run under
//! users of their own: below a home directory or any other closed directory they could not be started.

mod discover;
mod extensions;
mod install;
mod mariadb;
mod postgres;
mod programs;
mod store;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

use crate::model::Engine;

pub use discover::discover;
pub use extensions::{made_by_node, refused as refused_extension};
pub use install::{install, remove};

/// Why an engine cannot be used or installed, with what to do about it where that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

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
    /// Where shared libraries are that the operating system does not have: what runs a program of this engine sets
    /// `LD_LIBRARY_PATH` to it.
    #[serde(default)]
    pub libraries: Option<PathBuf>,
    /// SHA-256 of the server program, lower-case hexadecimal.
    pub sha256: String,
    /// Extensions that a tenant may have, as far as safety goes.
    pub extensions: Vec<String>,
    /// Those of them that a tenant gets without a superuser.
    #[serde(default)]
    pub offers: Vec<Extension>,
    /// Its settings.
    pub settings: Vec<Setting>,
}

impl Build {
    /// The path of one of its programs. Servers of some packages are in the `sbin` beside the `bin`.
    pub fn program(&self, name: &str) -> PathBuf {
        programs::find(&self.programs, name)
    }
}

/// An extension of PostgreSQL, as its package describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// The version that a database gets.
    pub version: String,
    /// One line of what it is for.
    pub comment: String,
    /// Extensions that it needs.
    pub requires: Vec<String>,
    /// Made by who may create in a database; the others by the node itself.
    pub trusted: bool,
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
