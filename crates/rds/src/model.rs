//! The words of this crate: what an instance is and what is asked of it. No SQL, no protocol.

use std::collections::BTreeMap;

use base::Secret;
use serde::{Deserialize, Serialize};

/// A database engine, by the name that the API gives it. MariaDB is never passed off as MySQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Engine {
    /// PostgreSQL.
    #[serde(rename = "PostgreSQL")]
    Postgres,
    /// MariaDB.
    #[serde(rename = "MariaDB")]
    MariaDb,
}

impl Engine {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        }
    }

    /// From the API's spelling, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Postgres, Self::MariaDb]
            .into_iter()
            .find(|engine| engine.as_str().eq_ignore_ascii_case(text))
    }

    /// The label between an instance's own and the domain: `pgm-….pg.rds.example.id`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Postgres => "pg",
            Self::MariaDb => "mariadb",
        }
    }
}

/// Where an instance is in its life, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Being made.
    Creating,
    /// Being made from another's backup.
    Restoring,
    /// Serving.
    Running,
    /// Restarting because it was asked to.
    Rebooting,
    /// Going to be stopped.
    Stopping,
    /// Stopped: keeps its data, serves nobody.
    Stopped,
    /// Going to be started. (The API has no word of its own for it.)
    Starting,
    /// Getting another class or more storage.
    #[serde(rename = "DBInstanceClassChanging")]
    ClassChanging,
    /// Getting another version of its engine.
    EngineVersionUpgrading,
    /// Another member becomes the primary.
    #[serde(rename = "GuardSwitching")]
    Switching,
    /// Its host names change.
    #[serde(rename = "DBInstanceNetTypeChanging")]
    NetTypeChanging,
    /// Its TLS settings change.
    #[serde(rename = "SSL_MODIFYING")]
    SslModifying,
    /// Going away.
    Deleting,
    /// Gone, with backups that are kept. No row has it: what is told of such an instance does.
    Released,
}

impl Status {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Restoring => "Restoring",
            Self::Running => "Running",
            Self::Rebooting => "Rebooting",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Starting => "Starting",
            Self::ClassChanging => "DBInstanceClassChanging",
            Self::EngineVersionUpgrading => "EngineVersionUpgrading",
            Self::Switching => "GuardSwitching",
            Self::NetTypeChanging => "DBInstanceNetTypeChanging",
            Self::SslModifying => "SSL_MODIFYING",
            Self::Deleting => "Deleting",
            Self::Released => "Released",
        }
    }

    /// From a stored text.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
    }
}

/// What an instance is to be in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Serving.
    Running,
    /// There, and not serving.
    Stopped,
    /// Not there.
    Gone,
}

impl Wanted {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Stopped, Self::Gone].into_iter().find(|it| it.as_str() == text)
    }
}

/// Who keeps the servers of an instance. Only those of [`Keeper::Awan`] have members on nodes, leases, backups and
/// figures: [`crate::tables::instance::all`] and [`crate::tables::instance::of_category`] give no others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeper {
    /// The nodes of this cloud.
    #[default]
    Awan,
    /// Patroni, which the operator runs: see [`crate::patroni`].
    Patroni,
}

impl Keeper {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awan => "awan",
            Self::Patroni => "patroni",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Awan, Self::Patroni].into_iter().find(|it| it.as_str() == text)
    }
}

/// How many data directories an instance has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// One.
    Basic,
    /// A primary and a standby in another zone.
    HighAvailability,
}

impl Category {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::HighAvailability => "HighAvailability",
        }
    }

    /// From the API's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Basic, Self::HighAvailability].into_iter().find(|it| it.as_str() == text)
    }
}

/// How the first data of an instance came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Empty, from its engine's warm template.
    Template,
    /// From the archive of an instance (perhaps gone by now): the newest backup that ended before `until`,
    /// and the log up to it.
    Archive {
        /// Whose archive.
        instance: String,
        /// The backup to begin with; the newest fitting one where `None`.
        backup: Option<String>,
        /// Microseconds since 1970: what was committed later is not there. `None`: the backup's own end.
        until: Option<i64>,
    },
    /// Follows another instance, for reading.
    Follow {
        /// The instance that is followed.
        instance: String,
    },
}

