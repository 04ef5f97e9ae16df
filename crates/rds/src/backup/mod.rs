//! Backups: base backups, the archive of the log, restores, retention. All of it runs in the control plane, which
//! connects to the servers as the role that replicates; nodes have no key to any store.
//!
//! | module | owns |
//! |---|---|
//! | [`replication`] | the talk with PostgreSQL servers |
//! | [`wal`] | positions, names, frames |
//! | [`archive`] | the log, as it is written, into the tenant's bucket |
//! | [`base`] | base backups, and the task that makes one |
//! | [`manifest`] | whether what was stored is what the server sent |
//! | [`schedule`] | when backups are made, and when they go |
//! | [`restore`] | what a restore needs, in order |
//! | [`restore_test`] | that restores work, every day |
//!
//! It does not know where bytes lie: that is [`engine::ports::Vault`]'s business, and the agreement's.
//!
//! # What is kept, under `<instance>/` of the bucket
//! | key | what |
//! |---|---|
//! | `base/<backup>/base.tar.lz4/<part>` | a base backup: a tar (of MariaDB an mbstream) as LZ4 frames, cut into parts |
//! | `base/<backup>/manifest` | the server's manifest of it (of MariaDB our own: one sum of the whole) |
//! | `<cluster>/wal/<timeline>/<lsn>` | a piece of the log that begins there, one LZ4 frame |
//! | `<cluster>/wal/<segment file>` | a whole segment, one LZ4 frame, in place of its pieces |
//! | `<cluster>/wal/<timeline>.history` | what a timeline came from |

pub mod archive;
pub mod base;
pub mod manifest;
pub mod replication;
pub mod restore;
pub mod restore_test;
pub mod schedule;
pub mod wal;

use std::sync::Arc;
use std::time::Duration;

use ::base::{AccountId, ApiError};
use engine::Cloud;
use engine::ports::{Kept, Vault, VaultBucket};
use serde::{Deserialize, Serialize};
use store::Tx;
use tokio_rustls::rustls::ClientConfig;

use self::replication::Target;
use self::wal::Lsn;
use crate::deployment::Settings;
use crate::model::Wanted;
use crate::tables::instance::{self, Instance};
use crate::tables::{backup, member};

/// The kind of the task that makes one backup, as stored; its id is the backup's.
pub const KIND: &str = "rds.backup";
/// The state in which that task begins, as stored.
pub const BEGIN: &str = "null";
/// The level of what is kept, bytes as stored.
pub const BACKUP_BYTES: &str = "rds.backup_bytes";
/// How the archive calls itself where it streams: the name that `synchronous_standby_names` takes, where a commit
/// is to wait until it is in the archive.
pub const ARCHIVE_NAME: &str = "awan_archive";

/// What is known of a backup besides its columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The bucket that it is in.
    pub bucket: String,
    /// The server's system identifier.
    pub cluster: u64,
    /// In how many parts its tar is kept.
    pub parts: u32,
    /// The size of the data in it, bytes.
    pub data_bytes: u64,
    /// How many files of it were read back and found to be what the server sent.
    pub checked_files: u64,
    /// What its owner calls it.
    pub name: String,
    /// Why it failed.
    pub trouble: String,
    /// When a restore of it was tested last, microseconds since 1970; 0 where none was.
    pub tested: i64,
    /// What came of that.
    pub proof: String,
}

/// How fast things go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The archive writes what came within this together.
    pub write: Duration,
    /// As `write`, where commits wait for the archive.
    pub write_synchronous: Duration,
    /// The archive looks this often which instances there are.
    pub look: Duration,
    /// From one restore test of an instance to the next.
    pub restore_test: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            write: Duration::from_millis(500),
            write_synchronous: Duration::from_millis(5),
            look: Duration::from_secs(1),
            restore_test: Duration::from_secs(86_400),
        }
    }
}

/// What everything here works with.
pub struct Desk {
    /// What the whole program shares.
    pub cloud: Arc<Cloud>,
    /// Where bytes are kept.
    pub vault: Arc<dyn Vault>,
    /// Trusts the cloud's CA.
    pub tls: Arc<ClientConfig>,
    /// How fast things go.
    pub pace: Pace,
    /// Who gives backups of engines that have no protocol for it; without it, they have none.
    pub nodes: Option<Arc<dyn self::base::Copies>>,
}

