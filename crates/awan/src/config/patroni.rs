//! `[[rds.patroni]]`: clusters of PostgreSQL that their operator runs under Patroni, and offers to a tenant.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, anyhow, ensure};
use base::AccountId;
use base::region::DataCentre;
use rds::classes;
use rds::model::{Category, Engine};
use rds::patroni::{Access, Cluster, Seat};
use serde::{Deserialize, Serialize};
use terms::clauses::DataClass;

use super::reference;

/// A cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Patroni {
    /// What it is called, for good: the first label of its host name.
    pub name: String,
    /// Whose instance it is, by its number [default: the account that runs the cloud].
    #[serde(default)]
    pub account: Option<String>,
    /// The class of the data in it.
    #[serde(default = "data_class")]
    pub data_class: String,
    /// As which class of instances it is told and metered.
    pub class: String,
    /// As how much storage it is told and metered, GiB.
    pub storage_gib: u32,
    /// A PEM file with whom to trust, for APIs over TLS.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// A PEM file with the certificate to show to the APIs.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// A PEM file with that certificate's key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The user of the APIs that may switch over and restart.
    #[serde(default)]
    pub user: Option<String>,
    /// That user's password, as `env:NAME` or `file:PATH`.
    #[serde(default)]
    pub password: Option<String>,
    /// Its servers.
    pub member: Vec<Member>,
}

/// A server of a cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What Patroni calls it.
    pub name: String,
    /// Its REST API: `https://10.0.0.1:8008`.
    pub api: String,
    /// The data centre that it stands in.
    pub site: String,
}

fn data_class() -> String {
    DataClass::Internal.as_str().to_owned()
}

impl Patroni {
    /// The cluster, with its secrets. Nothing is asked of it. Without an account it is that of the cloud's `own`.
    pub fn open(&self, own: AccountId) -> anyhow::Result<Cluster> {
        let name = &self.name;
        let account = match self.account.as_deref() {
            Some(text) => text.parse().map_err(|()| anyhow!("{text:?} is no account's number")),
            None => Ok(own),
        };
        let password = self.password.as_deref().map(reference).transpose();
        let password = password.with_context(|| format!("rds.patroni {name}"))?;
        let seat = |member: &Member| Seat {
            name: member.name.clone(),
            api: member.api.clone(),
            site: member.site.clone(),
        };
        Ok(Cluster {
            name: name.clone(),
            account: account.with_context(|| format!("rds.patroni {name}"))?,
            data_class: self.data_class()?,
            class: self.class.clone(),
            storage_gib: self.storage_gib.into(),
            members: self.member.iter().map(seat).collect(),
            access: Access {
                ca: self.ca.clone(),
                certificate: self.certificate.clone().zip(self.key.clone()),
                login: self.user.clone().zip(password),
            },
        })
    }

    fn data_class(&self) -> anyhow::Result<DataClass> {
        let class = DataClass::parse(&self.data_class);
        class.with_context(|| format!("rds.patroni {}: there is no such data_class", self.name))
    }

    fn check(&self, centres: &[DataCentre]) -> anyhow::Result<()> {
        let name = &self.name;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        ensure!(
            !name.is_empty() && name.len() <= 63 && name.bytes().all(plain),
            "rds.patroni {name:?}: name is the label of a host, of a-z, 0-9 and '-'"
        );
        self.data_class()?;
        let class = classes::find(&self.class).filter(|class| class.engine == Engine::Postgres);
        let class =
            class.with_context(|| format!("rds.patroni {name}: no class {}", self.class))?;
        let several = self.member.len() > 1;
        ensure!(
            several == (class.category == Category::HighAvailability),
            "rds.patroni {name}: {} is a class of {} member",
            self.class,
            if several { "one" } else { "more than one" }
        );
        ensure!(self.storage_gib > 0, "rds.patroni {name}: storage_gib is 0");
        ensure!(
            self.certificate.is_some() == self.key.is_some(),
            "rds.patroni {name}: certificate and key go together"
        );
        ensure!(
            self.user.is_some() == self.password.is_some(),
            "rds.patroni {name}: user and password go together"
        );
        let mut names = BTreeSet::new();
        for Member { name: member, api, site } in &self.member {
            ensure!(names.insert(member), "rds.patroni {name}: the member {member} is named twice");
            let there = centres.iter().any(|centre| centre.site == *site);
            ensure!(there, "rds.patroni {name}: there is no data centre {site:?}");
            let (tls, plain) = (api.starts_with("https://"), api.starts_with("http://"));
            ensure!(tls || plain, "rds.patroni {name}: the api of {member} is no http(s)://…");
            ensure!(!tls || self.ca.is_some(), "rds.patroni {name}: an https:// api asks for a ca");
            ensure!(
                tls || self.password.is_none(),
                "rds.patroni {name}: a password is sent over https:// only"
            );
        }
        ensure!(!names.is_empty(), "rds.patroni {name} has no member");
        Ok(())
    }
}