/// What an instance has besides its columns. New fields take a default, so that old rows stay readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// What its owner calls it.
    pub description: String,
    /// `DeleteDBInstance` is refused.
    pub deletion_protection: bool,
    /// Postpaid, Prepaid.
    pub pay_type: String,
    /// When maintenance may disturb it, UTC: `18:00Z-22:00Z`.
    pub maintain_time: String,
    /// `Auto` or `Manual`: minor versions.
    pub auto_upgrade_minor_version: String,
    /// Virtual network; kept and told, not enforced by this crate.
    pub vpc: String,
    /// Its switch.
    pub vswitch: String,
    /// The storage type that the client asked for.
    pub storage_type: String,
    /// `Sync`: a commit waits for the standby; `Async`: it does not.
    pub sync_mode: String,
    /// `RPO` or `RTO`: what failover prefers.
    pub ha_mode: String,
    /// `Auto` or `Manual`: whether a standby takes over by itself.
    pub ha_switch: String,
    /// Until when it does not, `2026-11-23T00:00:00Z`; empty for always.
    pub manual_ha_until: String,
    /// The first label of the second, public host name; empty where there is none.
    pub public_name: String,
    /// The server's time zone.
    pub time_zone: String,
    /// The resource group that it was put into.
    pub resource_group: String,
    /// The backup policy.
    pub backup: BackupPolicy,
    /// Seconds between two points of monitoring.
    pub monitor_seconds: u32,
    /// What becomes of the backups when the instance goes: `None`, `Lastest` (so spelt by the API), `All`.
    pub released_keep_policy: String,
    /// Of a restored instance: everything was sent to its node.
    pub seeded: bool,
    /// What of it is in the usage now, by meter.
    pub metered: BTreeMap<String, i64>,
    /// Which member is to become the primary, by its data centre; empty where none is asked to. Whoever promotes it
    /// empties this.
    pub switch_to: String,
    /// The action that asked for something last, as [`crate::tables::instance::Instance::generation`] counts it.
    pub asked: String,
    /// When it did, microseconds since 1970; 0 where nothing was asked yet.
    pub asked_at: i64,
    /// The action that was asked for last and came to nothing, where one did: servers that the cloud does not keep may
    /// refuse.
    pub given_up: String,
    /// Settings that clients read back and nothing acts on, by action and name. Never silently accepted where
    /// something should act on them.
    pub told: BTreeMap<String, String>,
    /// Accounts that were deleted and that a kept backup may still have, and when that was, microseconds since 1970.
    pub deleted_accounts: BTreeMap<String, i64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            description: String::new(),
            deletion_protection: false,
            pay_type: "Postpaid".to_owned(),
            maintain_time: "18:00Z-22:00Z".to_owned(),
            auto_upgrade_minor_version: "Auto".to_owned(),
            vpc: String::new(),
            vswitch: String::new(),
            storage_type: "local_ssd".to_owned(),
            sync_mode: "Async".to_owned(),
            ha_mode: "RPO".to_owned(),
            ha_switch: "Auto".to_owned(),
            manual_ha_until: String::new(),
            public_name: String::new(),
            time_zone: "UTC".to_owned(),
            resource_group: String::new(),
            backup: BackupPolicy::default(),
            monitor_seconds: 60,
            released_keep_policy: "Lastest".to_owned(),
            switch_to: String::new(),
            seeded: false,
            metered: BTreeMap::new(),
            asked: String::new(),
            asked_at: 0,
            given_up: String::new(),
            told: BTreeMap::new(),
            deleted_accounts: BTreeMap::new(),
        }
    }
}

/// When backups are made and how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupPolicy {
    /// Days of the week, `Monday,Tuesday`; every day unless said otherwise.
    pub days: String,
    /// The hour in which it begins, UTC: `18:00Z-19:00Z`.
    pub time: String,
    /// For how many days backups, and the log since the oldest, are kept.
    pub retention_days: u32,
    /// Whether the log is archived: it is, unless the owner asked otherwise in writing.
    pub log: bool,
    /// For how many days the log is kept, at most `retention_days`.
    pub log_retention_days: u32,
}

impl Default for BackupPolicy {
    fn default() -> Self {
        Self {
            days: "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday".to_owned(),
            time: "18:00Z-19:00Z".to_owned(),
            retention_days: 7,
            log: true,
            log_retention_days: 7,
        }
    }
}

/// What only the cloud and its nodes know of an instance. Stored sealed, under `rds.instance/<id>`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Secrets {
    /// The password of the role that replicates and backs up.
    pub replicator: String,
    /// The certificate that its server shows, PEM.
    pub certificate: String,
    /// That certificate's key, PEM.
    pub key: String,
    /// The names that the certificate has.
    #[serde(default)]
    pub names: Vec<String>,
    /// When it was signed, microseconds since 1970.
    #[serde(default)]
    pub issued: i64,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// The replicator's password.
    pub fn replicator(&self) -> Secret<String> {
        Secret::new(self.replicator.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back_from_its_word() {
        for status in [
            Status::Creating,
            Status::Restoring,
            Status::Running,
            Status::Rebooting,
            Status::Stopping,
            Status::Stopped,
            Status::Starting,
            Status::ClassChanging,
            Status::EngineVersionUpgrading,
            Status::Switching,
            Status::NetTypeChanging,
            Status::SslModifying,
            Status::Deleting,
            Status::Released,
        ] {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("Sleeping"), None);
    }

    #[test]
    fn options_of_an_older_row_take_defaults() {
        let options: Options = serde_json::from_str("{}").unwrap_or_default();
        assert_eq!(options, Options::default());
        assert!(options.backup.log, "nobody forgets to switch backups on");
    }
}
