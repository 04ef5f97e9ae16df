//! The configuration: one TOML file, every key optional, unknown keys refused. What an operator
//! changes while the cloud runs is not here but in the database, and audited.

mod backend;
mod patroni;
mod rds;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base::region::{DataCentre, Region};
use base::{Secret, Time};
use serde::{Deserialize, Serialize};
use terms::release::Party;

use crate::roles;

/// The scheme of numbers that a cloud gives by itself.
const OWN_SCHEME: &str = "X-AWAN";

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
    /// Relational databases.
    pub rds: rds::Rds,
    /// The public log.
    pub log: Log,
    /// Who runs this cloud, as its agreements name it.
    pub provider: Provider,
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
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oss {
    /// Host names below which a bucket is a label, as `oss.example.id`. `localhost`, `oss.localhost`,
    /// `s3.localhost` and `oss-<region>.localhost` always are.
    pub hosts: Vec<String>,
    /// What bucket listings tell clients as the endpoint [default: http:// and the bound address].
    pub endpoint: Option<String>,
    /// Access records of buckets are delivered when the oldest has waited so many seconds.
    pub log_seconds: u64,
    /// How many seconds a day is to inventories of buckets, which are written daily or weekly. For tests.
    pub inventory_day_seconds: u64,
    /// So many bytes of each disk are left free: bodies that would use them are refused. 0 is without.
    pub disk_reserve_bytes: u64,
    /// At most so many bytes a second are read to check what is stored; 0: it is not checked.
    pub scrub_bytes_per_second: u64,
    /// From the start of one such round to that of the next, at least.
    pub scrub_interval_hours: u64,
    /// How long a day of lifecycles and restores is, seconds. Other than 86,400 for tests only: things are then
    /// deleted sooner than their owners said.
    pub lifecycle_day_seconds: u32,
    /// How long restoring an archived object takes, seconds.
    pub restore_seconds: u32,
    /// Directories, each on a disk of its own, by data centre. Those without keep their bytes in the data
    /// directory.
    pub disks: BTreeMap<String, PathBuf>,
    /// Networks, as `10.20.0.0/16`, that callbacks of uploads, and mirrors of buckets, may reach besides public
    /// addresses.
    pub callback_networks: Vec<String>,
    /// Stores outside of this program that hold bytes in its place.
    pub backend: Vec<backend::Backend>,
}

impl Default for Oss {
    fn default() -> Self {
        let limits = oss::Limits::default();
        Self {
            hosts: Vec::new(),
            endpoint: None,
            log_seconds: 3600,
            inventory_day_seconds: 86_400,
            disk_reserve_bytes: limits.disk_reserve_bytes,
            scrub_bytes_per_second: limits.scrub_bytes_per_second,
            scrub_interval_hours: limits.scrub_interval.as_secs() / 3600,
            lifecycle_day_seconds: 86_400,
            restore_seconds: 60,
            disks: BTreeMap::new(),
            callback_networks: Vec::new(),
            backend: Vec::new(),
        }
    }
}

/// The public log.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The log's name: the first line of every checkpoint. It cannot change once there are leaves.
    pub origin: String,
    /// A file in the tlog-policy form: which witnesses must cosign a checkpoint before it is published.
    /// Without it the log has none.
    pub policy: Option<PathBuf>,
}

/// Who runs this cloud, as its agreements name it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// The legal name.
    pub name: String,
    /// The register that `id` is from: `ID-NIB`, `ID-NPWP`. Without an `id`: `X-AWAN`, this cloud's own.
    pub id_scheme: String,
    /// The number in that register. Without one, the name of the log stands for it.
    pub id: String,
    /// The number under which it is registered as an operator of electronic systems (PSE).
    pub pse: String,
    /// Whom to turn to.
    pub contact: String,
}

