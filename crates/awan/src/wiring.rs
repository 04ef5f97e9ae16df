//! Where the crates are joined: tables, actions, ports, tasks. A new service is a line in each list.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use agreement::FirstStart;
use anyhow::Context;
use base::{AccountId, Clock, Rng, Secret, SystemClock, SystemRng};
use engine::action::Registry;
use engine::cloud::Parts;
use engine::files::write_whole;
use engine::seal::Seal;
use engine::sequencer::Sequencer;
use engine::{Cloud, Entry, places};
use store::{Backend, Db, MigrationSet};
use tlog::Signer;

use crate::config::Config;
use crate::{ready, witnesses};

/// With which the provider signs agreements.
const PROVIDER_KEY: &str = "provider.key";
/// With which the account that runs the cloud signs its own.
const TENANT_KEY: &str = "tenant.key";

/// Every table of the cloud, in the order in which they are made.
const MIGRATIONS: &[MigrationSet] = &[
    engine::MIGRATIONS,
    agreement::MIGRATIONS,
    ram::MIGRATIONS,
    oss::MIGRATIONS,
    billing::MIGRATIONS,
    rds::MIGRATIONS,
];

/// Every action of the control API.
pub fn actions() -> [&'static [Entry]; 6] {
    [
        engine::actions::ACTIONS,
        agreement::ACTIONS,
        billing::ACTIONS,
        oss::ACTIONS,
        ram::ACTIONS,
        rds::ACTIONS,
    ]
}

/// The joined cloud and what the roles need of it.
pub struct Joined {
    /// What the whole program shares.
    pub cloud: Arc<Cloud>,
    /// Keys and policies; also remembers which keys were used.
    pub ram: Arc<ram::Ram>,
    /// Publishes the log.
    pub sequencer: Arc<Sequencer>,
    /// The log's verifier key, as text.
    pub log_key: String,
    /// The provider's verifier key, as text.
    pub provider_key: String,
    /// What the portal says beside the log.
    pub about: portal::About,
}

/// Opens everything in the data directory, making at first start what is not there. What is to be
/// recorded of it is left to [`declare`].
pub fn join(config: &Config, dir: &Path) -> anyhow::Result<(Joined, FirstStart)> {
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let db = open_store(config, dir)?;
    refuse_foreign_database(&db, dir)?;
    let seal = Arc::new(Seal::new(&master_key(dir, &*rng)?, Arc::clone(&rng)));
    let root = ready::root_key(dir, || ram::RootKey::generate(&*rng))?;
    let ram = Arc::new(ram::Ram::new(Arc::clone(&seal)));
    // Before the account: from then on a start without this key is refused.
    let signer = log_signer(dir, &config.log.origin, &*rng)?;
    let log_key = signer.verifier().to_string();
    let agreement = agreement_start(config, dir, root.account_id, &log_key, &*rng)?;
    let provider_key = agreement.provider.key.clone();
    first_start(&db, root, &seal, &*clock)?;
    let cloud = Cloud::new(Parts {
        db,
        clock,
        rng,
        authority: Arc::clone(&ram) as Arc<dyn engine::ports::Authority>,
        covenant: Arc::new(agreement::Agreements::default()),
        seal,
        region: config.region(),
        registry: Registry::new(&actions()),
        data_dir: dir.to_owned(),
        requests_per_second: config.limits.requests_per_second,
    });
    let policy = config.log.policy.as_deref();
    let sequencer = witnesses::sequencer(dir.join("log"), &signer, policy)?;
    let verifier = signer.verifier().clone();
    let witnesses = witnesses::keys(policy)?;
    let joined = Joined {
        cloud,
        ram,
        sequencer,
        log_key,
        provider_key,
        about: portal::About { log_key: verifier, operator: Some(agreement.account), witnesses },
    };
    Ok((joined, agreement))
}

/// The public pages of this cloud.
pub fn portal(joined: &Joined, dir: &Path) -> portal::Portal {
    let log = tlog::Directory::new(dir.join("log"));
    let source = Arc::new(portal::Local::new(Arc::clone(&joined.cloud), log));
    portal::Portal::new(source, joined.about.clone(), Arc::clone(&joined.cloud.clock))
}

/// Records what changed since the last start: keys, data centres, and the agreement of the account that
/// runs the cloud, where it has none.
pub async fn declare(joined: &Joined, agreement: FirstStart) -> anyhow::Result<()> {
    let cloud = &joined.cloud;
    places::declare_key(cloud, "log", &joined.log_key).await.context("declare the log's key")?;
    places::declare_key(cloud, "provider", &joined.provider_key)
        .await
        .context("declare the provider's key")?;
    let held = cloud.db.read(oss::sites_in_use).await.context("look where data is")?;
    places::declare(cloud, &held).await.context("declare the data centres")?;
    agreement::first_start(cloud, agreement)
        .await
        .context("make the agreement of the account that runs the cloud")
}

