//! What the program tells this crate once, at its start: the domain of host names, public ports, how many instances an
//! account may have. Knows no configuration file, and nothing that differs between two instances.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use crate::model::Engine;

/// From where the gateway comes to servers of its own machine: clients of that machine come from other addresses.
pub(crate) const NEAR: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

/// What is the same for every instance of this cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What host names end in, after `.rds.`: `cloud.example.id`.
    pub domain: String,
    /// The gateway's port, where tenants reach PostgreSQL by name.
    pub postgres_port: u16,
    /// The port that is told of a MariaDB instance until its server listens on one of its own.
    pub mariadb_port: u16,
    /// Instances of one account, at most.
    pub instances_max: u64,
    /// The address of this machine at which its database servers are met, and from which it comes to those of others;
    /// `None` where all are of this machine.
    pub address: Option<IpAddr>,
    /// The addresses of the machines of other nodes.
    pub nodes: Vec<IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            domain: "localhost".to_owned(),
            postgres_port: 5432,
            mariadb_port: 3306,
            instances_max: 100,
            address: None,
            nodes: Vec::new(),
        }
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

impl Settings {
    /// Makes these the settings of this process; `false` where others were told or used before.
    pub fn tell(self) -> bool {
        SETTINGS.set(self).is_ok()
    }

    /// Those that were told; the default ones where none were.
    pub fn told() -> &'static Self {
        SETTINGS.get_or_init(Self::default)
    }

    /// The whole host name that begins with a label: `pgm-….pg.rds.cloud.example.id`.
    pub fn host(&self, label: &str, engine: Engine) -> String {
        format!("{label}.{}.rds.{}", engine.label(), self.domain)
    }

    /// From where the gateway comes to servers.
    pub fn gateway(&self) -> IpAddr {
        self.address.unwrap_or(IpAddr::V4(NEAR))
    }

    /// From where servers and their archive come to servers of other machines.
    pub fn peers(&self) -> Vec<IpAddr> {
        self.address.into_iter().chain(self.nodes.iter().copied()).collect()
    }

    /// The public port of an engine.
    pub fn port(&self, engine: Engine) -> u16 {
        match engine {
            Engine::Postgres => self.postgres_port,
            Engine::MariaDb => self.mariadb_port,
        }
    }
}
