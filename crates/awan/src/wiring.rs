//! Where the crates are joined: tables, actions, ports, tasks. A new service is a line in each list.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use base::{Clock, Rng, Secret, SystemClock, SystemRng};
use engine::action::Registry;
use engine::cloud::Parts;
use engine::files::write_whole;
use engine::seal::Seal;
use engine::sequencer::Sequencer;
use engine::{Cloud, Entry};
use store::{Backend, Db, MigrationSet};
use tlog::Signer;

use crate::config::Config;
use crate::ready;

/// Every table of the cloud, in the order in which they are made.
const MIGRATIONS: &[MigrationSet] =
    &[engine::MIGRATIONS, agreement::MIGRATIONS, ram::MIGRATIONS, oss::MIGRATIONS];

/// Every action of the control API.
pub fn actions() -> [&'static [Entry]; 4] {
    [engine::actions::ACTIONS, agreement::ACTIONS, billing::ACTIONS, ram::ACTIONS]
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
}

/// Opens everything in the data directory, making at first start what is not there.
pub fn join(config: &Config, dir: &Path) -> anyhow::Result<Joined> {
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let db = open_store(config, dir)?;
    refuse_foreign_database(&db, dir)?;
    let seal = Arc::new(Seal::new(&master_key(dir, &*rng)?, Arc::clone(&rng)));
    let root = ready::root_key(dir, || ram::RootKey::generate(&*rng))?;
    let ram = Arc::new(ram::Ram::new(Arc::clone(&seal)));
    // Before the account: from then on a start without this key is refused.
    let signer = log_signer(dir, &config.log.origin, &*rng)?;
    first_start(&db, root, &seal, &*clock)?;
    let log_key = signer.verifier().to_string();
    let cloud = Cloud::new(Parts {
        db,
        clock,
        rng,
        authority: Arc::clone(&ram) as Arc<dyn engine::ports::Authority>,
        covenant: Arc::new(agreement::Agreements),
        seal,
        region: config.region(),
        registry: Registry::new(&actions()),
        data_dir: dir.to_owned(),
        requests_per_second: config.limits.requests_per_second,
    });
    let sequencer = Sequencer::new(dir.join("log"), &signer);
    Ok(Joined { cloud, ram, sequencer, log_key })
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
    for file in ["master.key", "root-key.json", "log.key"] {
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

/// Makes the account that runs the cloud, and its agreement with itself, where there is none.
fn first_start(
    db: &Db,
    root: ram::RootKey,
    seal: &Arc<Seal>,
    clock: &dyn Clock,
) -> anyhow::Result<()> {
    use engine::ports::Covenant;
    let (seal, now) = (Arc::clone(seal), clock.now());
    db.write_blocking(move |tx| {
        if ram::first_start(tx, &root, &seal, now)? {
            agreement::Agreements.account_opened(tx, root.account_id, now)?;
        }
        Ok::<_, base::ApiError>(())
    })
    .context("make the account that runs the cloud")
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
    if !path.exists() {
        let signer = Signer::generate(rng, origin).context("make the log's key")?;
        write_whole(&path, signer.text().expose().as_bytes(), 0o600)
            .context("write the log's key")?;
    }
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let signer = Signer::parse(&Secret::new(text.trim().to_owned()))
        .with_context(|| format!("understand {}", path.display()))?;
    anyhow::ensure!(
        signer.verifier().name() == origin,
        "this cloud's log is called {}, not {origin}: a log keeps its name for life",
        signer.verifier().name()
    );
    Ok(signer)
}

#[cfg(test)]
mod tests;
