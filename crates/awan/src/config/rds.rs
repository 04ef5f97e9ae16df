//! Relational databases.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::ensure;
use base::region::DataCentre;
use serde::{Deserialize, Serialize};

use super::patroni::{self, Patroni};

/// Relational databases.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rds {
    /// The domain below which every instance has a host name: `<instance>.pg.rds.<domain>`. Their records
    /// (a wildcard) point to the gateway.
    pub domain: String,
    /// Directories with engines' programs, beside those of the system and of the engine store.
    pub engines: Vec<PathBuf>,
    /// The engine store [default: `engines` in the data directory].
    pub store: Option<PathBuf>,
    /// Addresses of nodes on other machines (`awan serve --role db-node`), as `10.1.2.3:7300`, by data centre. Those
    /// without run on this machine.
    pub nodes: BTreeMap<String, SocketAddr>,
    /// The address of this machine for the machines of those nodes: its own database servers listen there, and it
    /// comes to theirs from there. Without such nodes all stays on the loopback address.
    pub listen: Option<IpAddr>,
    /// Instances that one account may have.
    pub instances_max: u32,
    /// Every so many hours a restore of each instance is tried; 0: none is.
    pub restore_test_hours: u64,
    /// Clusters that are run under Patroni, and offered to a tenant.
    pub patroni: Vec<Patroni>,
}

impl Default for Rds {
    fn default() -> Self {
        Self {
            domain: "localhost".to_owned(),
            engines: Vec::new(),
            store: None,
            nodes: BTreeMap::new(),
            listen: None,
            instances_max: 100,
            restore_test_hours: 24,
            patroni: Vec::new(),
        }
    }
}

impl Rds {
    /// Refuses what would be found only when somebody needs it.
    pub(super) fn check(&self, centres: &[DataCentre]) -> anyhow::Result<()> {
        let label = |label: &str| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
        };
        ensure!(
            self.domain.split('.').all(label),
            "rds.domain {:?} is no domain in lower case",
            self.domain
        );
        for (site, address) in &self.nodes {
            let known = centres.iter().any(|centre| centre.site == *site);
            ensure!(known, "rds.nodes: there is no data centre {site:?}");
            let reached = !address.ip().is_unspecified() && address.port() != 0;
            ensure!(reached, "rds.nodes: {site} has no address like 10.1.2.3:7300");
        }
        ensure!(
            self.nodes.is_empty() || self.listen.is_some(),
            "rds.nodes takes rds.listen: the address of this machine at which those nodes come to its database servers"
        );
        ensure!(
            self.listen.is_none_or(|address| !address.is_unspecified()),
            "rds.listen is one address of this machine, at which others reach it, and not {}",
            self.listen.unwrap_or(IpAddr::from([0, 0, 0, 0]))
        );
        patroni::check(&self.patroni, centres)
    }
}