impl Desk {
    /// How to reach the primary of an instance; `None` where it has none that listens.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn target(
        &self,
        tx: &mut Tx<'_>,
        instance: &Instance,
        application: &str,
    ) -> Result<Option<Target>, ApiError> {
        let members = member::of(tx, &instance.id)?;
        let primary = members.into_iter().find(|it| it.primary && it.port != 0);
        let Some(primary) = primary else { return Ok(None) };
        Ok(Some(Target {
            host: primary.host,
            port: primary.port,
            server_name: Settings::told().host(&instance.name, instance.engine),
            password: instance.secrets(&self.cloud.seal)?.replicator(),
            tls: Arc::clone(&self.tls),
            application: application.to_owned(),
        }))
    }

    /// The bucket for what is kept of an instance.
    ///
    /// # Errors
    /// Those of [`Vault::ensure`].
    pub(crate) async fn bucket(&self, instance: &Instance) -> Result<String, ApiError> {
        let wanted = VaultBucket {
            account: instance.account,
            service: "rds",
            class: instance.data_class,
            region: instance.region.clone(),
        };
        self.vault.ensure(wanted).await
    }

    /// Everything that is kept under a prefix and comes after that key, page by page; `take` says whether to go on.
    pub(crate) async fn each(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        mut take: impl FnMut(Kept) -> bool,
    ) -> Result<(), ApiError> {
        let mut after = after.to_owned();
        loop {
            let page = self.vault.list(bucket, prefix, &after, PAGE).await?;
            let is_last = page.len() < PAGE;
            for kept in page {
                after.clone_from(&kept.key);
                if !take(kept) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// All keys under a prefix, with their sizes.
    pub(crate) async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<Kept>, ApiError> {
        let mut keys = Vec::new();
        self.each(bucket, prefix, "", |kept| {
            keys.push(kept);
            true
        })
        .await?;
        Ok(keys)
    }

    /// An object as a whole, at most `limit` bytes; `None` where there is none.
    pub(crate) async fn whole(
        &self,
        bucket: &str,
        key: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(mut body) = self.vault.get(bucket, key).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await? {
            if bytes.len() + piece.len() > limit {
                return Err(ApiError::internal(format!("{key} is longer than it can be")));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes))
    }
}

/// Removes everything under a prefix.
pub(crate) async fn remove_all(desk: &Desk, bucket: &str, prefix: &str) -> Result<(), ApiError> {
    let kept = desk.keys(bucket, prefix).await?;
    for some in kept.chunks(PAGE) {
        let keys = some.iter().map(|it| it.key.clone()).collect();
        desk.vault.delete(bucket, keys).await?;
    }
    Ok(())
}

/// Lines of a listing at a time.
const PAGE: usize = 1000;

/// Whether an instance has a log of its own, and writes it now.
pub(crate) fn writes_log(instance: &Instance) -> bool {
    use crate::model::{Engine, Status};
    let serves = !matches!(
        instance.status,
        Status::Creating
            | Status::Restoring
            | Status::Stopping
            | Status::Stopped
            | Status::Deleting
            | Status::Released
    );
    instance.engine == Engine::Postgres
        && !instance.is_read_only()
        && instance.wanted == Wanted::Running
        && serves
}

/// Whether the log of an instance is to be archived now: it is, unless its owner said otherwise.
pub(crate) fn is_archived(instance: &Instance) -> bool {
    writes_log(instance) && instance.options.backup.log
}

/// Whether commits of an instance wait for the archive: asked to be synchronous, and without a standby.
pub fn waits_for_archive(instance: &Instance) -> bool {
    instance.category == crate::model::Category::Basic
        && instance.options.sync_mode == "Sync"
        && is_archived(instance)
}

/// The major version of an exact one: 17 of `17.11`, 10.11 of `10.11.19`.
pub(crate) fn major_of(engine: crate::model::Engine, build: &str) -> &str {
    let parts = match engine {
        crate::model::Engine::Postgres => 1,
        crate::model::Engine::MariaDb => 2,
    };
    build.match_indices('.').nth(parts - 1).map_or(build, |(at, _)| &build[..at])
}

/// The instance's name to meters and policies.
pub(crate) fn arn(region: &str, account: AccountId, instance: &str) -> String {
    format!("acs:rds:{region}:{account}:dbinstance/{instance}")
}

/// Whose an instance is or was, and in which region; `None` where nothing is known of it.
pub(crate) fn owner(tx: &mut Tx<'_>, id: &str) -> Result<Option<(AccountId, String)>, ApiError> {
    if let Some(instance) = instance::find(tx, id)? {
        return Ok(Some((instance.account, instance.region)));
    }
    let released = backup::find_released(tx, id)?;
    Ok(released.map(|it| (it.account, it.facts.region)))
}

/// All instances of the cloud.
pub(crate) fn instances(tx: &mut Tx<'_>) -> Result<Vec<Instance>, ApiError> {
    let mut found: Vec<Instance> = Vec::new();
    loop {
        let after = found.last().map(|last| last.id.clone()).unwrap_or_default();
        let page = instance::all(tx, &after, PAGE)?;
        let is_last = page.len() < PAGE;
        found.extend(page);
        if is_last {
            return Ok(found);
        }
    }
}

/// Where things are kept, below an instance.
pub(crate) mod key {
    use super::Lsn;

    /// What every key of a base backup begins with.
    pub fn base(instance: &str, backup: &str) -> String {
        format!("{instance}/base/{backup}/")
    }

    /// A part of a base backup.
    pub fn part(instance: &str, backup: &str, part: u32) -> String {
        format!("{}base.tar.lz4/{part:05}", base(instance, backup))
    }

    /// The manifest of a base backup.
    pub fn manifest(instance: &str, backup: &str) -> String {
        format!("{}manifest", base(instance, backup))
    }

    /// What every key of a cluster's log begins with.
    pub fn wal(instance: &str, cluster: u64) -> String {
        format!("{instance}/{cluster:016x}/wal/")
    }

    /// A file of a cluster's log: a segment, a history.
    pub fn file(instance: &str, cluster: u64, name: &str) -> String {
        format!("{}{name}", wal(instance, cluster))
    }

    /// What every key of the pieces of a timeline begins with.
    pub fn pieces(instance: &str, cluster: u64, timeline: u32) -> String {
        format!("{}{timeline:08x}/", wal(instance, cluster))
    }

    /// A piece of the log.
    pub fn piece(instance: &str, cluster: u64, timeline: u32, start: Lsn) -> String {
        format!("{}{:016x}", pieces(instance, cluster, timeline), start.0)
    }

    /// What the keys of the pieces of one segment begin with.
    pub fn pieces_of(instance: &str, cluster: u64, timeline: u32, segment: Lsn) -> String {
        let mut key = piece(instance, cluster, timeline, segment);
        // A segment is 24 bits of position: the last six digits.
        key.truncate(key.len() - 6);
        key
    }

    /// Where a piece begins.
    pub fn start(key: &str) -> Option<Lsn> {
        let name = key.rsplit('/').next()?;
        (name.len() == 16).then(|| u64::from_str_radix(name, 16).ok().map(Lsn)).flatten()
    }
}
