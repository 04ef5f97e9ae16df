//! `[[oss.backend]]`: the stores outside of this program that hold bytes in its place.
//!
//! Where each stands is for the agreements to judge, so it names a data centre; what is in it is never moved by
//! a change here ([`oss::Oss::open_with`] refuses what would).

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use base::region::DataCentre;
use serde::{Deserialize, Serialize};

use super::reference;

/// A store outside of this program.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// What the cloud calls it, for good.
    pub name: String,
    /// The data centre that it stands in.
    pub site: String,
    /// `http://HOST:PORT` or `https://HOST`.
    pub endpoint: String,
    /// The region that requests are signed for.
    #[serde(default = "region")]
    pub region: String,
    /// The bucket, which is there already.
    pub bucket: String,
    /// What every name in the bucket begins with.
    #[serde(default)]
    pub prefix: String,
    /// The access key's id, as `env:NAME` or `file:PATH`.
    pub key_id: String,
    /// The access key's secret, likewise.
    pub secret: String,
    /// A PEM file with the authorities to trust [default: the machine's].
    #[serde(default)]
    pub ca_cert: Option<PathBuf>,
    /// True where it gets no new bodies: it is read and deleted from until it is empty.
    #[serde(default)]
    pub retired: bool,
}

fn region() -> String {
    "us-east-1".to_owned()
}

impl Backend {
    /// The backend, with its secrets. Nothing is asked of it.
    pub fn open(&self) -> anyhow::Result<oss::Backend> {
        let name = &self.name;
        let secret = |text: &str| reference(text).with_context(|| format!("backend {name}"));
        let s3 = oss::backend::S3 {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            key_id: secret(&self.key_id)?,
            secret: secret(&self.secret)?,
            ca_cert: self.ca_cert.clone(),
        };
        let backend = oss::Backend::s3(name, &self.site, &s3)
            .map_err(|why| anyhow::anyhow!("backend {name}: {why}"))?;
        Ok(if self.retired { backend.retired() } else { backend })
    }
}

/// What would be found only when bytes are on their way is better found at the start.
pub fn check(backends: &[Backend], data_centres: &[DataCentre]) -> anyhow::Result<()> {
    let (mut names, mut sites) = (BTreeSet::new(), BTreeSet::new());
    for Backend { name, site, endpoint, bucket, retired, .. } in backends {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        let is_name = !name.is_empty() && name.len() <= 64 && name.bytes().all(plain);
        ensure!(is_name, "backend {name:?}: name is a short one of a-z, 0-9, '-', '.' and '_'");
        ensure!(names.insert(name), "the backend {name} is named twice");
        let declared = data_centres.iter().any(|centre| centre.site == *site);
        ensure!(declared, "backend {name}: no data_centre is called {site:?}");
        ensure!(
            *retired || sites.insert(site),
            "backend {name}: {site} has another already; all but one are retired"
        );
        let address = endpoint.starts_with("http://") || endpoint.starts_with("https://");
        ensure!(address, "backend {name}: endpoint {endpoint:?} is not http://… or https://…");
        ensure!(!bucket.is_empty(), "backend {name} has no bucket");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::config::Config;

    fn check(backends: &str) -> anyhow::Result<()> {
        toml::from_str::<Config>(backends)?.check()
    }

    fn backend(name: &str, more: &str) -> String {
        format!(
            "[[oss.backend]]\nname = \"{name}\"\nendpoint = \"http://127.0.0.1:3900\"\nbucket = \"bytes\"\n\
             key_id = \"env:ID\"\nsecret = \"file:/run/secret\"\n{more}\n"
        )
    }

    #[test]
    fn a_backend_stands_in_one_declared_data_centre_which_has_one_for_new_bodies() {
        let at = "site = \"jkt-a\"";
        let one = backend("ceph", at);
        check(&one).unwrap();
        let again: Config = toml::from_str(&one).unwrap();
        let again: Config = toml::from_str(&again.describe().unwrap()).unwrap();
        assert_eq!(again.oss.backend[0].region, "us-east-1");
        check(&format!("{one}{}", backend("garage", &format!("{at}\nretired = true")))).unwrap();
        for (wrong, why) in [
            (backend("ceph", "site = \"mars-1\""), "mars-1"),
            (format!("{one}{}", backend("garage", at)), "retired"),
            (format!("{one}{}", backend("ceph", "site = \"jkt-b\"")), "twice"),
            (backend("Ceph of ours", at), "name"),
            (backend("ceph", &format!("{at}\ncolour = \"red\"")), "colour"),
        ] {
            let refused = format!("{:#}", check(&wrong).unwrap_err());
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_secret_is_never_in_the_configuration_itself() {
        let text = backend("ceph", "site = \"jkt-a\"").replace("env:ID", "AKIA");
        let config: Config = toml::from_str(&text).unwrap();
        let refused = format!("{:#}", config.backends().unwrap_err());
        assert!(refused.contains("ceph") && !refused.contains("AKIA"), "{refused}");
    }
}