/// What bounds clients.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Control requests of one principal in a second, on average; 0 is without limit.
    pub requests_per_second: u32,
    /// Connections at once at each door.
    pub connections_max: usize,
    /// How long a client may send nothing in the middle of a request, or take nothing of its answer, seconds.
    pub idle_seconds: u64,
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
            rds: rds::Rds::default(),
            log: Log::default(),
            provider: Provider::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            name: "Penyelenggara awan ini / the operator of this cloud".to_owned(),
            id_scheme: OWN_SCHEME.to_owned(),
            id: String::new(),
            pse: String::new(),
            contact: String::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { origin: "awan.local/log".to_owned(), policy: None }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: 1000,
            connections_max: 4096,
            idle_seconds: 60,
            drain_seconds: 20,
        }
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
        self.check_data_centres()?;
        self.check_disks()?;
        backend::check(&self.oss.backend, &self.data_centre)?;
        self.rds.check(&self.data_centre)?;
        self.provider.check()?;
        ensure!(
            self.oss.log_seconds > 0 && self.oss.inventory_day_seconds > 0,
            "oss.log_seconds and oss.inventory_day_seconds must be more than 0"
        );
        ensure!(
            self.limits.idle_seconds > 0,
            "limits.idle_seconds is 0: nobody could send anything"
        );
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

    fn check_data_centres(&self) -> anyhow::Result<()> {
        let mut sites = BTreeSet::new();
        let mut region_of: BTreeMap<&str, &str> = BTreeMap::new();
        for centre in &self.data_centre {
            check_data_centre(centre)?;
            ensure!(sites.insert(&centre.site), "the data centre {:?} is named twice", centre.site);
            let region = if centre.region.is_empty() { &self.region } else { &centre.region };
            let other = region_of.insert(&centre.zone, region);
            ensure!(
                other.is_none_or(|other| other == region),
                "the zone {:?} is in two regions",
                centre.zone
            );
        }
        ensure!(
            !self.region().zones().is_empty(),
            "no data_centre is in the cloud's own region {}",
            self.region
        );
        Ok(())
    }

    fn check_disks(&self) -> anyhow::Result<()> {
        ensure!(
            self.oss.scrub_interval_hours > 0,
            "oss.scrub_interval_hours is 0: rounds without end"
        );
        let mut paths = BTreeSet::new();
        for (site, path) in &self.oss.disks {
            let known = self.data_centre.iter().any(|centre| centre.site == *site);
            ensure!(known, "oss.disks: there is no data centre {site:?}");
            ensure!(path.is_absolute(), "oss.disks: the path of {site} is not absolute");
            ensure!(paths.insert(path), "oss.disks: two data centres have {}", path.display());
        }
        Ok(())
    }

    /// What bounds object storage.
    pub fn storage_limits(&self) -> oss::Limits {
        oss::Limits {
            disk_reserve_bytes: self.oss.disk_reserve_bytes,
            scrub_bytes_per_second: self.oss.scrub_bytes_per_second,
            scrub_interval: Duration::from_secs(self.oss.scrub_interval_hours.saturating_mul(3600)),
            idle_max: Duration::from_secs(self.limits.idle_seconds),
            log_interval: Duration::from_secs(self.oss.log_seconds),
            inventory_day: Duration::from_secs(self.oss.inventory_day_seconds),
            ..oss::Limits::default()
        }
    }

    /// The region and its data centres.
    pub fn region(&self) -> Region {
        Region { id: self.region.clone(), data_centres: self.data_centre.clone() }
    }

    /// The database's connection string, where it is PostgreSQL.
    pub fn postgres(&self) -> anyhow::Result<Option<Secret<String>>> {
        self.store.postgres.as_deref().map(reference).transpose()
    }

    /// The backends of object storage, with their secrets. Nothing is asked of them.
    pub fn backends(&self) -> anyhow::Result<Vec<oss::Backend>> {
        self.oss.backend.iter().map(backend::Backend::open).collect()
    }

    /// What is in effect, as TOML. References to secrets are printed, secrets are not.
    pub fn describe(&self) -> anyhow::Result<String> {
        toml::to_string(self).context("write the configuration as TOML")
    }
}

/// What would make a data centre refuse everything, or say nothing in the log, is better found here.
fn check_data_centre(centre: &DataCentre) -> anyhow::Result<()> {
    let site = &centre.site;
    let name = |text: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
    };
    ensure!(name(site), "data centre {site:?}: site is a short name of a-z, 0-9, '-', '.' and '_'");
    ensure!(name(&centre.zone), "data centre {site}: zone {:?} is no name", centre.zone);
    let region = centre.region.is_empty() || name(&centre.region);
    ensure!(region, "data centre {site}: region {:?} is no name", centre.region);
    let country = centre.country.as_bytes();
    let code = country.len() == 2 && country.iter().all(u8::is_ascii_uppercase);
    ensure!(code, "data centre {site}: country {:?} is no ISO 3166-1 code like ID", centre.country);
    let until = &centre.permit_until;
    let date = until.is_empty() || Time::parse_iso(&format!("{until}T00:00:00Z")).is_some();
    ensure!(date, "data centre {site}: permit_until {until:?} is no date like 2030-12-31");
    let certified = centre.certificates.iter().all(|name| !name.trim().is_empty());
    ensure!(certified, "data centre {site}: a certificate has a name");
    Ok(())
}