/// A directory and a database that do not belong together must not meet: keys would open nothing, the
/// log would contradict itself, and segments that no row of this database names would be removed.
fn refuse_foreign_database(db: &Db, dir: &Path) -> anyhow::Result<()> {
    let operator = db.read_blocking(ram::operator).context("look for the operator's account")?;
    let here = dir.display();
    let Some(operator) = operator else {
        let segments = dir.join("oss/segments");
        let empty = fs::read_dir(&segments).map_or(true, |mut files| files.next().is_none());
        anyhow::ensure!(
            empty,
            "{} holds objects and the database is empty: it is not the one that they belong to",
            segments.display()
        );
        return Ok(());
    };
    // The keys of agreements are younger than clouds: one that has none yet is about to make them.
    let agreed = db.read_blocking(agreement::has_provider).context("look for the provider")?;
    let signing = if agreed { &[PROVIDER_KEY, TENANT_KEY][..] } else { &[] };
    for file in ["master.key", "root-key.json", "log.key"].iter().chain(signing) {
        anyhow::ensure!(
            dir.join(file).exists(),
            "the database belongs to a cloud whose {file} is not in {here}: copy it there from that cloud's data directory"
        );
    }
    let account = ready::account_of(dir)?;
    anyhow::ensure!(
        account == operator,
        "the database belongs to the cloud of account {operator}, {here} to that of {account}"
    );
    Ok(())
}

fn open_store(config: &Config, dir: &Path) -> anyhow::Result<Db> {
    let backend = match config.postgres()? {
        Some(connection) => Backend::Postgres(connection),
        None => Backend::Sqlite(dir.join("cloud.db")),
    };
    let db = Db::open(store::Config { backend, readers: 16 }).context("open the database")?;
    db.migrate(MIGRATIONS).context("bring the database's tables up to date")?;
    Ok(db)
}

/// Makes the account that runs the cloud, where there is none.
fn first_start(
    db: &Db,
    root: ram::RootKey,
    seal: &Arc<Seal>,
    clock: &dyn Clock,
) -> anyhow::Result<()> {
    let (seal, now) = (Arc::clone(seal), clock.now());
    db.write_blocking(move |tx| ram::first_start(tx, &root, &seal, now))
        .context("make the account that runs the cloud")?;
    Ok(())
}

/// The two keys with which the first agreement is signed, and who its parties are.
fn agreement_start(
    config: &Config,
    dir: &Path,
    account: AccountId,
    log_key: &str,
    rng: &dyn Rng,
) -> anyhow::Result<FirstStart> {
    let origin = config.log.origin.clone();
    let key_of = |file: &str, name: &str| signer(&dir.join(file), name, rng);
    let provider_signer = key_of(PROVIDER_KEY, &agreement::provider_key_name(&origin))?;
    let tenant_signer = key_of(TENANT_KEY, &agreement::tenant_key_name(&origin, account))?;
    Ok(FirstStart {
        provider: agreement::Provider {
            party: config.provider.party(&origin),
            key: provider_signer.verifier().to_string(),
            log: terms::clauses::Log { origin, key: log_key.to_owned() },
        },
        provider_signer,
        account,
        tenant_name: config.provider.name.clone(),
        tenant_signer,
    })
}

/// The master key: 32 random bytes in a file that only the operator reads.
fn master_key(dir: &Path, rng: &dyn Rng) -> anyhow::Result<[u8; Seal::KEY_LEN]> {
    let path = dir.join("master.key");
    if !path.exists() {
        let key: [u8; Seal::KEY_LEN] = rng.bytes();
        write_whole(&path, &key, 0o600).context("write the master key")?;
    }
    let key = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    key.try_into()
        .map_err(|_| anyhow::anyhow!("{} is not {} bytes long", path.display(), Seal::KEY_LEN))
}

/// The key that signs the log's checkpoints.
fn log_signer(dir: &Path, origin: &str, rng: &dyn Rng) -> anyhow::Result<Signer> {
    let path = dir.join("log.key");
    if path.exists() {
        let signer = read_signer(&path)?;
        let name = signer.verifier().name();
        anyhow::ensure!(
            name == origin,
            "this cloud's log is called {name}, not {origin}: a log keeps its name for life"
        );
    }
    signer(&path, origin, rng)
}

/// The signing key in a file that only the operator reads; made at first start.
fn signer(path: &Path, name: &str, rng: &dyn Rng) -> anyhow::Result<Signer> {
    if !path.exists() {
        let signer = Signer::generate(rng, name).with_context(|| format!("make the key {name}"))?;
        write_whole(path, signer.text().expose().as_bytes(), 0o600)
            .with_context(|| format!("write {}", path.display()))?;
    }
    let signer = read_signer(path)?;
    let found = signer.verifier().name();
    anyhow::ensure!(found == name, "the key in {} is {found}, not {name}", path.display());
    Ok(signer)
}

fn read_signer(path: &Path) -> anyhow::Result<Signer> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Signer::parse(&Secret::new(text.trim().to_owned()))
        .with_context(|| format!("understand {}", path.display()))
}

#[cfg(test)]
mod tests;