/// Refuses what would be found only when somebody needs it.
pub fn check(clusters: &[Patroni], centres: &[DataCentre]) -> anyhow::Result<()> {
    let mut names = BTreeSet::new();
    for cluster in clusters {
        cluster.check(centres)?;
        ensure!(names.insert(&cluster.name), "rds.patroni {} is there twice", cluster.name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use base::AccountId;

    use crate::config::Config;

    const GOOD: &str = r#"
        [[rds.patroni]]
        name = "gudang"
        class = "pg.n2.2c.2m"
        storage_gib = 100
        ca = "/etc/patroni/ca.pem"
        user = "awan"
        password = "file:/run/secret"
        member = [
            { name = "pg1", api = "https://10.0.0.1:8008", site = "jkt-a" },
            { name = "pg2", api = "https://10.0.0.2:8008", site = "jkt-a" },
        ]
    "#;

    fn check(text: &str) -> anyhow::Result<Config> {
        let config: Config = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    #[test]
    fn a_cluster_of_several_servers_may_stand_in_one_data_centre() {
        let config = check(GOOD).unwrap();
        let again: Config = toml::from_str(&config.describe().unwrap()).unwrap();
        assert_eq!(again.rds.patroni[0].member.len(), 2);
        let plain =
            GOOD.replace("user = \"awan\"", "").replace("password = \"file:/run/secret\"", "");
        let config = check(&plain).unwrap();
        let own = AccountId::new(7);
        let cluster = config.rds.patroni[0].open(own).unwrap();
        assert_eq!((cluster.account, cluster.data_class.as_str()), (own, "internal"));
    }

    #[test]
    fn what_would_be_found_later_is_refused_at_the_start() {
        for (from, to, why) in [
            ("jkt-a", "mars-1", "mars-1"),
            ("\"gudang\"", "\"Gudang kami\"", "label"),
            ("pg.n2.2c.2m", "pg.n2.2c.1m", "member"),
            ("pg.n2.2c.2m", "pg.n2.2c.9m", "no class"),
            ("\"pg2\"", "\"pg1\"", "twice"),
            ("https://", "ftp://", "http(s)"),
            ("https://", "http://", "over https"),
            ("ca = \"/etc/patroni/ca.pem\"", "", "asks for a ca"),
            ("user = \"awan\"", "", "go together"),
            ("storage_gib = 100", "storage_gib = 0", "storage_gib"),
            ("storage_gib", "data_class = \"rumour\"\nstorage_gib", "data_class"),
            ("storage_gib", "colour = \"red\"\nstorage_gib", "colour"),
        ] {
            let refused = format!("{:#}", check(&GOOD.replace(from, to)).unwrap_err());
            assert!(refused.contains(why), "{refused}");
        }
        let twice = format!("{GOOD}{GOOD}");
        assert!(check(&twice).is_err());
    }

    #[test]
    fn a_password_is_never_in_the_configuration_itself() {
        let config = check(&GOOD.replace("file:/run/secret", "rahasia")).unwrap();
        let refused = config.rds.patroni[0].open(AccountId::new(1)).unwrap_err();
        let refused = format!("{refused:#}");
        assert!(refused.contains("gudang") && !refused.contains("rahasia"), "{refused}");
    }
}
