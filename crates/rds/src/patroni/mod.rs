//! Clusters of PostgreSQL that their operator runs under Patroni, offered to a tenant as instances.
//!
//! Patroni decides who leads; this cloud asks it, every second, and writes down what it says: the gateway follows
//! the rows. It passes two wishes on, a switch-over and a restart. It makes, stops and removes no server, and has no
//! account in one: what else the API has is refused in words that say what to use instead ([`offers`]).
//!
//! | part | owns |
//! |---|---|
//! | `client` | the talk with Patroni's REST API: whom to believe, limits, timeouts |
//! | `watch` | the one task that asks, writes down and passes on |
//! | `adopt` | the rows of such an instance: taken in, changed and let go as the configuration says |
//! | `offers` | which actions such an instance has |

mod adopt;
mod client;
pub(crate) mod offers;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use base::{AccountId, Secret};
use terms::clauses::DataClass;

pub use client::Error;
pub use watch::Watch;

/// A cluster, as the configuration offers it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// What it is called, for good; the first label of its host name.
    pub name: String,
    /// Whose instance it is.
    pub account: AccountId,
    /// The class of the data in it.
    pub data_class: DataClass,
    /// As which class of instances it is told and metered. Nothing holds it to that.
    pub class: String,
    /// As how much storage it is told and metered, GiB.
    pub storage_gib: i64,
    /// Its servers.
    pub members: Vec<Seat>,
    /// How its REST API is spoken to.
    pub access: Access,
}

/// A server of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// What Patroni calls it.
    pub name: String,
    /// Its REST API: `https://10.0.0.1:8008`.
    pub api: String,
    /// The data centre that it stands in.
    pub site: String,
}

/// How the REST API of a cluster is spoken to.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A PEM file with whom to trust, for APIs over TLS.
    pub ca: Option<PathBuf>,
    /// PEM files of the certificate to show, and of its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The user and the password for what changes something.
    pub login: Option<(String, Secret<String>)>,
}

/// The cloud itself, doing that.
fn session(action: &'static str) -> Arc<engine::Session> {
    Arc::new(engine::Session {
        meta: engine::Meta::write("rds", "2014-08-15", action).public(),
        caller: engine::Caller::system(),
        request: engine::RequestInfo::default(),
    })
}