impl Provider {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.name.trim().is_empty(), "provider.name is empty");
        ensure!(!self.id_scheme.is_empty(), "provider.id_scheme is empty");
        ensure!(
            !self.id.is_empty() || self.id_scheme == OWN_SCHEME,
            "provider.id_scheme is {}, and there is no provider.id",
            self.id_scheme
        );
        Ok(())
    }

    /// As agreements name it.
    pub fn party(&self, log_origin: &str) -> Party {
        let id = if self.id.is_empty() { log_origin } else { &self.id };
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Party {
            name: self.name.clone(),
            scheme: self.id_scheme.clone(),
            id: id.to_owned(),
            additional: given(&self.pse)
                .map(|pse| ("ID-PSE".to_owned(), pse))
                .into_iter()
                .collect(),
            contact: given(&self.contact),
        }
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

    #[test]
    fn data_centres_and_the_provider_are_checked_before_anything_is_recorded_of_them() {
        let base = "site = \"jkt-a\"\nzone = \"z1\"\ncountry = \"ID\"\ncity = \"Jakarta\"\n";
        let check = |text: &str| toml::from_str::<Config>(text).unwrap().check();
        let centre = |more: &str| check(&format!("[[data_centre]]\n{base}{more}"));
        for good in [
            "",
            "permit_until = \"2030-12-31\"",
            "region = \"ap-southeast-5\"\ncertificates = [\"SNI ISO/IEC 27001:2022\"]",
        ] {
            assert!(centre(good).is_ok(), "{good}: {:?}", centre(good));
        }
        for wrong in [
            "permit_until = \"2030-13-31\"",
            "permit_until = \"soon\"",
            "region = \"ap-southeast-1\"",
            "certificates = [\" \"]",
        ] {
            assert!(centre(wrong).is_err(), "{wrong}");
        }
        let two = |more: &str| centre(&format!("[[data_centre]]\nsite = \"sg-1\"\n{more}"));
        let abroad = "country = \"SG\"\ncity = \"Singapore\"\nregion = \"ap-southeast-1\"\n";
        assert!(two(&format!("zone = \"z2\"\n{abroad}")).is_ok());
        assert!(two(&format!("zone = \"z1\"\n{abroad}")).is_err(), "a zone in two regions");
        assert!(check("[provider]\nname = \"PT Awan\"\nid_scheme = \"ID-NIB\"").is_err());
        assert!(
            check("[provider]\nname = \"PT Awan\"\nid_scheme = \"ID-NIB\"\nid = \"1\"").is_ok()
        );
        assert!(check("[provider]\nname = \"\"").is_err());
    }

    #[test]
    fn a_disk_belongs_to_one_data_centre_that_there_is() {
        let check = |text: &str| toml::from_str::<Config>(text).unwrap().check();
        assert!(check("[oss.disks]\njkt-b = \"/b\"\njkt-c = \"/c\"").is_ok());
        for wrong in ["jkt-x = \"/x\"", "jkt-b = \"b\"", "jkt-b = \"/b\"\njkt-c = \"/b\""] {
            assert!(check(&format!("[oss.disks]\n{wrong}")).is_err(), "{wrong}");
        }
        assert!(check("[limits]\nidle_seconds = 0").is_err());
    }

    #[test]
    fn a_provider_without_a_number_goes_by_its_log() {
        let party = Provider::default().party("awan.local/log");
        assert_eq!((party.scheme.as_str(), party.id.as_str()), ("X-AWAN", "awan.local/log"));
        assert!(party.additional.is_empty() && party.contact.is_none());
        let known = Provider { pse: "1234".to_owned(), ..Provider::default() };
        assert_eq!(known.party("x").additional, [("ID-PSE".to_owned(), "1234".to_owned())]);
    }
}
