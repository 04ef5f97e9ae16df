//! The configuration: one TOML file, every key optional, unknown keys refused. What an operator
//! changes while the cloud runs is not here but in the database, and audited.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use base::Secret;
use base::region::{DataCentre, Region};
use serde::{Deserialize, Serialize};

use crate::roles;

/// Where the configuration is, and what the command line overrides.
#[derive(clap::Args, Clone, Debug)]
pub struct ConfigArgs {
    /// The configuration file [default: DIR/awan.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the cloud keeps everything it has
    #[arg(long, value_name = "DIR", default_value = "./cloud")]
    pub data_dir: PathBuf,
    /// The address to listen on
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<IpAddr>,
    /// The first port; each door has its own distance from it
    #[arg(long, value_name = "N")]
    pub port_base: Option<u16>,
}

/// What is in effect.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address to listen on. Loopback unless the operator says otherwise.
    pub listen: IpAddr,
    /// The first port. Control API +0, object storage +1, portal +4, metrics and health +6.
    pub port_base: u16,
    /// The region's id.
    pub region: String,
    /// The region's data centres, each with the zone it serves and the country it stands in.
    pub data_centre: Vec<DataCentre>,
    /// More names for the TLS certificate, beside localhost, *.localhost, 127.0.0.1 and ::1.
    pub tls_names: Vec<String>,
    /// The database.
    pub store: Store,
    /// Object storage.
    pub oss: Oss,
    /// The public log.
    pub log: Log,
    /// What bounds clients.
    pub limits: Limits,
}

/// The database.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// A PostgreSQL connection string, as `env:NAME` or `file:PATH`. Without it: SQLite in the data
    /// directory.
    pub postgres: Option<String>,
}

/// Object storage.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oss {
    /// Host names below which a bucket is a label, as `oss.example.id`. `localhost`, `oss.localhost`,
    /// `s3.localhost` and `oss-<region>.localhost` always are.
    pub hosts: Vec<String>,
    /// What bucket listings tell clients as the endpoint [default: http:// and the bound address].
    pub endpoint: Option<String>,
}

/// The public log.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The log's name: the first line of every checkpoint. It cannot change once there are leaves.
    pub origin: String,
}

/// What bounds clients.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Control requests of one principal in a second, on average; 0 is without limit.
    pub requests_per_second: u32,
    /// Connections at once at each door.
    pub connections_max: usize,
    /// How long running requests may take to finish when the cloud stops, seconds.
    pub drain_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        let region = "ap-southeast-5";
        let centre = |letter: &str| DataCentre {
            site: format!("jkt-{letter}"),
            zone: format!("{region}{letter}"),
            country: "ID".to_owned(),
            city: "Jakarta".to_owned(),
            ..DataCentre::default()
        };
        Self {
            listen: IpAddr::from([127, 0, 0, 1]),
            port_base: 7100,
            region: region.to_owned(),
            data_centre: ["a", "b", "c"].map(centre).to_vec(),
            tls_names: Vec::new(),
            store: Store::default(),
            oss: Oss::default(),
            log: Log::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { origin: "awan.local/log".to_owned() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_second: 1000, connections_max: 4096, drain_seconds: 20 }
    }
}

impl Config {
    /// Reads the file, then lets the command line override it.
    pub fn load(args: &ConfigArgs) -> anyhow::Result<Self> {
        let standing = args.data_dir.join("awan.toml");
        let file = args.config.clone().or_else(|| standing.exists().then_some(standing));
        let mut config = match file {
            Some(file) => Self::read(&file)?,
            None => Self::default(),
        };
        config.listen = args.listen.unwrap_or(config.listen);
        config.port_base = args.port_base.unwrap_or(config.port_base);
        config.check()?;
        Ok(config)
    }

    fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("read the configuration {}", file.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("understand the configuration {}", file.display()))
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            !self.data_centre.is_empty(),
            "the configuration names no data_centre: add at least one [[data_centre]]"
        );
        let mut sites = std::collections::BTreeSet::new();
        for centre in &self.data_centre {
            ensure!(sites.insert(&centre.site), "the data centre {:?} is named twice", centre.site);
            let country = centre.country.as_bytes();
            let code = country.len() == 2 && country.iter().all(u8::is_ascii_uppercase);
            ensure!(
                code,
                "data centre {}: country {:?} is no ISO 3166-1 code like ID",
                centre.site,
                centre.country
            );
        }
        let highest = u16::MAX - roles::HIGHEST_DOOR;
        ensure!(
            self.port_base <= highest,
            "port_base {} leaves no room: it can be {highest} at most",
            self.port_base
        );
        ensure!(
            !self.log.origin.is_empty()
                && !self
                    .log
                    .origin
                    .contains(|c: char| c.is_whitespace() || c.is_control() || c == '+'),
            "log.origin must be one word without a plus sign"
        );
        Ok(())
    }

    /// The region and its data centres.
    pub fn region(&self) -> Region {
        Region { id: self.region.clone(), data_centres: self.data_centre.clone() }
    }

    /// The database's connection string, where it is PostgreSQL.
    pub fn postgres(&self) -> anyhow::Result<Option<Secret<String>>> {
        self.store.postgres.as_deref().map(reference).transpose()
    }

    /// What is in effect, as TOML. References to secrets are printed, secrets are not.
    pub fn describe(&self) -> anyhow::Result<String> {
        toml::to_string(self).context("write the configuration as TOML")
    }
}

/// Resolves `env:NAME` or `file:PATH`.
#[allow(clippy::disallowed_methods, reason = "this is where the configuration is read")]
fn reference(text: &str) -> anyhow::Result<Secret<String>> {
    if let Some(name) = text.strip_prefix("env:") {
        let value =
            std::env::var(name).with_context(|| format!("the environment has no {name}"))?;
        return Ok(Secret::new(value));
    }
    if let Some(path) = text.strip_prefix("file:") {
        let value =
            std::fs::read_to_string(path).with_context(|| format!("read the secret in {path}"))?;
        return Ok(Secret::new(value.trim().to_owned()));
    }
    bail!("a secret is given as env:NAME or file:PATH, not in the configuration itself")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let config = Config::default();
        let again: Config = toml::from_str(&config.describe().unwrap()).unwrap();
        assert_eq!(again.describe().unwrap(), config.describe().unwrap());
    }

    #[test]
    fn unknown_keys_and_bare_secrets_are_refused() {
        assert!(toml::from_str::<Config>("port_bass = 1").is_err());
        assert!(reference("host=db password=x").is_err());
        assert!(toml::from_str::<Config>("data_centre = []").unwrap().check().is_err());
    }
}
